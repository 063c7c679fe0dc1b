package gate

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	tick  = 100 * time.Millisecond
	slots = 1024 // ticks ahead; what is due later is looked at again then
)

// wheel finds links that have been silent for too long. A link is in the slot of the
// tick at which it would be due if nothing came; a byte that comes only notes its
// tick in the link, and the link is moved when its slot's turn comes. So a frame costs
// one store, and a beat of 30 s one move.
//
// Its clock counts ticks for which this process ran: after a stop (SIGSTOP, a frozen
// machine) nobody is held silent for bytes that wait in the socket unread.
type wheel struct {
	now  atomic.Uint32 // ticks since the start
	quit chan struct{}

	second func() // fixed: called about once a second

	mu   sync.Mutex
	slot [slots]*Link // guarded by mu: lists, by Link.wnext
}

// spoke is a link's part in the wheel.
type spoke struct {
	last atomic.Uint32 // tick of the last byte
	idle atomic.Uint32 // ticks without a byte that are too many; 0 = no limit
	hot  atomic.Bool   // a goroutine reads it, until it is quiet: see Link.chill

	wnext, wprev *Link  // guarded by wheel.mu
	due          uint32 // guarded by wheel.mu: tick of its slot; 0 = in none
}

func newWheel(second func()) *wheel { return &wheel{quit: make(chan struct{}), second: second} }

func (w *wheel) stop() { close(w.quit) }

// expect sets how long l may be silent from now on; 0 = for ever.
func (w *wheel) expect(l *Link, d time.Duration) {
	n := uint32(0)
	if d > 0 {
		n = uint32(min((d+tick-1)/tick, 1<<30)) + 1
	}
	l.idle.Store(n)
	now := w.now.Load()
	l.last.Store(now)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case n == 0:
		w.take(l)
	case l.due == 0 || l.due > now+n:
		w.take(l)
		w.put(l, now+n)
	}
}

// heat has l chilled when nothing has come for coolTicks.
func (w *wheel) heat(l *Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.hot.Store(true)
	if due := w.now.Load() + coolTicks; l.due > due {
		w.take(l)
		w.put(l, due)
	}
}

// forget takes l out.
func (w *wheel) forget(l *Link) {
	l.idle.Store(0)
	w.mu.Lock()
	w.take(l)
	w.mu.Unlock()
}

// put needs w.mu, and l in no slot.
func (w *wheel) put(l *Link, due uint32) {
	now := w.now.Load()
	due = min(max(due, now+1), now+slots-1)
	l.due = due
	head := &w.slot[due%slots]
	l.wprev, l.wnext = nil, *head
	if l.wnext != nil {
		l.wnext.wprev = l
	}
	*head = l
}

// take needs w.mu.
func (w *wheel) take(l *Link) {
	if l.due == 0 {
		return
	}
	if l.wprev != nil {
		l.wprev.wnext = l.wnext
	} else {
		w.slot[l.due%slots] = l.wnext
	}
	if l.wnext != nil {
		l.wnext.wprev = l.wprev
	}
	l.wnext, l.wprev, l.due = nil, nil, 0
}

func (w *wheel) run() {
	t := time.NewTicker(tick)
	defer t.Stop()
	then := time.Now()
	for {
		select {
		case <-w.quit:
			return
		case <-t.C:
		}
		now := time.Now()
		n := now.Sub(then) / tick
		then = then.Add(n * tick)
		if w.now.Load()%(uint32(time.Second/tick)) == 0 {
			w.second()
		}
		for range min(n, 2) { // more than that: this process did not run
			silent, cool := w.turn()
			for _, l := range cool {
				l.chill()
			}
			for _, l := range silent {
				l.owner.Silent()
			}
		}
	}
}

// turn moves the clock on by a tick and answers who has been silent for too long, and
// which hot links have become cool.
func (w *wheel) turn() (silent, cool []*Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now.Add(1)
	for l := w.slot[now%slots]; l != nil; {
		next := l.wnext
		w.take(l)
		if n := l.idle.Load(); n != 0 {
			last := l.last.Load()
			due := last + n
			if l.hot.Load() {
				if last+coolTicks > now {
					due = min(due, last+coolTicks)
				} else if l.hot.CompareAndSwap(true, false) {
					cool = append(cool, l)
				}
			}
			if due <= now {
				silent = append(silent, l)
			} else {
				w.put(l, due)
			}
		}
		l = next
	}
	return silent, cool
}
