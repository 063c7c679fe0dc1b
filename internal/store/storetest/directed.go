package storetest

import (
	"fmt"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testDirected: a message to some members only counts for each of them, in his own row,
// until he has read it or it is taken back; for nobody else.
func testDirected(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	g, d := group(t, s, "g", "alice", "bob", "carol", "dave"), fill(t, s, 3)
	must(t, s, set(s, g, "alice", "dave", im.NoRole)) // 2
	send := func(conv im.ConvID, id im.ClientID, f func(*im.Message), to ...im.UserID) im.Seq {
		t.Helper()
		m := text("alice", id, "x")
		m.To = append([]im.UserID{}, to...)
		if f != nil {
			f(m)
		}
		return must(t, s, into(s, conv, m)).Seq
	}
	is := func(conv im.ConvID, u im.UserID, unread uint64, directed ...im.Seq) {
		t.Helper()
		r, h := row(t, s, conv, u), head(t, s, conv)
		n, all := h.Unread(&r)
		if n != unread || all != 0 || fmt.Sprint(r.Directed) != fmt.Sprint(directed) {
			t.Fatalf("%s in %d: unread %d, directed %v; want %d, %v", u, conv, n, r.Directed, unread, directed)
		}
	}
	head0 := head(t, s, g)
	a := send(g, "a", nil, "bob", "carol", "dave", "erin", "alice", "bob") // dave has left, erin was never in
	b := send(g, "b", func(m *im.Message) { m.Flags = im.Persist }, "bob") // counts for nobody
	e := send(g, "c", func(m *im.Message) { m.Mentions = &im.Mentions{All: true, Users: []im.UserID{"bob"}} }, "bob")
	nobody := send(g, "d", nil)
	if h := head(t, s, g); h.N != head0.N || h.NA != head0.NA || h.Seq != nobody || b != a+1 {
		t.Fatalf("%+v, was %+v", h, head0)
	}
	is(g, "bob", 2, a, e)
	is(g, "carol", 1, a)
	is(g, "alice", 0)
	if _, ok, _ := s.Row(g, "erin"); ok {
		t.Fatal("a stranger got a row")
	}
	if r := row(t, s, g, "dave"); len(r.Directed) != 0 || r.In() {
		t.Fatalf("%+v", r)
	}
	x := send(d, "x", nil, "bob")
	y := send(d, "y", nil) // a blocked one is shown it alone
	is(d, "bob", 4, x)
	is(d, "alice", 0)
	fresh := must(t, s, &store.AppendOp{Peer: "frank", Msg: &im.Message{ID: "f", Sender: "alice", Type: "t", Flags: im.DefaultFlags, To: []im.UserID{"frank"}}, Read: true})
	is(fresh.At, "frank", 1, 1)
	is(fresh.At, "alice", 0)
	none := must(t, s, &store.AppendOp{Peer: "gina", Msg: &im.Message{ID: "f", Sender: "alice", Type: "t", Flags: im.DefaultFlags, To: []im.UserID{}}, Read: true})
	is(none.At, "gina", 0)
	if o.Reopen != nil {
		s = o.reopen(t)
		is(g, "bob", 2, a, e)
		is(d, "bob", 4, x)
		is(fresh.At, "frank", 1, 1)
	}
	// taken back: recalled, deleted and restored, expired
	must(t, s, recall(s, g, e, "alice"))
	is(g, "bob", 1, a)
	gone := recall(s, g, a, "alice")
	gone.Kind = im.Delete
	must(t, s, gone)
	is(g, "bob", 0)
	is(g, "carol", 0)
	must(t, s, &store.ReadOp{Conv: g, User: "carol", Seq: nobody})
	back := recall(s, g, a, "alice")
	back.Kind = im.Restore
	must(t, s, back)
	is(g, "bob", 1, a)
	is(g, "carol", 0) // she has read so far
	h := send(g, "h", func(m *im.Message) { m.Expires = c.Now().UnixMilli() + 1000 }, "bob", "carol")
	is(g, "bob", 2, a, h)
	c.advance(1e9)
	told := map[im.ConvID]int{}
	if n, err := s.Sweep(t.Context(), c.Now(), store.SweepPolicy{Expired: true, Moved: func(conv im.ConvID) { told[conv]++ }}); n != 1 || err != nil || told[g] == 0 || len(told) != 1 {
		t.Fatalf("%d %v, told of %v", n, err, told)
	}
	is(g, "bob", 1, a)
	is(g, "carol", 0)
	must(t, s, recall(s, d, x, "alice"))
	is(d, "bob", 3)
	_ = y
	// read
	z := send(g, "z", nil, "bob")
	must(t, s, &store.ReadOp{Conv: g, User: "bob", Seq: a})
	is(g, "bob", 1, z)
	must(t, s, into(s, g, text("bob", "own", "x")))
	is(g, "bob", 0)
	if o.Reopen != nil {
		s = o.reopen(t)
	}
	is(g, "bob", 0)
	// who leaves has nothing waiting when he comes back
	send(g, "before", nil, "bob")
	must(t, s, set(s, g, "alice", "bob", im.NoRole))
	must(t, s, set(s, g, "alice", "bob", im.Member))
	is(g, "bob", 0)
}

// testDirectedBounded: past so many the oldest is dropped: unread may be too low there,
// and a row stays small.
func testDirectedBounded(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	g := group(t, s, "g", "alice", "bob")
	var seqs []im.Seq
	var waits []func() error
	for i := range store.MaxDirected + 30 {
		m := text("alice", im.ClientID(fmt.Sprint(i)), "x")
		m.To = []im.UserID{"bob"}
		waits = append(waits, start(s, into(s, g, m)))
		seqs = append(seqs, im.Seq(2+i))
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		r := row(t, s, g, "bob")
		if fmt.Sprint(r.Directed) != fmt.Sprint(seqs[30:]) || unread(t, s, g, "bob") != store.MaxDirected {
			t.Fatalf("%v", r.Directed)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
}
