package core

import (
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// heard says which of some messages to a group wake bob.
func (w *world) heard(wk *waker, g im.Address) string {
	w.Helper()
	wk.take()
	w.say("ann", g, "plain")
	w.say("ann", g, "me", mention("bob"))
	w.say("ann", g, "all", func(m *im.Message) { m.Mentions = &im.Mentions{All: true} })
	w.say("ann", g, "only", func(m *im.Message) { m.To = []im.UserID{"bob"} })
	w.spreadAll()
	var heard []string
	for _, s := range strings.Fields(wk.take()) {
		if what, ok := strings.CutPrefix(s, "bob:"); ok {
			heard = append(heard, what)
		}
	}
	return strings.Join(heard, " ")
}

func TestF3_LevelsAreInherited(t *testing.T) {
	wk := &waker{}
	w := newWorld(t, Config{Waker: wk, NotifyDefault: im.NotifyMentions})
	g := w.group("ann", "bob", "eve")
	w.say("ann", "u/bob", "hi")
	bob := w.as("bob")
	level := func(addr im.Address, want im.Level) {
		t.Helper()
		c, err := bob.Conversation(t.Context(), addr)
		w.ok(err)
		if c.Level != want {
			t.Fatalf("the level of %s is %v; want %v", addr, c.Level, want)
		}
	}
	notify := func(n Notify) {
		t.Helper()
		w.ok(bob.SetNotify(t.Context(), n))
		if got, err := bob.Notify(t.Context()); err != nil || got != n {
			t.Fatalf("%+v %v; want %+v", got, err, n)
		}
	}
	hears := func(want string) {
		t.Helper()
		if got := w.heard(wk, g); got != want {
			t.Fatalf("bob hears %q; want %q", got, want)
		}
	}
	level(g, im.NotifyMentions) // the app's
	hears("me all only")
	notify(Notify{All: im.NotifyAll})
	level(g, im.NotifyAll)
	hears("plain me all only")
	notify(Notify{All: im.NotifyAll, Group: im.NotifyAtAll})
	level(g, im.NotifyAtAll)
	level("u/ann", im.NotifyAll)
	hears("all")
	notify(Notify{Direct: im.NotifyNone})
	level(g, im.NotifyMentions)
	level("u/ann", im.NotifyNone)
	w.say("ann", "u/bob", "psst")
	w.spreadAll()
	if got := wk.take(); strings.Contains(got, "psst") {
		t.Fatal(got)
	}
	w.set("bob", "u/ann", im.SettingsPatch{Level: ptr(im.NotifyAll)})
	level("u/ann", im.NotifyAll)
	w.say("ann", "u/bob", "hey")
	w.spreadAll()
	if got := wk.take(); got != "bob:hey" {
		t.Fatal(got)
	}
	for l, want := range map[im.Level]string{im.NotifyNone: "", im.NotifyMe: "me only", im.NotifyAtAll: "all", im.NotifyMentions: "me all only", im.NotifyAll: "plain me all only"} {
		w.set("bob", g, im.SettingsPatch{Level: ptr(l)})
		level(g, l)
		hears(want)
	}
	// A thread of it has a level of its own.
	root := w.say("ann", g, "root")
	w.set("bob", g, im.SettingsPatch{Level: ptr(im.NotifyNone)})
	_, err := bob.ThreadSet(t.Context(), g, root, ThreadPatch{Level: ptr(im.NotifyAll)})
	w.ok(err)
	wk.take()
	w.say("ann", g, "outside")
	w.say("ann", g, "inside", func(m *im.Message) { m.Thread = root })
	w.spreadAll()
	if got := wk.take(); !strings.Contains(got, "bob:inside") || strings.Contains(got, "bob:outside") {
		t.Fatal(got)
	}
	w.set("bob", g, im.SettingsPatch{Level: ptr(im.NotifyInherit)})
	notify(Notify{})
	level(g, im.NotifyMentions)
	w.refused(bob.SetNotify(t.Context(), Notify{All: 9}), im.Invalid)
}

// Who is online is not asked for his levels, and who has read a message elsewhere is
// not woken for it.
func TestOnlineUsersAreNotAskedAbout(t *testing.T) {
	wk := &waker{}
	w := newWorld(t, Config{Waker: wk})
	g := w.group("ann", "bob", "eve")
	w.login("bob", "phone")
	wk.take()
	w.c.prefs.forget("bob") // he was away when the group was made
	w.say("ann", "u/bob", "1")
	w.say("ann", g, "2")
	w.spreadAll()
	if got := wk.take(); got != "eve:2" {
		t.Fatal(got)
	}
	if p, _ := w.c.prefs.get("bob"); p != nil {
		t.Fatal("what an online user wants to be notified of was read")
	}
	if p, _ := w.c.prefs.get("eve"); p == nil {
		t.Fatal("what was read once is not remembered")
	}
}

func TestF4_QuietHours(t *testing.T) {
	ck := newClock()
	wk := &waker{}
	w := newWorld(t, Config{Waker: wk, Clock: ck.Now})
	g := w.group("ann", "bob")
	other := w.group("ann", "bob")
	bob := w.as("bob")
	at := func(s string) {
		t.Helper()
		when, err := time.Parse(time.RFC3339, s)
		w.ok(err)
		ck.at.Store(when.UnixMilli())
	}
	hears := func(g im.Address, want string) {
		t.Helper()
		if got := w.heard(wk, g); got != want {
			t.Fatalf("bob hears %q at %v; want %q", got, ck.Now().UTC(), want)
		}
	}
	const all, none = "plain me all only", ""
	q := &Quiet{Start: "22:00", Minutes: 480, Zone: "Asia/Shanghai", Level: im.NotifyMe}
	w.ok(bob.SetNotify(t.Context(), Notify{Quiet: q}))
	if n, err := bob.Notify(t.Context()); err != nil || n.Quiet == nil || n.Quiet.Zone != q.Zone || n.Quiet.Level != q.Level || n.Quiet.Minutes != 480 {
		t.Fatalf("%+v %v", n, err)
	}
	at("2026-03-01T21:59:59+08:00")
	hears(g, all)
	at("2026-03-01T22:00:00+08:00")
	hears(g, "me only")
	at("2026-03-02T05:59:59+08:00")
	hears(g, "me only")
	w.set("bob", g, im.SettingsPatch{Level: ptr(im.NotifyAtAll)}) // both have to let it through
	hears(g, none)
	w.set("bob", g, im.SettingsPatch{Level: ptr(im.NotifyInherit)})
	at("2026-03-02T06:00:00+08:00")
	hears(g, all)

	// One conversation has hours of its own, in Berlin.
	own := &Quiet{Start: "12:00:00", Minutes: 60, Zone: "Europe/Berlin"}
	w.ok(bob.SetQuiet(t.Context(), g, own))
	if got, err := bob.Quiet(t.Context(), g); err != nil || got == nil || got.Start != own.Start {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := bob.Quiet(t.Context(), other); err != nil || got != nil {
		t.Fatalf("%+v %v", got, err)
	}
	at("2026-03-02T12:30:00+01:00")
	hears(g, none)
	hears(other, all)
	at("2026-03-02T23:00:00+08:00")
	hears(g, all)
	hears(other, "me only")
	w.ok(bob.SetQuiet(t.Context(), g, nil))
	hears(g, "me only")

	for name, bad := range map[string]Quiet{
		"no start":  {Minutes: 60, Zone: "UTC"},
		"no hour":   {Start: "24:00", Minutes: 60, Zone: "UTC"},
		"too short": {Start: "22:00", Minutes: 0, Zone: "UTC"},
		"too long":  {Start: "22:00", Minutes: 1441, Zone: "UTC"},
		"no zone":   {Start: "22:00", Minutes: 60},
		"our zone":  {Start: "22:00", Minutes: 60, Zone: "Local"},
		"odd zone":  {Start: "22:00", Minutes: 60, Zone: "Mars/Olympus"},
		"a path":    {Start: "22:00", Minutes: 60, Zone: "../../etc/passwd"},
		"odd day":   {Start: "22:00", Minutes: 60, Zone: "UTC", Days: []int{7}},
		"odd level": {Start: "22:00", Minutes: 60, Zone: "UTC", Level: 9},
	} {
		if err := bob.SetQuiet(t.Context(), g, &bad); !im.IsKind(err, im.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.refused(bob.SetQuiet(t.Context(), "g/nope", own), im.NotFound)
}

// Quiet hours go by the clock on the wall, also in the nights in which it is moved.
func TestQuietHoursByTheWall(t *testing.T) {
	night := Quiet{Start: "22:00", Minutes: 480, Zone: "Europe/Berlin"}
	gap := Quiet{Start: "02:30", Minutes: 60, Zone: "Europe/Berlin"} // there is no 02:30 on 29 March 2026
	weekend := Quiet{Start: "22:00", Minutes: 480, Zone: "America/New_York", Days: []int{6}}
	always := Quiet{Start: "09:00", Minutes: 1440, Zone: "Asia/Kolkata"}
	for _, c := range []struct {
		q    *Quiet
		at   string
		want bool
	}{
		{&night, "2026-03-28T21:59:00+01:00", false},
		{&night, "2026-03-28T22:00:00+01:00", true},
		{&night, "2026-03-29T05:59:00+02:00", true}, // an hour shorter
		{&night, "2026-03-29T06:00:00+02:00", false},
		{&night, "2026-10-24T22:30:00+02:00", true},
		{&night, "2026-10-25T02:30:00+02:00", true}, // twice that night
		{&night, "2026-10-25T02:30:00+01:00", true},
		{&night, "2026-10-25T05:59:00+01:00", true}, // an hour longer
		{&night, "2026-10-25T06:00:00+01:00", false},
		{&gap, "2026-03-28T02:29:00+01:00", false},
		{&gap, "2026-03-28T02:30:00+01:00", true},
		{&gap, "2026-03-29T12:00:00+02:00", false},
		{&weekend, "2026-03-07T21:59:00-05:00", false}, // a Saturday
		{&weekend, "2026-03-07T22:00:00-05:00", true},
		{&weekend, "2026-03-08T05:59:00-04:00", true}, // the Sunday after, moved forward
		{&weekend, "2026-03-08T06:00:00-04:00", false},
		{&weekend, "2026-03-08T22:30:00-04:00", false},
		{&always, "2026-03-07T08:59:59+05:30", true},
		{&always, "2026-03-07T09:00:00+05:30", true},
	} {
		q, err := parseQuiet(c.q)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.holds(at); got != c.want {
			t.Errorf("%+v at %s: %v", *c.q, c.at, got)
		}
	}
}

// A wake for somebody of whom it cannot be found out what he wants is made.
func TestWakeWhenTheStoreDoesNotAnswer(t *testing.T) {
	wk := &waker{}
	w := newWorld(t, Config{Waker: wk})
	w.say("ann", "u/bob", "1")
	w.spreadAll()
	wk.take()
	m, _, err := w.st.Message(1, 1)
	w.ok(err)
	w.st.Close()
	w.c.askWaker(absent{"bob", &Event{Conv: 1, Seq: 1, Msg: m}})
	if got := wk.take(); got != "bob:1" {
		t.Fatal(got)
	}
}
