package hub

import "github.com/anser-im/anser/internal/im"

// A feeder gets a piece at a time; there is room for it when Next answers.
const (
	FeedEvents = 128
	FeedBytes  = 128 << 10
)

// Work is what a session lacks of one conversation.
type Work struct {
	Conv  im.ConvID
	Seq   im.Seq // the first number it lacks; 0 = none
	Ver   im.Ver // the first change it lacks; 0 = none
	State bool   // its state moved

	seqTo im.Seq // at least up to here
	verTo im.Ver
	moved uint64 // mark.moved
}

// Food is what a feeder found: the events in order, numbers first, then changes.
type Food struct {
	Addr   im.Address
	Events []*Event
	Seq    im.Seq // every number from Work.Seq up to here is settled by Events; Work.Seq - 1 = there are none; 0 = nothing was looked for
	Ver    im.Ver // the same for changes
	State  *Event // what was asked for with Work.State; nil = there is nothing to tell
	Over   bool   // the user is not in the conversation (any more): only State is told
}

// Next is what to feed next. False: nothing, or there is no room, or the session has
// no link; it is no longer in a feeder's hands then, and Config.Feed will be called
// again when that changes.
func (s *Session) Next() (Work, bool) {
	s.mu.Lock()
	if s.owner != nil && s.lag != nil && s.lag.behind > 0 && s.hungry() {
		for conv, m := range s.lag.marks {
			if !m.behind() {
				continue
			}
			w := Work{Conv: conv, State: m.state, seqTo: m.seqTo, verTo: m.verTo, moved: m.moved}
			if m.seq != 0 && m.seqTo >= m.seq {
				w.Seq = m.seq
			}
			if m.ver != 0 && m.verTo >= m.ver {
				w.Ver = m.ver
			}
			s.mu.Unlock()
			return w, true
		}
	}
	s.feeding = false
	// A Sync that has to be asked for needs no feeder, and may have been waiting.
	s.leave()
	return Work{}, false
}

// Fed queues what was found for w, as far as there is room, and moves the marks: only
// numbers that are queued here and what lies between them count as given. Numbers of
// the link's own sends are left out, and so is everything if the marks have changed
// meanwhile.
func (s *Session) Fed(w Work, f Food) {
	s.mu.Lock()
	l := s.lag
	if s.owner == nil || l == nil || l.marks[w.Conv] == nil {
		s.leave()
		return
	}
	m := l.marks[w.Conv]
	l.alter(w.Conv, m, func(m *mark) {
		if f.Over {
			if m.moved != w.moved || m.seqTo != w.seqTo || m.verTo != w.verTo {
				return // he may have come back since that was read
			}
			m.seq, m.seqTo, m.ver, m.verTo, m.own = 0, 0, 0, 0, nil
		} else {
			s.give(w, f, m)
		}
		if w.State && !m.behindNumbers() {
			m.state = m.moved != w.moved // since it was read: that is to be told after this one
			if f.State != nil {
				s.feed(Item{f.Addr, f.State})
			}
		}
	})
	s.lighten()
	s.leave()
}

// give queues the events of f. mu is held.
func (s *Session) give(w Work, f Food, m *mark) {
	seq, ver := f.Seq, f.Ver
	if m.seq != w.Seq || w.Seq == 0 { // others have moved the mark: what was read is not what is lacking now
		seq = 0
	}
	if m.ver != w.Ver || w.Ver == 0 {
		ver = 0
	}
	var lastSeq im.Seq // of those that are queued
	var lastVer im.Ver
	if w.Seq != 0 {
		lastSeq = w.Seq - 1
	}
	if w.Ver != 0 {
		lastVer = w.Ver - 1
	}
	for _, ev := range f.Events {
		if ev.Seq != 0 && (seq == 0 || ev.Seq < w.Seq) || ev.Ver != 0 && (ver == 0 || ev.Ver < w.Ver) {
			continue
		}
		if ev.Seq == 0 || !m.tookOwn(ev.Seq) {
			if !s.room(ev.Size()) {
				seq, ver = min(seq, lastSeq), min(ver, lastVer)
				break
			}
			s.feed(Item{f.Addr, ev})
		}
		lastSeq, lastVer = max(lastSeq, ev.Seq), max(lastVer, ev.Ver)
	}
	switch {
	case w.Seq == 0 || seq == 0:
	case seq >= w.Seq:
		m.seq = seq + 1
	case f.Seq < w.Seq && m.seqTo == w.seqTo: // there are none, and none was offered since
		m.seqTo = m.seq - 1
	}
	switch {
	case w.Ver == 0 || ver == 0:
	case ver >= w.Ver:
		m.ver = ver + 1
	case f.Ver < w.Ver && m.verTo == w.verTo:
		m.verTo = m.ver - 1
	}
	if m.seq > m.seqTo {
		m.own = nil
	}
}

// behindNumbers says whether numbers or changes are still lacking: the state waits
// for them.
func (m *mark) behindNumbers() bool {
	return m.seq != 0 && m.seqTo >= m.seq || m.ver != 0 && m.verTo >= m.ver
}

// tookOwn says whether seq is a send of the link itself, which was answered.
func (m *mark) tookOwn(seq im.Seq) bool {
	for _, n := range m.own {
		if n == seq {
			return true
		}
	}
	return false
}

// feed queues it. mu is held.
func (s *Session) feed(it Item) {
	s.hub.counts.fed.Add(1)
	s.push(it, it.Size())
}

// hungry says whether the session should be fed: there is room for a piece in the
// queue and some in the window, and all outboxes together are not too large. mu is
// held.
func (s *Session) hungry() bool {
	if len(s.queue)-s.head >= MaxQueued/4 || s.weight.Load() >= MaxQueuedBytes/4 || !s.windowRoom(0) {
		return false
	}
	if !s.hub.roomToFeed() {
		s.hub.starved.Store(true) // Tick looks again
		return false
	}
	return true
}

// roomToFeed says whether all outboxes together leave room for a piece. Tick must ask
// the same as hungry: whoever was refused waits for nothing else.
func (h *Hub) roomToFeed() bool { return h.bytes.Load()+FeedBytes <= h.cfg.Bytes }

// refill asks the owner to sync if too much was missed for anything else, or else
// says that a feeder is to be called. mu is held, lag is not nil.
func (s *Session) refill() (feed bool) {
	l := s.lag
	if l.all {
		l.all = false
		s.hub.counts.syncs.Add(1)
		ev := &Event{Sync: true}
		s.push(Item{im.Me, ev}, ev.Size())
		s.lighten()
		return false
	}
	s.feeding = l.behind > 0
	return s.feeding
}

// Given says that the link has had all of a conversation up to seq by other means:
// what is queued of that is taken out, and what is offered of it later is dropped.
func (s *Session) Given(o Owner, conv im.ConvID, seq im.Seq) {
	s.mu.Lock()
	if s.owner != o || o == nil {
		s.mu.Unlock()
		return
	}
	kept, bytes, gone := s.queue[:s.head], 0, 0
	seen := im.Seq(0) // the last one offered, if any was
	for _, it := range s.queue[s.head:] {
		if it.Conv == conv && it.Seq != 0 {
			seen = max(seen, it.Seq)
			if it.Seq <= seq {
				bytes += it.Size()
				gone++
				continue
			}
		}
		kept = append(kept, it)
	}
	clear(s.queue[len(kept):])
	s.queue = kept
	s.weigh(-bytes, -gone)
	if m := s.mark(conv); m != nil {
		s.lag.alter(conv, m, func(m *mark) {
			m.seqSeen = max(m.seqSeen, seen)
			m.seq = max(m.seq, seq+1)
		})
	}
	s.lighten()
	s.leave()
}

// Lack says that numbers first..last and changes from..to of a conversation (0 = none)
// or its state were to be offered to the session, and somebody upstream had no room for
// them. It takes the place of these offers.
func (s *Session) Lack(conv im.ConvID, first, last im.Seq, from, to im.Ver, state bool) {
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return
	}
	s.hub.counts.missed.Add(1)
	if m := s.mark(conv); m != nil {
		s.lag.alter(conv, m, func(m *mark) {
			if state {
				s.stateMoved(m)
			}
			if last != 0 && first <= last {
				if m.seq == 0 { // else a feeder has given all below it
					m.seq = first
				}
				m.seqTo, m.seqSeen = max(m.seqTo, last), max(m.seqSeen, last)
			}
			if to != 0 {
				if m.ver == 0 {
					m.ver = from
				}
				m.verTo, m.verSeen = max(m.verTo, to), max(m.verSeen, to)
			}
		})
		s.lighten()
	}
	s.leave()
}
