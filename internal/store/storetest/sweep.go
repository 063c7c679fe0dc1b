package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testSweep: what is past its time goes, nothing else, and what it counted is
// withdrawn.
func testSweep(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice", "bob")
	send := func(id im.ClientID, f func(*im.Message)) im.Seq {
		m := text("alice", id, "x")
		f(m)
		return must(t, s, into(s, conv, m)).Seq
	}
	keep := send("keep", func(*im.Message) {})
	command := send("command", func(m *im.Message) { m.Flags = 0 })
	soon := send("soon", func(m *im.Message) {
		m.Expires = c.Now().Add(time.Hour).UnixMilli()
		m.Mentions = &im.Mentions{Users: []im.UserID{"bob"}, All: true}
	})
	late := send("late", func(m *im.Message) { m.Expires = c.Now().Add(48 * time.Hour).UnixMilli() })
	must(t, s, &store.PutOp{Records: []store.Record{
		{Kind: store.SecretRecord, Key: "soon", Value: []byte("x"), Expires: c.Now().Add(time.Hour).UnixMilli()},
		{Kind: store.SecretRecord, Key: "late", Value: []byte("x"), Expires: c.Now().Add(48 * time.Hour).UnixMilli()},
		{Kind: store.SecretRecord, Key: "never", Value: []byte("x")},
	}})
	sweep := func() int {
		t.Helper()
		n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{Commands: 5 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	is := func(what string, there map[im.Seq]bool) {
		t.Helper()
		p, err := s.Page(store.PageQuery{Conv: conv, From: 1, To: 100})
		if err != nil {
			t.Fatal(err)
		}
		paged := map[im.Seq]bool{}
		for _, m := range p.Messages {
			paged[m.Seq] = true
		}
		for seq, want := range there {
			if _, ok, err := s.Message(conv, seq); ok != want || err != nil || paged[seq] != want {
				t.Fatalf("%s: message %d is there: %v (page %v), want %v, %v", what, seq, ok, paged[seq], want, err)
			}
		}
		if p.From > 1 && p.From > head(t, s, conv).Min || p.To != late {
			t.Fatalf("%s: covers %d..%d", what, p.From, p.To)
		}
	}
	if n := sweep(); n != 0 {
		t.Fatalf("%d rows went at once", n)
	}
	is("at once", map[im.Seq]bool{keep: true, command: true, soon: true, late: true})
	before := head(t, s, conv)
	c.advance(2 * time.Hour)
	if n := sweep(); n == 0 {
		t.Fatal("nothing went after two hours")
	}
	for i := range 2 {
		is("two hours later", map[im.Seq]bool{keep: true, command: true, soon: false, late: true})
		h, r := head(t, s, conv), row(t, s, conv, "bob")
		if n, all := h.Unread(&r); n != 2 || all != 0 {
			t.Fatalf("unread %d, @all %d", n, all)
		}
		if n, _ := s.CountMentions("bob", conv); n != 0 {
			t.Fatalf("%d mentions", n)
		}
		if _, ok, _ := s.Get(store.SecretRecord, "", "soon"); ok {
			t.Fatal("a record past its time is there")
		}
		if _, ok, _ := s.Get(store.SecretRecord, "", "late"); !ok {
			t.Fatal("a record before its time is gone")
		}
		if h.Seq != before.Seq || h.N != before.N || h.NA != before.NA || h.Position <= before.Position {
			t.Fatalf("%+v, was %+v", h, before)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	c.advance(4 * time.Hour)
	sweep()
	is("six hours later", map[im.Seq]bool{keep: true, command: false, soon: false, late: true})
	if n := sweep(); n != 0 {
		t.Fatalf("%d rows went twice", n)
	}
	// a retry of what is gone is still the same send
	m := text("alice", "command", "x")
	m.Flags = 0
	if op := must(t, s, into(s, conv, m)); !op.Dup || op.Seq != command {
		t.Fatalf("%+v", op)
	}
	fails(t, s, recall(s, conv, command, "alice"), im.NotFound)
}

// testNumbersNeverReused: the newest messages and changes are removed, the machine
// crashes, and numbers go on where they were.
func testNumbersNeverReused(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 5)
	for i := range 5 {
		m := text("alice", im.ClientID(fmt.Sprint("gone", i)), "x")
		m.Expires = c.Now().Add(time.Minute).UnixMilli()
		must(t, s, direct(m, "bob"))
	}
	for range 3 {
		must(t, s, edit(s, conv, 1, "alice", "y"))
	}
	c.advance(time.Hour)
	if n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{Changes: time.Minute, KeepNewest: 1}); n == 0 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	want := head(t, s, conv)
	check := func(s store.Store, i int) {
		t.Helper()
		if _, ok, _ := s.Message(conv, 10); ok {
			t.Fatal("a removed message is back")
		}
		h := head(t, s, conv)
		if h.Seq != want.Seq || h.Ver != want.Ver || h.N != want.N || h.MVer != want.MVer {
			t.Fatalf("%+v, was %+v", h, want)
		}
		op := must(t, s, into(s, conv, text("alice", im.ClientID(fmt.Sprint("next", i)), "x")))
		change := must(t, s, edit(s, conv, 2, "alice", "z"))
		if op.Seq != want.Seq+1 || op.N != want.N+1 || change.Ver != want.Ver+1 {
			t.Fatalf("%+v %+v after %+v", op, change, want)
		}
	}
	if o.Crash != nil {
		for i := range 10 {
			x := o.Crash(rand.New(rand.NewPCG(9, uint64(i))))
			check(x.Store, i)
			x.Store.Close()
		}
	}
	if o.Reopen != nil {
		s = o.reopen(t)
	}
	check(s, 100)
}

// testEpoch: it stays until it is renewed, and then for good; the position never goes
// back.
func testEpoch(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	first, position := s.Epoch(), s.Position()
	if first == (im.Epoch{}) {
		t.Fatal("no epoch")
	}
	fill(t, s, 3)
	if s.Position() <= position {
		t.Fatal("commits did not move the position")
	}
	position = s.Position()
	if o.Reopen != nil {
		s = o.reopen(t)
		if s.Epoch() != first || s.Position() < position {
			t.Fatalf("reopened: epoch %s, was %s; position %d, was %d", s.Epoch(), first, s.Position(), position)
		}
	}
	second, err := s.RenewEpoch(context.Background())
	if err != nil || second == first || s.Epoch() != second {
		t.Fatalf("%s %v, was %s", second, err, first)
	}
	if o.Crash != nil {
		x := o.Crash(rand.New(rand.NewPCG(2, 2)))
		if x.Store.Epoch() != second || x.Store.Position() < position {
			t.Fatalf("after a power cut %s, want %s", x.Store.Epoch(), second)
		}
		x.Store.Close()
	}
	if o.Reopen != nil {
		s = o.reopen(t)
		if s.Epoch() != second {
			t.Fatalf("reopened: epoch %s, want %s", s.Epoch(), second)
		}
	}
	other := opened(t, open, Options{})
	if e := other.Store.Epoch(); e == first || e == second {
		t.Fatal("two stores with one epoch")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.RenewEpoch(ctx) // may do it or not, but must come back
}

// testTime: a conversation's times never go back, whatever the clock does.
func testTime(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	last := int64(0)
	for i, jump := range []time.Duration{0, time.Hour, -30 * 24 * time.Hour, time.Minute, 40 * 24 * time.Hour, -time.Second, 0} {
		c.advance(jump)
		if i == 3 && o.Reopen != nil {
			s = o.reopen(t)
		}
		op := must(t, s, direct(text("alice", im.ClientID(fmt.Sprint(i)), "x"), "bob"))
		if want := max(last, c.Now().UnixMilli()); op.Time != want || op.Msg.Time != want || head(t, s, op.At).Time != want {
			t.Fatalf("%d: time %d, want %d", i, op.Time, want)
		}
		last = op.Time
	}
	s.Probe()
	deadline := time.Now().Add(limit)
	for s.Health().Last.IsZero() {
		if time.Now().After(deadline) {
			t.Fatal("Health.Last stays zero")
		}
		time.Sleep(time.Millisecond)
	}
}
