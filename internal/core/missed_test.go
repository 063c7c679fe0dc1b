package core

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func line(l *Login) { l.Door, l.Cursors = "line", true }

// told is what a device is given at login, as text.
func told(m Missed) string {
	var b []string
	for _, it := range m.Messages {
		b = append(b, fmt.Sprintf("%s#%d", it.Addr, it.Seq))
	}
	for _, c := range m.Unread {
		b = append(b, fmt.Sprintf("%s:%d", c.Addr, c.Mine.Unread))
	}
	return fmt.Sprintf("%s +%d", strings.Join(b, " "), m.More)
}

func TestMissed(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	say := func(u im.UserID, to im.Address, change ...func(*im.Message)) {
		w.say(u, to, "x", change...)
		clock.add(1000)
	}
	g := w.group("bob", "ann")
	for range 3 {
		say("bob", "u/ann")
	}
	_, err := w.as("ann").Read(t.Context(), "u/bob", 2)
	w.ok(err)
	say("eve", "u/ann")
	say("bob", g)
	say("bob", "u/ann")
	gs := string(g)
	missed := func(newest int) string {
		t.Helper()
		c := w.login("ann", "line", line)
		defer c.Close()
		m, err := c.Missed(t.Context(), newest)
		w.ok(err)
		return told(m)
	}
	want := func(got, want string) {
		t.Helper()
		if got != want {
			t.Fatalf("%s; want %s", got, want)
		}
	}
	unread := " u/bob:2 " + gs + ":1 u/eve:1"
	want(missed(0), gs+"#1 u/bob#3 u/eve#1 "+gs+"#2 u/bob#4"+unread+" +0") // as far as ann has not read
	want(missed(2), gs+"#2 u/bob#4"+unread+" +3")
	w.flush()
	cursor := func(addr im.Address, seq im.Seq) {
		ref, err := w.as("ann").resolve(addr)
		w.ok(err)
		w.ok(w.c.do(t.Context(), &store.CursorOp{User: "ann", Device: "line", Conv: ref.conv, Seq: seq}))
	}
	cursor("u/bob", 4)
	cursor(g, 2)
	want(missed(0), "u/eve#1"+unread+" +0")
	cursor("u/eve", 1)
	// From now on what is new counts, also where the user has read it elsewhere.
	say("joe", "u/ann")
	say("bob", "u/ann")
	for _, addr := range []im.Address{"u/joe", "u/bob", "u/eve", g} {
		_, err := w.as("ann").Read(t.Context(), addr, 0)
		w.ok(err)
	}
	want(missed(0), "u/joe#1 u/bob#5 +0")
	w.from(&Session{c: w.c, user: "ann", device: "line"}, "u/joe", "mine")
	clock.add(1000)
	w.from(&Session{c: w.c, user: "ann", device: "phone"}, "u/joe", "mine too")
	want(missed(0), "u/joe#1 u/bob#5 u/joe#3 +0")
}

// What arrives between login and Missed is told once.
func TestMissedIsNotOfferedAgain(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("bob", "u/ann", "1")
	c := w.login("ann", "line", line)
	w.say("bob", "u/ann", "2")
	m, err := c.Missed(t.Context(), 0)
	w.ok(err)
	if got := told(m); got != "u/bob#1 u/bob#2 u/bob:2 +0" {
		t.Fatal(got)
	}
	w.say("bob", "u/ann", "3")
	if it := c.until(func(it Item) bool { return it.Msg != nil }); it.Seq != 3 {
		t.Fatalf("%d is offered", it.Seq)
	}
}
