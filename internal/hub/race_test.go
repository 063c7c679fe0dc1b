package hub_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/testkit"
)

// bell is an Owner that rings a channel.
type bell chan struct{}

func (b bell) Wake() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// Events are offered, fed, taken, lost and resumed all at the same time: whoever reads
// gets each number of each conversation once, in order.
func TestEachNumberOnce(t *testing.T) {
	numbers := im.Seq(4000)
	if testkit.Soak(t) {
		numbers = 400_000
	}
	for seed := range uint64(6) {
		// roomy; so tight that outboxes are emptied now and then
		budget := []int64{64 << 20, 200 << 10, 150 << 10}[seed%3]
		st := eachNumberOnce(t, seed, budget, numbers)
		if (st.Shed == 0) != (budget > 1<<20) || st.Missed == 0 || st.Resumed == 0 {
			t.Fatalf("seed %d shows nothing: %+v", seed, st)
		}
	}
}

func eachNumberOnce(t *testing.T, seed uint64, budget int64, numbers im.Seq) hub.Stats {
	const size = 200
	const convs = 8
	var heads [convs]atomic.Uint64
	work := make(chan *hub.Session, 100)
	h := hub.New(hub.Config{Bytes: budget, Feed: func(s *hub.Session) { work <- s }})
	first := make(bell, 1)
	s := h.NewSession("bob", "phone", im.Phone)
	h.Add(s, first)
	s.Open(first)

	var feeders, others sync.WaitGroup
	for range 2 {
		feeders.Go(func() {
			for s := range work {
				for w, ok := s.Next(); ok; w, ok = s.Next() {
					head := im.Seq(heads[w.Conv].Load())
					f := hub.Food{Addr: "u/ann", Seq: max(min(head, w.Seq+hub.FeedEvents-1), w.Seq-1)}
					for n := w.Seq; n <= f.Seq; n++ {
						f.Events = append(f.Events, message(w.Conv, n, size))
					}
					s.Fed(w, f)
				}
			}
		})
	}
	for c := range im.ConvID(convs) {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		others.Go(func() {
			for n := im.Seq(1); n <= numbers; n++ {
				heads[c].Store(uint64(n)) // heads move before events are offered
				if rng.IntN(100) == 0 {
					runtime.Gosched()
				}
				s.Offer("u/ann", message(c, n, size), nil)
			}
		})
	}
	stop := make(chan struct{})
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				h.Tick()
				runtime.Gosched()
			}
		}
	})

	rng := rand.New(rand.NewPCG(seed, 99))
	var next [convs]im.Seq
	got, push := im.Seq(0), uint64(0)
	link := first
	limit := time.Now().Add(testkit.Limit * 4)
	for h.Stats().Missed == 0 || budget < 1<<20 && h.Stats().Shed == 0 { // a reader that stops
		runtime.Gosched()
	}
	for got < convs*numbers {
		items, at := s.Take(link, nil, 1+rng.IntN(200), 1<<20)
		lose := len(items)
		if rng.IntN(50) == 0 { // the link breaks in the middle of a write
			lose = rng.IntN(len(items) + 1)
		}
		for i, it := range items[:lose] {
			if at+uint64(i) != push+1 {
				t.Fatalf("seed %d: push %d after %d", seed, at+uint64(i), push)
			}
			push++
			if next[it.Conv]++; it.Seq != next[it.Conv] {
				t.Fatalf("seed %d: conversation %d: number %d; want %d", seed, it.Conv, it.Seq, next[it.Conv])
			}
			got++
		}
		switch {
		case lose < len(items) || rng.IntN(200) == 0:
			if rng.IntN(2) == 0 {
				s.Detach(link)
			}
			link = make(bell, 1)
			if _, _, ok := s.Resume(link, s.ID(), push, nil); !ok {
				t.Fatalf("seed %d: not resumed", seed)
			}
			s.Open(link)
		case rng.IntN(3) > 0:
			s.Ack(link, push, nil)
		}
		if len(items) == 0 {
			s.Ack(link, push, nil)
			select {
			case <-link:
			case <-time.After(20 * time.Millisecond): // it may have been woken before it was emptied
			}
			if time.Now().After(limit) {
				n, all := s.Behind()
				t.Fatalf("seed %d: %d of %d came; behind in %d (%v), %+v", seed, got, convs*numbers, n, all, h.Stats())
			}
		}
	}
	close(stop)
	others.Wait()
	s.Drop()
	close(work)
	feeders.Wait()
	st := h.Stats()
	if st.Bytes != 0 || st.Queued != 0 || st.Live != 0 {
		t.Fatalf("seed %d: %+v", seed, st)
	}
	return st
}
