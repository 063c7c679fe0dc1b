package client

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/anser-im/anser/wire"
)

// convo is what this device holds of one conversation: which numbers and changes the
// application has been given, and what is known to exist. It does no I/O.
type convo struct {
	addr string
	met  bool // false: heard of by a push only; where it begins must be asked

	done    uint64              // every number up to it has been given or is settled
	head    uint64              // the highest number known to exist
	covered ranges              // above done: settled, or held
	held    map[uint64]*Message // came ahead of its turn; in covered
	heldB   int                 // about what held takes in memory, bytes
	ver     uint64              // every change up to it has been given
	headVer uint64              // the highest change known to exist

	rebuilt bool                // the server began a new life: deliver from the beginning
	giving  map[uint64]*Message // being given out now; those above done have not been
	untold  bool                // the application is to be told what it is: met by a push, or its counts are in doubt
	unread  tally
	since   map[uint64]uint64 // changes of messages of this device that EventSent was followed by: by number, up to which change; 0 = its deletion
}

// Limits of what a conversation may hold.
const (
	maxHeld    = 512       // messages that came ahead of their turn; later ones are fetched again
	maxHeldB   = 2 << 20   // bytes of them
	maxNumber  = 1<<63 - 1 // a number above it is nonsense
	maxCovered = 64        // spans that are kept in the store
	maxSpans   = 1024      // spans ahead of their turn; what comes between others is then fetched again
)

func newConvo(addr string) *convo {
	return &convo{addr: addr, held: make(map[uint64]*Message)}
}

// give is called with what comes out in order.
type give func(*Message)

// message takes a message, in whatever order it comes, and gives out what is next.
// False means that there is no room to hold it: it will be fetched.
func (c *convo) message(m *Message, out give) bool {
	if m.Seq == 0 || m.Seq > maxNumber {
		return false
	}
	if !c.met && m.Seq == 1 {
		c.met = true
	}
	if c.met && m.Seq == c.done+1 && !c.covered.has(m.Seq) { // as nearly always
		c.done = m.Seq
		c.head = max(c.head, m.Seq)
		out(m)
		c.advance(out)
		return true
	}
	ok := c.hold(m)
	c.head = max(c.head, m.Seq)
	c.advance(out)
	return ok
}

// hold keeps a message that is ahead of its turn.
func (c *convo) hold(m *Message) bool {
	switch {
	case m.Seq <= c.done && c.met:
		return true // given already
	case c.covered.has(m.Seq):
		if h := c.held[m.Seq]; h != nil && h.Ver < m.Ver {
			c.heldB += m.weigh() - h.weigh()
			c.held[m.Seq] = m
		}
		return true
	case len(c.held) >= maxHeld, c.heldB+m.weigh() > maxHeldB, len(c.covered) >= maxSpans:
		return false
	}
	c.held[m.Seq] = m
	c.heldB += m.weigh()
	c.covered = c.covered.add(m.Seq, m.Seq)
	return true
}

// settle takes note that seq needs no delivery.
func (c *convo) settle(seq uint64, out give) {
	if seq == 0 || seq > maxNumber {
		return
	}
	if !c.met && seq == 1 {
		c.met = true
	}
	c.head = max(c.head, seq)
	if (!c.met || seq > c.done) && len(c.covered) < maxSpans {
		c.covered = c.covered.add(seq, seq)
	}
	c.advance(out)
}

// page takes a covered range: the messages in it, and every other number settled.
func (c *convo) page(from, to uint64, messages []*Message, out give) {
	if from == 0 || from > to || to > maxNumber || c.met && to <= c.done {
		return
	}
	c.head = max(c.head, to)
	if !c.met || from > c.done+1 { // ahead of its turn
		for _, m := range messages {
			if m.Seq >= from && m.Seq <= to && !c.hold(m) {
				to = m.Seq - 1 // no room from here on
				break
			}
		}
		if len(c.covered) < maxSpans {
			c.covered = c.covered.add(from, to)
		}
		return
	}
	ready := c.takeHeld(to)
	for _, m := range messages {
		switch h := ready[m.Seq]; {
		case m.Seq <= c.done || m.Seq > to:
		case h == nil && c.covered.has(m.Seq): // settled
		case h == nil || h.Ver < m.Ver:
			ready[m.Seq] = m
		}
	}
	c.giveUpTo(to, ready, out)
	c.advance(out)
}

// takeHeld takes out what is held up to to.
func (c *convo) takeHeld(to uint64) map[uint64]*Message {
	out := make(map[uint64]*Message)
	for n, m := range c.held {
		if n <= to {
			out[n] = m
			c.unhold(n)
		}
	}
	return out
}

// unhold forgets a held message; its number stays covered.
func (c *convo) unhold(n uint64) {
	if m := c.held[n]; m != nil {
		c.heldB -= m.weigh()
		delete(c.held, n)
	}
}

// giveUpTo gives out what is ready above done, ascending; every number up to to is done
// then.
func (c *convo) giveUpTo(to uint64, ready map[uint64]*Message, out give) {
	c.giving = ready
	defer func() { c.giving = nil }()
	for _, n := range slices.Sorted(maps.Keys(ready)) {
		if n > c.done {
			c.done = n
			out(ready[n])
		}
	}
	c.done = max(c.done, to)
}

// advance gives out what has become next.
func (c *convo) advance(out give) {
	for c.met && len(c.covered) > 0 && c.covered[0].from <= c.done+1 {
		s := c.covered[0]
		c.covered = c.covered[1:]
		c.giveUpTo(s.to, c.takeHeld(s.to), out)
	}
	if len(c.covered) == 0 {
		c.covered = nil
	}
}

// skipTo settles every number below from: what this user may not see.
func (c *convo) skipTo(from uint64, out give) {
	if from == 0 || from > maxNumber || from-1 <= c.done {
		return
	}
	for n := range c.held {
		if n < from {
			c.unhold(n)
		}
	}
	c.done = from - 1
	c.head = max(c.head, c.done)
	c.trim()
	c.advance(out)
}

// trim drops covered spans that end at done or below.
func (c *convo) trim() {
	for len(c.covered) > 0 && c.covered[0].to <= c.done {
		c.covered = c.covered[1:]
	}
}

// begin sets where a conversation that was heard of begins here: everything up to done
// is not delivered, and neither is a change up to ver.
func (c *convo) begin(done, ver uint64) {
	c.met, c.done, c.ver = true, done, ver
	for n := range c.held { // pushed before we knew that it is behind us
		if n <= done {
			c.unhold(n)
		}
	}
	c.trim()
}

// gap is the first span of numbers that exist and have not come; false if there is
// none.
func (c *convo) gap() (span, bool) {
	if !c.met || c.done >= c.head {
		return span{}, false
	}
	to := c.head
	if len(c.covered) > 0 {
		to = c.covered[0].from - 1
	}
	return span{c.done + 1, to}, true
}

// change takes change number ver; c is nil if it is not for this user. It answers
// whether ch is to be given to the application.
func (c *convo) change(ver uint64, ch *Change, out give) bool {
	if ver == 0 || ver > maxNumber {
		return false
	}
	if !c.met || ver != c.ver+1 {
		c.headVer = max(c.headVer, ver) // given already, or some before it are missing
		return false
	}
	c.ver = ver
	c.headVer = max(c.headVer, ver)
	return ch != nil && c.alter(ch, out)
}

// alter answers whether the application has the message that ch alters. If it has not
// been given yet, the message as it is now takes its place; one that was deleted is
// settled.
func (c *convo) alter(ch *Change, out give) bool {
	switch {
	case ch.Seq <= c.done:
		return true
	case ch.Kind == wire.ChangeDelete:
		c.unhold(ch.Seq)
		c.settle(ch.Seq, out)
		return false
	case ch.Message == nil:
		return true
	case c.covered.has(ch.Seq) && c.held[ch.Seq] == nil && ch.Kind != wire.ChangeRestore:
		return true // settled ahead of its turn: a message of this device
	case c.covered.has(ch.Seq) && c.held[ch.Seq] == nil:
		c.covered = c.covered.remove(ch.Seq) // it is there again
	}
	c.message(ch.Message, out)
	return false
}

// withdraw settles from..to, which the user has deleted for himself: what is held of it
// is not given out.
func (c *convo) withdraw(from, to uint64, out give) {
	if from = max(from, c.done+1); from > to || to > maxNumber || !c.met {
		return
	}
	for n := range c.held {
		if n >= from && n <= to {
			c.unhold(n)
		}
	}
	c.head = max(c.head, to)
	c.covered = c.covered.add(from, to)
	c.advance(out)
}

// record is the convo as it is kept: what is held only in memory is not covered there,
// and settled is. It may be called while messages are given out.
func (c *convo) record(settled ...uint64) []byte {
	covered := slices.Clone(c.covered)
	for _, n := range settled {
		covered = covered.add(n, n)
	}
	for n := range maps.Keys(c.held) {
		covered = covered.remove(n)
	}
	for n := range maps.Keys(c.giving) {
		if n > c.done {
			covered = covered.remove(n)
		}
	}
	if c.met {
		for len(covered) > 0 && covered[0].from <= c.done {
			if covered[0].to > c.done {
				covered[0].from = c.done + 1
				break
			}
			covered = covered[1:]
		}
	}
	if len(covered) > maxCovered {
		covered = covered[:maxCovered]
	}
	flags := uint64(0)
	if c.met {
		flags |= 1
	}
	if c.rebuilt {
		flags |= 2
	}
	if c.untold {
		flags |= 4
	}
	b := []byte{1}
	for _, v := range []uint64{flags, c.done, c.head, c.ver, c.headVer, uint64(len(covered))} {
		b = binary.AppendUvarint(b, v)
	}
	for _, s := range covered {
		b = binary.AppendUvarint(b, s.from)
		b = binary.AppendUvarint(b, s.to)
	}
	return b
}

var errRecord = errors.New("anser: a record of the store is damaged")

// readConvo is the reverse of record.
func readConvo(addr string, b []byte) (*convo, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errRecord
	}
	b = b[1:]
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return maxNumber + 1
		}
		b = b[n:]
		return v
	}
	c := newConvo(addr)
	flags := next()
	c.met, c.rebuilt, c.untold = flags&1 != 0, flags&2 != 0, flags&4 != 0
	c.done, c.head, c.ver, c.headVer = next(), next(), next(), next()
	count := next()
	if max(c.done, c.head, c.ver, c.headVer) > maxNumber || count > maxCovered {
		return nil, errRecord
	}
	last := c.done
	for range count {
		from, to := next(), next()
		if from <= last || to < from || to > maxNumber {
			return nil, errRecord
		}
		c.covered = c.covered.add(from, to)
		last = to
	}
	if len(b) > 0 {
		return nil, errRecord
	}
	c.advance(func(*Message) {})
	return c, nil
}
