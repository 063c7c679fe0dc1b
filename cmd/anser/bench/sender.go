package bench

import (
	"time"

	"github.com/anser-im/anser/wire"
)

// sender is the sending side of one client in one conversation. It is guarded by the
// client's mu, but for what is fixed.
type sender struct {
	conv   string // fixed: the address
	prefix string // fixed: what the client ids of this sender begin with
	window uint32 // fixed: messages that may be unanswered
	limit  uint32 // fixed: messages in all

	started bool
	first   int64 // with a rate: when message 0 is due
	step    int64 // with a rate: from one to the next; 0 = flat out

	base     uint32 // the lowest one without an answer
	next     uint32 // the next new one
	inflight uint32
	refused  uint32 // with an answer that says: again, later
	slots    []slot // by number modulo its length, for base..next
	timer    *time.Timer
	retryAt  int64 // the earliest time for another try
	internal int   // answers CodeInternal in a row

	accepted   bitset
	rejected   uint64 // refused for good
	retries    uint64
	disordered uint64
	lastSeq    uint64
	finished   bool
}

type slot struct {
	due   int64 // what its latency counts from
	state slotState
}

type slotState uint8

const (
	slotFree slotState = iota
	slotOut            // sent, no answer yet
	slotAgain
	slotDone
)

// newSender makes the sending side of user i.
func newSender(r *run, i int, conv string, window, limit int) *sender {
	size := 1
	for size < 2*window {
		size *= 2
	}
	id := appendID(nil, r.name, uint32(i), 0)
	return &sender{
		conv:   conv,
		prefix: string(id[:runDigits+senderDigits]),
		window: uint32(window),
		limit:  uint32(limit),
		slots:  make([]slot, size),
	}
}

func (s *sender) slot(n uint32) *slot { return &s.slots[n&uint32(len(s.slots)-1)] }

// begin opens the sender. With a step its messages are due at first, first + step
// and so on; somebody must give the client a turn then. Without, each is due when
// there is room for it.
func (s *sender) begin(first, step int64) { s.started, s.first, s.step = true, first, step }

// fill sends what may be sent now.
func (s *sender) fill(c *client, now int64) {
	if !s.started || s.refused > 0 {
		return
	}
	r := c.run
	for s.inflight < s.window && s.next < s.limit && s.next-s.base < uint32(len(s.slots)) && !r.stopped.Load() {
		due := now
		if s.step > 0 {
			if due = s.first + int64(s.next)*s.step; due > now {
				return
			}
		}
		*s.slot(s.next) = slot{due: due}
		s.out(c, s.next)
		s.next++
		c.turnCount.sent++
	}
}

// out sends message n, for the first time or again.
func (s *sender) out(c *client, n uint32) {
	sl := s.slot(n)
	sl.state = slotOut
	s.inflight++
	c.begin()
	c.out = c.run.fill.appendSend(c.out, c.run.name, s.conv, uint32(c.index), n, sl.due, c.takeAck())
}

// answer takes a SENDACK.
func (s *sender) answer(c *client, a *sendAck, now int64) {
	r := c.run
	n, ok := idNumber(a.id, s.prefix)
	if !ok || n < s.base || n >= s.next || s.slot(n).state != slotOut {
		r.faults.add("a SENDACK to a message that has its answer, or was not sent")
		return
	}
	sl := s.slot(n)
	s.inflight--
	again := wire.Retryable(a.code)
	if a.code == wire.CodeInternal {
		if s.internal++; s.internal > 3 {
			again = false
		}
	} else {
		s.internal = 0
	}
	switch {
	case a.code == wire.CodeOK:
		sl.state = slotDone
		s.accepted.add(uint64(n))
		r.ack.add(c.index, now-sl.due)
		if a.seq <= s.lastSeq {
			s.disordered++
		}
		s.lastSeq = max(s.lastSeq, a.seq)
		if c.in != nil {
			c.in.own(c, a.seq)
		}
		c.turnCount.accepted++
		c.turnCount.answered++
	case again:
		sl.state = slotAgain
		s.refused++
		s.retries++
		s.retryAt = max(s.retryAt, now+int64(a.retryMs)*int64(time.Millisecond))
	default:
		sl.state = slotDone
		s.rejected++
		r.faults.add("a send was refused: %d %s", a.code, a.message)
		c.turnCount.answered++
	}
	for s.base < s.next && s.slot(s.base).state == slotDone {
		s.slot(s.base).state = slotFree
		s.base++
	}
	if s.refused > 0 && s.inflight == 0 {
		s.retryLater(c, now)
	}
}

// retryLater sends what was refused again, in its order, when the server said so. By
// the order rule of the protocol the server refuses everything behind a refused
// message too, so nothing overtakes.
func (s *sender) retryLater(c *client, now int64) {
	wait := time.Duration(max(s.retryAt-now, int64(time.Millisecond)))
	c.run.timers.Add(1)
	s.timer = time.AfterFunc(wait, func() {
		defer c.run.timers.Done()
		c.kick(func(int64) {
			s.timer = nil
			for n := s.base; n < s.next; n++ {
				if s.slot(n).state == slotAgain {
					s.refused--
					s.out(c, n)
				}
			}
		})
	})
}

// stopTimer gives up a retry that is planned.
func (s *sender) stopTimer(r *run) {
	if s.timer != nil && s.timer.Stop() {
		r.timers.Done()
	}
	s.timer = nil
}

// checkFinished tells the run, once, that this sender is done.
func (s *sender) checkFinished(c *client) {
	if !s.finished && s.started && s.inflight == 0 && s.refused == 0 && (s.next == s.limit || c.run.stopped.Load()) {
		s.finished = true
		c.run.finished.Add(1)
	}
}
