package hub

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Session is what one device is to be told. It outlives its link: after Detach it
// waits for Resume to give it another one. All methods may be called by any goroutine;
// those that take an Owner do nothing for one that the session no longer belongs to.
//
// An idle session holds no queue, no window and no marks.
type Session struct {
	hub    *Hub        // fixed
	User   im.UserID   // fixed
	Device im.DeviceID // fixed
	Class  im.Class    // fixed
	Began  time.Time   // fixed: when it was added

	live   atomic.Bool  // it has a link
	weight atomic.Int64 // of queue; written under mu

	mu      sync.Mutex
	owner   Owner  // guarded by mu; nil while detached
	gone    bool   // guarded by mu: nothing more is taken
	woken   bool   // guarded by mu: Wake was called and no Take has left nothing since
	feeding bool   // guarded by mu: a feeder has it
	hold    bool   // guarded by mu: no signals wanted
	isBig   bool   // guarded by mu: it stands in hub.big
	queue   []Item // guarded by mu: from head on, not yet written
	head    int    // guarded by mu
	window  []sent // guarded by mu: from base on, written and not acknowledged
	base    int    // guarded by mu
	unacked int    // guarded by mu: weight of window
	acked   uint64 // guarded by mu: the push number up to which all is acknowledged
	lag     *lag   // guarded by mu; nil: nothing was missed
	moves   uint64 // guarded by mu: states that moved while behind

	id, was      ID       // guarded by hub.ids.mu; was: still good, the zero ID = none
	older, newer *Session // guarded by hub.detached.mu
	parked       bool     // guarded by hub.detached.mu: it is in the list
	until        time.Time
	charged      int64 // guarded by hub.detached.mu: weight while detached
}

// sent is what is remembered of an event that was written: enough to feed it again.
type sent struct {
	conv im.ConvID
	seq  im.Seq
	ver  im.Ver
	size int32
	what what
	own  bool // in a direct conversation
}

// what is the sort of an event, as far as missing it is concerned.
type what uint8

const (
	numbered  what = iota // a message or a hidden number: fed by Seq
	changed               // a change: fed by Ver
	stated                // a state: fed as it is by then
	fleeting              // gone when missed
	syncAsked             // asks to sync
)

func (e *Event) what() what {
	switch {
	case e.Sync:
		return syncAsked
	case e.Seq != 0:
		return numbered
	case e.Ver != 0:
		return changed
	case e.State != nil && (e.State.Head != nil || e.State.Mine != nil || e.State.Peer != nil):
		return stated
	}
	return fleeting
}

// Live says whether the session has a link.
func (s *Session) Live() bool { return s.live.Load() }

// Owner is the link it belongs to; nil if it has none.
func (s *Session) Owner() Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner
}

// HoldSignals says that the device wants no signals, or wants them again.
func (s *Session) HoldSignals(o Owner, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == o {
		s.hold = on
	}
}

// Open lets the owner be woken, and wakes it if there is something to take.
func (s *Session) Open(o Owner) {
	s.mu.Lock()
	if s.owner == o {
		s.woken = false
	}
	s.leave()
}

// Offer gives the session an event. It is queued, or what is missed is noted for the
// feeder, or it is dropped: because it was fed already, or because it is only of use
// now and there is no room. To the link that it came from it is not given: the answer
// to what that link did stands for it.
//
// The events of a conversation are offered in the order of their numbers.
func (s *Session) Offer(addr im.Address, ev *Event, from Owner) {
	size := ev.Size()
	if s.hub.bytes.Load()+int64(size) > s.hub.cfg.Bytes {
		s.hub.relieve(size)
	}
	s.mu.Lock()
	switch {
	case s.gone:
	case from != nil && s.owner == from:
		s.passed(ev)
	case s.admit(ev, size):
		s.hub.counts.offered.Add(1)
		s.push(Item{addr, ev}, size)
	}
	s.leave()
}

// admit says whether ev is to be queued. If not, it has been dealt with. mu is held.
func (s *Session) admit(ev *Event, size int) bool {
	w := ev.what()
	if s.lag != nil && !s.lagging(ev, w) {
		return false
	}
	if w == fleeting {
		signal := ev.Signal != nil
		if s.owner == nil || !s.room(size) || signal && (s.hold || int(s.weight.Load())+size > MaxSignalQueue) {
			s.hub.counts.dropped.Add(1)
			return false
		}
		return true
	}
	if s.owner == nil || !s.room(size) {
		s.miss(ev, w)
		return false
	}
	return true
}

// room says whether an event of size fits into the queue. mu is held.
func (s *Session) room(size int) bool {
	n, have := len(s.queue)-s.head, int(s.weight.Load())
	return n < MaxQueued && (have+size <= MaxQueuedBytes || n == 0) && s.hub.bytes.Load()+int64(size) <= s.hub.cfg.Bytes
}

// push queues it. mu is held.
func (s *Session) push(it Item, size int) {
	if s.head > 0 && len(s.queue) == cap(s.queue) { // move down before growing
		n := copy(s.queue, s.queue[s.head:])
		clear(s.queue[n:])
		s.queue, s.head = s.queue[:n], 0
	}
	s.queue = append(s.queue, it)
	s.weigh(size, 1)
}

// weigh notes that the queue grew by bytes and events. mu is held.
func (s *Session) weigh(bytes, events int) {
	w := s.weight.Add(int64(bytes))
	s.hub.bytes.Add(int64(bytes))
	s.hub.queued.Add(int64(events))
	if s.isBig != (w >= bigQueue) && (!s.isBig || w < bigQueue/2) {
		s.isBig = !s.isBig
		s.hub.big.mu.Lock()
		if s.isBig {
			s.hub.big.m[s] = struct{}{}
		} else {
			delete(s.hub.big.m, s)
		}
		s.hub.big.mu.Unlock()
	}
}

// leave unlocks mu and then does what the change asks for: wake the owner, call a
// feeder.
func (s *Session) leave() {
	var wake Owner
	feed := false
	if s.owner == nil && s.lag != nil && s.lag.all && !s.gone {
		s.end() // detached, and it has missed too much to be resumed
		return
	}
	if s.owner != nil {
		if s.lag != nil && !s.feeding && s.hungry() {
			feed = s.refill()
		}
		if !s.woken && s.takeable() {
			s.woken, wake = true, s.owner
		}
	}
	s.mu.Unlock()
	if wake != nil {
		wake.Wake()
	}
	if feed {
		s.hub.cfg.Feed(s)
	}
}

// takeable says whether Take would take something. mu is held.
func (s *Session) takeable() bool {
	return s.head < len(s.queue) && s.windowRoom(s.queue[s.head].Size())
}

func (s *Session) windowRoom(size int) bool {
	n := len(s.window) - s.base
	return n < MaxWindow && (s.unacked+size <= MaxWindowBytes || n == 0)
}

// Take moves events from the queue into the window, as far as it has room, at most
// maxItems and about maxBytes (at least one), appends them to into, and answers the
// push number of the first. What it leaves can be taken by calling it again: the owner
// is woken again only after a call that left nothing, which one that appends nothing
// certainly did.
func (s *Session) Take(o Owner, into []Item, maxItems, maxBytes int) ([]Item, uint64) {
	s.mu.Lock()
	if s.owner != o || o == nil {
		s.mu.Unlock()
		return into, 0
	}
	first := s.acked + uint64(len(s.window)-s.base) + 1
	had, bytes := len(into), 0
	for len(into)-had < maxItems {
		if !s.takeable() {
			if s.lag == nil || !s.lag.all || !s.hungry() {
				break
			}
			s.refill() // asks to sync
			continue
		}
		it := s.queue[s.head]
		size := it.Size()
		if bytes > 0 && bytes+size > maxBytes {
			break
		}
		s.queue[s.head] = Item{}
		s.head++
		if s.head == len(s.queue) {
			s.queue, s.head = s.queue[:0], 0
		}
		if it.Signal == nil { // a signal has no push number, and nobody acknowledges it
			s.note(it, size)
		}
		into = append(into, it)
		bytes += size
	}
	if n := len(into) - had; n > 0 {
		s.weigh(-bytes, -n)
		s.hub.counts.taken.Add(uint64(n))
	}
	if len(s.queue) == 0 && cap(s.queue) > keepQueue {
		s.queue = nil
	}
	s.woken = s.takeable()
	s.leave()
	return into, first
}

// What an empty queue and window may go on holding, so that a device that gets a
// message now and then does not allocate each time.
const (
	keepQueue  = 4
	keepWindow = 8
)

// note puts it into the window. mu is held.
func (s *Session) note(it Item, size int) {
	if s.base > 0 && len(s.window) == cap(s.window) {
		n := copy(s.window, s.window[s.base:])
		s.window, s.base = s.window[:n], 0
	}
	s.window = append(s.window, sent{conv: it.Conv, seq: it.Seq, ver: it.Ver, size: int32(size), what: it.what(),
		own: strings.HasPrefix(string(it.Addr), "u/")})
	s.unacked += size
}

// Settled is a number up to which a device has taken a conversation.
type Settled struct {
	Conv   im.ConvID
	Seq    im.Seq
	Direct bool
}

// Ack says that every push up to a number was taken, frees the window, and appends to
// into the numbers that this settled: the highest of each conversation, now and then
// a lower one too. A number never given is as good as the last one given.
func (s *Session) Ack(o Owner, push uint64, into []Settled) []Settled {
	s.mu.Lock()
	if s.owner == o && o != nil {
		into = s.settle(push, into)
	}
	s.leave()
	return into
}

// settle frees the window up to push. mu is held.
func (s *Session) settle(push uint64, into []Settled) []Settled {
	before := len(into)
	for s.base < len(s.window) && s.acked < push {
		e := &s.window[s.base]
		s.base++
		s.acked++
		s.unacked -= int(e.size)
		if e.what == numbered {
			into = settled(into, before, Settled{e.conv, e.seq, e.own})
		}
	}
	if s.base == len(s.window) {
		s.window, s.base = s.window[:0], 0
		if cap(s.window) > keepWindow {
			s.window = nil
		}
	}
	return into
}

// settled appends n, or raises what stands there for the conversation if it is near
// the end.
func settled(list []Settled, from int, n Settled) []Settled {
	for i := len(list) - 1; i >= max(from, len(list)-8); i-- {
		if list[i].Conv == n.Conv {
			list[i].Seq = max(list[i].Seq, n.Seq)
			return list
		}
	}
	return append(list, n)
}

// Close ends the session for good, if it belongs to o.
func (s *Session) Close(o Owner) {
	s.mu.Lock()
	if s.owner == o && o != nil {
		s.end()
		return
	}
	s.mu.Unlock()
}

// Drop ends the session for good, whoever it belongs to, and says whether it was
// there and who that is.
func (s *Session) Drop() (Owner, bool) {
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return nil, false
	}
	was := s.owner
	s.end()
	return was, true
}

// end ends the session and unlocks mu.
func (s *Session) end() {
	s.unlink()
	s.gone = true
	s.weigh(-int(s.weight.Load()), -(len(s.queue) - s.head))
	s.queue, s.head, s.window, s.base, s.unacked, s.lag = nil, 0, nil, 0, 0, nil
	s.mu.Unlock()
	s.hub.remove(s)
	if s.hub.cfg.Left != nil {
		s.hub.cfg.Left(s)
	}
}

// unlink takes the session's link away. mu is held.
func (s *Session) unlink() {
	if s.owner != nil {
		s.owner, s.woken = nil, false
		s.live.Store(false)
		s.hub.live.Add(-1)
	}
}

// Gone says whether the session has ended for good.
func (s *Session) Gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// Behind is in how many conversations the session is behind, and whether in all.
func (s *Session) Behind() (n int, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lag == nil {
		return 0, false
	}
	return s.lag.behind, s.lag.all
}

// Weight is the weight of what is not yet written, in bytes.
func (s *Session) Weight() int64 { return s.weight.Load() }
