package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testBurning: what burns once the peer has read it is listed for him until it does.
func testBurning(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 1)
	send := func(from im.UserID, id im.ClientID) im.Seq {
		m := text(from, id, "burns")
		m.Burn = 30
		return must(t, s, into(s, conv, m)).Seq
	}
	for i := range 6 {
		send("alice", im.ClientID('a'+rune(i))) // 2..7
	}
	send("bob", "z") // 8
	is := func(u im.UserID, to im.Seq, want ...im.Seq) {
		t.Helper()
		if got, err := s.Burning(u, conv, to, 100); err != nil || !slices.Equal(got, want) {
			t.Fatalf("for %s up to %d: %v %v, want %v", u, to, got, err, want)
		}
	}
	is("bob", 8, 2, 3, 4, 5, 6, 7)
	is("bob", 4, 2, 3, 4)
	is("alice", 8, 8)
	is("carol", 8)
	if got, _ := s.Burning("bob", conv, 8, 2); len(got) != 2 || got[0] != 2 {
		t.Fatalf("%v", got)
	}
	burn := func(seq im.Seq, in time.Duration) *store.ChangeOp {
		op := change(s, conv, seq, "bob", im.Burn)
		op.Expires = c.Now().Add(in).UnixMilli()
		return op
	}
	op := must(t, s, burn(2, time.Hour))
	if op.Dup || op.Msg.Expires != op.Expires {
		t.Fatalf("%+v", op)
	}
	must(t, s, recall(s, conv, 3, "alice"))
	must(t, s, change(s, conv, 4, "alice", im.Delete))
	is("bob", 8, 5, 6, 7)
	if o.Reopen != nil {
		s = o.reopen(t)
	}
	is("bob", 8, 5, 6, 7)
	must(t, s, change(s, conv, 4, "alice", im.Restore))
	is("bob", 8, 4, 5, 6, 7)
	// an earlier time stands
	same(t, s, burn(2, 2*time.Hour))
	must(t, s, burn(2, time.Minute))
	must(t, s, burn(5, time.Hour))
	// what expires by itself before it would burn is only taken from the list
	early := text("alice", "early", "x")
	early.Burn, early.Expires = 30, c.Now().Add(time.Minute).UnixMilli()
	seq := must(t, s, into(s, conv, early)).Seq
	is("bob", seq, 4, 6, 7, seq)
	same(t, s, burn(seq, time.Hour))
	is("bob", seq, 4, 6, 7)
	// in a group nothing burns
	g := group(t, s, "g", "alice", "bob")
	m := text("alice", "1", "x")
	m.Burn = 30
	must(t, s, into(s, g, m))
	if got, err := s.Burning("bob", g, 10, 10); err != nil || len(got) != 0 {
		t.Fatalf("%v %v", got, err)
	}
	c.advance(2 * time.Minute)
	if n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{}); err != nil || n != 2 {
		t.Fatalf("%d %v", n, err)
	}
	for _, x := range []struct {
		seq   im.Seq
		there bool
	}{{2, false}, {seq, false}, {5, true}, {4, true}} {
		if _, ok, err := s.Message(conv, x.seq); ok != x.there || err != nil {
			t.Fatalf("message %d is there: %v %v", x.seq, ok, err)
		}
	}
	c.advance(2 * time.Hour)
	if n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{}); err != nil || n != 1 {
		t.Fatalf("%d %v", n, err)
	}
	is("bob", 100, 4, 6, 7)
	// what expires while it still waits to be read leaves the list
	must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: 8})
	late := text("alice", "late", "x")
	late.Burn, late.Expires = 30, c.Now().Add(time.Minute).UnixMilli()
	seq = must(t, s, into(s, conv, late)).Seq
	is("bob", seq, 4, 6, 7, seq)
	c.advance(time.Hour)
	if _, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{}); err != nil {
		t.Fatal(err)
	}
	is("bob", seq, 4, 6, 7)
}

// testSweptParts: with a message that is past its time goes all that stands beside it.
func testSweptParts(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 2)
	send := func(id im.ClientID, in time.Duration, reply, thread im.Seq) im.Seq {
		m := answer(id, reply, thread)
		if in != 0 {
			m.Expires = c.Now().Add(in).UnixMilli()
		}
		seq := must(t, s, into(s, conv, m)).Seq
		return seq
	}
	send("1", 0, 1, 1)           // 3
	send("2", time.Hour, 1, 1)   // 4
	send("3", time.Minute, 2, 1) // 5
	send("4", time.Minute, 0, 2) // 6: all of the thread of 2
	send("5", time.Minute, 6, 6) // 7: answers what goes too
	send("6", 2*time.Hour, 5, 5) // 8: answers what goes before it
	must(t, s, react(conv, 5, 0, "alice", "x", "y"))
	must(t, s, &store.ChangeOp{Conv: conv, Seq: 5, Kind: im.Pinned, By: "bob", Pin: true, Most: 2})
	must(t, s, &store.ChangeOp{Conv: conv, Seq: 3, Kind: im.Pinned, By: "bob", Pin: true, Most: 2})
	must(t, s, edit(s, conv, 5, "bob", "edited"))
	tallies := func(want ...im.Tally) {
		t.Helper()
		got, err := s.Tallies(conv, 1, 100)
		for i := range got {
			got[i].ThreadTime = 0
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%+v %v, want %+v", got, err, want)
		}
	}
	tallies(im.Tally{Seq: 1, Replies: 2, Thread: 3, ThreadLast: 5}, im.Tally{Seq: 2, Replies: 1, Thread: 1, ThreadLast: 6},
		im.Tally{Seq: 5, Replies: 1, Thread: 1, ThreadLast: 8}, im.Tally{Seq: 6, Replies: 1, Thread: 1, ThreadLast: 7})
	c.advance(2 * time.Minute)
	if n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{}); err != nil || n != 3 {
		t.Fatalf("%d messages went: %v", n, err)
	}
	for i := range 2 {
		tallies(im.Tally{Seq: 1, Replies: 2, Thread: 2, ThreadLast: 4}, im.Tally{Seq: 5, Replies: 1, Thread: 1, ThreadLast: 8})
		if threads, err := s.Threads(conv, 0, 10); err != nil || len(threads) != 2 || threads[0].Seq != 5 || threads[1].Seq != 1 {
			t.Fatalf("%+v %v", threads, err)
		}
		if pins, err := s.Pins(conv); err != nil || !slices.Equal(pins, []im.Seq{3}) {
			t.Fatalf("%v %v", pins, err)
		}
		if r, err := s.Reactions(store.ReactionQuery{Conv: conv, Seq: 5, Limit: 10}); err != nil || len(r) != 0 {
			t.Fatalf("%v %v", r, err)
		}
		if f, err := s.Formers(conv, 5, 0, 10); err != nil || len(f) != 0 {
			t.Fatalf("%v %v", f, err)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	// there is room for a pin again
	must(t, s, &store.ChangeOp{Conv: conv, Seq: 4, Kind: im.Pinned, By: "bob", Pin: true, Most: 2})
	c.advance(4 * time.Hour)
	if n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{}); err != nil || n != 2 {
		t.Fatalf("%d messages went: %v", n, err)
	}
	tallies(im.Tally{Seq: 1, Replies: 1, Thread: 1, ThreadLast: 3})
}

// testCostOfParts tells how many rows more there are where a message answers another,
// stands in a thread or is reacted to.
func testCostOfParts(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	conv := fill(t, s, 2)
	const n = 400
	cost := func(what string, most float64, op func(i int) store.Op) {
		t.Helper()
		before := s.Stats()
		var waits []func() error
		for i := range n {
			waits = append(waits, start(s, op(i)))
		}
		for _, wait := range waits {
			if err := wait(); err != nil {
				t.Fatal(err)
			}
		}
		after := s.Stats()
		rows, commits := after.Rows-before.Rows, after.Commits-before.Commits
		shared := 2 * commits // a `t` row each, and the head where it is written
		each := float64(rows-min(rows, shared)) / n
		t.Logf("%s: %.2f rows each, and %.2f shared by %d in a commit", what, each, float64(min(rows, shared))/n, n/commits)
		if each > most {
			t.Errorf("%s: %.2f rows each, want at most %.0f", what, each, most)
		}
	}
	id := func(s string, i int) im.ClientID {
		return im.ClientID(s + string(rune('a'+i%26)) + string(rune('a'+i/26)))
	}
	cost("plain send", 2, func(i int) store.Op { return into(s, conv, text("bob", id("p", i), "x")) })
	cost("reply", 4, func(i int) store.Op { return into(s, conv, answer(id("r", i), 1, 0)) })
	cost("message of a thread", 6, func(i int) store.Op { return into(s, conv, answer(id("t", i), 0, 1)) })
	cost("reply in its thread", 7, func(i int) store.Op { return into(s, conv, answer(id("b", i), 2, 2)) })
	cost("burning message", 3, func(i int) store.Op {
		m := text("bob", id("burn", i), "x")
		m.Burn = 9
		return into(s, conv, m)
	})
	cost("reaction", 3, func(i int) store.Op { return react(conv, 1, 0, im.UserID(id("u", i)), "x") })
}
