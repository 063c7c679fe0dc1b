package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// traffic is a few users who do everything at once, until stop says so, noting what
// they are told; and readers who note what they are shown.
type traffic struct {
	s     store.Store
	l     *Ledger
	conv  im.ConvID // a group of the users; its owner is "owner"
	users []im.UserID
	stop  atomic.Bool
	fail  func(error)
}

func newTraffic(t testing.TB, s store.Store) *traffic {
	tr := &traffic{s: s, l: NewLedger(), fail: func(err error) { t.Error(err) }}
	for i := range 6 {
		tr.users = append(tr.users, im.UserID(fmt.Sprint("u", i)))
	}
	tr.conv = group(t, s, "g", append([]im.UserID{"owner"}, tr.users...)...)
	return tr
}

// run ends when stop is set; it leaves no goroutine.
func (tr *traffic) run(seed uint64, each int) {
	var workers, readers sync.WaitGroup
	for i, u := range tr.users {
		workers.Go(func() { tr.work(rand.New(rand.NewPCG(seed, uint64(i))), i, u, each) })
	}
	done := make(chan struct{})
	for i := range 2 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(seed+1, uint64(i)))
			for {
				select {
				case <-done:
					return
				default:
					tr.look(rng)
				}
			}
		})
	}
	workers.Wait()
	close(done)
	readers.Wait()
}

func (tr *traffic) work(rng *rand.Rand, me int, u im.UserID, each int) {
	s := tr.s
	var own []*store.AppendOp // acknowledged sends of u
	for i := 0; i < each && !tr.stop.Load(); i++ {
		var err error
		switch k := rng.IntN(34); {
		case k >= 28 && len(own) > 0:
			err = tr.mine(rng, u, i, own[rng.IntN(len(own))])
		case k >= 20 && len(own) > 0:
			err = tr.part(rng, u, i, own[rng.IntN(len(own))])
		case k < 11 || len(own) == 0: // three at a time, one of them a retry
			var waits []func() error
			var ops []*store.AppendOp
			for j := range 3 {
				m := text(u, im.ClientID(fmt.Sprintf("%d-%d", i, min(j, 1))), fmt.Sprintf("body %d %d", i, min(j, 1)))
				op := direct(m, tr.users[rng.IntN(len(tr.users))])
				if rng.IntN(8) == 0 {
					op.Line = "line"
				}
				if j == 2 {
					op.Peer, op.Line = ops[1].Peer, ops[1].Line
					op.Conv, op.Guard = ops[1].Conv, ops[1].Guard
				} else if rng.IntN(3) == 0 {
					op = into(s, tr.conv, m)
				} else if conv, ok, _ := s.Direct(u, op.Peer, op.Line); ok {
					op = into(s, conv, m)
				}
				ops = append(ops, op)
				waits = append(waits, start(s, op))
			}
			for j, wait := range waits {
				e := wait()
				switch {
				case e == nil && !ops[j].Dup:
					tr.l.Ack(ops[j], u, ops[j].Msg.ID, ops[j].Msg.Body, true)
					tr.l.Saw(ops[j].At, ops[j].Msg)
					own = append(own, ops[j])
				case e == nil:
					if ops[1].Err == nil && (ops[j].Seq != ops[1].Seq || ops[j].At != ops[1].At) {
						err = fmt.Errorf("a retry became %d, the first is %d", ops[j].Seq, ops[1].Seq)
					}
				default:
					err = e
				}
			}
		case k < 13:
			op := own[rng.IntN(len(own))]
			change := edit(s, op.At, op.Seq, u, fmt.Sprint("edit ", i))
			if k == 12 {
				change.Kind, change.Body = im.Recall, nil
			}
			if err = do(s, change); err == nil {
				tr.l.Saw(op.At, change.Msg)
			}
		case k < 15:
			op := own[rng.IntN(len(own))]
			h, _ := s.Head(op.At)
			read := &store.ReadOp{Conv: op.At, User: h.Peer(u), Seq: op.Seq}
			if h.Kind == im.Group {
				read.User = u
			}
			if err = do(s, read); err == nil {
				tr.l.AckRead(read)
			}
		case k < 16:
			op := own[rng.IntN(len(own))]
			h, _ := s.Head(op.At)
			s.Delivered(op.At, h.Peer(u), op.Seq)
		case k < 18 && me == 0:
			role := im.Role(rng.IntN(3))
			err = do(s, set(s, tr.conv, "owner", im.UserID(fmt.Sprint("guest", rng.IntN(5))), role))
		default:
			err = do(s, &store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: u, Key: "k", Value: fmt.Append(nil, i)}}})
		}
		if err != nil && err != store.ErrTurnedBack && !im.IsKind(err, im.Busy) && !im.IsKind(err, im.NotFound) && !tr.stop.Load() {
			tr.fail(err)
			return
		}
	}
}

// look reads what anybody might and notes it.
func (tr *traffic) look(rng *rand.Rand) {
	s := tr.s
	u := tr.users[rng.IntN(len(tr.users))]
	position := s.Position()
	rows, err := s.Rows(u, 0, 100)
	if err != nil {
		tr.fail(err)
		return
	}
	for _, r := range rows {
		h, ok := s.Head(r.Conv)
		if !ok {
			tr.fail(fmt.Errorf("%s has a row in conversation %d, which has no head", u, r.Conv))
			return
		}
		tr.l.SawHead(position, h)
		tr.l.SawRow(r)
		p, err := s.Page(store.PageQuery{Conv: r.Conv, From: 1, To: h.Seq, Limit: 20, Backward: true})
		if err != nil || p.To < h.Seq && h.Seq > 0 || len(p.Messages) < min(20, int(h.Seq)) {
			tr.fail(fmt.Errorf("head %d, and the page below it covers %d..%d with %d messages: %v", h.Seq, p.From, p.To, len(p.Messages), err))
			return
		}
		for _, m := range p.Messages {
			tr.l.Saw(r.Conv, m)
		}
	}
}

// testCrashAnywhere: the power is cut before and after every sync of any file, while
// everything goes on. All that was acknowledged before the cut is there after it, all
// that any reader was shown too, and nothing has a gap.
func testCrashAnywhere(t *testing.T, open Open) {
	o := opened(t, open, Options{Small: true})
	if o.Crash == nil || o.OnSync == nil {
		t.Skip("the store's power cannot be cut")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	cuts := 240
	if testing.Short() {
		cuts = 60
	}
	tr := newTraffic(t, o.Store)
	var mu sync.Mutex
	n, sends := 0, 0
	o.OnSync(func() {
		mu.Lock()
		defer mu.Unlock()
		if n >= cuts {
			return
		}
		n++
		known := tr.l.Copy() // before the cut: what is noted now has to survive it
		rng := rand.New(rand.NewPCG(seed, uint64(n)))
		x := o.Crash(rng)
		defer x.Store.Close()
		sends = known.Sends()
		if err := afterCrash(x.Store, known, rng); err != nil {
			t.Errorf("seed %d, cut %d: %v", seed, n, err)
			n = cuts
		}
		if n >= cuts {
			tr.stop.Store(true)
		}
	})
	tr.run(seed, 100_000)
	o.OnSync(nil)
	t.Logf("%d power cuts, %d acknowledged sends at the last", n, sends)
	if n < cuts && !t.Failed() {
		t.Fatalf("%d power cuts, want %d", n, cuts)
	}
	if err := tr.l.Audit(o.Store); err != nil {
		t.Fatal(err)
	}
}

// afterCrash audits a store that was opened after a power cut and goes on with it.
func afterCrash(s store.Store, known *Ledger, rng *rand.Rand) error {
	if err := known.Audit(s); err != nil {
		return err
	}
	if len(known.sends) == 0 {
		return nil
	}
	a := known.sends[rng.IntN(len(known.sends))]
	h, _ := s.Head(a.Conv)
	kept := &store.KeptOp{Conv: a.Conv, Sender: a.Sender, ID: a.ID, Hash: 0}
	if err := do(s, kept); !im.IsKind(err, im.Conflict) { // a hash that was never used
		return fmt.Errorf("client id %s of %s is not known any more: %+v %v", a.ID, a.Sender, kept, err)
	}
	op := into(s, a.Conv, text(a.Sender, "after the cut", "x"))
	if err := do(s, op); err != nil || op.Seq != h.Seq+1 || op.N != h.N+1 {
		return fmt.Errorf("the first send after the cut became %d (n %d) after %d (n %d): %v", op.Seq, op.N, h.Seq, h.N, err)
	}
	return gapless(s, a.Conv)
}

// testUnsafeLoses is the control of the tests that cut the power: with syncs off the
// same audit must find losses, or it could not find any.
func testUnsafeLoses(t *testing.T, open Open) {
	lost, acked := 0, 0
	for seed := uint64(1); seed <= 8; seed++ {
		o := opened(t, open, Options{Unsafe: true})
		if o.Crash == nil {
			t.Skip("the store's power cannot be cut")
		}
		l := NewLedger()
		for i := range 200 {
			m := text("alice", im.ClientID(fmt.Sprint(i)), fmt.Sprint("body ", i))
			l.Ack(must(t, o.Store, direct(m, "bob")), "alice", m.ID, m.Body, false)
		}
		acked += l.Sends()
		x := o.Crash(rand.New(rand.NewPCG(seed, seed)))
		if x.Store == nil { // what is left cannot even be opened
			lost += l.Sends()
			continue
		}
		lost += l.Lost(x.Store)
		if l.Lost(x.Store) > 0 && l.Audit(x.Store) == nil {
			t.Error("the audit did not find what was lost")
		}
		x.Store.Close()
	}
	t.Logf("without syncs %d of %d acknowledged sends were lost", lost, acked)
	if lost == 0 {
		t.Fatal("nothing was lost without syncs: the power cut of this suite cuts nothing")
	}
}
