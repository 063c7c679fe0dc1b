package core

import (
	"fmt"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// TestJ2_AllowList: in the mode, only who is on the list reaches a user: with sends,
// also under way, signals, edits, questions for presence and invitations.
func TestJ2_AllowList(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	ann, bob, carol := w.login("ann", "phone"), w.login("bob", "phone"), w.login("carol", "phone")
	laptop := w.login("bob", "laptop")
	first, err := w.send(ann.Session, "u/bob", "before")
	w.ok(err)
	_, err = w.send(carol.Session, "u/bob", "before")
	w.ok(err)

	w.ok(bob.Allow(ctx, "ann"))
	w.ok(bob.Allow(ctx, "ann"))
	_, err = w.send(carol.Session, "u/bob", "the mode is off")
	w.ok(err)
	w.ok(bob.SetAllowMode(ctx, true))
	if it := laptop.until(func(it Item) bool { return it.Change != nil && it.Change.Key == noteAllowMode }); it.Addr != im.Me || it.Change.Value == nil {
		t.Fatalf("bob's laptop is told %+v", it.Event)
	}
	_, err = w.send(ann.Session, "u/bob", "listed")
	w.ok(err)
	_, err = w.send(carol.Session, "u/bob", "no")
	w.refused(err, im.Denied, im.CodeNotListed)
	_, err = w.send(carol.Session, "u/bob/orders", "no")
	w.refused(err, im.Denied, im.CodeNotListed)
	_, err = w.send(w.as("dave"), "u/bob", "no") // with whom there is no conversation yet
	w.refused(err, im.Denied, im.CodeNotListed)
	_, err = w.send(w.act("carol"), "u/bob", "no")
	w.refused(err, im.Denied, im.CodeNotListed)
	w.refused(carol.Signal("u/bob", im.Signal{Kind: "typing"}), im.Denied, im.CodeNotListed)
	_, err = carol.Edit(ctx, EditRequest{Conv: "u/bob", Seq: 1, ID: "e", Body: []byte("no")})
	w.refused(err, im.Denied, im.CodeNotListed)
	_, err = w.send(bob.Session, "u/bob", "to himself")
	w.ok(err)
	_, err = w.send(bob.Session, "u/carol", "he writes to whom he likes")
	w.ok(err)

	g, err := carol.GroupCreate(ctx, NewGroup{Members: []im.UserID{"bob", "ann"}})
	w.ok(err)
	if g.Members != 2 {
		t.Fatalf("%d members", g.Members)
	}
	added, err := carol.GroupAdd(ctx, im.GroupAddress(g.ID), []im.UserID{"bob"})
	w.ok(err)
	if len(added.Refused) != 1 || added.Refused[0] != "bob" {
		t.Fatalf("%+v", added)
	}
	for _, c := range []struct {
		by     *client
		online int
	}{{ann, 1}, {carol, 0}} {
		p, err := c.by.Presence(ctx, []im.UserID{"bob"})
		w.ok(err)
		if len(p[0].Online) != c.online {
			t.Errorf("%s is told %+v", c.by.user, p[0])
		}
	}

	w.ok(bob.Disallow(ctx, "ann"))
	_, err = w.send(ann.Session, "u/bob", "no")
	w.refused(err, im.Denied, im.CodeNotListed)
	again, err := w.send(ann.Session, "u/bob", "before", func(m *im.Message) { m.ID = first.Msg.ID })
	w.ok(err) // a retry is never refused
	if !again.Dup || again.Seq != first.Seq {
		t.Fatalf("the retry is %+v", again)
	}
	w.ok(bob.Allow(ctx, "carol"))
	w.ok(bob.Block(ctx, "carol"))
	_, err = w.send(carol.Session, "u/bob", "no")
	w.refused(err, im.Denied, im.CodeNotAccepted) // a block is the stronger
	w.ok(bob.Unblock(ctx, "carol"))
	_, err = w.send(carol.Session, "u/bob", "listed")
	w.ok(err)
	w.ok(bob.SetAllowMode(ctx, false))
	_, err = w.send(ann.Session, "u/bob", "off again")
	w.ok(err)
}

// TestAllowedPages: the list is read by id, whole, and has an end.
func TestAllowedPages(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	bob := w.as("bob")
	for i := range 7 {
		w.ok(bob.Allow(ctx, im.UserID(fmt.Sprint("u", i))))
	}
	w.ok(w.as("bobby").Allow(ctx, "other"))
	w.ok(bob.SetAllowMode(ctx, true))
	var all []im.UserID
	for after := im.UserID(""); ; {
		users, on, more, err := bob.Allowed(ctx, after, 3)
		w.ok(err)
		if !on || len(users) == 0 {
			t.Fatalf("%v, %v after %q", on, users, after)
		}
		all = append(all, users...)
		after = users[len(users)-1]
		if !more {
			break
		}
	}
	if fmt.Sprint(all) != "[u0 u1 u2 u3 u4 u5 u6]" {
		t.Fatal(all)
	}
	users, on, more, err := w.as("eve").Allowed(ctx, "", 0)
	w.ok(err)
	if on || more || users != nil {
		t.Fatalf("%v, %v, %v", users, on, more)
	}
	w.refused(bob.Allow(ctx, "bob"), im.Invalid)
	w.refused(bob.Allow(ctx, "a/b"), im.Invalid)
	w.refused(bob.Disallow(ctx, ""), im.Invalid)
}

// TestAllowListIsFull: a list has a bound.
func TestAllowListIsFull(t *testing.T) {
	w := newWorld(t, Config{})
	bob := w.as("bob")
	var err error
	for i := 0; err == nil && i <= maxAllowed; i++ {
		if err = bob.Allow(t.Context(), im.UserID(fmt.Sprint("u", i))); err != nil && i < maxAllowed {
			t.Fatalf("number %d: %v", i, err)
		}
	}
	w.refused(err, im.TooLarge)
	w.ok(bob.Allow(t.Context(), "u1")) // is there
	w.ok(bob.Disallow(t.Context(), "u1"))
	w.ok(bob.Allow(t.Context(), "v1"))
}
