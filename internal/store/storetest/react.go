package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// react is a reaction: keys with a "-" before them go, others come.
func react(conv im.ConvID, seq im.Seq, guard im.MVer, by im.UserID, keys ...string) *store.ChangeOp {
	op := &store.ChangeOp{Conv: conv, Seq: seq, Guard: guard, Kind: im.React, By: by, Device: "phone"}
	for _, k := range keys {
		if gone, ok := strings.CutPrefix(k, "-"); ok {
			op.Remove = append(op.Remove, gone)
		} else {
			op.Add = append(op.Add, k)
		}
	}
	return op
}

// reacted is the reactions of a message as text.
func reacted(m *im.Message) string {
	var out []string
	for _, r := range m.Reactions {
		out = append(out, fmt.Sprint(r.Key, r.Count))
	}
	return strings.Join(out, " ")
}

// testReactions: reactions come, go and are counted; who did so is listed; what is so
// already is no change.
func testReactions(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice", "bob", "carol")
	must(t, s, into(s, conv, text("alice", "1", "x")))
	guard := head(t, s, conv).MVer
	at := func(want string) {
		t.Helper()
		if got := reacted(message(t, s, conv, 2)); got != want {
			t.Fatalf("reactions %q, want %q", got, want)
		}
		if err := gapless(s, conv); err != nil {
			t.Fatal(err)
		}
	}
	first := must(t, s, react(conv, 2, guard, "alice", "👍", "b"))
	if first.Ver != 1 || first.Dup || fmt.Sprint(first.Added, first.Removed) != "[👍 b] []" || first.Time != c.Now().UnixMilli() {
		t.Fatalf("%+v", first)
	}
	at("👍1 b1")
	c.advance(time.Second)
	must(t, s, react(conv, 2, guard, "bob", "b", "c", "b"))
	at("👍1 b2 c1")
	same(t, s, react(conv, 2, guard, "bob", "b"))
	same(t, s, react(conv, 2, guard, "carol", "-b", "-*"))
	same(t, s, react(conv, 2, guard, "bob", "-b", "b")) // away and back again
	op := must(t, s, react(conv, 2, guard, "bob", "-b", "-nothing", "👍"))
	if fmt.Sprint(op.Added, op.Removed) != "[👍] [b]" {
		t.Fatalf("%q %q", op.Added, op.Removed)
	}
	at("👍2 b1 c1")
	must(t, s, react(conv, 2, guard, "alice", "-b"))
	at("👍2 c1") // b is gone with the last of it
	must(t, s, react(conv, 2, guard, "alice", "b"))
	at("👍2 c1 b1") // and comes anew
	// a vote takes the place of the one before
	must(t, s, react(conv, 2, guard, "carol", "vote:1", "vote:2", "voted"))
	op = must(t, s, react(conv, 2, guard, "carol", "-vote:*", "vote:2", "vote:3"))
	if fmt.Sprint(op.Added, op.Removed) != "[vote:3] [vote:1]" {
		t.Fatalf("%q %q", op.Added, op.Removed)
	}
	at("👍2 c1 b1 vote:21 voted1 vote:31")
	// at most so many different ones
	full := react(conv, 2, guard, "bob", "seventh")
	full.Most = 6
	fails(t, s, full, im.TooLarge)
	swap := react(conv, 2, guard, "carol", "seventh", "-voted", "b")
	swap.Most = 6
	must(t, s, swap)
	at("👍2 c1 b2 vote:21 vote:31 seventh1")
	known := react(conv, 2, guard, "alice", "vote:2")
	known.Most = 3 // fewer than there are: what is there may be joined
	must(t, s, known)
	at("👍2 c1 b2 vote:22 vote:31 seventh1")
	fails(t, s, react(conv, 9, guard, "alice", "x"), im.NotFound)

	for i := range 2 {
		list := func(q store.ReactionQuery, want string) {
			t.Helper()
			q.Conv, q.Seq = conv, 2
			if q.Limit == 0 {
				q.Limit = 100
			}
			got, err := s.Reactions(q)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, r := range got {
				out = append(out, r.Key+"/"+string(r.User))
			}
			if strings.Join(out, " ") != want {
				t.Fatalf("%+v: %q, want %q", q, out, want)
			}
		}
		all := "b/alice b/carol c/bob seventh/carol vote:2/alice vote:2/carol vote:3/carol 👍/alice 👍/bob"
		list(store.ReactionQuery{}, all)
		list(store.ReactionQuery{Limit: 2}, "b/alice b/carol")
		list(store.ReactionQuery{AfterKey: "b", AfterUser: "alice", Limit: 2}, "b/carol c/bob")
		list(store.ReactionQuery{Key: "vote:2"}, "vote:2/alice vote:2/carol")
		list(store.ReactionQuery{Key: "vote:2", AfterKey: "vote:2", AfterUser: "alice"}, "vote:2/carol")
		list(store.ReactionQuery{Key: "vote:2", AfterKey: "x"}, "")
		list(store.ReactionQuery{User: "carol", Limit: 2}, "b/carol seventh/carol")
		list(store.ReactionQuery{User: "carol", AfterKey: "seventh", AfterUser: "carol"}, "vote:2/carol vote:3/carol")
		list(store.ReactionQuery{User: "alice", Key: "vote:2"}, "vote:2/alice")
		list(store.ReactionQuery{User: "alice", Key: "vote:3"}, "")
		list(store.ReactionQuery{User: "nobody"}, "")
		list(store.ReactionQuery{Key: "v"}, "")
		one, _ := s.Reactions(store.ReactionQuery{Conv: conv, Seq: 2, Key: "👍", User: "alice", Limit: 1})
		if len(one) != 1 || one[0].Time != first.Time {
			t.Fatalf("%+v, want the time %d", one, first.Time)
		}
		changes, err := s.Changes(conv, 1, 3)
		if err != nil || len(changes) != 3 || changes[0].Kind != im.React || changes[0].By != "alice" || changes[0].Device != "phone" ||
			fmt.Sprint(changes[2].Added, changes[2].Removed) != "[👍] [b]" || changes[0].Msg == nil {
			t.Fatalf("%+v %v", changes, err)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	must(t, s, recall(s, conv, 2, "alice"))
	at("")
	fails(t, s, react(conv, 2, guard, "alice", "x"), im.NotFound)
}

// testReactionRace: many react at once, whatever they have seen of each other; all
// count, and nobody is turned back.
func testReactionRace(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	const users, rounds = 20, 15
	conv := fill(t, s, 1)
	var wg sync.WaitGroup
	for g := range users {
		wg.Go(func() {
			u := im.UserID(fmt.Sprint("u", g))
			var waits []func() error
			for i := range rounds { // without waiting: an odd number of changes of the own mind
				key := "like"
				if i%2 == 1 {
					key = "-like"
				}
				waits = append(waits, start(s, react(conv, 1, 0, u, key)))
			}
			for _, wait := range waits {
				if err := wait(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	m := message(t, s, conv, 1)
	if len(m.Reactions) != 1 || m.Reactions[0].Count != users {
		t.Fatalf("%+v, want %d", m.Reactions, users)
	}
	if h := head(t, s, conv); h.Ver != users*rounds {
		t.Fatalf("%d changes, want %d", h.Ver, users*rounds)
	}
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
}

// testExpansion: keys are set, replaced and removed, and stand in order.
func testExpansion(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := fill(t, s, 1)
	expand := func(most int, pairs ...string) *store.ChangeOp {
		op := &store.ChangeOp{Conv: conv, Seq: 1, Kind: im.Expand, By: "bob", Most: most}
		for _, p := range pairs {
			k, v, _ := strings.Cut(p, "=")
			op.Set = append(op.Set, im.Pair{Key: k, Value: v})
		}
		return op
	}
	is := func(want ...im.Pair) {
		t.Helper()
		if m := message(t, s, conv, 1); !slices.Equal(m.Expansion, want) {
			t.Fatalf("%v, want %v", m.Expansion, want)
		}
	}
	same(t, s, expand(0, "a="))
	must(t, s, expand(2, "b=1", "a=2"))
	is(im.Pair{Key: "a", Value: "2"}, im.Pair{Key: "b", Value: "1"})
	fails(t, s, expand(2, "c=3"), im.TooLarge)
	is(im.Pair{Key: "a", Value: "2"}, im.Pair{Key: "b", Value: "1"})
	must(t, s, expand(2, "c=3", "a=", "b=4"))
	is(im.Pair{Key: "b", Value: "4"}, im.Pair{Key: "c", Value: "3"})
	same(t, s, expand(1, "b=4"))
	must(t, s, expand(1, "b=5")) // more than there may be, but no more than there were
	if o.Reopen != nil {
		s = o.reopen(t)
	}
	is(im.Pair{Key: "b", Value: "5"}, im.Pair{Key: "c", Value: "3"})
	bytes := func(most int, pairs ...string) *store.ChangeOp {
		op := expand(0, pairs...)
		op.Bytes = most
		return op
	}
	fails(t, s, bytes(5, "d=1"), im.TooLarge)
	fails(t, s, bytes(4, "b=55"), im.TooLarge)
	must(t, s, bytes(5, "b=55", "c="))
	must(t, s, bytes(2, "b=66")) // more than there may be, but no more than there were
	same(t, s, bytes(2, "b=66"))
	must(t, s, bytes(3, "b=5"))
	must(t, s, bytes(4, "c=3"))
	must(t, s, expand(0, "b=", "c="))
	is()
	must(t, s, expand(0, "d=1"))
	must(t, s, recall(s, conv, 1, "alice"))
	is()
	fails(t, s, expand(0, "e=1"), im.NotFound)
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
}

// testPins: pinned once, bounded, listed in order, gone with what was said.
func testPins(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 6)
	pin := func(seq im.Seq, on bool) *store.ChangeOp {
		return &store.ChangeOp{Conv: conv, Seq: seq, Kind: im.Pinned, By: "bob", Pin: on, Most: 3}
	}
	is := func(want ...im.Seq) {
		t.Helper()
		if got, err := s.Pins(conv); err != nil || !slices.Equal(got, want) {
			t.Fatalf("pins %v %v, want %v", got, err, want)
		}
		if err := gapless(s, conv); err != nil {
			t.Fatal(err)
		}
	}
	is()
	same(t, s, pin(1, false))
	must(t, s, pin(5, true))
	same(t, s, pin(5, true))
	must(t, s, pin(2, true))
	must(t, s, pin(4, true))
	is(2, 4, 5)
	if m := message(t, s, conv, 5); m.Pin == nil || m.Pin.By != "bob" || m.Pin.Time != c.Now().UnixMilli() || m.Ver != 1 {
		t.Fatalf("%s", show(m))
	}
	fails(t, s, pin(1, true), im.TooLarge)
	if o.Reopen != nil {
		s = o.reopen(t)
	}
	is(2, 4, 5)
	fails(t, s, pin(1, true), im.TooLarge)
	must(t, s, pin(4, false))
	must(t, s, pin(1, true))
	is(1, 2, 5)
	must(t, s, recall(s, conv, 2, "alice"))
	must(t, s, change(s, conv, 5, "alice", im.Delete))
	is(1)
	must(t, s, change(s, conv, 5, "alice", im.Restore)) // comes back without its pin
	is(1)
	fails(t, s, pin(2, true), im.NotFound)
	// in one batch the bound holds too
	var waits []func() error
	for seq := im.Seq(3); seq <= 6; seq++ {
		waits = append(waits, start(s, pin(seq, true)))
	}
	full := 0
	for _, wait := range waits {
		if err := wait(); im.IsKind(err, im.TooLarge) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if full != 2 {
		t.Fatalf("%d of 4 were refused, with room for 2", full)
	}
	is(1, 3, 4)
}

// testRetryOfParts: a change that is made again under its client id answers as the
// first did, whatever happened since, and is refused if it is another.
func testRetryOfParts(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 8)
	ops := []func() *store.ChangeOp{
		func() *store.ChangeOp { return react(conv, 1, 0, "bob", "x") },
		func() *store.ChangeOp {
			return &store.ChangeOp{Conv: conv, Seq: 2, Kind: im.Expand, By: "bob", Set: []im.Pair{{Key: "k", Value: "v"}}}
		},
		func() *store.ChangeOp {
			return &store.ChangeOp{Conv: conv, Seq: 3, Kind: im.Pinned, By: "bob", Pin: true}
		},
		func() *store.ChangeOp { return &store.ChangeOp{Conv: conv, Seq: 4, Kind: im.Delete, By: "bob"} },
		func() *store.ChangeOp {
			return &store.ChangeOp{Conv: conv, Seq: 5, Kind: im.Burn, By: "bob", Expires: c.Now().Add(time.Hour).UnixMilli()}
		},
	}
	first := make([]*store.ChangeOp, len(ops))
	submit := func(i int) *store.ChangeOp {
		op := ops[i]()
		op.ID, op.Hash = im.ClientID(fmt.Sprint("c", i)), uint64(i+1)
		return op
	}
	for i := range ops {
		first[i] = must(t, s, submit(i))
	}
	must(t, s, react(conv, 1, 0, "bob", "-x"))
	must(t, s, change(s, conv, 4, "bob", im.Restore))
	ver := head(t, s, conv).Ver
	for range 2 {
		for i := range ops {
			c.advance(time.Second)
			op := must(t, s, submit(i))
			if !op.Dup || op.Ver != first[i].Ver || op.Time != first[i].Time || op.Msg == nil {
				t.Fatalf("%d: %+v, the first was %+v", i, op, first[i])
			}
			other := submit(i)
			other.Hash = 99
			fails(t, s, other, im.Conflict)
		}
		if h := head(t, s, conv); h.Ver != ver {
			t.Fatalf("retries made changes: %d, was %d", h.Ver, ver)
		}
		if o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	// two of one id at once
	a, b := react(conv, 6, 0, "bob", "y"), react(conv, 6, 0, "bob", "y")
	a.ID, b.ID, a.Hash, b.Hash = "both", "both", 7, 7
	waits := []func() error{start(s, a), start(s, b)}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	if a.Dup || !b.Dup || a.Ver != b.Ver {
		t.Fatalf("%+v %+v", a, b)
	}
	// what was no change has not used its id up
	none := react(conv, 6, 0, "bob", "y")
	none.ID, none.Hash = "none", 1
	same(t, s, none)
	some := react(conv, 6, 0, "bob", "z")
	some.ID, some.Hash = "none", 2
	must(t, s, some)
	if some.Dup {
		t.Fatalf("%+v", some)
	}
	// a guard that moved turns all of them back
	must(t, s, &store.BlockOp{User: "bob", Peer: "alice", On: true})
	for i := range ops {
		op := ops[i]()
		if m := message(t, s, conv, op.Seq); op.Kind != im.React {
			op.Seen = m.Ver
		}
		turnedBack(t, s, op)
	}
}
