package core

import (
	"sync"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Ack says that every push up to a number was taken, and what was fetched. What the
// session does not know is ignored.
func (s *Session) Ack(push uint64, pulled []Pulled) {
	if s.over.Load() {
		return
	}
	s.c.tallies.acks.Add(1)
	var some [8]hub.Settled
	list := some[:0]
	if s.box != nil {
		list = s.box.Ack(s.owner(), push, list)
	}
	for _, p := range pulled {
		if ref, err := s.resolve(p.Conv); err == nil && ref.conv != 0 {
			list = append(list, hub.Settled{Conv: ref.conv, Seq: min(p.Seq, ref.head.Seq), Direct: ref.kind == im.Direct})
		}
	}
	s.c.taken(s, list)
}

// taken notes how far the session's user, or its device, has been given conversations.
func (c *Core) taken(s *Session, list []hub.Settled) {
	for _, n := range list {
		if n.Direct && c.st.Delivered(n.Conv, s.user, n.Seq) {
			c.receipts.moved(c, receipt{n.Conv, s.user})
		}
		if s.login.Cursors {
			op := &store.CursorOp{User: s.user, Device: s.device, Conv: n.Conv, Seq: n.Seq, Lazy: true}
			if err := c.st.Submit(op); err != nil { // the device may see it again
				c.log.Debug("a cursor is not noted", "user", s.user, "device", s.device, "err", err)
			}
		}
	}
}

// receipts tell senders in direct conversations what has been delivered, of each
// conversation and receiver at most once a second.
type receipts struct {
	mu      sync.Mutex
	began   time.Time            // guarded by mu: of the second that now runs
	now     map[receipt]struct{} // guarded by mu: told in it
	before  map[receipt]struct{} // guarded by mu: told in the one before
	waiting map[receipt]struct{} // guarded by mu: to be told later
}

// receipt is that user has been delivered something new in conv.
type receipt struct {
	conv im.ConvID
	user im.UserID
}

const receiptsEvery = time.Second

func (r *receipts) open() {
	r.now, r.before, r.waiting = map[receipt]struct{}{}, map[receipt]struct{}{}, map[receipt]struct{}{}
}

// moved tells it now, or later if it was told just now.
func (r *receipts) moved(c *Core, k receipt) {
	r.mu.Lock()
	_, now := r.now[k]
	_, before := r.before[k]
	if now || before {
		r.waiting[k] = struct{}{}
	} else {
		r.now[k] = struct{}{}
	}
	r.mu.Unlock()
	if !now && !before {
		c.tellDelivered(k)
	}
}

// flushReceipts tells what waits, once a second has gone by.
func (c *Core) flushReceipts(now time.Time) {
	r := &c.receipts
	r.mu.Lock()
	if d := now.Sub(r.began); d >= 0 && d < receiptsEvery {
		r.mu.Unlock()
		return
	}
	r.began = now
	r.before, r.now = r.now, map[receipt]struct{}{}
	var due []receipt
	for k := range r.waiting {
		if _, told := r.before[k]; !told {
			r.now[k] = struct{}{}
			delete(r.waiting, k)
			due = append(due, k)
		}
	}
	r.mu.Unlock()
	for _, k := range due {
		c.tellDelivered(k)
	}
}

// tellDelivered tells the other user of k's conversation, if he is here.
func (c *Core) tellDelivered(k receipt) {
	head, ok := c.st.Head(k.conv)
	if !ok {
		return
	}
	if peer := head.Peer(k.user); peer != k.user && len(c.hub.Sessions(peer)) > 0 {
		c.peerMoved(peer, k.conv)
	}
}
