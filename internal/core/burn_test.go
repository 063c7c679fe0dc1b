package core

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func TestE17_BurnAfterReading(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	ctx := t.Context()
	ann, bob, bobToo := w.login("ann", "phone"), w.login("bob", "phone"), w.login("bob", "web")
	burning := &im.Message{Type: "an:text", ID: "b1", Body: []byte("secret"), Burn: 10}
	w.ok(ann.SendWait(ctx, &Send{To: "u/bob", Msg: burning}))
	w.ok(ann.SendWait(ctx, &Send{To: "u/bob", Msg: &im.Message{Type: "an:text", ID: "p1"}}))
	clock.add(60_000) // not before it was read
	_, err := ann.Read(ctx, "u/bob", 0)
	w.ok(err)
	if m := w.message("bob", "u/ann", 1); m == nil || m.Expires != 0 || m.Burn != 10 {
		t.Fatalf("%+v", m)
	}
	_, err = bob.Read(ctx, "u/ann", 0)
	w.ok(err)
	until := clock.Now().UnixMilli() + 10_000
	for _, c := range []*client{ann, bobToo} {
		it := c.changed()
		if ch := it.Change; ch.Kind != im.Burn || ch.Msg == nil || ch.Msg.Expires != until || ch.By != "bob" {
			t.Fatalf("%s is told %+v", c.user, ch)
		}
	}
	clock.add(1000)
	_, err = bobToo.Read(ctx, "u/ann", 0) // once
	w.ok(err)
	if m := w.message("ann", "u/bob", 1); m.Expires != until || m.Ver != 1 {
		t.Fatalf("%+v", m)
	}
	clock.add(9000)
	for u, conv := range map[im.UserID]im.Address{"ann": "u/bob", "bob": "u/ann"} {
		if m := w.message(u, conv, 1); m != nil {
			t.Fatalf("%s is shown %+v", u, m)
		}
	}
	// a device that had it and was away is told that it is gone, before the sweep and after it
	for range 2 {
		log, err := w.as("bob").Changes(ctx, "u/ann", 1, 0)
		w.ok(err)
		if len(log.Changes) != 1 || log.Changes[0].Kind != im.Burn || log.Changes[0].Msg != nil || log.Changes[0].Seq != 1 {
			t.Fatalf("%+v", log)
		}
		w.c.sweepExpired(ctx)
	}
	if _, ok, err := w.st.Message(1, 1); ok || err != nil {
		t.Fatalf("it is still there: %v", err)
	}
}

// Burning begins with the next mark if it did not with the one that read the message.
func TestBurningIsMadeUpFor(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	for range 3 {
		w.say("ann", "u/bob", "x", func(m *im.Message) { m.Burn = 10 })
	}
	op := &store.ReadOp{Conv: 1, User: "bob", Seq: 3} // and no more: a crash
	w.ok(w.c.do(ctx, op))
	_, err := w.as("bob").Read(ctx, "u/ann", 2)
	w.ok(err)
	for seq, want := range map[im.Seq]bool{1: true, 2: true, 3: false} {
		if m := w.message("bob", "u/ann", seq); (m.Expires != 0) != want {
			t.Errorf("%d expires %d", seq, m.Expires)
		}
	}
}

func TestBurningIsForDirectConversations(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	_, err := w.send(w.as("ann"), g, "x", func(m *im.Message) { m.Burn = 5 })
	w.refused(err, im.Unsupported)
	_, err = w.send(w.as("ann"), "u/bob", "x", func(m *im.Message) { m.Burn, m.Flags = 5, im.Status })
	w.ok(err)
}

// What expires is removed within about a second, unread right afterwards, and who had
// it unread is told once.
func TestE17_WhatExpiresIsRemovedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		w.c.cfg.SweepEvery = time.Hour
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.c.runSweep(ctx); close(done) }()
		g := w.group("ann", "bob", "cat")
		bob := w.login("bob", "phone")
		for _, conv := range []im.Address{"u/bob", g} {
			w.say("ann", conv, "stays")
			w.say("ann", conv, "goes", func(m *im.Message) { m.Expires = time.Now().Add(5 * time.Second).UnixMilli() })
		}
		synctest.Wait()
		time.Sleep(4900 * time.Millisecond)
		if n := w.mine("bob", g).Unread; n != 2 {
			t.Fatalf("%d unread", n)
		}
		time.Sleep(1200 * time.Millisecond)
		synctest.Wait()
		for _, conv := range []im.Address{"u/ann", g} {
			if n := w.mine("bob", conv).Unread; n != 1 {
				t.Errorf("%s: %d unread", conv, n)
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		told := map[im.Address]int{}
		bob.quiet(func(it Item) bool {
			if it.State != nil && it.State.Mine != nil && it.State.Mine.Unread == 1 {
				told[it.Addr]++
			}
			return false
		})
		if told["u/ann"] != 1 || told[g] != 1 {
			t.Errorf("told %v", told)
		}
		if n := w.c.VerbCounts().Swept; n != 2 {
			t.Errorf("%d swept", n)
		}
		stop()
		<-done
		w.c.Close()
	})
}
