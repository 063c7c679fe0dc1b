package core

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// TestG2_MuteOneAndAll: a muted member sends, edits, reacts and signals nothing until
// his time is over; a silenced group hears its owner and admins alone.
func TestG2_MuteOneAndAll(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now})
	ctx := t.Context()
	g := w.group("ann", "adam", "bob", "carol")
	_, err := w.as("ann").GroupRole(ctx, g, "adam", im.Admin)
	w.ok(err)
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	first, err := w.send(bob.Session, g, "before")
	w.ok(err)

	until := now.Now().UnixMilli() + 60_000
	a, err := w.as("adam").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"bob", "carol", "bob"}, Until: until})
	w.ok(err)
	it := bob.until(func(it Item) bool { return it.Msg != nil && it.Seq == a.Seq })
	var ev groupEvent
	w.ok(json.Unmarshal(it.Msg.Body, &ev))
	if it.Msg.Type != GroupType || ev.Op != "mute" || ev.By != "adam" || len(ev.Users) != 2 || ev.Until != untilText(until) ||
		!strings.Contains(it.Msg.Digest, "bob and carol until 2023-11-14 22:14:20 UTC") {
		t.Fatalf("it is said as %s: %s", it.Msg.Body, it.Msg.Digest)
	}
	if mine := w.mine("bob", g); mine.MutedUntil != until {
		t.Fatalf("bob is muted until %d", mine.MutedUntil)
	}
	members, _, _, err := w.as("carol").GroupMembers(ctx, g, "", 0)
	w.ok(err)
	for _, m := range members {
		if muted := m.MutedUntil == until; muted != (m.User == "bob" || m.User == "carol") {
			t.Errorf("%s is muted until %d", m.User, m.MutedUntil)
		}
	}

	_, err = w.send(bob.Session, g, "no")
	w.refused(err, im.Denied, im.CodeMuted)
	if !strings.Contains(err.Error(), fmt.Sprint(until)) {
		t.Errorf("the refusal does not say until when: %v", err)
	}
	_, err = w.send(bob.Session, g, "no", func(m *im.Message) { m.Flags = im.Status })
	w.refused(err, im.Denied, im.CodeMuted)
	_, err = w.send(w.enter("bob", ""), g, "no")
	w.refused(err, im.Denied, im.CodeMuted)
	w.refused(bob.Signal(g, im.Signal{Kind: "typing"}), im.Denied, im.CodeMuted)
	_, err = bob.Edit(ctx, EditRequest{Conv: g, Seq: first.Seq, ID: "e", Body: []byte("no")})
	w.refused(err, im.Denied, im.CodeMuted)
	_, err = bob.React(ctx, ReactRequest{Conv: g, Seq: first.Seq, Add: []string{"+1"}})
	w.refused(err, im.Denied, im.CodeMuted)
	_, _, err = bob.Page(ctx, PageQuery{Conv: g})
	w.ok(err)
	_, err = bob.Read(ctx, g, 0)
	w.ok(err)
	_, err = w.send(bob.Session, "u/ann", "elsewhere he speaks")
	w.ok(err)
	again, err := w.send(bob.Session, g, "before", func(m *im.Message) { m.ID = first.Msg.ID })
	w.ok(err) // a retry is never refused
	if !again.Dup || again.Seq != first.Seq {
		t.Fatalf("the retry is %+v", again)
	}
	_, err = w.send(w.act("bob"), g, "the app speaks for him")
	w.ok(err)

	now.add(60_000)
	_, err = w.send(bob.Session, g, "after")
	w.ok(err)
	_, err = w.as("adam").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"bob"}, Until: now.Now().UnixMilli() + 1000})
	w.ok(err)
	_, err = w.send(bob.Session, g, "no")
	w.refused(err, im.Denied, im.CodeMuted)
	_, err = w.as("adam").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"bob"}})
	w.ok(err)
	_, err = w.send(bob.Session, g, "lifted")
	w.ok(err)

	// a group is silenced under sends that were allowed before
	on, off := true, false
	admin := w.login("adam", "phone")
	_, err = w.send(admin.Session, g, "x")
	w.ok(err)
	a, err = w.as("ann").GroupMute(ctx, MuteRequest{Conv: g, All: &on})
	w.ok(err)
	it = ann.until(func(it Item) bool { return it.Msg != nil && it.Seq == a.Seq })
	ev = groupEvent{}
	w.ok(json.Unmarshal(it.Msg.Body, &ev))
	if ev.Op != "update" || ev.Mute == nil || !*ev.Mute {
		t.Fatalf("it is said as %s", it.Msg.Body)
	}
	if info, err := w.as("bob").group(g); err != nil || !info.Mute {
		t.Fatalf("%+v, %v", info, err)
	}
	_, err = w.send(bob.Session, g, "no")
	w.refused(err, im.Denied, im.CodeMuted)
	w.refused(bob.Signal(g, im.Signal{Kind: "typing"}), im.Denied, im.CodeMuted)
	for _, s := range []*Session{ann.Session, admin.Session} {
		_, err = w.send(s, g, "they speak")
		w.ok(err)
	}
	_, err = w.as("adam").GroupMute(ctx, MuteRequest{Conv: g, All: &off})
	w.ok(err)
	_, err = w.send(bob.Session, g, "again")
	w.ok(err)

	// the owner's word binds an admin, in a group that is not silenced too
	_, err = w.as("ann").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"adam"}, Until: now.Now().UnixMilli() + 1000})
	w.ok(err)
	_, err = w.send(admin.Session, g, "no")
	w.refused(err, im.Denied, im.CodeMuted)

	// nobody gets rid of a mute by leaving
	_, err = w.as("ann").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"bob"}, Until: now.Now().UnixMilli() + 1000})
	w.ok(err)
	_, err = w.as("bob").GroupNick(ctx, g, "", "Bobby")
	w.ok(err)
	_, err = w.as("bob").Leave(ctx, g)
	w.ok(err)
	_, err = w.as("ann").GroupAdd(ctx, g, []im.UserID{"bob"})
	w.ok(err)
	_, err = w.send(bob.Session, g, "no")
	w.refused(err, im.Denied, im.CodeMuted)
	if mine := w.mine("bob", g); mine.Nick != "" || mine.MutedUntil == 0 {
		t.Fatalf("%+v", mine)
	}
	now.add(1000)
	_, err = w.send(bob.Session, g, "back")
	w.ok(err)
}

// TestMuteBounds: what is refused, and what is nothing to do.
func TestMuteBounds(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now, Limits: im.Limits{SendRate: 1, SendBurst: 4}})
	ctx := t.Context()
	g := w.group("ann", "bob")
	at := now.Now().UnixMilli()
	many := make([]im.UserID, 101)
	for i := range many {
		many[i] = im.UserID(fmt.Sprint("u", i))
	}
	for name, c := range map[string]struct {
		kind im.Kind
		q    MuteRequest
	}{
		"nothing":        {im.Invalid, MuteRequest{Conv: g}},
		"no group":       {im.Invalid, MuteRequest{Conv: "u/bob", Users: []im.UserID{"bob"}, Until: at + 1}},
		"another group":  {im.NotFound, MuteRequest{Conv: "g/other", Users: []im.UserID{"bob"}, Until: at + 1}},
		"the past":       {im.Invalid, MuteRequest{Conv: g, Users: []im.UserID{"bob"}, Until: at}},
		"below 0":        {im.Invalid, MuteRequest{Conv: g, Users: []im.UserID{"bob"}, Until: -1}},
		"the year 10000": {im.Invalid, MuteRequest{Conv: g, Users: []im.UserID{"bob"}, Until: maxTime + 1}},
		"oneself":        {im.Invalid, MuteRequest{Conv: g, Users: []im.UserID{"ann"}, Until: at + 1}},
		"no name":        {im.Invalid, MuteRequest{Conv: g, Users: []im.UserID{""}, Until: at + 1}},
		"101 users":      {im.TooLarge, MuteRequest{Conv: g, Users: many, Until: at + 1}},
		"a stranger":     {im.NotFound, MuteRequest{Conv: g, Users: []im.UserID{"bob", "eve"}, Until: at + 1}},
	} {
		now.add(10_000)
		if c.q.Until > 0 && c.q.Until <= maxTime && c.q.Until > at {
			c.q.Until += 1_000_000
		}
		_, err := w.as("ann").GroupMute(ctx, c.q)
		if e := im.AsError(err); e == nil || e.Kind != c.kind {
			t.Errorf("%s: %v; want %v", name, err, c.kind)
		}
	}
	if mine := w.mine("bob", g); mine.MutedUntil != 0 {
		t.Fatal("a refused call muted bob")
	}
	now.add(10_000)
	until := now.Now().UnixMilli() + 5000
	a, err := w.as("ann").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"bob"}, Until: until})
	w.ok(err)
	b, err := w.as("ann").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"bob"}, Until: until})
	w.ok(err)
	if a.MVer != b.MVer {
		t.Fatal("to mute somebody until the same time is a change")
	}
	limited := false
	for range 6 {
		if _, err = w.as("ann").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"bob"}}); im.IsKind(err, im.Limited) {
			limited = true
		}
	}
	if !limited {
		t.Fatal("mutes are not limited")
	}
}

// TestG6_Nicknames: members name themselves, the owner and admins name lesser ones.
func TestG6_Nicknames(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob")
	ann := w.login("ann", "phone")
	a, err := w.as("bob").GroupNick(ctx, g, "", "Bobby 🙂")
	w.ok(err)
	it := ann.until(func(it Item) bool { return it.Msg != nil && it.Seq == a.Seq })
	var ev groupEvent
	w.ok(json.Unmarshal(it.Msg.Body, &ev))
	if ev.Op != "nick" || ev.By != "bob" || ev.Users != nil || ev.Nick == nil || *ev.Nick != "Bobby 🙂" || it.Msg.Digest != "bob named themselves “Bobby 🙂”" {
		t.Fatalf("it is said as %s: %s", it.Msg.Body, it.Msg.Digest)
	}
	if mine := w.mine("bob", g); mine.Nick != "Bobby 🙂" {
		t.Fatalf("bob is called %q", mine.Nick)
	}
	list, _, _, err := w.as("ann").GroupMembers(ctx, g, "ann", 0)
	w.ok(err)
	if len(list) != 1 || list[0].Nick != "Bobby 🙂" {
		t.Fatalf("%+v", list)
	}
	_, err = w.as("ann").GroupNick(ctx, g, "bob", "Robert")
	w.ok(err)
	_, err = w.as("bob").GroupNick(ctx, g, "ann", "Boss")
	w.refused(err, im.Denied, im.CodeRole)
	_, err = w.as("ann").GroupNick(ctx, g, "eve", "Eve")
	w.refused(err, im.NotFound)
	_, err = w.as("eve").GroupNick(ctx, g, "", "Eve")
	w.refused(err, im.NotFound)
	_, err = w.as("bob").GroupNick(ctx, g, "", strings.Repeat("x", 129))
	w.refused(err, im.TooLarge)
	_, err = w.as("bob").GroupNick(ctx, g, "", "a\u202eb")
	w.refused(err, im.Invalid)
	_, err = w.as("bob").GroupNick(ctx, "u/ann", "", "x")
	w.refused(err, im.Invalid)
	b, err := w.as("bob").GroupNick(ctx, g, "bob", "")
	w.ok(err)
	c, err := w.as("bob").GroupNick(ctx, g, "bob", "")
	w.ok(err)
	if mine := w.mine("bob", g); mine.Nick != "" || b.MVer != c.MVer {
		t.Fatalf("bob is called %q; %d, %d", mine.Nick, b.MVer, c.MVer)
	}
	_, err = w.act("bob").GroupNick(ctx, g, "ann", "by the app")
	w.ok(err)
}

// TestWhoMayInGroups is who may do what in a group: every verb that changes it, by
// everybody there can be.
func TestWhoMayInGroups(t *testing.T) {
	type who struct {
		user im.UserID
		app  bool
	}
	whos := map[string]who{
		"owner": {user: "owner"}, "admin": {user: "admin"}, "member": {user: "member"}, "muted": {user: "muted"},
		"former": {user: "former"}, "stranger": {user: "stranger"}, "app as member": {user: "member", app: true}, "app as former": {user: "former", app: true},
	}
	const (
		no    = im.CodeNotFound // not in the group: as if there were none
		role  = im.CodeRole
		muted = im.CodeMuted
		bad   = im.CodeInvalid
	)
	until := func(w *world) int64 { return w.c.Now().UnixMilli() + 3_600_000 }
	yes, name := true, "renamed"
	open := im.JoinOpen
	type do = func(w *world, s *Session, g im.Address) error
	members := func(f func(s *Session, w *world, g im.Address) (GroupChanged, error)) do {
		return func(w *world, s *Session, g im.Address) error {
			_, err := f(s, w, g)
			return err
		}
	}
	remove := func(u im.UserID) do {
		return members(func(s *Session, w *world, g im.Address) (GroupChanged, error) {
			return s.GroupRemove(w.Context(), g, []im.UserID{u})
		})
	}
	mute := func(u im.UserID) do {
		return members(func(s *Session, w *world, g im.Address) (GroupChanged, error) {
			return s.GroupMute(w.Context(), MuteRequest{Conv: g, Users: []im.UserID{u}, Until: until(w)})
		})
	}
	nick := func(u im.UserID) do {
		return members(func(s *Session, w *world, g im.Address) (GroupChanged, error) {
			return s.GroupNick(w.Context(), g, u, "nick")
		})
	}
	makes := func(u im.UserID, r im.Role) do {
		return members(func(s *Session, w *world, g im.Address) (GroupChanged, error) {
			return s.GroupRole(w.Context(), g, u, r)
		})
	}
	recall := func(seq im.Seq) do {
		return func(w *world, s *Session, g im.Address) error {
			_, err := s.Recall(w.Context(), RecallRequest{Conv: g, Seq: seq})
			return err
		}
	}
	ok := im.Code(0)
	// in the order owner, admin, member, muted, former, stranger, app as member, app as former
	order := []string{"owner", "admin", "member", "muted", "former", "stranger", "app as member", "app as former"}
	table := []struct {
		name string
		do   do
		want [8]im.Code
	}{
		{"add", members(func(s *Session, w *world, g im.Address) (GroupChanged, error) {
			return s.GroupAdd(w.Context(), g, []im.UserID{"newcomer"})
		}), [8]im.Code{ok, ok, role, role, no, no, ok, no}},
		{"remove a member", remove("victim"), [8]im.Code{ok, ok, role, role, no, no, ok, no}},
		{"remove an admin", remove("admin2"), [8]im.Code{ok, role, role, role, no, no, ok, no}},
		{"remove the owner", remove("owner"), [8]im.Code{bad, role, role, role, no, no, ok, no}},
		{"make an admin", makes("victim", im.Admin), [8]im.Code{ok, role, role, role, no, no, ok, no}},
		{"unmake an admin", makes("admin2", im.Member), [8]im.Code{ok, role, role, role, no, no, ok, no}},
		{"hand over", makes("victim", im.Owner), [8]im.Code{ok, role, role, role, no, no, ok, no}},
		{"unmake the owner", makes("owner", im.Member), [8]im.Code{bad, role, role, role, no, no, bad, no}},
		{"rename", func(w *world, s *Session, g im.Address) error {
			_, err := s.GroupUpdate(w.Context(), g, GroupUpdate{Name: &name, Join: &open})
			return err
		}, [8]im.Code{ok, ok, role, role, no, no, ok, no}},
		{"mute a member", mute("victim"), [8]im.Code{ok, ok, role, role, no, no, ok, no}},
		{"mute an admin", mute("admin2"), [8]im.Code{ok, role, role, role, no, no, ok, no}},
		{"mute the owner", mute("owner"), [8]im.Code{bad, role, role, role, no, no, ok, no}},
		{"unmute", members(func(s *Session, w *world, g im.Address) (GroupChanged, error) {
			return s.GroupMute(w.Context(), MuteRequest{Conv: g, Users: []im.UserID{"muted2"}})
		}), [8]im.Code{ok, ok, role, role, no, no, ok, no}},
		{"silence", members(func(s *Session, w *world, g im.Address) (GroupChanged, error) {
			return s.GroupMute(w.Context(), MuteRequest{Conv: g, All: &yes})
		}), [8]im.Code{ok, ok, role, role, no, no, ok, no}},
		{"name oneself", nick(""), [8]im.Code{ok, ok, ok, ok, no, no, ok, no}},
		{"name a member", nick("victim"), [8]im.Code{ok, ok, role, role, no, no, ok, no}},
		{"name an admin", nick("admin2"), [8]im.Code{ok, role, role, role, no, no, ok, no}},
		{"name the owner", nick("owner"), [8]im.Code{ok, role, role, role, no, no, ok, no}},
		{"send", func(w *world, s *Session, g im.Address) error {
			_, err := w.send(s, g, "x")
			return err
		}, [8]im.Code{ok, ok, ok, muted, no, no, ok, no}},
		{"signal", func(w *world, s *Session, g im.Address) error {
			return s.Signal(g, im.Signal{Kind: "typing"})
		}, [8]im.Code{ok, ok, ok, muted, no, no, ok, no}},
		{"recall a member's", nil, [8]im.Code{ok, ok, im.CodeDenied, im.CodeDenied, no, no, ok, no}},
		{"recall an admin's", nil, [8]im.Code{ok, role, im.CodeDenied, im.CodeDenied, no, no, ok, no}},
		{"read", func(w *world, s *Session, g im.Address) error {
			_, _, err := s.Page(w.Context(), PageQuery{Conv: g})
			return err
		}, [8]im.Code{ok, ok, ok, ok, no, no, ok, no}},
		{"list", func(w *world, s *Session, g im.Address) error {
			_, _, _, err := s.GroupMembers(w.Context(), g, "", 0)
			return err
		}, [8]im.Code{ok, ok, ok, ok, no, no, ok, no}},
	}
	for _, row := range table {
		for i, name := range order {
			t.Run(row.name+" by "+name, func(t *testing.T) {
				w := newWorld(t, Config{})
				ctx := w.Context()
				g := w.group("owner", "admin", "admin2", "member", "muted", "muted2", "victim", "former")
				for _, u := range []im.UserID{"admin", "admin2"} {
					_, err := w.as("owner").GroupRole(ctx, g, u, im.Admin)
					w.ok(err)
				}
				_, err := w.as("owner").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"muted", "muted2"}, Until: until(w)})
				w.ok(err)
				_, err = w.as("former").Leave(ctx, g)
				w.ok(err)
				who := whos[name]
				s := w.as(who.user)
				if who.app {
					s = w.act(who.user)
				}
				run := row.do
				if strings.HasPrefix(row.name, "recall") {
					by := im.UserID("victim")
					if strings.Contains(row.name, "admin") {
						by = "admin2"
					}
					run = recall(w.say(by, g, "to be recalled"))
				}
				got := im.Code(0)
				if err := run(w, s, g); err != nil {
					got = im.AsError(err).Code
				}
				if want := row.want[i]; got != want && !(want == im.CodeDenied && got == role) {
					t.Errorf("code %d; want %d", got, want)
				}
			})
		}
	}
}
