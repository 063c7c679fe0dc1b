package hub

import (
	"slices"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Detach takes the link away from a session that belongs to o. For Config.DetachedFor
// it can be resumed: what was written and not acknowledged is remembered by number,
// and what happens meanwhile is marked as missed; no bodies are held. False: it does
// not belong to o.
func (s *Session) Detach(o Owner) bool {
	s.mu.Lock()
	if s.owner != o || o == nil || s.gone {
		s.mu.Unlock()
		return false
	}
	s.unlink()
	s.shelve()
	if s.lag != nil && s.lag.all {
		s.end()
		return true
	}
	s.mu.Unlock()
	s.hub.park(s)
	return true
}

// ID is the name under which the session can be resumed.
func (s *Session) ID() ID {
	s.hub.ids.mu.RLock()
	defer s.hub.ids.mu.RUnlock()
	return s.id
}

// Confirm says that the client knows ID: the name it was resumed by is no longer good.
func (s *Session) Confirm(o Owner) {
	if s.Owner() != o {
		return
	}
	h := s.hub
	h.ids.mu.Lock()
	defer h.ids.mu.Unlock()
	if s.was != (ID{}) {
		delete(h.ids.m, s.was)
		s.was = ID{}
	}
}

// Find gives the session of user u on device d that id names; nil if there is none.
func (h *Hub) Find(id ID, u im.UserID, d im.DeviceID) *Session {
	h.ids.mu.RLock()
	defer h.ids.mu.RUnlock()
	if s := h.ids.m[id]; s != nil && s.User == u && s.Device == d {
		return s
	}
	return nil
}

// Resume gives a session to a new link, which got every push up to last. by is the ID
// it was found by, which stays good until Confirm, besides a new one. It answers what
// last settled, and the link it belonged to until now, if any: that one has been
// replaced. The new owner is not woken before Open.
//
// False: it cannot be resumed, since too much was missed or last is none of its
// pushes, and has ended for good. (Asking to sync then costs the client as much.)
func (s *Session) Resume(o Owner, by ID, last uint64, into []Settled) (settled []Settled, prev Owner, ok bool) {
	h := s.hub
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return into, nil, false
	}
	prev = s.owner
	given := s.acked + uint64(len(s.window)-s.base)
	ok = last >= s.acked && last <= given
	if ok {
		into = s.settle(last, into)
		s.shelve()
		for _, e := range s.window[s.base:] {
			s.lack(e.conv, e.seq, e.ver, e.what, false)
		}
		s.window, s.base, s.unacked = nil, 0, 0
		ok = s.lag == nil || !s.lag.all && s.lag.behind <= MaxResumed
	}
	if !ok {
		h.counts.refused.Add(1)
		s.end()
		return into, prev, false
	}
	s.unlink()
	s.owner, s.woken, s.hold = o, true, false
	s.live.Store(true)
	h.live.Add(1)
	s.mu.Unlock()
	h.undetach(s)

	id := NewID()
	h.ids.mu.Lock()
	for _, old := range [...]ID{s.id, s.was} {
		if old != by {
			delete(h.ids.m, old)
		}
	}
	s.id, s.was = id, by
	h.ids.m[id], h.ids.m[by] = s, s
	h.ids.mu.Unlock()
	if s.Gone() { // ended between the locks, which its owner has been told: leave nothing behind
		h.remove(s)
	}
	h.counts.resumed.Add(1)
	return into, prev, true
}

// What a detached session weighs, roughly: itself, and each thing it remembers.
const (
	parkedBytes = 512
	entryBytes  = 48
)

// park puts s into the list of detached sessions.
func (h *Hub) park(s *Session) {
	s.mu.Lock()
	weight := int64(parkedBytes + entryBytes*(len(s.window)-s.base))
	if s.lag != nil {
		weight += 2 * entryBytes * int64(len(s.lag.marks))
	}
	away := s.owner == nil && !s.gone
	s.mu.Unlock()
	if !away {
		return
	}
	h.detached.mu.Lock()
	if !s.parked {
		s.parked, s.charged, s.until = true, weight, h.cfg.Clock().Add(h.cfg.DetachedFor)
		s.older, s.newer = h.detached.last, nil
		if s.older != nil {
			s.older.newer = s
		} else {
			h.detached.first = s
		}
		h.detached.last = s
		h.detached.n++
		h.bytes.Add(weight)
	}
	n := h.detached.n
	h.detached.mu.Unlock()
	if s.Live() || s.Gone() { // resumed or ended meanwhile
		h.undetach(s)
		return
	}
	h.dropCrowd(s.User)
	if n > h.cfg.Detached {
		h.dropOldest()
	}
}

// dropCrowd ends the sessions of u that have been detached for longest, but for
// Config.DetachedOwn. A device that comes under ever new ids would otherwise make all
// that is done for u dear, and push out what others could resume.
func (h *Hub) dropCrowd(u im.UserID) {
	all := h.Sessions(u)
	if len(all) <= h.cfg.DetachedOwn {
		return
	}
	var away []*Session
	h.detached.mu.Lock()
	for _, s := range all {
		if s.parked {
			away = append(away, s)
		}
	}
	slices.SortStableFunc(away, func(a, b *Session) int { return a.until.Compare(b.until) })
	h.detached.mu.Unlock()
	for _, s := range away[:max(0, len(away)-h.cfg.DetachedOwn)] {
		h.drop(s)
	}
}

// undetach takes s out of the list, if it is there.
func (h *Hub) undetach(s *Session) {
	h.detached.mu.Lock()
	defer h.detached.mu.Unlock()
	if !s.parked {
		return
	}
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		h.detached.first = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		h.detached.last = s.older
	}
	s.parked, s.older, s.newer = false, nil, nil
	h.detached.n--
	h.bytes.Add(-s.charged)
}

// dropOldest ends the session that has been detached for longest. False: there is
// none.
func (h *Hub) dropOldest() bool { return h.dropFirst(time.Time{}) }

// dropFirst ends the session that has been detached for longest, if its time was over
// at now; the zero time: whatever its time is.
func (h *Hub) dropFirst(now time.Time) bool {
	h.detached.mu.Lock()
	s := h.detached.first
	if s == nil || !now.IsZero() && s.until.After(now) {
		h.detached.mu.Unlock()
		return false
	}
	h.detached.mu.Unlock()
	h.drop(s)
	return true
}

// drop ends a detached session.
func (h *Hub) drop(s *Session) {
	h.undetach(s)
	s.mu.Lock()
	if s.owner == nil && !s.gone { // else it was resumed or ended just now
		s.end()
	} else {
		s.mu.Unlock()
	}
}

// Tick ends detached sessions whose time is over, and looks after sessions that could
// not be fed because all outboxes together were too large. Call it about once a
// second.
func (h *Hub) Tick() {
	now := h.cfg.Clock()
	for h.dropFirst(now) {
	}
	if h.starved.Load() && h.roomToFeed() {
		h.starved.Store(false)
		h.Each(func(s *Session) bool { s.Nudge(); return true })
	}
}
