package core

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// verbsOn calls every verb that takes the address of a group and answers their errors by name.
func verbsOn(t *testing.T, s *Session, conv im.Address) map[string]error {
	ctx := t.Context()
	errs := map[string]error{}
	_, _, errs["Page"] = s.Page(ctx, PageQuery{Conv: conv})
	_, _, errs["Page back"] = s.Page(ctx, PageQuery{Conv: conv, Backward: true})
	_, errs["Changes"] = s.Changes(ctx, conv, 1, 0)
	_, errs["Conversation"] = s.Conversation(ctx, conv)
	_, errs["Mentions"] = s.Mentions(ctx, conv, 0)
	_, errs["Read"] = s.Read(ctx, conv, 1)
	_, errs["Edit"] = s.Edit(ctx, EditRequest{Conv: conv, Seq: 2, ID: "e", Body: []byte("x")})
	_, errs["Recall"] = s.Recall(ctx, RecallRequest{Conv: conv, Seq: 2, ID: "r"})
	_, _, _, errs["GroupMembers"] = s.GroupMembers(ctx, conv, "", 0)
	_, errs["GroupAdd"] = s.GroupAdd(ctx, conv, []im.UserID{"zoe"})
	_, errs["GroupRemove"] = s.GroupRemove(ctx, conv, []im.UserID{"zoe"})
	_, errs["GroupRole"] = s.GroupRole(ctx, conv, "zoe", im.Admin)
	name := "x"
	_, errs["GroupUpdate"] = s.GroupUpdate(ctx, conv, GroupUpdate{Name: &name})
	_, errs["Leave"] = s.Leave(ctx, conv)
	_, errs["Join"] = s.Join(ctx, conv)
	_, errs["reach"] = s.reach(conv)
	return errs
}

// Whoever is not in a group, whether it is there or not, is told the same by every verb.
func TestStrangersAreToldNothing(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	w.say("ann", g, "hello")
	w.say("eve", g, "mine")
	_, err := w.as("ann").GroupRemove(t.Context(), g, []im.UserID{"eve"})
	w.ok(err)
	closed := w.group("ann")
	_, err = w.as("ann").Leave(t.Context(), closed)
	w.ok(err)

	want := errNoConv().Error()
	for _, c := range []struct {
		who  im.UserID
		conv im.Address
	}{
		{"mallory", g}, // never a member
		{"eve", g},     // no longer one
		{"ann", closed},
		{"ann", "g/absent"},
		{"mallory", "g/absent"},
	} {
		for verb, err := range verbsOn(t, w.as(c.who), c.conv) {
			e := im.AsError(err)
			if e == nil || e.Kind != im.NotFound || e.Code != im.CodeNotFound || e.Text != want {
				t.Errorf("%s %s on %s: %v; want NotFound %q", c.who, verb, c.conv, err, want)
			}
		}
	}
	for verb, err := range verbsOn(t, w.as("bob"), g) { // the same calls of a member do work, or are refused by role
		switch verb {
		case "GroupAdd", "GroupRemove", "GroupRole", "GroupUpdate":
			w.refused(err, im.Denied, im.CodeRole)
		case "Edit", "Recall":
			w.refused(err, im.Denied)
		case "Join": // map order: before or after Leave
		default:
			if err != nil && verb != "Leave" && !im.IsKind(err, im.NotFound) {
				t.Errorf("member %s: %v", verb, err)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	w := newWorld(t, Config{})
	s := w.as("ann")
	for addr, kind := range map[im.Address]im.Kind{
		"":      im.Invalid,
		"bob":   im.Invalid,
		"x/bob": im.Invalid,
		"u/":    im.Invalid,
		"u/a b": im.Invalid,
		"r/x":   im.Unsupported,
		"c/x":   im.Unsupported,
		"s/x":   im.Unsupported,
		"u/bob": im.NotFound, // not begun
		"u/ann": im.NotFound,
	} {
		_, err := s.resolve(addr)
		w.refused(err, kind)
	}
	_, err := s.reach("me")
	w.refused(err, im.Invalid)
	ref, err := s.reach("u/bob")
	w.ok(err)
	if ref.conv != 0 || ref.peer != "bob" {
		t.Fatalf("a conversation not begun: %+v", ref)
	}
	w.say("bob", "u/ann", "hi")
	ref, err = s.resolve("u/bob")
	w.ok(err)
	if ref.conv == 0 || ref.head.Seq != 1 || !ref.row.In() || addressOf(&ref.head, "bob") != "u/ann" || addressOf(&ref.head, "ann") != "u/bob" {
		t.Fatalf("a conversation begun: %+v", ref)
	}
	w.say("ann", "u/ann", "note")
	ref, err = s.resolve("u/ann")
	w.ok(err)
	if addressOf(&ref.head, "ann") != "u/ann" || ref.head.Members != 1 {
		t.Fatalf("notes to oneself: %+v", ref)
	}
	_, _, err = s.Page(t.Context(), PageQuery{Conv: im.Me})
	w.ok(err) // me is there before anything stands in it
	if _, err := w.as("carol").resolve("u/bob"); !im.IsKind(err, im.NotFound) {
		t.Fatalf("somebody else's conversation: %v", err)
	}
}

func TestKnownUsersOnly(t *testing.T) {
	w := newWorld(t, Config{UsersKnown: true})
	_, err := w.as("ann").reach("u/bob")
	w.refused(err, im.NotFound)
	_, err = w.as("ann").GroupCreate(t.Context(), NewGroup{Members: []im.UserID{"bob"}})
	w.refused(err, im.NotFound)
	bob := w.login("bob", "phone")
	w.flush()
	_, err = w.as("ann").reach("u/bob")
	w.ok(err)
	w.ok(bob.Kick(t.Context(), "phone", "", true)) // known he stays, without any device
	w.c.seen.m = nil
	_, err = w.as("ann").reach("u/bob")
	w.ok(err)
	_, err = w.as("ann").GroupCreate(t.Context(), NewGroup{Members: []im.UserID{"bob"}})
	w.ok(err)
}

func TestNamesAreBounded(t *testing.T) {
	var n names[int, int]
	for i := range maxNames + 100 {
		n.put(i, i)
	}
	if len(n.m) != maxNames {
		t.Fatalf("%d names kept", len(n.m))
	}
	if v, ok := n.get(maxNames + 99); !ok || v != maxNames+99 {
		t.Fatal("the newest is not among them")
	}
}
