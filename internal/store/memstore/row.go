package memstore

import (
	"cmp"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// row is u's row in c, put together of the head and his own in a direct conversation;
// nil if he never had one. It is not to be altered: own is.
func (c *conv) row(u im.UserID) *store.Row {
	if c.head.Kind != im.Direct {
		return c.rows[u]
	}
	side := c.head.Side(u)
	if side == nil {
		return nil
	}
	r := store.Row{Conv: c.head.Conv, User: u}
	if own := c.rows[u]; own != nil {
		r = *own
	}
	r.Role, r.MVer, r.From = im.Member, c.head.MVer, 1
	r.Read, r.ReadN, r.ReadNA = side.Read, side.ReadN, side.ReadNA
	r.Position = max(r.Position, c.head.Position)
	return &r
}

// shown is u's row for a reader, who may do with it what he likes.
func (c *conv) shown(u im.UserID) (store.Row, bool) {
	r := c.row(u)
	if r == nil {
		return store.Row{}, false
	}
	out := *r
	out.Settings.Tags = slices.Clone(r.Settings.Tags)
	out.Gone = slices.Clone(r.Gone)
	out.Withdrawn = slices.Clone(r.Withdrawn)
	out.WithdrawA = slices.Clone(r.WithdrawA)
	out.Directed = slices.Clone(r.Directed)
	return out, true
}

// own is the row of u, who is in c, to be altered in the commit under way. What its
// slices hold is not, since readers have them.
func (st *state) own(c *conv, u im.UserID) *store.Row {
	r := c.rows[u]
	if r == nil {
		r = &store.Row{Conv: c.head.Conv, User: u}
		c.rows[u] = r
		c.head.Side(u).Own = true
		c.head.Position = st.at()
	}
	r.Position = st.at()
	st.touch(1, 64)
	return r
}

// in says whether u is in c.
func (c *conv) in(u im.UserID) bool {
	if c.head.Kind == im.Direct {
		return c.head.Side(u) != nil
	}
	r := c.rows[u]
	return r != nil && r.In()
}

// moveRead moves u's cursor to seq and says whether it moved. What his row held for
// numbers up to there goes.
func (c *conv) moveRead(u im.UserID, seq im.Seq) bool {
	if !c.in(u) {
		return false
	}
	o := c.ordinal(seq)
	if c.head.Kind == im.Direct {
		side := c.head.Side(u)
		if seq <= side.Read {
			return false
		}
		side.Read, side.ReadN, side.ReadNA = seq, o.n, o.na
	} else {
		r := c.rows[u]
		if seq <= r.Read {
			return false
		}
		r.Read, r.ReadN, r.ReadNA = seq, o.n, o.na
	}
	for s := range c.mentions[u] {
		if s <= seq {
			delete(c.mentions[u], s)
		}
	}
	if own := c.rows[u]; own != nil && len(own.Directed)+len(own.Withdrawn)+len(own.WithdrawA) > 0 {
		*own = *c.trimmed(own)
	}
	return true
}

func (st *state) read(o *store.ReadOp) error {
	c := st.convs[o.Conv]
	if c == nil || !c.in(o.User) {
		return errNoConv()
	}
	marked := c.row(o.User).Settings.Marked
	moved := c.moveRead(o.User, min(o.Seq, c.head.Seq))
	if moved && c.head.Kind == im.Direct {
		c.head.Position = st.at()
		st.touch(1, 64)
	}
	if marked || moved && c.rows[o.User] != nil {
		st.own(c, o.User).Settings.Marked = false
	}
	o.Moved = marked || moved
	o.Row, _ = c.shown(o.User)
	return nil
}

// trimmed is own without what stands at or below its user's cursor.
func (c *conv) trimmed(own *store.Row) *store.Row {
	r := *c.row(own.User)
	r.Trim()
	out := *own
	out.Directed, out.Withdrawn, out.WithdrawA = r.Directed, r.Withdrawn, r.WithdrawA
	return &out
}

// withdrawOwn takes m, which was sent for its sender without moving his cursor, out of
// his unread.
func (st *state) withdrawOwn(c *conv, m *im.Message) {
	o := c.ordinal(m.Seq)
	if !o.counted && !o.called || !c.in(m.Sender) {
		return
	}
	own := st.own(c, m.Sender)
	r := *c.row(m.Sender)
	r.Withdraw(&c.head, rangeOf(o.counted, o.n), rangeOf(o.called, o.na))
	own.Withdrawn, own.WithdrawA = r.Withdrawn, r.WithdrawA
}

func rangeOf(is bool, n uint64) []store.Range {
	if !is {
		return nil
	}
	return []store.Range{{From: n, To: n}}
}

func (st *state) set(o *store.SetOp) error {
	c := st.convs[o.Conv]
	if c == nil || !c.in(o.User) {
		return errNoConv()
	}
	now := *c.row(o.User)
	moved, err := now.Set(o, &c.head, func(from, to im.Seq) bool {
		for s := from; s <= to; s++ {
			if c.messages[s] != nil {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	if moved {
		own := st.own(c, o.User)
		own.Settings, own.Gone, own.Directed, own.Withdrawn, own.WithdrawA = now.Settings, now.Gone, now.Directed, now.Withdrawn, now.WithdrawA
		for s := range c.mentions[o.User] {
			if own.Hides(s) {
				delete(c.mentions[o.User], s)
			}
		}
	}
	o.Moved = moved
	o.Row, _ = c.shown(o.User)
	return nil
}

// Marks is store.Reader's.
func (s *Store) Marks(id im.ConvID, after im.UserID, limit int) ([]store.Row, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	rows := c.members(after)
	slices.SortFunc(rows, func(a, b store.Row) int { return cmp.Compare(a.User, b.User) })
	rows = first(rows, limit)
	for i, r := range rows {
		rows[i] = store.Row{User: r.User, From: r.From, Read: r.Read}
	}
	return rows, nil
}

// members is the rows of who is in c, those above after, in no order.
func (c *conv) members(after im.UserID) []store.Row {
	var rows []store.Row
	for _, side := range c.head.Sides {
		if side.User != "" && side.User > after {
			r, _ := c.shown(side.User)
			rows = append(rows, r)
		}
	}
	for u, r := range c.rows {
		if c.head.Kind != im.Direct && r.In() && u > after {
			out, _ := c.shown(u)
			rows = append(rows, out)
		}
	}
	return rows
}
