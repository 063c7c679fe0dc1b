package gate

import (
	"container/list"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// ErrCrowded ends a link that has not signed in and was slow about it, when its place
// was needed.
var ErrCrowded = errors.New("gate: the place was needed for others")

// slowAfter is how long a client that has not signed in may have kept us waiting for
// its bytes, all in all, before its place may be taken. An honest one needs two or
// three round trips. Our own slowness does not count: under a storm of logins those
// under way are finished and newer ones refused, or none would ever be finished.
const slowAfter = time.Second

// crowd holds the links that have a place of the Gatekeeper, the oldest first. When no
// place is left, whoever keeps us waiting makes room, so that silent and slow links do
// not keep others out.
type crowd struct {
	began time.Time // fixed; has a monotonic reading

	mu    sync.Mutex
	links list.List // guarded by mu: of *Link
}

// stay is a link's part in the crowd.
type stay struct {
	elem   *list.Element // guarded by crowd.mu; nil = not in it
	since  atomic.Int64  // when we began to wait for bytes, nanoseconds of the crowd's clock; 0 = we do not wait
	waited atomic.Int64  // nanoseconds that we have waited before
}

func (c *crowd) now() int64 { return int64(time.Since(c.began)) + 1 } // never 0

func (c *crowd) add(l *Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.elem = c.links.PushBack(l)
}

func (c *crowd) remove(l *Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.elem != nil {
		c.links.Remove(l.elem)
		l.elem = nil
	}
}

// await notes that we wait for bytes of l from now on, if we did not already; came ends
// that.
func (c *crowd) await(l *Link) { l.since.CompareAndSwap(0, c.now()) }

func (c *crowd) came(l *Link) {
	if began := l.since.Swap(0); began != 0 {
		l.waited.Add(c.now() - began)
	}
}

// evict ends the oldest link that has kept us waiting for too long, and says whether
// there was one. Its place is free when it returns.
func (c *crowd) evict() bool {
	const most = 256 // links looked at: those in front are the oldest
	victim := func() *Link {
		c.mu.Lock()
		defer c.mu.Unlock()
		now, n := c.now(), 0
		for e := c.links.Front(); e != nil && n < most; e, n = e.Next(), n+1 {
			l := e.Value.(*Link)
			waited := l.waited.Load()
			if since := l.since.Load(); since != 0 {
				waited += now - since
			}
			if time.Duration(waited) >= slowAfter {
				c.links.Remove(e)
				l.elem = nil
				return l
			}
		}
		return nil
	}()
	if victim == nil {
		return false
	}
	victim.SignedIn() // gives the place back at once
	victim.Abort(ErrCrowded)
	victim.g.crowded.Add(1)
	return true
}

// enter takes a place for l, if need be that of a slow one.
func (g *Gate) enter(l *Link) error {
	k := g.cfg.Gatekeeper
	err := k.Acquire(l.addr.Addr())
	for tries := 0; err != nil && im.IsKind(err, im.Busy) && tries < 4 && g.crowd.evict(); tries++ {
		err = k.Acquire(l.addr.Addr()) // another may have been faster
	}
	if err == nil {
		l.waiting.Store(true)
		g.crowd.add(l)
	}
	return err
}
