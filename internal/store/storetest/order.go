package storetest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// persist submits op again while the queue is full, as a caller that waits would.
func persist(s store.Store, op func() store.Op) (store.Op, error) {
	for {
		o := op()
		err := do(s, o)
		if !im.IsKind(err, im.Busy) && err != store.ErrTurnedBack {
			return o, err
		}
		runtime.Gosched()
	}
}

// testOrder: 256 senders, 1,000 conversations, and every conversation is 1..n; who
// waits for his acknowledgements gets rising numbers.
func testOrder(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	const senders, convs, each = 256, 1000, 40
	ids := make([]im.ConvID, convs)
	for i := range ids {
		ids[i] = must(t, s, direct(text(im.UserID(fmt.Sprintf("a%d", i)), "first", "x"), "z")).At
	}
	l := NewLedger()
	var wg sync.WaitGroup
	for g := range senders {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			last := map[im.ConvID]im.Seq{}
			u := im.UserID(fmt.Sprintf("u%d", g))
			for i := range each {
				conv := ids[rng.IntN(convs)]
				if i%4 == 0 {
					conv = ids[0] // one that all write to
				}
				m := text(u, im.ClientID(fmt.Sprintf("%d-%d", g, i)), fmt.Sprintf("body %d of %d", i, g))
				op, err := persist(s, func() store.Op { return into(s, conv, m) })
				if err != nil {
					t.Errorf("send: %v", err)
					return
				}
				a := op.(*store.AppendOp)
				if a.Seq <= last[conv] || a.Dup || a.At != conv {
					t.Errorf("acknowledged as %d after %d in conversation %d: %+v", a.Seq, last[conv], conv, a)
				}
				if h, _ := s.Head(conv); h.Seq < a.Seq {
					t.Errorf("acknowledged as %d while the head is %d", a.Seq, h.Seq)
				}
				last[conv] = a.Seq
				l.Ack(a, u, m.ID, m.Body, false)
			}
		})
	}
	wg.Wait()
	if err := l.Audit(s); err != nil {
		t.Fatal(err)
	}
	total := im.Seq(0)
	for _, id := range ids {
		total += head(t, s, id).Seq
		if err := gapless(s, id); err != nil {
			t.Fatal(err)
		}
	}
	if total != senders*each+convs {
		t.Fatalf("%d messages, want %d", total, senders*each+convs)
	}
	if o.Reopen != nil {
		if err := l.Audit(o.reopen(t)); err != nil {
			t.Fatalf("after reopening: %v", err)
		}
	}
}

// testRacing: many submitters without waiting, on four conversations, each send
// given twice by two of them; each is stored once, and completions come in order.
func testRacing(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	var ids [4]im.ConvID
	for i := range ids {
		ids[i] = group(t, s, im.GroupID(fmt.Sprintf("g%d", i)), "a", "b")
	}
	const pairs, each = 8, 300
	var mu sync.Mutex
	got := map[string]im.Seq{}
	originals := 0
	var newest [4]im.Seq // by completion: each conversation's numbers rise
	var wg sync.WaitGroup
	for g := range 2 * pairs {
		wg.Go(func() {
			var waits []func() error
			for i := range each {
				m := text(im.UserID(fmt.Sprintf("u%d", g/2)), im.ClientID(fmt.Sprint(i)), fmt.Sprint("body ", i))
				c := (i + g/2) % 4
				op := into(s, ids[c], m)
				name := fmt.Sprint(g/2, "-", i)
				wait := start(s, op) // sets Done; completions are called one at a time
				waits = append(waits, func() error {
					if err := wait(); err != nil {
						return err
					}
					mu.Lock()
					defer mu.Unlock()
					if was, ok := got[name]; ok && was != op.Seq {
						return fmt.Errorf("%s is number %d and number %d", name, was, op.Seq)
					}
					got[name] = op.Seq
					if !op.Dup {
						originals++
						newest[c] = max(newest[c], op.Seq)
					}
					return nil
				})
			}
			for _, wait := range waits {
				if err := wait(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if originals != pairs*each || len(got) != pairs*each {
		t.Fatalf("%d originals of %d sends, want %d", originals, len(got), pairs*each)
	}
	for i, id := range ids {
		if h := head(t, s, id); h.Seq != newest[i] {
			t.Fatalf("head %d, newest acknowledged %d", h.Seq, newest[i])
		}
		if err := gapless(s, id); err != nil {
			t.Fatal(err)
		}
	}
}

// testLaneOrder: a session pipelines sends while the membership moves under them; what
// is turned back is submitted again under the next round, and the order is kept.
func testLaneOrder(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	conv := group(t, s, "lanes", "owner", "u0", "u1", "u2", "u3")
	stop := make(chan struct{})
	var mover sync.WaitGroup
	mover.Go(func() { // touches the senders' own rows all the time
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			role := im.Member
			if i/4%2 == 0 {
				role = im.Admin
			}
			if _, err := persist(s, func() store.Op { return set(s, conv, "owner", im.UserID(fmt.Sprint("u", i%4)), role) }); err != nil {
				t.Error(err)
				return
			}
		}
	})
	const each = 400
	var senders sync.WaitGroup
	for g := range 4 {
		senders.Go(func() {
			if err := pipeline(s, conv, im.UserID(fmt.Sprint("u", g)), each); err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	close(stop)
	mover.Wait()
	all, err := every(s, conv)
	if err != nil {
		t.Fatal(err)
	}
	next := map[im.UserID]int{}
	for _, m := range all {
		if m.Type != "an:text" {
			continue
		}
		if want := im.ClientID(fmt.Sprint(next[m.Sender])); m.ID != want {
			t.Fatalf("%s: %s stands where %s should", m.Sender, m.ID, want)
		}
		next[m.Sender]++
	}
	for u, n := range next {
		if n != each {
			t.Fatalf("%s: %d messages, want %d", u, n, each)
		}
	}
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
	if s.Stats().TurnedBack == 0 {
		t.Log("nothing was turned back: the race did not happen")
	}
}

// pipeline sends n messages as core does: 16 at a time without waiting, all of them
// under a guard that may be old, and from the first refused one on again under the
// next round.
func pipeline(s store.Store, conv im.ConvID, u im.UserID, n int) error {
	lane := &store.Lane{}
	round := uint32(1)
	for sent := 0; sent < n; {
		h, _ := s.Head(conv)
		var ops []*store.AppendOp
		var waits []func() error
		for i := sent; i < min(sent+16, n); i++ {
			m := text(u, im.ClientID(fmt.Sprint(i)), "x")
			op := &store.AppendOp{Conv: conv, Guard: h.MVer, Lane: lane, Round: round, Msg: m, Hash: hash(m), Read: true}
			ops = append(ops, op)
			waits = append(waits, start(s, op))
		}
		refused := false
		for i, wait := range waits {
			err := wait()
			switch {
			case err == nil && refused:
				return fmt.Errorf("%s: %s went through after one before it was refused", u, ops[i].Msg.ID)
			case err == nil:
				sent++
			case err == store.ErrTurnedBack || im.IsKind(err, im.Busy):
				refused = true
			default:
				return err
			}
		}
		if refused {
			round++
		}
	}
	return nil
}

// testFirstMessages: two users write to each other for the first time at once, in
// many pairs and in one batch, and each pair has one conversation.
func testFirstMessages(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	var waits []func() error
	var ops []*store.AppendOp
	for i := range 200 {
		a, b := im.UserID(fmt.Sprint("a", i)), im.UserID(fmt.Sprint("b", i))
		for j, op := range []*store.AppendOp{
			direct(text(a, "1", "from a"), b), direct(text(b, "1", "from b"), a), direct(text(a, "1", "from a"), b), direct(text(a, "2", "again"), b),
		} {
			_ = j
			ops = append(ops, op)
			waits = append(waits, start(s, op))
		}
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[im.ConvID]bool{}
	for i := 0; i < len(ops); i += 4 {
		a, b, retry, second := ops[i], ops[i+1], ops[i+2], ops[i+3]
		if a.At != b.At || a.At != retry.At || a.At != second.At || seen[a.At] || a.At == 0 {
			t.Fatalf("one pair, conversations %d %d %d %d", a.At, b.At, retry.At, second.At)
		}
		seen[a.At] = true
		if !a.Made || b.Made || a.Seq != 1 || b.Seq != 2 || !retry.Dup || retry.Seq != 1 || second.Seq != 3 {
			t.Fatalf("%+v\n%+v\n%+v\n%+v", a, b, retry, second)
		}
	}
	// notes to oneself have one side
	me := must(t, s, direct(text("me", "1", "note"), "me"))
	if h := head(t, s, me.At); h.Members != 1 || h.Sides[0].User != "me" || h.Sides[1].User != "" || h.Kind != im.Direct {
		t.Fatalf("notes to oneself: %+v", h)
	}
	if c, ok, err := s.Direct("b7", "a7", ""); err != nil || !ok || c != ops[28].At {
		t.Fatalf("Direct: %d %v %v", c, ok, err)
	}
	for u, want := range map[im.UserID]im.ConvID{"a7": ops[28].At, "b7": ops[28].At, "me": me.At} {
		rows, err := s.Rows(u, 0, 10)
		if err != nil || len(rows) != 1 || rows[0].Conv != want || rows[0].User != u {
			t.Fatalf("Rows of %s: %+v %v", u, rows, err)
		}
	}
}
