package client

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anser-im/anser/wire"
)

// shelf is what is kept on this device of one conversation (Options.Keep). Messages are
// replaced when they change, never altered in place, so that a copy may be given out
// without the lock. Guarded by Client.mu.
type shelf struct {
	at    map[uint64]*Message // by number
	order []uint64            // their numbers, ascending
	own   map[string]*Message // inserted by the application: by Local.ID
	told  map[uint64]*Extra   // what pages told; in memory only
}

func newShelf() *shelf {
	return &shelf{at: make(map[uint64]*Message), own: make(map[string]*Message), told: make(map[uint64]*Extra)}
}

func (c *Client) shelf(conv string) *shelf {
	s := c.kept[conv]
	if s == nil {
		s = newShelf()
		c.kept[conv] = s
	}
	return s
}

// put places m, which is new or has changed.
func (s *shelf) put(m *Message) {
	if s.at[m.Seq] == nil {
		i, _ := slices.BinarySearch(s.order, m.Seq) // nearly always at the end
		s.order = slices.Insert(s.order, i, m.Seq)
	}
	s.at[m.Seq] = m
}

// keep keeps a message that was delivered, and lets the oldest go where there are more
// than Options.Keep.
func (c *Client) keep(m *Message, b *batch) {
	if c.opt.Keep <= 0 || m.Seq == 0 || !m.Shown() {
		return
	}
	s := c.shelf(m.Conv)
	old := s.at[m.Seq]
	if old != nil && old.Ver > m.Ver {
		return
	}
	m = m.clone()
	if old != nil {
		m.Local = old.Local
		if m.mineVer < old.mineVer {
			m.Extra, m.mineVer = old.Extra, old.mineVer
		}
	}
	s.put(m)
	b.puts.Set(seqKey(keyKept, m.Conv, m.Seq), keptRecord(m))
	for len(s.order) > c.opt.Keep {
		c.unkeep(m.Conv, s.order[0], s.order[0], b)
	}
}

// keepSent keeps a message of this device, which is not sent to it again. What the
// server made of it, its digest, is not known here.
func (c *Client) keepSent(o *outcome, b *batch) {
	f, s := o.e.frame, o.sent
	if c.opt.Keep <= 0 || s.Seq == 0 {
		return
	}
	if sh := c.kept[s.Conv]; sh != nil && sh.at[s.Seq] != nil {
		return // it came as a message too
	}
	w := &wire.Message{Seq: s.Seq, N: s.N, Time: millis(s.Time), Id: s.ID, Sender: c.user, Device: c.device, Type: f.Type,
		Flags: uint32(Counted), Body: f.Body}
	if r := registered(f.Type); r != nil {
		w.Flags = uint32(r.flags)
	}
	if f.Flags != nil {
		w.Flags = *f.Flags
	}
	if p := f.Options; p != nil {
		w.Digest, w.Mentions, w.ReplyTo, w.Thread = p.Digest, p.Mentions, p.ReplyTo, p.Thread
		w.Expires, w.Push, w.To, w.BurnS = p.Expires, p.Push, p.To, p.BurnS
	}
	c.keep(messageOf(s.Conv, w), b)
}

// alterKept follows a change in what is kept.
func (c *Client) alterKept(ch *Change, conv string, b *batch) {
	if c.opt.Keep <= 0 {
		return
	}
	if ch.Kind == wire.ChangeDelete {
		c.unkeep(conv, ch.Seq, ch.Seq, b)
		return
	}
	s := c.kept[conv]
	if ch.Message == nil {
		return
	}
	if s == nil {
		if ch.Kind == wire.ChangeRestore {
			c.keep(ch.Message.clone(), b)
		}
		return
	}
	old := s.at[ch.Seq]
	if old == nil && (ch.Kind != wire.ChangeRestore || len(s.order) >= c.opt.Keep && ch.Seq < s.order[0]) {
		return // not kept, or too old to be
	}
	m := ch.Message.clone()
	if old != nil && old.Ver > m.Ver {
		m = old.clone()
	}
	var mine []string
	if old != nil {
		m.mineVer = old.mineVer
		if old.Extra != nil {
			mine = slices.Clone(old.Extra.Mine)
		}
	}
	if ch.Kind == wire.ChangeReact && ch.By == c.user && ch.Ver > m.mineVer {
		m.mineVer = ch.Ver
		for _, k := range ch.Added {
			if !slices.Contains(mine, k) {
				mine = append(mine, k)
			}
		}
		mine = slices.DeleteFunc(mine, func(k string) bool { return slices.Contains(ch.Removed, k) })
	}
	m.Extra = &Extra{Mine: slices.DeleteFunc(mine, func(k string) bool { // a recall takes all of them away
		return !slices.ContainsFunc(m.Reactions, func(r Reaction) bool { return r.Key == k })
	})}
	c.keep(m, b)
}

// tellKept takes what a page told of messages besides. What it says of this user's own
// reactions is as of the version that it has.
func (c *Client) tellKept(conv string, messages []*Message) {
	if c.opt.Keep <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.kept[conv]
	if s == nil {
		return
	}
	for _, m := range messages {
		old := s.at[m.Seq]
		if old == nil {
			continue
		}
		e := m.Extra
		if e == nil {
			e = new(Extra)
		}
		s.told[m.Seq] = e
		if m.mineVer >= old.mineVer {
			k := old.clone()
			k.Extra, k.mineVer = &Extra{Mine: e.Mine}, m.mineVer
			s.at[m.Seq] = k
		}
	}
}

// unkeep lets the messages from..to go.
func (c *Client) unkeep(conv string, from, to uint64, b *batch) {
	s := c.kept[conv]
	if s == nil {
		return
	}
	i, _ := slices.BinarySearch(s.order, from)
	j := i
	for ; j < len(s.order) && s.order[j] <= to; j++ {
		seq := s.order[j]
		b.puts.Delete(seqKey(keyKept, conv, seq))
		if m := s.at[seq]; m.Local != nil {
			b.puts.Delete(seqKey(keyLocal, conv, seq))
		}
		delete(s.at, seq)
		delete(s.told, seq)
	}
	oldest := i == 0
	s.order = slices.Delete(s.order, i, j)
	for id, m := range s.own { // what stood before the oldest goes with it
		if oldest && j > 0 && m.Local.After <= to {
			delete(s.own, id)
			b.puts.Delete(keyInserted + conv + "\x00" + id)
		}
	}
	if len(s.at) == 0 && len(s.own) == 0 {
		delete(c.kept, conv)
	}
}

// clone is a copy whose parts are m's: they are not altered.
func (m *Message) clone() *Message {
	out := *m
	return &out
}

// keptRecord is a message as it is kept: format, its protobuf, as of which change this
// user's reactions are, and these.
func keptRecord(m *Message) []byte {
	w, err := wire.Binary.MarshalBody(m.wire())
	if err != nil {
		panic(err) // it came over the wire
	}
	b := binary.AppendUvarint([]byte{1}, uint64(len(w)))
	b = append(b, w...)
	b = binary.AppendUvarint(b, m.mineVer)
	if m.Extra != nil {
		for _, k := range m.Extra.Mine {
			b = binary.AppendUvarint(b, uint64(len(k)))
			b = append(b, k...)
		}
	}
	return b
}

// readKept is the reverse of keptRecord.
func readKept(conv string, b []byte) (*Message, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errRecord
	}
	b = b[1:]
	next := func() ([]byte, bool) {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return nil, false
		}
		v := b[k : k+int(n)]
		b = b[k+int(n):]
		return v, true
	}
	v, ok := next()
	w := new(wire.Message)
	if !ok || wire.Binary.UnmarshalBody(v, w) != nil {
		return nil, errRecord
	}
	m := messageOf(conv, w)
	ver, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errRecord
	}
	m.mineVer, b = ver, b[n:]
	for len(b) > 0 {
		k, ok := next()
		if !ok {
			return nil, errRecord
		}
		if m.Extra == nil {
			m.Extra = new(Extra)
		}
		m.Extra.Mine = append(m.Extra.Mine, string(k))
	}
	return m, nil
}

// answers counts what is kept here that answers a message, by its number.
func (s *shelf) answers() map[uint64]*Extra {
	out := make(map[uint64]*Extra)
	at := func(seq uint64) *Extra {
		e := out[seq]
		if e == nil {
			e = new(Extra)
			out[seq] = e
		}
		return e
	}
	for _, seq := range s.order {
		m := s.at[seq]
		if m.Recalled {
			continue
		}
		if m.ReplyTo != 0 {
			at(m.ReplyTo).Replies++
		}
		if m.Thread != 0 {
			e := at(m.Thread)
			e.Thread++
			e.ThreadLast, e.ThreadTime = seq, m.Time
		}
	}
	return out
}

// view is m as it is given out: with what was answered to it, of which the server and
// what is kept here each know a part.
func (s *shelf) view(m *Message, answers map[uint64]*Extra) *Message {
	out := m.clone()
	e := Extra{}
	if told := s.told[m.Seq]; told != nil {
		e = *told
	}
	if e.Mine = nil; m.Extra != nil {
		e.Mine = m.Extra.Mine
	}
	if a := answers[m.Seq]; a != nil && m.Seq != 0 {
		e.Replies, e.Thread = max(e.Replies, a.Replies), max(e.Thread, a.Thread)
		if a.ThreadLast > e.ThreadLast {
			e.ThreadLast, e.ThreadTime = a.ThreadLast, a.ThreadTime
		}
	}
	if out.Extra = nil; e.Replies+e.Thread+len(e.Mine) > 0 {
		out.Extra = &e
	}
	return out
}

// list is all that is kept, in the order in which it is shown.
func (s *shelf) list() []*Message {
	out := make([]*Message, 0, len(s.order)+len(s.own))
	for _, seq := range s.order {
		out = append(out, s.at[seq])
	}
	if len(s.own) > 0 {
		out = slices.AppendSeq(out, maps.Values(s.own))
		slices.SortFunc(out, inOrder)
	}
	return out
}

// inOrder compares places in a conversation: what was inserted stands behind the message
// after which it was.
func inOrder(a, b *Message) int {
	pa, pb := a.Seq, b.Seq
	ia, ib := "", ""
	var oa, ob time.Time
	if pa == 0 {
		pa, oa, ia = a.Local.After, a.Local.Made, a.Local.ID
	}
	if pb == 0 {
		pb, ob, ib = b.Local.After, b.Local.Made, b.Local.ID
	}
	return cmp.Or(cmp.Compare(pa, pb), cmp.Compare(len(ia), 0)-cmp.Compare(len(ib), 0), oa.Compare(ob), strings.Compare(ia, ib))
}

// Kept reads what Options.Keep keeps on this device of a conversation, ascending, without
// asking the server: the newest limit (0 = 50) messages that stand before the message
// before, nil = the newest of all. What the application inserted is among them. Numbers
// between two of them that are not there are settled.
func (c *Client) Kept(conv string, before *Message, limit int) []*Message {
	if limit <= 0 {
		limit = 50
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.kept[conv]
	if s == nil {
		return nil
	}
	all := s.list()
	end := len(all)
	if before != nil && (before.Seq != 0 || before.Local != nil) {
		end, _ = slices.BinarySearchFunc(all, before, inOrder)
	}
	all = all[max(0, end-limit):end]
	answers := s.answers()
	out := make([]*Message, len(all))
	for i, m := range all {
		out[i] = s.view(m, answers)
	}
	return out
}

// KeptMessage is one message that is kept on this device; nil if it is not.
func (c *Client) KeptMessage(conv string, seq uint64) *Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.kept[conv]
	if s == nil || s.at[seq] == nil {
		return nil
	}
	return s.view(s.at[seq], s.answers())
}
