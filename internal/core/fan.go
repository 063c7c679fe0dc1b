package core

import (
	"runtime"
	"sync"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// fans spread what happens in groups. A conversation belongs to one of a few workers,
// which takes its events and its membership changes in the order of commits, so that
// number k goes to the members as of k.
type fans struct {
	c         *Core
	workers   []*fan
	most      int // fixed: jobs that may wait for one worker
	mostBytes int // fixed: their weight

	mu     sync.RWMutex
	crowds map[im.ConvID]*crowd // guarded by mu: groups whose sessions here are listed
}

// job is one thing to be done in a conversation's turn.
type job struct {
	ev   *hub.Event
	from hub.Owner       // is not told
	op   *store.MemberOp // a membership change instead of ev
	// recount tells everybody who is here what he has not read, instead of ev.
	recount bool
}

func (j *job) size() int {
	if j.op != nil {
		return 256 + 64*len(j.op.Set)
	}
	if j.recount {
		return 64
	}
	return 64 + j.ev.Size()
}

// What may wait for one worker. Beyond it, events are left to the feeders: only the
// first number and change of each conversation are kept.
const (
	maxJobs     = 1 << 15
	maxJobBytes = 32 << 20

	maxTurn = 256  // jobs of a conversation before another one's turn
	maxOut  = 4096 // further ones hear that they are out when they ask
)

// fan is one worker.
type fan struct {
	c *Core

	mu     sync.Mutex
	more   sync.Cond             // on mu
	turns  map[im.ConvID]*turn   // guarded by mu: conversations with something to do
	ready  []*turn               // guarded by mu: those that wait for the worker, in order
	later  []*turn               // guarded by mu: those whose members could not be read
	jobs   int                   // guarded by mu
	bytes  int                   // guarded by mu
	ticked bool                  // guarded by mu: heads that moved are to be told
	heads  bool                  // guarded by mu: there are some
	closed bool                  // guarded by mu
	groups map[im.ConvID]*gather // owned by run
	seats  int                   // owned by run: members in groups
	moved  map[im.ConvID]*gather // owned by run: heads that are to be told
}

// turn is what waits to be done in a conversation.
type turn struct {
	conv im.ConvID
	jobs []job
	lost lost // what did not fit, all of it after jobs
}

// lost is what was not kept of a conversation's events.
type lost struct {
	any         bool
	first, last im.Seq // numbers; 0 = none
	from, to    im.Ver // changes; 0 = none
	state       bool
	reload      bool                  // the membership changed
	out         map[im.UserID]im.MVer // who was taken out, at most maxOut
}

func (f *fans) open(c *Core) {
	f.c, f.crowds, f.most, f.mostBytes = c, map[im.ConvID]*crowd{}, maxJobs, maxJobBytes
	for range max(2, min(runtime.GOMAXPROCS(0)/2, 8)) {
		w := &fan{c: c, turns: map[im.ConvID]*turn{}, groups: map[im.ConvID]*gather{}, moved: map[im.ConvID]*gather{}}
		w.more.L = &w.mu
		f.workers = append(f.workers, w)
		c.busy.Go(w.run)
	}
}

func (f *fans) close() {
	for _, w := range f.workers {
		w.mu.Lock()
		w.closed = true
		w.more.Broadcast()
		w.mu.Unlock()
	}
}

// offer hands a job to the conversation's worker. It does not block.
func (f *fans) offer(conv im.ConvID, j job) {
	w := f.workers[uint64(conv)%uint64(len(f.workers))]
	size := j.size()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	t := w.turns[conv]
	if t == nil {
		t = &turn{conv: conv}
		w.turns[conv] = t
		w.ready = append(w.ready, t)
		w.more.Signal()
	}
	if t.lost.any || w.jobs >= f.most || w.bytes+size > f.mostBytes {
		t.lost.add(&j)
		return
	}
	t.jobs = append(t.jobs, j)
	w.jobs++
	w.bytes += size
}

// add notes that j is not kept.
func (l *lost) add(j *job) {
	l.any = true
	if j.op != nil {
		l.reload = true
		l.number(j.op.Seq)
		for _, u := range j.op.Gone {
			if l.out == nil {
				l.out = map[im.UserID]im.MVer{}
			}
			if len(l.out) < maxOut {
				l.out[u] = j.op.MVer
			}
		}
		return
	}
	switch ev := j.ev; {
	case j.recount:
		l.state = true
	case ev.Seq != 0:
		l.number(ev.Seq)
	case ev.Ver != 0:
		if l.from == 0 {
			l.from = ev.Ver
		}
		l.to = ev.Ver
	case ev.State != nil && ev.State.Readers == nil:
		l.state = true
	}
}

// merge adds what was lost after l.
func (l *lost) merge(o *lost) {
	l.any = l.any || o.any
	l.number(o.first)
	l.number(o.last)
	if l.from == 0 {
		l.from = o.from
	}
	l.to = max(l.to, o.to)
	l.state, l.reload = l.state || o.state, l.reload || o.reload
	for u, mver := range o.out {
		if l.out == nil {
			l.out = map[im.UserID]im.MVer{}
		}
		if _, there := l.out[u]; there || len(l.out) < maxOut {
			l.out[u] = mver
		}
	}
}

func (l *lost) number(n im.Seq) {
	if n == 0 {
		return
	}
	if l.first == 0 {
		l.first = n
	}
	l.last = n
}

// tick lets the workers tell heads that moved, and try again what could not be read.
func (f *fans) tick() {
	for _, w := range f.workers {
		w.mu.Lock()
		if w.heads || len(w.later) > 0 {
			w.ticked, w.heads = w.heads, false
			w.ready = append(w.ready, w.later...)
			w.later = nil
			w.more.Signal()
		}
		w.mu.Unlock()
	}
}

// run works until core is closed.
func (w *fan) run() {
	for {
		t, tick, ok := w.next()
		switch {
		case !ok:
			return
		case tick:
			w.tellHeads()
		default:
			w.do(t)
		}
	}
}

func (w *fan) next() (t *turn, tick, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case w.closed:
			return nil, false, false
		case w.ticked:
			w.ticked = false
			return nil, true, true
		case len(w.ready) > 0:
			t, w.ready[0] = w.ready[0], nil
			if w.ready = w.ready[1:]; len(w.ready) == 0 {
				w.ready = nil
			}
			return t, false, true
		}
		w.more.Wait()
	}
}

// do does what waits in a conversation. What comes meanwhile waits for its next turn.
func (w *fan) do(t *turn) {
	w.mu.Lock()
	jobs, gone := t.jobs, t.lost
	if len(jobs) > maxTurn { // others want their turn, too
		jobs, t.jobs, gone = jobs[:maxTurn:maxTurn], jobs[maxTurn:], lost{}
	} else {
		t.jobs, t.lost = nil, lost{}
	}
	for i := range jobs {
		w.jobs--
		w.bytes -= jobs[i].size()
	}
	w.mu.Unlock()

	done := 0
	var err error
	for done < len(jobs) {
		if err = w.job(t.conv, &jobs[done]); err != nil {
			break
		}
		done++
	}
	if err == nil && gone.any {
		err = w.catchUp(t.conv, gone)
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil { // keep it, in order, before what has come meanwhile
		w.c.log.Warn("a group's members cannot be read now", "conv", t.conv, "err", err)
		rest := jobs[done:]
		for i := range rest {
			w.jobs++
			w.bytes += rest[i].size()
		}
		if gone.any { // what came meanwhile stands behind what was lost: it is lost with it
			for i := range t.jobs {
				gone.add(&t.jobs[i])
				w.jobs--
				w.bytes -= t.jobs[i].size()
			}
			gone.merge(&t.lost) // lost while this turn went on
			t.jobs, t.lost = nil, gone
		}
		t.jobs = append(rest, t.jobs...)
		w.later = append(w.later, t)
		return
	}
	if len(t.jobs) == 0 && !t.lost.any {
		delete(w.turns, t.conv)
		return
	}
	w.ready = append(w.ready, t)
}

func (w *fan) job(conv im.ConvID, j *job) error {
	if j.op != nil {
		return w.change(j.op)
	}
	g, err := w.gather(conv)
	if err != nil || g == nil {
		return err
	}
	if j.recount {
		w.recount(g)
		return nil
	}
	w.spread(g, j.ev, j.from)
	return nil
}
