package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testQueueFull: a full queue refuses at once, the refused one's lane is shut, and
// what was taken is carried out.
func testQueueFull(t *testing.T, open Open) {
	o := opened(t, open, Options{QueueOps: 64})
	if o.Stall == nil {
		t.Skip("the store's syncs cannot be stalled")
	}
	s := o.Store
	conv := group(t, s, "g", "alice")
	guard := head(t, s, conv).MVer
	release := o.Stall()
	lane := &store.Lane{}
	var taken []*store.AppendOp
	var waits []func() error
	refused := -1
	for i := 0; i < 100_000 && refused < 0; i++ {
		m := text("alice", im.ClientID(fmt.Sprint(i)), "x")
		op := &store.AppendOp{Conv: conv, Guard: guard, Msg: m, Hash: hash(m), Lane: lane, Round: 1}
		done := make(chan struct{})
		op.Done = func() { close(done) }
		began := time.Now()
		switch err := s.Submit(op); {
		case err == nil:
			taken = append(taken, op)
			waits = append(waits, func() error { <-done; return op.Err })
		case im.IsKind(err, im.Busy):
			refused = i
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("refused after %v", d)
			}
		default:
			t.Fatal(err)
		}
	}
	if refused < 0 {
		t.Fatal("a queue of 64 took 100,000 operations")
	}
	if h := head(t, s, conv); h.Seq != 1 {
		t.Errorf("the head shows %d while the sync hangs", h.Seq)
	}
	if s.Health().Pending == 0 {
		t.Error("the sync hangs and Health says nothing")
	}
	release()
	for i, wait := range waits {
		if err := wait(); err != nil {
			t.Fatalf("%d was taken and ended with %v", i, err)
		}
	}
	after := into(s, conv, text("alice", "after", "x"))
	after.Lane, after.Round = lane, 1
	if err := do(s, after); err != store.ErrTurnedBack && !im.IsKind(err, im.Busy) {
		t.Fatalf("after a refused one of its lane: %v", err)
	}
	next := into(s, conv, text("alice", im.ClientID(fmt.Sprint(refused)), "x"))
	next.Lane, next.Round = lane, 2
	if op := must(t, s, next); op.Seq != im.Seq(len(taken)+2) {
		t.Fatalf("%+v after %d", op, len(taken)+1)
	}
	for i, op := range taken {
		if op.Seq != im.Seq(i+2) {
			t.Fatalf("%d became %d", i, op.Seq)
		}
	}
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(limit)
	for s.Health().Pending != 0 { // the last commit's end may be noted a little after its completions
		if time.Now().After(deadline) {
			t.Fatalf("idle, and Health says %v", s.Health().Pending)
		}
		time.Sleep(time.Millisecond)
	}
}

// testReadOnly: with no space writes are refused, reads and deliveries go on, and it
// ends without reopening.
func testReadOnly(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	if o.FailReadOnly == nil {
		t.Skip("the store cannot be made read-only")
	}
	s := o.Store
	conv := fill(t, s, 3)
	lane := &store.Lane{}
	o.FailReadOnly(true)
	if !s.Health().ReadOnly {
		t.Error("Health does not say so")
	}
	first := into(s, conv, text("alice", "n", "x"))
	first.Lane, first.Round = lane, 1
	fails(t, s, first, im.ReadOnly)
	fails(t, s, recall(s, conv, 1, "alice"), im.ReadOnly)
	fails(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: 1}, im.ReadOnly)
	if all, err := every(s, conv); err != nil || len(all) != 3 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	o.FailReadOnly(false)
	if s.Health().ReadOnly {
		t.Error("Health still says so")
	}
	second := into(s, conv, text("alice", "o", "x"))
	second.Lane, second.Round = lane, 1
	if err := do(s, second); err != store.ErrTurnedBack && !im.IsKind(err, im.ReadOnly) {
		t.Fatalf("after a refused one of its lane: %v", err)
	}
	again := into(s, conv, text("alice", "n", "x"))
	again.Lane, again.Round = lane, 2
	if op := must(t, s, again); op.Seq != 4 {
		t.Fatalf("%+v", op)
	}
}

// testClose: Close while submitters are at work; every operation that was taken ends
// once, and what ended well is there afterwards.
func testClose(t *testing.T, open Open) {
	o := open(t, Options{})
	s := o.Store
	conv := fill(t, s, 1)
	l := NewLedger()
	var wg sync.WaitGroup
	begun := make(chan struct{}, 64)
	for g := range 16 {
		wg.Go(func() {
			u := im.UserID(fmt.Sprint("u", g))
			for i := 0; ; i++ {
				m := text(u, im.ClientID(fmt.Sprint(i)), "x")
				op := direct(m, "peer")
				err := do(s, op)
				switch {
				case err == nil:
					l.Ack(op, u, m.ID, m.Body, false)
				case im.IsKind(err, im.Busy):
				case im.IsKind(err, im.Unavailable):
					return
				default:
					t.Errorf("%v", err)
					return
				}
				if i == 5 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range 16 {
		<-begun
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := s.Submit(direct(text("alice", "late", "x"), "bob")); !im.IsKind(err, im.Unavailable) {
		t.Fatalf("closed, and Submit says %v", err)
	}
	if _, _, err := s.Message(conv, 1); !im.IsKind(err, im.Unavailable) {
		t.Fatalf("closed, and a reader gets %v", err)
	}
	if _, err := s.Page(store.PageQuery{Conv: conv, From: 1, To: 9}); !im.IsKind(err, im.Unavailable) {
		t.Fatalf("closed, and a reader gets %v", err)
	}
	s.Delivered(conv, "bob", 1) // must not panic
	s.Probe()
	_ = s.Health()
	if o.Reopen != nil {
		o.Store = o.Reopen()
		if err := l.Audit(o.Store); err != nil {
			t.Fatal(err)
		}
		if err := o.Store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// testCost: what a send writes, by count.
func testCost(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	conv := fill(t, s, 1000)
	g := group(t, s, "g", "alice", "bob")
	for name, send := range map[string]func(i int) *store.AppendOp{
		"direct": func(i int) *store.AppendOp {
			return into(s, conv, text("alice", im.ClientID(fmt.Sprint("cost", i)), "hello"))
		},
		"group": func(i int) *store.AppendOp {
			return into(s, g, text("alice", im.ClientID(fmt.Sprint("cost", i)), "hello"))
		},
	} {
		before := s.Stats()
		const n = 500
		var waits []func() error
		for i := range n {
			waits = append(waits, start(s, send(i)))
		}
		for _, wait := range waits {
			if err := wait(); err != nil {
				t.Fatal(err)
			}
		}
		after := s.Stats()
		rows, commits, bytes := after.Rows-before.Rows, after.Commits-before.Commits, after.Bytes-before.Bytes
		t.Logf("%s: %.2f rows and %d bytes a send, %d commits", name, float64(rows)/n, bytes/n, commits)
		if rows > 2*n+2*commits {
			t.Errorf("%s: %d rows for %d sends in %d commits, want 2 a send and few a commit", name, rows, n, commits)
		}
		if bytes > n*400+commits*400 {
			t.Errorf("%s: %d bytes a send", name, bytes/n)
		}
		if commits > n {
			t.Errorf("%s: %d commits for %d sends", name, commits, n)
		}
		if after.Ops-before.Ops != n {
			t.Errorf("%s: %d operations counted", name, after.Ops-before.Ops)
		}
	}
}
