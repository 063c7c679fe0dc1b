// Package memstore is the model of a store: all of store.Store in plain memory,
// simple enough to be seen to be right. Tests of core run on it, and storetest
// compares the real stores with it. What it holds is gone when it is dropped;
// Reopen carries it over.
//
// One mutex guards everything. One goroutine takes what is queued, applies it as one
// commit under the mutex, and then calls the completions in order, so it is as
// asynchronous as a store on a disk. Hold makes it wait as in a slow sync.
package memstore

import (
	"context"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Config is how a Store is to behave. The zero value works.
type Config struct {
	Clock    func() time.Time // nil = time.Now
	QueueOps int              // operations that may wait; 0 = 65,536. Beyond it Submit answers Busy
}

// maxBatch is the most operations of one commit.
const maxBatch = 2048

// Store is the model. All methods may be called by any goroutine.
type Store struct {
	clock func() time.Time // fixed
	limit int              // fixed
	ended chan struct{}    // fixed; closed when the goroutine is gone

	mu       sync.Mutex
	wake     *sync.Cond // on mu: queue, held or closed changed
	st       *state     // guarded by mu; nil once Reopen has taken it
	queue    []item     // guarded by mu
	waiting  int        // guarded by mu: operations of others in queue
	held     bool       // guarded by mu: commits wait
	busy     bool       // guarded by mu: a commit waits or its completions run
	since    time.Time  // guarded by mu: when the oldest of queue was queued
	closed   bool       // guarded by mu
	readOnly bool       // guarded by mu
	failed   error      // guarded by mu
	pending  time.Duration
	last     time.Time                 // guarded by mu: end of the last commit
	stats    store.Stats               // guarded by mu
	marks    map[*store.Lane]*laneMark // guarded by mu: those in queue behind which no operation of their lane stands
	dirty    map[im.ConvID]bool        // guarded by mu: whose delivered numbers no commit has taken yet
}

// item is one place in the queue: an operation, work of the store's own, or a mark.
type item struct {
	op   store.Op
	own  func() bool // answers whether it is a commit even if nothing changed
	done func()      // after own

	mark *laneMark
}

// laneMark says that a lane was refused here.
type laneMark struct {
	lane  *store.Lane // fixed
	round uint32      // guarded by mu
}

var _ store.Store = (*Store)(nil)

// New makes an empty store. Close ends its goroutine.
func New(cfg Config) *Store { return open(cfg, newState()) }

func open(cfg Config, st *state) *Store {
	s := &Store{clock: cfg.Clock, limit: cfg.QueueOps, st: st, ended: make(chan struct{}),
		marks: map[*store.Lane]*laneMark{}, dirty: map[im.ConvID]bool{}}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.limit <= 0 {
		s.limit = 65536
	}
	s.stats.CommitSeconds = []float64{0.001, 0.01, 0.1, 1, 10}
	s.stats.CommitCounts = make([]uint64, len(s.stats.CommitSeconds)+1)
	s.stats.BatchOps = make([]uint64, 7)
	s.wake = sync.NewCond(&s.mu)
	go s.run()
	return s
}

// Close carries out what is queued, also while held, and ends the store.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed, s.held = true, false
	s.wake.Broadcast()
	s.mu.Unlock()
	<-s.ended
	return nil
}

// Reopen closes s and opens a new store with what it kept, as after a restart.
func (s *Store) Reopen(cfg Config) *Store {
	s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.dirty { // Close of a real store writes them
		s.st.convs[c].head.Position = s.st.position
	}
	st := s.st
	s.st = newState() // late readers of the old store get Unavailable, heads nothing
	return open(cfg, st)
}

// Submit is store.Store's.
func (s *Store) Submit(op store.Op) error {
	if err := check(op); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(); err != nil {
		s.refuseLane(op)
		return err
	}
	if a, ok := op.(*store.AppendOp); ok {
		delete(s.marks, a.Lane)
	}
	s.waiting++
	s.push(item{op: op})
	return nil
}

// refusal says why nothing is taken; nil if something is. s.mu is held.
func (s *Store) refusal() error {
	switch {
	case s.closed:
		return errClosed()
	case s.failed != nil:
		return im.Wrap(im.Unavailable, s.failed, "the store has failed")
	case s.readOnly:
		return im.Errorf(im.ReadOnly, "the disk is nearly full: nothing can be written until there is room again")
	case s.waiting >= s.limit:
		return im.Errorf(im.Busy, "the store has %d operations waiting: try again", s.waiting)
	}
	return nil
}

// refuseLane leaves a mark where the refused op would have stood, so that what its
// lane sends after it is turned back. A mark that would stand there as well is used
// again. s.mu is held.
func (s *Store) refuseLane(op store.Op) {
	a, ok := op.(*store.AppendOp)
	if !ok || a.Lane == nil || s.closed {
		return
	}
	if m := s.marks[a.Lane]; m != nil {
		m.round = max(m.round, a.Round)
		return
	}
	m := &laneMark{lane: a.Lane, round: a.Round}
	s.marks[a.Lane] = m
	s.push(item{mark: m})
}

// push queues it. s.mu is held.
func (s *Store) push(it item) {
	if len(s.queue) == 0 && !s.busy {
		s.since = s.clock()
	}
	s.queue = append(s.queue, it)
	s.wake.Broadcast()
}

// run is the writer: it commits what is queued until the store is closed.
func (s *Store) run() {
	defer close(s.ended)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for !s.closed && (s.held || len(s.queue) == 0) {
			s.wake.Wait()
		}
		if len(s.queue) == 0 {
			return
		}
		n := min(len(s.queue), maxBatch)
		batch := append([]item(nil), s.queue[:n]...)
		s.queue = append(s.queue[:0:0], s.queue[n:]...)
		s.busy = true
		s.commit(batch)
		s.mu.Unlock()
		for _, it := range batch {
			switch {
			case it.op != nil && it.op.Base().Done != nil:
				it.op.Base().Done()
			case it.done != nil:
				it.done()
			}
		}
		s.mu.Lock()
		s.busy = false
		s.since = s.clock()
	}
}

// commit applies a batch, which is one step of the position if it wrote anything.
// s.mu is held, so readers see all of it or nothing.
func (s *Store) commit(batch []item) {
	began := time.Now()
	st := s.st
	st.begin(s.clock())
	ops, wrote := 0, false
	for _, it := range batch {
		switch {
		case it.mark != nil:
			m := it.mark
			m.lane.Shut = max(m.lane.Shut, m.round)
			if s.marks[m.lane] == m {
				delete(s.marks, m.lane)
			}
		case it.own != nil:
			wrote = it.own() || wrote
		case s.failed != nil:
			s.waiting--
			it.op.Base().Err = im.Wrap(im.Unavailable, s.failed, "the store has failed")
		default:
			s.waiting--
			ops++
			st.apply(it.op)
		}
	}
	s.stats.Ops += uint64(ops)
	s.stats.Duplicates += st.dups
	s.stats.TurnedBack += st.turned
	if st.rows > 0 || wrote {
		st.position++ // what the operations wrote already stands under it
		for c := range s.dirty {
			st.convs[c].head.Position = st.position
		}
		clear(s.dirty)
		s.stats.Rows += st.rows + 1 // and the row of the commit itself
		s.stats.Bytes += st.bytes
		s.stats.Commits++
		s.stats.BatchOps[batchClass(ops)]++
		i, took := 0, time.Since(began).Seconds()
		for i < len(s.stats.CommitSeconds) && took > s.stats.CommitSeconds[i] {
			i++
		}
		s.stats.CommitCounts[i]++
	}
	s.last = s.clock()
}

func batchClass(ops int) int {
	for i, most := range []int{1, 4, 16, 64, 256, 1024} {
		if ops <= most {
			return i
		}
	}
	return 6
}

// Own work of the store stands in the queue like everything else, but is refused
// neither for want of room nor when the disk is full.
func (s *Store) own(ctx context.Context, f func() bool) error {
	done := make(chan struct{})
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed()
	}
	s.push(item{own: f, done: func() { close(done) }})
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the store did not get to it in time; it may still do it")
	}
}

// RenewEpoch is store.Store's.
func (s *Store) RenewEpoch(ctx context.Context) (im.Epoch, error) {
	e := im.NewEpoch()
	err := s.own(ctx, func() bool { s.st.epoch = e; return true })
	if err != nil {
		return im.Epoch{}, err
	}
	return e, nil
}

// Delivered is store.Store's.
func (s *Store) Delivered(conv im.ConvID, user im.UserID, seq im.Seq) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.st.convs[conv]
	if s.closed || c == nil || c.head.Kind != im.Direct || seq > c.head.Seq {
		return false
	}
	side := c.head.Side(user)
	if side == nil || seq <= side.Delivered {
		return false
	}
	side.Delivered = seq
	s.dirty[conv] = true
	return true
}

// Probe is store.Store's.
func (s *Store) Probe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.push(item{own: func() bool { return true }})
	}
}

// Health is store.Store's.
func (s *Store) Health() store.Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := store.Health{Pending: s.pending, Last: s.last, ReadOnly: s.readOnly, Failed: s.failed}
	if h.Pending == 0 && (len(s.queue) > 0 || s.busy) {
		h.Pending = max(s.clock().Sub(s.since), 1)
	}
	return h
}

// Stats is store.Store's.
func (s *Store) Stats() store.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.CommitCounts = append([]uint64(nil), out.CommitCounts...)
	out.BatchOps = append([]uint64(nil), out.BatchOps...)
	out.Queued = s.waiting
	out.Heads = len(s.st.convs)
	for _, it := range s.queue {
		if a, ok := it.op.(*store.AppendOp); ok {
			out.QueuedBytes += a.Msg.Size()
		}
	}
	return out
}

func errClosed() error { return im.Errorf(im.Unavailable, "the store is closed") }
