package pebblestore

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// What a conversation is to one user alone.

// needsOwn says whether a send is withdrawn from what its sender has not read.
func needsOwn(o *store.AppendOp) bool {
	m := o.Msg
	return !o.Read && m.To == nil && (m.Flags&im.Count != 0 || m.Mentions != nil && m.Mentions.All)
}

// withdrawOwn takes m, which was sent for its sender without moving his cursor, out of
// his unread. k is his row.
func (w *writer) withdrawOwn(c *conv, m *im.Message, k *member) {
	if !k.in(c) {
		return
	}
	r := w.mine(c, k)
	r.Withdraw(c.now, oneIf(m.Flags&im.Count != 0, m.N), oneIf(m.Mentions != nil && m.Mentions.All, m.NA))
	k.row.Withdrawn, k.row.WithdrawA = r.Withdrawn, r.WithdrawA
	w.setOwn(c, k)
}

func oneIf(is bool, n uint64) []store.Range {
	if !is {
		return nil
	}
	return []store.Range{{From: n, To: n}}
}

func (w *writer) read(it *item, o *store.ReadOp) error {
	c := w.conv(it.s, o.Conv)
	if c == nil || c.now.Kind == im.Self {
		return errNoConv()
	}
	r, k, err := w.rowOf(it.hint, c, o.User)
	if err != nil {
		return err
	}
	if !r.In() {
		return errNoConv()
	}
	to, was := min(o.Seq, c.now.Seq), r
	if to > r.Read {
		if r.ReadN, r.ReadNA, err = w.ordinals(it.hint, c, to); err != nil {
			return err
		}
		r.Read = to
		if c.now.Kind == im.Direct {
			t := w.touch(c)
			for i := range c.now.Sides {
				if s := &c.now.Sides[i]; s.User == o.User {
					s.Read, s.ReadN, s.ReadNA = r.Read, r.ReadN, r.ReadNA
					t.did |= readAt0 << i
					break
				}
			}
		}
	}
	r.Settings.Marked = false
	r.Trim()
	if o.Moved = r.Read != was.Read || was.Settings.Marked; o.Moved {
		r.Position = w.at()
	}
	own := len(r.Directed) != len(was.Directed) || len(r.Withdrawn) != len(was.Withdrawn) || len(r.WithdrawA) != len(was.WithdrawA) || was.Settings.Marked
	switch {
	case o.Moved && c.now.Kind != im.Direct:
		k.row = r
		w.setMember(c, k)
	case own: // in a direct conversation
		k.row.Settings, k.row.Directed, k.row.Withdrawn, k.row.WithdrawA = r.Settings, r.Directed, r.Withdrawn, r.WithdrawA
		w.setOwn(c, k)
	}
	o.Row = r
	w.unmention(it.hint, c, o.User, to)
	return nil
}

// unmention removes the rows of mentions up to a number that were found before the queue.
func (w *writer) unmention(h *hint, c *conv, u im.UserID, to im.Seq) {
	if h == nil {
		return
	}
	for _, seq := range h.mentions {
		if seq <= to {
			w.k = keyMention(w.k[:0], c.app.app, u, c.id, seq)
			w.batch().Delete(w.k, nil)
		}
	}
}

func (w *writer) setSettings(it *item, o *store.SetOp) error {
	c := w.conv(it.s, o.Conv)
	if c == nil || c.now.Kind == im.Self {
		return errNoConv()
	}
	r, k, err := w.rowOf(it.hint, c, o.User)
	if err != nil {
		return err
	}
	if !r.In() {
		return errNoConv()
	}
	var failed error
	o.Moved, err = r.Set(o, c.now, func(from, to im.Seq) bool {
		hole, err := w.hole(it.hint, c, from, to)
		if err != nil {
			failed = err
		}
		return hole
	})
	if err == nil {
		err = failed
	}
	if err != nil || !o.Moved {
		o.Row = r
		if err != nil {
			o.Moved, o.Row = false, store.Row{}
		}
		return err
	}
	if k == nil { // the first of his own
		if k, err = w.member(it.hint, c, o.User); err != nil {
			return err
		}
	}
	r.Position = w.at()
	own := &k.row
	own.Settings, own.Gone, own.Directed, own.Withdrawn, own.WithdrawA = r.Settings, r.Gone, r.Directed, r.Withdrawn, r.WithdrawA
	w.setOwn(c, k)
	w.unmention(it.hint, c, o.User, c.now.Seq) // only those in Gone were looked for
	o.Row = r
	return nil
}

// settings notes what a SetOp needs: the row, what names him in what he deletes, and
// what holds something beside it.
func (l *looker) settings(o *store.SetOp) {
	s := l.s
	h := l.before
	if h == nil || h.Kind == im.Self {
		return
	}
	l.member(o.Conv, o.User)
	l.h.head = h.Seq
	prefix := keyConv(nil, s.app, tagMessage, o.Conv)
	iter, err := l.v.snap.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		l.fail = true
		return
	}
	defer iter.Close()
	seq := func(ok bool) im.Seq {
		if !ok {
			return 0
		}
		n, _, _ := takeNum(iter.Key()[len(prefix):])
		return im.Seq(n)
	}
	l.h.below, l.h.above = make(map[im.Seq]im.Seq, len(o.Gone)), make(map[im.Seq]im.Seq, len(o.Gone))
	for _, g := range o.Gone {
		g.From, g.To = max(g.From, 1), min(g.To, h.Seq)
		if g.From > g.To || l.fail {
			continue
		}
		l.h.below[g.From] = seq(iter.SeekLT(keyMessage(nil, s.app, o.Conv, g.From)))
		l.h.above[g.To] = seq(iter.SeekGE(keyMessage(nil, s.app, o.Conv, g.To+1)))
		l.h.size += 64
		l.mentionsIn(o.User, o.Conv, g)
	}
	if iter.Error() != nil {
		l.fail = true
	}
}

// mentionsIn notes what names u in a range.
func (l *looker) mentionsIn(u im.UserID, conv im.ConvID, g im.SeqRange) {
	if l.fail || len(l.h.mentions) >= mostMentions {
		return
	}
	prefix := keyMentions(nil, l.s.app, u, conv)
	from, to := appendNum(bytes.Clone(prefix), uint64(g.From)), after(appendNum(bytes.Clone(prefix), uint64(g.To)))
	err := scan(l.v.snap, from, to, func(key, _ []byte) (bool, error) {
		seq, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, "mention")
		}
		l.h.mentions = append(l.h.mentions, im.Seq(seq))
		l.h.size += 8
		return len(l.h.mentions) < mostMentions, nil
	})
	if err != nil {
		l.fail = true
	}
}

// hole says whether c holds no message from..to. What was found before the queue is
// enough unless messages were removed since.
func (w *writer) hole(h *hint, c *conv, from, to im.Seq) (bool, error) {
	if t := w.touchedBy(c); t != nil && to > t.base {
		return false, nil // sent in this commit
	}
	if h != nil && h.at >= w.swept && to <= h.head {
		if seq, found := h.below[to+1]; found {
			return seq < from, nil
		}
		if seq, found := h.above[from-1]; found {
			return seq == 0 || seq > to, nil
		}
	}
	w.reads++
	hole := true
	err := scan(w.db.peb, keyMessage(nil, c.app.app, c.id, from), keyMessage(nil, c.app.app, c.id, to+1), func([]byte, []byte) (bool, error) {
		hole = false
		return false, nil
	})
	return hole, err
}
