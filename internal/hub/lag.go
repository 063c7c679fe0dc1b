package hub

import "github.com/anser-im/anser/internal/im"

// lag is what a session has missed: marks by conversation, or, where that is too
// much, that it has to sync.
type lag struct {
	all    bool // more was missed than can be told: the session is to be asked to sync
	marks  map[im.ConvID]*mark
	behind int // of marks: those that are behind
}

// mark is what a session has missed of one conversation. It stays a while after it has
// been fed, until it is certain that nothing the feeder gave will be offered again.
type mark struct {
	seq, seqTo, seqSeen im.Seq // next to be given (0: offers pass), to be given at least up to here, last offered
	ver, verTo, verSeen im.Ver // the same for changes
	state               bool   // its state moved
	moved               uint64 // Session.moves of when it last did
	own                 []im.Seq
}

// maxOwn is how many numbers of the session's own sends a mark remembers. Of older
// ones the feeder gives the event, too.
const maxOwn = 64

func (m *mark) behind() bool {
	return m.state || m.seq != 0 && m.seqTo >= m.seq || m.ver != 0 && m.verTo >= m.ver
}

// tidy lets offers pass again where all that was given has been offered.
func (m *mark) tidy() {
	if m.seq != 0 && m.seqTo < m.seq && m.seqSeen+1 >= m.seq {
		m.seq = 0
	}
	if m.ver != 0 && m.verTo < m.ver && m.verSeen+1 >= m.ver {
		m.ver = 0
	}
}

func (m *mark) done() bool { return !m.state && m.seq == 0 && m.ver == 0 }

// stateMoved notes that the state of m's conversation moved. mu is held.
func (s *Session) stateMoved(m *mark) {
	s.moves++
	m.state, m.moved = true, s.moves
}

// need asks for the number (and change) to be given. offered: as it happened, not
// because it was written and lost.
func (m *mark) need(seq im.Seq, ver im.Ver, offered bool) {
	if seq != 0 {
		if m.seq == 0 || seq < m.seq {
			m.seq = seq
		}
		m.seqTo = max(m.seqTo, seq)
		if offered {
			m.seqSeen = max(m.seqSeen, seq)
		}
	}
	if ver != 0 {
		if m.ver == 0 || ver < m.ver {
			m.ver = ver
		}
		m.verTo = max(m.verTo, ver)
		if offered {
			m.verSeen = max(m.verSeen, ver)
		}
	}
}

// alter changes m by f and keeps count; a mark that is done goes.
func (l *lag) alter(conv im.ConvID, m *mark, f func(*mark)) {
	before := m.behind()
	f(m)
	m.tidy()
	after := m.behind()
	if before && !after {
		l.behind--
	} else if !before && after {
		l.behind++
	}
	if m.done() {
		delete(l.marks, conv)
	}
}

func (l *lag) empty() bool { return !l.all && len(l.marks) == 0 }

// lagging looks at an event with the marks in mind: true means that it may be queued.
// mu is held, lag is not nil.
func (s *Session) lagging(ev *Event, w what) bool {
	l := s.lag
	m := l.marks[ev.Conv]
	if m != nil && (w == numbered || w == changed) {
		repeat := w == numbered && m.seq != 0 && ev.Seq < m.seq || w == changed && m.ver != 0 && ev.Ver < m.ver
		behind := m.behind()
		l.alter(ev.Conv, m, func(m *mark) {
			switch {
			case !repeat && behind && !l.all:
				m.need(ev.seqOf(w), ev.verOf(w), true)
			case w == numbered:
				m.seqSeen = max(m.seqSeen, ev.Seq)
			default:
				m.verSeen = max(m.verSeen, ev.Ver)
			}
		})
		if repeat {
			s.hub.counts.repeats.Add(1)
			s.lighten()
			return false
		}
		if behind && !l.all {
			s.hub.counts.missed.Add(1)
			return false
		}
		s.lighten()
		if s.lag == nil {
			return true
		}
	}
	switch {
	case l.all:
		s.hub.counts.missed.Add(1)
		return false
	case m == nil || !m.behind():
		return true
	case w == stated:
		s.stateMoved(m)
		s.hub.counts.missed.Add(1)
		return false
	case w == fleeting:
		s.hub.counts.dropped.Add(1)
		return false
	}
	return true
}

func (e *Event) seqOf(w what) im.Seq {
	if w == numbered {
		return e.Seq
	}
	return 0
}

func (e *Event) verOf(w what) im.Ver {
	if w == changed {
		return e.Ver
	}
	return 0
}

// passed notes that the session's own link was answered for ev. mu is held.
func (s *Session) passed(ev *Event) {
	if s.lag == nil {
		return
	}
	m := s.lag.marks[ev.Conv]
	if m == nil {
		return
	}
	w := ev.what()
	s.lag.alter(ev.Conv, m, func(m *mark) {
		if w == changed {
			m.verSeen = max(m.verSeen, ev.Ver)
			return
		}
		if w != numbered {
			return
		}
		m.seqSeen = max(m.seqSeen, ev.Seq)
		if m.seq != 0 && ev.Seq >= m.seq && len(m.own) < maxOwn {
			m.own = append(m.own, ev.Seq)
		}
	})
	s.lighten()
}

// miss notes that ev was not queued. mu is held.
func (s *Session) miss(ev *Event, w what) {
	s.hub.counts.missed.Add(1)
	s.lack(ev.Conv, ev.seqOf(w), ev.verOf(w), w, true)
}

// lack notes what has to be fed. mu is held.
func (s *Session) lack(conv im.ConvID, seq im.Seq, ver im.Ver, w what, offered bool) {
	switch w {
	case fleeting:
		return
	case syncAsked:
		if s.lag == nil {
			s.lag = &lag{}
		}
		s.giveUp()
		return
	}
	if m := s.mark(conv); m != nil {
		s.lag.alter(conv, m, func(m *mark) {
			if w == stated {
				s.stateMoved(m)
			}
			m.need(seq, ver, offered)
		})
	}
}

// mark finds or makes the mark of conv. nil: the session is to be asked to sync
// instead, since it has too many. mu is held, and alter has to follow.
func (s *Session) mark(conv im.ConvID) *mark {
	if s.lag == nil {
		s.lag = &lag{}
	}
	l := s.lag
	if l.all {
		return nil
	}
	m, most := l.marks[conv], MaxBehind
	if s.owner == nil {
		most = MaxResumed
	}
	if (m == nil || !m.behind()) && l.behind >= most || m == nil && len(l.marks) >= 2*MaxBehind {
		s.giveUp()
		return nil
	}
	if m == nil {
		if l.marks == nil {
			l.marks = map[im.ConvID]*mark{}
		}
		m = &mark{}
		l.marks[conv] = m
	}
	return m
}

// giveUp turns the marks into the one that says all. What a feeder gave and nobody
// has offered yet stays noted, or it would be given twice. mu is held.
func (s *Session) giveUp() {
	l := s.lag
	l.all = true
	for conv, m := range l.marks {
		l.alter(conv, m, func(m *mark) {
			m.state = false
			if m.seqSeen >= m.seq {
				m.seq = 0
			}
			if m.verSeen >= m.ver {
				m.ver = 0
			}
			m.seqTo, m.verTo = 0, 0
		})
	}
}

// lighten forgets a lag without content. mu is held.
func (s *Session) lighten() {
	if s.lag != nil && s.lag.empty() {
		s.lag = nil
	}
}

// shelve leaves all that is queued to the feeder. mu is held.
func (s *Session) shelve() {
	for _, it := range s.queue[s.head:] {
		w := it.what()
		s.lack(it.Conv, it.seqOf(w), it.verOf(w), w, false)
	}
	s.weigh(-int(s.weight.Load()), -(len(s.queue) - s.head))
	s.queue, s.head = nil, 0
}

// shed empties the queue of a session because all together are too large.
func (s *Session) shed() {
	s.mu.Lock()
	if !s.gone && s.head < len(s.queue) {
		s.hub.counts.shed.Add(1)
		s.shelve()
	}
	s.mu.Unlock() // and no feeder is called: the next Take or Ack does
	s.Nudge()
}

// Nudge looks whether the session can be fed now.
func (s *Session) Nudge() {
	s.mu.Lock()
	s.leave()
}
