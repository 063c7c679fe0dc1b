package core

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// lane is a session's sends to one conversation: what it may do there, as core last
// saw it, and what keeps its order.
//
// Locks: order, then mu.
type lane struct {
	store.Lane            // the store's
	s          *Session   // fixed
	addr       im.Address // fixed

	order sync.Mutex     // held while sends are checked and submitted, so that they stand in the store's queue as they were made
	known bool           // guarded by order: at can be used
	at    access         // guarded by order
	moves *atomic.Uint64 // guarded by order: Core.recheckOf the receiver; nil until at was looked up
	moved uint64         // guarded by order: what that was then

	mu      sync.Mutex
	conv    im.ConvID   // guarded by mu: the conversation that a send made or found; 0 = none yet
	round   uint32      // guarded by mu: of the sends that are submitted next
	flying  int         // guarded by mu: sends that the store has
	made    uint64      // guarded by mu: sends so far
	stopped im.ClientID // guarded by mu: the first refused send, which later ones wait for; "" = none
	stopAt  uint64      // guarded by mu: its place among those made
	redo    bool        // guarded by mu: something was turned back; nothing is submitted until all of it is
	queued  bool        // guarded by mu: it stands in Core.redo
	back    []*Send     // guarded by mu: turned back, in order
	held    []*Send     // guarded by mu: made since then, in order
	used    uint64      // guarded by lanes.mu
}

// access is how a user reaches a conversation, as he was allowed to.
type access struct {
	kind  im.ConvKind
	conv  im.ConvID // 0: a direct one that nobody has begun
	peer  im.UserID // direct
	line  string    // direct: the business conversation
	guard im.MVer
	alone bool // direct: the peer blocks him and is not shown what he sends
}

// lanes are those of a session: made when first sent to, forgotten when there are
// many and nothing is under way.
type lanes struct {
	mu    sync.Mutex
	m     map[im.Address]*lane // guarded by mu
	last  *lane                // guarded by mu
	clock uint64               // guarded by mu
	rate  *userRate            // guarded by mu; nil until the first send
	over  bool                 // guarded by mu
}

const (
	keepLanes = 128  // so many idle ones stay
	maxLanes  = 1024 // with something under way or refused
	maxHeld   = 1024 // sends of a lane that wait until it goes on
)

// lane finds or makes the lane to addr. nil: there are too many in use.
func (s *Session) lane(addr im.Address) *lane {
	ls := &s.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.clock++
	l := ls.last
	if l == nil || l.addr != addr {
		if l = ls.m[addr]; l == nil {
			if len(ls.m) >= keepLanes && !ls.evict() && len(ls.m) >= maxLanes {
				return nil
			}
			if ls.m == nil {
				ls.m = map[im.Address]*lane{}
			}
			addr = im.Address(strings.Clone(string(addr)))
			l = &lane{s: s, addr: addr, round: 1}
			ls.m[addr] = l
		}
		ls.last = l
	}
	l.used = ls.clock
	return l
}

// evict forgets the idle lane that was not used for longest. mu is held.
func (ls *lanes) evict() bool {
	var oldest *lane
	for _, l := range ls.m {
		if (oldest == nil || l.used < oldest.used) && l.idle() {
			oldest = l
		}
	}
	if oldest == nil {
		return false
	}
	delete(ls.m, oldest.addr)
	if ls.last == oldest {
		ls.last = nil
	}
	return true
}

// idle says that nothing would be lost with the lane.
func (l *lane) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flying == 0 && !l.redo && l.stopped == ""
}

// rateOf is the limit that the session's user sends under.
func (s *Session) rateOf() *userRate {
	ls := &s.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.rate == nil {
		ls.rate = s.c.rateOf(s.user, s.c.Now())
		if ls.over { // a send after the end: nobody gives it back later
			s.c.rateDone(s.user, ls.rate, s.c.Now())
		}
	}
	return ls.rate
}

// release gives back what the session shared with others.
func (ls *lanes) release(s *Session) {
	ls.mu.Lock()
	rate := ls.rate
	over := ls.over
	ls.over = true
	ls.mu.Unlock()
	if rate != nil && !over {
		s.c.rateDone(s.user, rate, s.c.Now())
	}
}

// learn looks what the session's user may do there. order is held.
func (l *lane) learn() *im.Error {
	if l.moves == nil {
		_, id, err := l.addr.Split()
		if err != nil {
			return im.AsError(err)
		}
		l.moves = l.s.c.recheckOf(id)
	}
	l.moved = l.moves.Load() // before anything is read
	at, err := l.s.admission(l.addr)
	l.at, l.known = at, err == nil
	if err != nil {
		return im.AsError(err)
	}
	return nil
}

// admission looks whether the session's user may send to addr. With an error, conv is
// where to ask for a kept id, if there is a conversation.
//
// Errors: those of reach and of maySay.
func (s *Session) admission(addr im.Address) (access, error) {
	ref, err := s.reach(addr)
	at := access{kind: ref.kind, conv: ref.conv, peer: ref.peer, line: ref.line, guard: ref.head.MVer}
	if err != nil {
		return at, err
	}
	err = s.maySay(&ref) // after the head: if that moves, the store turns the send back
	if err != nil && s.c.cfg.BlockedSends && im.AsError(err).Code == im.CodeNotAccepted {
		at.alone, err = true, nil
	}
	return at, err
}

// landed notes that a send ended, and where. mu is taken.
func (l *lane) landed(conv im.ConvID) {
	l.mu.Lock()
	l.flying--
	if conv != 0 {
		l.conv = conv
	}
	ready := l.ready()
	l.mu.Unlock()
	if ready {
		l.s.c.redo.add(l)
	}
}

// ready says whether all that the store had has come back and somebody has to send it
// again. mu is held.
func (l *lane) ready() bool {
	if !l.redo || l.flying > 0 || l.queued {
		return false
	}
	l.queued = true
	return true
}

// stop lets later sends wait for snd, where the session's client repeats what was
// refused. mu is held.
func (l *lane) stop(snd *Send) {
	if l.s.login.Ordered && (l.stopped == "" || snd.place < l.stopAt) {
		l.stopped, l.stopAt = snd.Msg.ID, snd.place
	}
}

// waits says whether snd comes after the one that was refused. mu is held.
func (l *lane) waits(snd *Send) bool { return l.stopped != "" && snd.place > l.stopAt }

// lift lets sends pass again if they wait for id.
func (l *lane) lift(id im.ClientID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped == id {
		l.stopped = ""
	}
}

// abandon answers what waits to be submitted again, because core is closing.
func (l *lane) abandon() {
	l.mu.Lock()
	list := append(l.back, l.held...)
	l.back, l.held, l.redo, l.queued = nil, nil, false, false
	l.mu.Unlock()
	for _, snd := range list {
		snd.finish(im.AsError(errDraining()))
	}
}
