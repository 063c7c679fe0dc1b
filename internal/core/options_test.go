package core

import (
	"fmt"
	"slices"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// Clients that come from RongCloud put mentions and burning into the body.
func TestReservedKeysOfTheBody(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "cat")
	for _, c := range []struct {
		to    im.Address
		body  string
		given *im.Mentions
		all   bool
		users string
		burn  uint32
	}{
		{g, `{"content":"@all","mentionedInfo":{"type":1,"mentionedContent":"x"}}`, nil, true, "[]", 0},
		{g, `{"content":"@bob","mentionedInfo":{"type":2,"userIdList":["bob","cat"]}}`, nil, false, "[bob cat]", 0},
		{g, `{"mentionedInfo":{"type":2,"userIdList":["bob"]}}`, &im.Mentions{Users: []im.UserID{"cat"}}, false, "[cat]", 0},
		{g, `{"mentionedInfo":{"type":2,"userIdList":["a b"]}}`, nil, false, "[]", 0},
		{g, `{"mentionedInfo":{"type":3}}`, nil, false, "[]", 0},
		{g, `{"mentionedInfo":"mine"}`, nil, false, "[]", 0},
		{g, `{"content":"write \"mentionedInfo\" here"}`, nil, false, "[]", 0},
		{g, `"mentionedInfo"`, nil, false, "[]", 0},
		{g, `{"burnDuration":30}`, nil, false, "[]", 0}, // in groups nothing burns
		{"u/bob", `{"burnDuration":30}`, nil, false, "[]", 30},
		{"u/bob", `{"burnDuration":0}`, nil, false, "[]", 0},
		{"u/bob", `{"burnDuration":-1}`, nil, false, "[]", 0},
		{"u/bob", `{"burnDuration":30,"mentionedInfo":{"type":2,"userIdList":["bob"]}}`, nil, false, "[bob]", 30},
	} {
		snd, err := w.send(w.as("ann"), c.to, c.body, func(m *im.Message) { m.Mentions = c.given })
		w.ok(err)
		m := w.message("ann", c.to, snd.Seq)
		named := im.Mentions{}
		if m.Mentions != nil {
			named = *m.Mentions
		}
		if named.All != c.all || fmt.Sprint(named.Users) != c.users || m.Burn != c.burn || string(m.Body) != c.body {
			t.Errorf("%s: %+v, burns %d, %s", c.body, named, m.Burn, m.Body)
		}
	}
}

func TestE11_MentionsOfUsersAllAndRoles(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{MaxMentions: 4}})
	ctx := t.Context()
	g := w.group("own", "ad1", "ad2", "mem", "oth")
	for _, u := range []im.UserID{"ad1", "ad2"} {
		_, err := w.as("own").GroupRole(ctx, g, u, im.Admin)
		w.ok(err)
	}
	named := func(from im.UserID, m im.Mentions) []im.UserID {
		t.Helper()
		snd, err := w.send(w.as(from), g, "x", func(msg *im.Message) { msg.Mentions = &m })
		w.ok(err)
		return w.message("mem", g, snd.Seq).Mentions.Users
	}
	both := []im.Role{im.Owner, im.Admin}
	for _, c := range []struct {
		from im.UserID
		m    im.Mentions
		want string
	}{
		{"mem", im.Mentions{Users: []im.UserID{"oth"}}, "[oth]"},
		{"mem", im.Mentions{Roles: []im.Role{im.Owner}}, "[own]"},
		{"mem", im.Mentions{Roles: []im.Role{im.Admin}}, "[ad1 ad2]"},
		{"mem", im.Mentions{Roles: both}, "[ad1 ad2 own]"},
		{"ad1", im.Mentions{Roles: both}, "[ad2 own]"},                                           // not oneself
		{"mem", im.Mentions{Roles: both, Users: []im.UserID{"own", "oth"}}, "[own oth ad1 ad2]"}, // once
		{"mem", im.Mentions{Roles: both, Users: []im.UserID{"oth", "x", "y"}}, "[oth x y ad1]"},  // MaxMentions
		{"mem", im.Mentions{Roles: both, Users: []im.UserID{"a", "b", "c", "d"}}, "[a b c d]"},   // MaxMentions
	} {
		if got := named(c.from, c.m); fmt.Sprint(got) != c.want {
			t.Errorf("%s %+v: %v, want %s", c.from, c.m, got, c.want)
		}
	}
	// roles are those of the time of sending
	_, err := w.as("own").GroupRole(ctx, g, "ad1", im.Member)
	w.ok(err)
	_, err = w.as("own").GroupRole(ctx, g, "oth", im.Admin)
	w.ok(err)
	if got := named("mem", im.Mentions{Roles: []im.Role{im.Admin}}); fmt.Sprint(got) != "[ad2 oth]" {
		t.Errorf("%v", got)
	}
	_, err = w.as("own").GroupRemove(ctx, g, []im.UserID{"ad2"})
	w.ok(err)
	if got := named("mem", im.Mentions{Roles: []im.Role{im.Admin}}); fmt.Sprint(got) != "[oth]" {
		t.Errorf("%v", got)
	}
	// they are mentioned like anyone, also by an edit
	snd, err := w.send(w.as("mem"), g, "x")
	w.ok(err)
	_, err = w.as("mem").Edit(ctx, EditRequest{Conv: g, Seq: snd.Seq, Body: []byte("y"), Mentions: &im.Mentions{Roles: []im.Role{im.Owner}}})
	w.ok(err)
	seqs, err := w.as("own").Mentions(ctx, g, 0)
	w.ok(err)
	if !slices.Contains(seqs, snd.Seq) {
		t.Errorf("%v", seqs)
	}
	for _, c := range []struct {
		to   im.Address
		m    im.Mentions
		want im.Kind
	}{
		{g, im.Mentions{Roles: []im.Role{im.Member}}, im.Invalid},
		{g, im.Mentions{Roles: []im.Role{99}}, im.Invalid},
		{g, im.Mentions{Roles: []im.Role{im.Owner, im.Owner}}, im.Invalid},
		{"u/own", im.Mentions{Roles: []im.Role{im.Owner}}, im.Invalid},
		{g, im.Mentions{Users: make([]im.UserID, 5)}, im.TooLarge},
		{g, im.Mentions{All: true}, 0},
	} {
		_, err := w.send(w.as("mem"), c.to, "x", func(msg *im.Message) { msg.Mentions = &c.m })
		check(t, fmt.Sprint(c.to, c.m), err, c.want, 0)
		if c.to == g {
			_, err = w.as("mem").Edit(ctx, EditRequest{Conv: g, Seq: snd.Seq, Body: []byte("z"), Mentions: &c.m})
			check(t, fmt.Sprint("edit ", c.m), err, c.want, 0)
		}
	}
	if m := w.mine("own", g); m.UnreadAll != 1 {
		t.Errorf("%+v", m)
	}
}

// The officers that are remembered follow every change of roles as a fresh look at
// the members finds them.
func TestOfficersAreFollowed(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	users := []im.UserID{"a", "b", "c", "d", "e", "f"}
	g := w.group("own", users...)
	ref, err := w.as("own").resolve(g)
	w.ok(err)
	owner := im.UserID("own")
	for i, step := range []func() error{
		func() error { _, err := w.as(owner).GroupRole(ctx, g, "c", im.Admin); return err },
		func() error { _, err := w.as(owner).GroupRole(ctx, g, "a", im.Admin); return err },
		func() error { _, err := w.as(owner).GroupRole(ctx, g, "f", im.Admin); return err },
		func() error { _, err := w.as("a").Leave(ctx, g); return err },
		func() error { _, err := w.as(owner).GroupRole(ctx, g, "b", im.Owner); owner = "b"; return err },
		func() error { _, err := w.as(owner).GroupRole(ctx, g, "c", im.Member); return err },
		func() error { _, err := w.as(owner).GroupAdd(ctx, g, []im.UserID{"a", "z"}); return err },
		func() error { _, err := w.as(owner).Leave(ctx, g); return err },
	} {
		h, _ := w.st.Head(ref.conv)
		_, err := w.c.officersOf(&h)
		w.ok(err)
		w.ok(step())
		h, _ = w.st.Head(ref.conv)
		kept, ok := w.c.officers.get(ref.conv)
		if !ok || kept.mver != h.MVer {
			t.Fatalf("step %d is not followed", i)
		}
		found, err := w.c.findOfficers(ref.conv, h.MVer)
		w.ok(err)
		if !slices.Equal(kept.list, found) {
			t.Fatalf("step %d: %v, found %v", i, kept.list, found)
		}
	}
}

func TestC11_DirectedMessagesInAGroup(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob", "cat")
	w.spreadAll()
	bob, cat := w.login("bob", "phone"), w.login("cat", "phone")
	snd, err := w.send(w.as("ann"), g, "for bob", func(m *im.Message) { m.To = []im.UserID{"bob"} })
	w.ok(err)
	if it := bob.until(func(it Item) bool { return it.Seq == snd.Seq }); it.Msg == nil || string(it.Msg.Body) != "for bob" {
		t.Fatalf("%+v", it.Event)
	}
	if it := cat.until(func(it Item) bool { return it.Seq == snd.Seq }); it.Msg != nil || !it.Hidden {
		t.Fatalf("%+v", it.Event)
	}
	if n := w.mine("bob", g).Unread; n != 1 {
		t.Errorf("bob has %d unread", n)
	}
	if n := w.mine("cat", g).Unread; n != 0 {
		t.Errorf("cat has %d unread", n)
	}
	_, err = w.as("bob").React(ctx, ReactRequest{Conv: g, Seq: snd.Seq, Add: []string{"+"}})
	w.ok(err)
	_, err = w.as("cat").React(ctx, ReactRequest{Conv: g, Seq: snd.Seq, Add: []string{"+"}})
	w.refused(err, im.NotFound)
	if it := cat.changed(); it.Change != nil {
		t.Errorf("cat is told %+v", it.Change)
	}
	_, err = w.as("ann").Recall(ctx, RecallRequest{Conv: g, Seq: snd.Seq})
	w.ok(err)
	it := bob.until(func(it Item) bool { return it.State != nil && it.State.Mine != nil && it.State.Mine.Unread == 0 })
	if it.Addr != g {
		t.Errorf("%+v", it.Event)
	}
}

// Commands are numbered and delivered later too, and neither shown nor counted; with
// STATUS a message is for who is online now, and leaves no trace.
func TestC8_CommandsAndOnlineOnlyMessages(t *testing.T) {
	w := newWorld(t, Config{})
	bob := w.login("bob", "phone")
	cmd, err := w.send(w.as("ann"), "u/bob", "do", func(m *im.Message) { m.Type, m.Flags = "app:cmd", im.Status })
	w.ok(err)
	if it := bob.until(func(it Item) bool { return it.Msg != nil }); cmd.Seq != 0 || it.Seq != 0 || it.Msg.Flags != im.Status {
		t.Fatalf("%+v", it.Msg)
	}
	snd := &Send{To: "u/bob", HasFlags: true, Msg: &im.Message{ID: "c1", Type: "app:cmd", Body: []byte("later")}}
	w.ok(w.as("ann").SendWait(t.Context(), snd))
	if m := w.mine("bob", "u/ann"); snd.Seq != 1 || m.Unread != 0 {
		t.Fatalf("%+v", m)
	}
	late := w.login("bob", "web")
	r, head, err := late.Page(t.Context(), PageQuery{Conv: "u/ann"})
	w.ok(err)
	if len(r.Messages) != 1 || string(r.Messages[0].Body) != "later" || r.Messages[0].Shown() || head.LastShown != 0 {
		t.Fatalf("%+v %+v", r, head)
	}
}

// Notices are kept and shown, and not counted.
func TestC10_NoticesAreNotCounted(t *testing.T) {
	w := newWorld(t, Config{})
	snd, err := w.send(w.as("ann"), "u/bob", `{"text":"ann took a screenshot"}`, func(m *im.Message) { m.Type, m.Flags = "an:notice", im.Persist })
	w.ok(err)
	m := w.message("bob", "u/ann", snd.Seq)
	if mine := w.mine("bob", "u/ann"); mine.Unread != 0 || !m.Shown() || m.N != 0 {
		t.Fatalf("%+v %+v", mine, m)
	}
}
