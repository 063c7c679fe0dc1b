package core

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// waking asks the Waker for those who are absent and want to be notified of a message.
// Whether they want to has to be read from the store, so neither a completion nor a
// group's worker waits for it: they queue, one goroutine asks, in the order of
// messages. Who is online costs nothing here.
type waking struct {
	wake    chan struct{} // fixed; holds one
	dropped atomic.Uint64

	mu    sync.Mutex
	queue []absent // guarded by mu; at most maxWaking
	busy  bool     // guarded by mu: the goroutine has some of it
}

type absent struct {
	user im.UserID
	ev   *hub.Event
}

// maxWaking is how many may wait. Beyond it nobody is woken: he finds the message when
// he comes.
const maxWaking = 1 << 16

func (w *waking) open() { w.wake = make(chan struct{}, 1) }

// add queues. It does not block.
func (w *waking) add(u im.UserID, ev *hub.Event) {
	w.mu.Lock()
	if len(w.queue) >= maxWaking {
		w.mu.Unlock()
		w.dropped.Add(1)
		return
	}
	w.queue = append(w.queue, absent{u, ev})
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // it is about to look
	}
}

// take is what waits; nil if nothing does.
func (w *waking) take() []absent {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.queue
	w.queue, w.busy = nil, len(list) > 0
	return list
}

// idle says that all who were queued have been looked at.
func (w *waking) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) == 0 && !w.busy
}

// runWaking asks the Waker until ctx ends.
func (c *Core) runWaking(ctx context.Context) {
	w := &c.waking
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		for list := w.take(); list != nil; list = w.take() {
			for _, a := range list {
				if ctx.Err() != nil {
					return
				}
				c.askWaker(a)
			}
		}
	}
}

// askWaker has the Waker wake a user, if he wants to be notified. Where that cannot be
// found out he is woken: a message unheard of is worse than one heard at a bad time.
func (c *Core) askWaker(a absent) {
	head, row, err := c.at(a.ev.Conv, a.user)
	if err == nil && (!row.In() || row.Read >= a.ev.Seq) { // gone, or read meanwhile
		return
	}
	wants := true
	if err == nil {
		wants, err = c.notifies(&head, &row, a.ev.Msg, c.Now())
	}
	if err != nil {
		c.log.Warn("what a user wants to be notified of cannot be read: he is woken", "user", a.user, "err", err)
		wants = true
	}
	if wants {
		c.cfg.Waker.Wake(a.user, a.ev.Conv, a.ev.Msg)
	}
}
