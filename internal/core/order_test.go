package core

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
)

func ordered(l *Login) { l.Ordered = true }

// pipeline sends bodies one after the other without waiting, each under an id of its
// own, and gives the outcomes in the order in which they were told.
func (c *client) pipeline(to im.Address, ids ...string) chan *Send {
	done := make(chan *Send, len(ids))
	for _, id := range ids {
		c.Send(&Send{To: to, Msg: text(im.ClientID(id), id), Done: func(s *Send) { done <- s }})
	}
	return done
}

// outcomes are the outcomes by id.
func outcomes(t *testing.T, done chan *Send, n int) map[string]*Send {
	t.Helper()
	got := map[string]*Send{}
	for range n {
		select {
		case s := <-done:
			id := string(s.Msg.ID)
			if got[id] != nil {
				t.Fatalf("the outcome of %s is told twice", id)
			}
			got[id] = s
		case <-time.After(patience):
			t.Fatalf("only %d outcomes", len(got))
		}
	}
	return got
}

// history is what stands in a conversation, as one member reads it.
func (w *world) history(u im.UserID, conv im.Address) []string {
	w.Helper()
	r, _, err := w.as(u).Page(w.Context(), PageQuery{Conv: conv, From: 1, Limit: 200})
	w.ok(err)
	var out []string
	for _, m := range r.Messages {
		if m.Type != GroupType {
			out = append(out, string(m.Body))
		}
	}
	return out
}

func ids(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("m%02d", i))
	}
	return out
}

// A queue that is full in the midst of pipelined sends: what comes after the refused
// one is refused until it comes again.
func TestQueueFullKeepsOrder(t *testing.T) {
	w := newHeld(t, 4)
	ann, bob := w.login("ann", "phone", ordered), w.login("bob", "phone")
	ann.send("u/bob", "m00", "m00")
	w.hold()
	done := ann.pipeline("u/bob", ids(1, 4)...) // fill the queue
	if n := w.st.Queued(); n != 4 {
		t.Fatalf("%d are queued", n)
	}
	more := ann.pipeline("u/bob", ids(5, 6)...)
	refused := outcomes(t, more, 2)
	for _, id := range ids(5, 6) {
		w.refused(refused[id].Err, im.Busy, im.CodeBusy)
	}
	other := outcomes(t, ann.pipeline("u/eve", "e1"), 1) // another conversation: full as well
	w.refused(other["e1"].Err, im.Busy)
	w.st.Release()
	for id, s := range outcomes(t, done, 4) {
		if s.Err != nil {
			t.Fatalf("%s: %v", id, s.Err)
		}
	}
	late := outcomes(t, ann.pipeline("u/bob", "m07", "m06"), 2) // there is room, but m05 has not come again
	w.refused(late["m07"].Err, im.Busy)
	w.refused(late["m06"].Err, im.Busy)
	if s := ann.send("u/eve", "e1", "e1"); s.Err != nil {
		t.Fatal(s.Err)
	}
	for id, s := range outcomes(t, ann.pipeline("u/bob", ids(5, 7)...), 3) {
		if s.Err != nil || s.Dup {
			t.Fatalf("%s: %+v", id, s)
		}
	}
	if got := fmt.Sprint(w.history("bob", "u/ann")); got != fmt.Sprint(ids(0, 7)) {
		t.Fatal(got)
	}
	for i := range 8 {
		bob.gets("u/ann", im.Seq(i+1), fmt.Sprintf("m%02d", i))
	}
}

func TestSkip(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone", ordered)
	ann.send("u/bob", "m0", "m0")
	w.st.FailReadOnly(true)
	w.refused(ann.send("u/bob", "m1", "m1").Err, im.ReadOnly)
	w.st.FailReadOnly(false)
	w.refused(ann.send("u/bob", "m2", "m2").Err, im.Busy)
	w.refused(ann.send("u/bob", "m2", "m2", func(s *Send) { s.Skip = "m3" }).Err, im.Busy)
	if s := ann.send("u/bob", "m2", "m2", func(s *Send) { s.Skip = "m1" }); s.Err != nil {
		t.Fatal(s.Err)
	}
	ann.sent("u/bob", "m3")
}

// What is only of use now waits for nothing and stops nothing.
func TestStatusIsOutsideTheOrder(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now, Limits: im.Limits{SendRate: 1, SendBurst: 1}})
	ann := w.login("ann", "phone", ordered)
	ann.sent("u/bob", "1")
	w.refused(ann.send("u/bob", "s", "now", flags(im.Status)).Err, im.Limited)
	clk.add(1000)
	ann.sent("u/bob", "2")
	w.refused(ann.send("u/bob", "m3", "3").Err, im.Limited)
	clk.add(1000)
	ann.sent("u/bob", "now", flags(im.Status))
}

// A rate limit in the midst of pipelined sends.
func TestRateLimitKeepsOrder(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		clk := newClock()
		w := newWorld(t, Config{Clock: clk.Now, Limits: im.Limits{SendRate: 10, SendBurst: 4}})
		ann := w.login("ann", "phone", func(l *Login) { l.Ordered = inOrder })
		got := outcomes(t, ann.pipeline("u/bob", ids(1, 6)...), 6)
		for i, id := range ids(1, 6) {
			if (got[id].Err == nil) != (i < 4) {
				t.Fatalf("%s: %v", id, got[id].Err)
			}
		}
		w.refused(got["m05"].Err, im.Limited)
		clk.add(100) // one may be sent
		if s := ann.send("u/bob", "m06", "m06"); inOrder != (s.Err != nil) {
			t.Fatalf("in order %v: %v", inOrder, s.Err)
		} else if inOrder {
			w.refused(s.Err, im.Busy)
		}
		if s := ann.send("u/bob", "m02", "m02"); s.Err != nil || !s.Dup || s.Seq != 2 { // a retry all the same
			t.Fatalf("%+v", s)
		}
		clk.add(1000)
		for id, s := range outcomes(t, ann.pipeline("u/bob", ids(5, 6)...), 2) {
			if s.Err != nil || s.Dup != (id == "m06" && !inOrder) {
				t.Fatalf("%s: %+v", id, s)
			}
		}
		want := ids(1, 6)
		if !inOrder {
			want[4], want[5] = want[5], want[4]
		}
		if got := fmt.Sprint(w.history("bob", "u/ann")); got != fmt.Sprint(want) {
			t.Fatal(got)
		}
	}
}

// A final refusal stops nothing.
func TestFinalRefusalStopsNothing(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone", ordered)
	ann.send("u/bob", "m01", "m01")
	done := make(chan *Send, 3)
	for _, m := range []*im.Message{text("m02", "m02"), text("m01", "other"), text("m03", "m03")} {
		ann.Send(&Send{To: "u/bob", Msg: m, Done: func(s *Send) { done <- s }})
	}
	got := outcomes(t, done, 3)
	w.refused(got["m01"].Err, im.Conflict)
	if got["m02"].Err != nil || got["m03"].Err != nil {
		t.Fatalf("%v %v", got["m02"].Err, got["m03"].Err)
	}
}

// A refusal of something that was used otherwise is final, also when it first met a
// limit: nothing waits for it.
func TestConflictBehindALimit(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now, Limits: im.Limits{SendRate: 1, SendBurst: 1}})
	ann := w.login("ann", "phone", ordered)
	ann.send("u/bob", "m01", "m01")
	w.refused(ann.send("u/bob", "m01", "other").Err, im.Conflict)
	clk.add(1000)
	ann.sent("u/bob", "on")
}

// Membership changes while sends are in the store's queue: they are turned back and
// decided again, in their order.
func TestTurnedBackKeepsOrder(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		w := newWorld(t, Config{})
		g := w.group("ann", "bob", "eve")
		bob, eve := w.login("bob", "phone", func(l *Login) { l.Ordered = inOrder }), w.login("eve", "phone")
		bob.send(g, "m00", "m00")
		w.hold()
		var wg sync.WaitGroup
		wg.Go(func() { // moves bob's row, so that what he decided on is an older state
			_, err := w.as("ann").GroupRole(context.Background(), g, "bob", im.Admin)
			w.ok(err)
		})
		for w.st.Queued() == 0 {
			time.Sleep(time.Millisecond)
		}
		done := bob.pipeline(g, ids(1, 40)...)
		w.st.Release()
		wg.Wait()
		more := bob.pipeline(g, ids(41, 60)...)
		for _, d := range []struct {
			c chan *Send
			n int
		}{{done, 40}, {more, 20}} {
			for id, s := range outcomes(t, d.c, d.n) {
				if s.Err != nil {
					t.Fatalf("%s: %v", id, s.Err)
				}
			}
		}
		if got := fmt.Sprint(w.history("eve", g)); got != fmt.Sprint(ids(0, 60)) {
			t.Fatal(got)
		}
		for i := range 61 {
			it := eve.until(func(it Item) bool { return it.Msg != nil && it.Msg.Type != GroupType })
			if want := fmt.Sprintf("m%02d", i); string(it.Msg.Body) != want {
				t.Fatalf("eve is told %s; want %s", it.Msg.Body, want)
			}
		}
	}
}

// A block while first messages are in the queue: none of them gets through.
func TestBlockedWhileSending(t *testing.T) {
	for _, known := range []bool{true, false} {
		w := newWorld(t, Config{})
		ann, bob := w.login("ann", "phone", ordered), w.login("bob", "phone")
		if known {
			ann.send("u/bob", "m00", "m00")
		}
		w.hold()
		var wg sync.WaitGroup
		wg.Go(func() { w.ok(bob.Block(context.Background(), "ann")) })
		for w.st.Queued() == 0 {
			time.Sleep(time.Millisecond)
		}
		done := ann.pipeline("u/bob", ids(1, 10)...)
		w.st.Release()
		wg.Wait()
		for id, s := range outcomes(t, done, 10) {
			if s.Err == nil || s.Err.Code != im.CodeNotAccepted {
				t.Fatalf("%s: %v", id, s.Err)
			}
		}
		bob.quiet(func(it Item) bool { return it.Msg != nil && it.Msg.Sender == "ann" && string(it.Msg.Body) != "m00" })
	}
}

// Removed while sends are in the queue: they are refused as by somebody who never was
// in, and a retry of what was kept is answered.
func TestRemovedWhileSending(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	bob := w.login("bob", "phone", ordered)
	bob.send(g, "m00", "m00")
	w.hold()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := w.as("ann").GroupRemove(context.Background(), g, []im.UserID{"bob"})
		w.ok(err)
	})
	for w.st.Queued() == 0 {
		time.Sleep(time.Millisecond)
	}
	done := bob.pipeline(g, ids(0, 5)...)
	w.st.Release()
	wg.Wait()
	for id, s := range outcomes(t, done, 6) {
		if id == "m00" {
			if s.Err != nil || !s.Dup {
				t.Fatalf("%+v", s)
			}
			continue
		}
		w.refused(s.Err, im.NotFound)
	}
}

// The store fails while sends are in its queue.
func TestStoreFailsWhileSending(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone", ordered)
	w.hold()
	done := ann.pipeline("u/bob", ids(1, 5)...)
	w.st.Fail(fmt.Errorf("no disk"))
	for id, s := range outcomes(t, done, 5) {
		if s.Err == nil || !s.Err.Code.Retryable() {
			t.Fatalf("%s: %v", id, s.Err)
		}
	}
}

// Several clients that repeat what is refused, in order, through a small queue, while
// blocks and roles change around them: each one's messages stand in the order in which
// it sent them, and once.
func TestOrderUnderPressure(t *testing.T) {
	w := worldOver(t, Config{}, memstore.New(memstore.Config{QueueOps: 24}))
	g := w.group("ann", "u0", "u1", "u2", "u3")
	reader := w.login("ann", "phone")
	const each = 120
	var senders, others sync.WaitGroup
	stop := make(chan struct{})
	others.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			role := im.Admin
			if i%2 == 1 {
				role = im.Member
			}
			_, _ = w.as("ann").GroupRole(context.Background(), g, im.UserID(fmt.Sprint("u", i%4)), role) // Busy now and then
		}
	})
	for n := range 4 {
		c := w.login(im.UserID(fmt.Sprint("u", n)), "phone", ordered)
		senders.Go(func() { w.repeat(c, g, each, 16) })
	}
	senders.Wait()
	close(stop)
	others.Wait()
	next := map[im.UserID]int{}
	last := im.Seq(0)
	for got := 0; got < 4*each; {
		it := reader.next()
		if it.Seq == 0 {
			continue
		}
		if it.Seq <= last {
			t.Fatalf("number %d after %d", it.Seq, last)
		}
		last = it.Seq
		if it.Msg.Type == GroupType {
			continue
		}
		if want := fmt.Sprint(next[it.Msg.Sender]); string(it.Msg.Body) != want {
			t.Fatalf("%s: %s; want %s", it.Msg.Sender, it.Msg.Body, want)
		}
		next[it.Msg.Sender]++
		got++
	}
}

// repeat sends n messages in order, at most window unanswered, and repeats from the
// first refused one on, as the SDK does.
func (w *world) repeat(c *client, to im.Address, n, window int) {
	type outcome struct {
		i int
		s *Send
	}
	done := make(chan outcome, window)
	submit := func(i int) {
		c.Send(&Send{To: to, Msg: text(im.ClientID(fmt.Sprintf("%s-%d", c.user, i)), fmt.Sprint(i)), Done: func(s *Send) { done <- outcome{i, s} }})
	}
	ok := make([]bool, n)
	for base := 0; base < n; {
		next := base
		for ; next < n && next < base+window; next++ {
			submit(next)
		}
		for range next - base {
			o := <-done
			switch {
			case o.s.Err == nil:
				ok[o.i] = true
			case !o.s.Err.Code.Retryable():
				w.Errorf("%s %d: %v", c.user, o.i, o.s.Err)
				return
			}
		}
		for base < n && ok[base] {
			base++
		}
		for i := base; i < next; i++ {
			if ok[i] {
				w.Errorf("%s %d is kept and %d before it is not", c.user, i, base)
				return
			}
		}
	}
}

// Sends and what receivers are told, of several people at once, are one history: each
// number belongs to one send, and whoever sends after another was answered has a
// higher one.
func TestConversationsAreLinearizable(t *testing.T) {
	type input struct {
		conv  int
		order int // of a read: how many numbers were seen before it; -1 = a send
		id    string
	}
	type output struct {
		seq im.Seq
		id  string
	}
	model := porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[int][]porcupine.Operation{}
			for _, op := range history {
				c := op.Input.(input).conv
				by[c] = append(by[c], op)
			}
			var out [][]porcupine.Operation
			for _, ops := range by {
				out = append(out, ops)
			}
			return out
		},
		Init: func() any { return "" }, // ids in order, each with a space
		Step: func(state, in, out any) (bool, any) {
			s, i, o := state.(string), in.(input), out.(output)
			if i.order < 0 { // a send: it is the next
				n := countIDs(s)
				return int(o.seq) == n+1, s + i.id + " "
			}
			return nthID(s, int(o.seq)) == o.id, s // told: it is there
		},
		Equal: func(a, b any) bool { return a == b },
	}
	w := newWorld(t, Config{})
	const people, each = 5, 40
	groups := []im.Address{w.group("u0", "u1", "u2", "u3", "u4"), w.group("u0", "u1", "u2", "u3", "u4")}
	began := time.Now()
	now := func() int64 { return int64(time.Since(began)) }
	var mu sync.Mutex
	var ops []porcupine.Operation
	record := func(op porcupine.Operation) {
		mu.Lock()
		defer mu.Unlock()
		ops = append(ops, op)
	}
	var wg sync.WaitGroup
	var clients []*client
	for n := range people { // all, before anybody sends
		clients = append(clients, w.login(im.UserID(fmt.Sprint("u", n)), "phone"))
	}
	for n, c := range clients {
		rng := rand.New(rand.NewPCG(uint64(n), 7))
		wg.Go(func() {
			for i := range each {
				g := rng.IntN(2)
				id := fmt.Sprintf("%d-%d", n, i)
				call := now()
				s := c.send(groups[g], im.ClientID(id), id)
				if s.Err != nil {
					t.Error(s.Err)
					return
				}
				// number 1 is the making of the group
				record(porcupine.Operation{ClientId: n, Input: input{g, -1, id}, Call: call, Output: output{s.Seq - 1, id}, Return: now()})
			}
		})
		wg.Go(func() {
			for got := 0; got < (people-1)*each; {
				call := now()
				it := c.next()
				if it.Msg == nil || it.Msg.Type == GroupType {
					continue
				}
				got++
				g := 0
				if it.Addr == groups[1] {
					g = 1
				}
				record(porcupine.Operation{ClientId: people + n, Input: input{g, got, string(it.Msg.ID)}, Call: call, Output: output{it.Seq - 1, string(it.Msg.ID)}, Return: now()})
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	switch r := porcupine.CheckOperationsTimeout(model, ops, time.Minute); r {
	case porcupine.Ok:
	default:
		t.Fatalf("%d operations: %v", len(ops), r)
	}
}

func countIDs(s string) int {
	n := 0
	for _, c := range s {
		if c == ' ' {
			n++
		}
	}
	return n
}

// nthID is the n-th id of the list, from 1.
func nthID(s string, n int) string {
	for i := 1; s != ""; i++ {
		end := 0
		for s[end] != ' ' {
			end++
		}
		if i == n {
			return s[:end]
		}
		s = s[end+1:]
	}
	return ""
}

// hold lets the store finish what it has, and then holds it.
func (w *world) hold() {
	w.Helper()
	w.ok(w.c.do(w.Context(), &store.KeptOp{Conv: 1, Sender: "nobody", ID: "none"}))
	w.st.Hold()
}
