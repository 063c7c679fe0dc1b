package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// fill sends n messages from alice to bob.
func fill(t testing.TB, s store.Store, n int) im.ConvID {
	t.Helper()
	var waits []func() error
	var op *store.AppendOp
	for i := range n {
		op = direct(text("alice", im.ClientID(fmt.Sprint("fill", i+1)), fmt.Sprint("body ", i+1)), "bob")
		waits = append(waits, start(s, op))
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	return op.At
}

// testPage: ranges forward and backward, both ends inclusive, limits, empty ones, and
// beyond the head.
func testPage(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := fill(t, s, 120)
	check := func() {
		t.Helper()
		for _, test := range []struct {
			q        store.PageQuery
			from, to im.Seq // what has to be covered
		}{
			{store.PageQuery{From: 1, To: 10}, 1, 10},
			{store.PageQuery{From: 5, To: 5}, 5, 5},
			{store.PageQuery{From: 5, To: 5, Backward: true}, 5, 5},
			{store.PageQuery{From: 1, To: 120, Limit: 7}, 1, 7},
			{store.PageQuery{From: 1, To: 120, Limit: 7, Backward: true}, 114, 120},
			{store.PageQuery{From: 1, To: 120}, 1, 50},
			{store.PageQuery{From: 1, To: 120, Backward: true}, 71, 120},
			{store.PageQuery{From: 100, To: 1 << 62}, 100, 120},
			{store.PageQuery{From: 100, To: 1 << 62, Backward: true, Limit: 3}, 118, 120},
			{store.PageQuery{From: 118, To: 120, Backward: true, Limit: 3}, 118, 120},
			{store.PageQuery{From: 0, To: 3}, 1, 3},
			{store.PageQuery{From: 1, To: 120, Limit: 500}, 1, 120},
			{store.PageQuery{From: 1, To: 1 << 63, Limit: 500, Backward: true}, 1, 120},
		} {
			test.q.Conv = conv
			p, err := s.Page(test.q)
			if err != nil {
				t.Fatal(err)
			}
			if max(p.From, 1) != test.from || p.To != test.to || len(p.Messages) != int(test.to-test.from+1) {
				t.Fatalf("%+v: %d..%d with %d messages, want %d..%d", test.q, p.From, p.To, len(p.Messages), test.from, test.to)
			}
			for i, m := range p.Messages {
				if want := test.from + im.Seq(i); m.Seq != want || string(m.Body) != fmt.Sprint("body ", want) {
					t.Fatalf("%+v: %s stands at %d", test.q, show(m), want)
				}
			}
		}
		for _, q := range []store.PageQuery{
			{Conv: conv, From: 121, To: 200}, {Conv: conv, From: 121, To: 200, Backward: true}, {Conv: conv + 1000, From: 1, To: 5},
		} {
			if p, err := s.Page(q); err != nil || p.From <= p.To || len(p.Messages) != 0 {
				t.Fatalf("%+v: %+v %v", q, p, err)
			}
		}
	}
	check()
	if o.Reopen != nil {
		s = o.reopen(t)
		check()
	}
	if _, ok, err := s.Message(conv, 121); ok || err != nil {
		t.Fatalf("beyond the head: %v %v", ok, err)
	}
	if _, ok, err := s.Message(conv, 0); ok || err != nil {
		t.Fatalf("number 0: %v %v", ok, err)
	}
}

// testPagesJoin: pages read one after the other join without overlap or hole while
// appends go on, and none covers what is above the head at its time.
func testPagesJoin(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	conv := fill(t, s, 1)
	const total = 3000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < total; i += 10 {
			var waits []func() error
			for j := range 10 {
				waits = append(waits, start(s, direct(text("alice", im.ClientID(fmt.Sprint(i+j)), "x"), "bob")))
			}
			for _, wait := range waits {
				if err := wait(); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	deadline := time.Now().Add(limit)
	for next := im.Seq(1); next <= total+1; {
		if time.Now().After(deadline) || t.Failed() {
			t.Fatalf("stands at %d", next)
		}
		p, err := s.Page(store.PageQuery{Conv: conv, From: next, To: 1 << 40, Limit: 13})
		if err != nil {
			t.Fatal(err)
		}
		if h := head(t, s, conv); p.To > h.Seq {
			t.Fatalf("covered to %d, the head is %d", p.To, h.Seq)
		}
		if p.From > p.To {
			continue
		}
		for i, m := range p.Messages {
			if m.Seq != next+im.Seq(i) {
				t.Fatalf("%d stands where %d should", m.Seq, next+im.Seq(i))
			}
		}
		if p.From != next || p.To != next+im.Seq(len(p.Messages))-1 {
			t.Fatalf("covers %d..%d from %d with %d messages", p.From, p.To, next, len(p.Messages))
		}
		next = p.To + 1
	}
	wg.Wait()
}

// testPageBytes: a page ends after so many bytes but is never empty.
func testPageBytes(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	var conv im.ConvID
	for i := range 20 {
		conv = must(t, s, direct(text("alice", im.ClientID(fmt.Sprint(i)), string(make([]byte, 10_000))), "bob")).At
	}
	for _, back := range []bool{false, true} {
		for bytes, most := range map[int]int{1: 1, 9_999: 1, 25_000: 3, 10 << 20: 20} {
			p, err := s.Page(store.PageQuery{Conv: conv, From: 1, To: 20, Bytes: bytes, Backward: back})
			if err != nil || len(p.Messages) == 0 || len(p.Messages) > most || int(p.To-p.From)+1 != len(p.Messages) {
				t.Fatalf("%d bytes: %d..%d with %d messages, %v", bytes, p.From, p.To, len(p.Messages), err)
			}
			if !back && p.From != 1 || back && p.To != 20 {
				t.Fatalf("%d bytes: %d..%d", bytes, p.From, p.To)
			}
		}
	}
}

// testHeads: a thousand heads with unknown ones between them, and positions that say
// what changed since.
func testHeads(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	const n = 1000
	ids := make([]im.ConvID, n)
	var waits []func() error
	var ops []*store.AppendOp
	for i := range n {
		op := direct(text("alice", "1", "x"), im.UserID(fmt.Sprint("u", i)))
		ops = append(ops, op)
		waits = append(waits, start(s, op))
	}
	known := map[im.ConvID]bool{}
	for i, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
		ids[i] = ops[i].At
		known[ids[i]] = true
	}
	since := s.Position()
	must(t, s, into(s, ids[3], text("alice", "2", "x")))
	must(t, s, edit(s, ids[5], 1, "alice", "y"))
	must(t, s, &store.ReadOp{Conv: ids[7], User: "u7", Seq: 1})
	must(t, s, &store.BlockOp{User: "u9", Peer: "alice", On: true})
	moved := map[im.ConvID]bool{ids[3]: true, ids[5]: true, ids[7]: true, ids[9]: true}
	for i := range 2 {
		for id := im.ConvID(1); id < 2*n; id++ {
			h, ok := s.Head(id)
			self, _, _ := s.Self("u9")
			if id == self {
				continue
			}
			if ok != known[id] {
				t.Fatalf("conversation %d: %v", id, ok)
			}
			if ok && (h.Conv != id || h.Kind != im.Direct || h.Members != 2 || (h.Position > since) != moved[id]) {
				t.Fatalf("%+v, position then %d, moved %v", h, since, moved[id])
			}
		}
		if p := s.Position(); p <= since {
			t.Fatalf("position %d, was %d", p, since)
		}
		var listed []store.Row
		for after := im.ConvID(0); ; {
			rows, err := s.Rows("alice", after, 97)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			listed = append(listed, rows...)
			after = rows[len(rows)-1].Conv
		}
		if len(listed) != n {
			t.Fatalf("%d rows, want %d", len(listed), n)
		}
		for j := 1; j < n; j++ {
			if listed[j].Conv <= listed[j-1].Conv {
				t.Fatal("rows are not in order")
			}
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
}
