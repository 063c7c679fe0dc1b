package pebblestore

import (
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func errUsed(id im.ClientID) error {
	return im.Errorf(im.Conflict, "the client id %q was used for something else in this conversation: take a new one", string(id))
}

func errNoConv() error { return im.Errorf(im.NotFound, "no such conversation") }

// apply carries an operation out and sets its outcome. What ends with an error wrote
// nothing and touched nothing: all that can fail comes first in each.
func (w *writer) apply(it *item) {
	out := it.op.Base()
	switch o := it.op.(type) {
	case *store.AppendOp:
		out.Err = w.append(it, o)
		o.ShutLane()
	case *store.KeptOp:
		out.Err = w.kept(it, o)
	case *store.ChangeOp:
		out.Err = w.change(it, o)
	case *store.ReadOp:
		out.Err = w.read(it, o)
	case *store.SetOp:
		out.Err = w.setSettings(it, o)
	case *store.NoteOp:
		out.Err = w.note(it, o)
	case *store.MemberOp:
		out.Err = w.membership(it, o)
	case *store.BlockOp:
		out.Err = w.block(it, o)
	case *store.PutOp:
		out.Err = w.putRecords(it, o)
	case *store.CursorOp:
		out.Err = w.cursor(it, o)
	}
	if out.Err == store.ErrTurnedBack {
		w.b.turned++
	}
}

func (w *writer) append(it *item, o *store.AppendOp) error {
	if o.Lane != nil && o.Round <= o.Lane.Shut {
		return store.ErrTurnedBack
	}
	m := o.Msg
	var c *conv
	if o.Conv != 0 {
		if c = w.conv(it.s, o.Conv); c == nil || c.now.Kind == im.Self {
			return errNoConv()
		}
	} else {
		var err error
		if c, err = w.address(it.hint, keyLine(w.k[:0], it.s.app, pair(m.Sender, o.Peer), o.Line)); err != nil {
			return err
		}
	}
	if c != nil { // a retry is answered before anything is refused
		k, err := w.findID(it, c.id, m.Sender, m.ID)
		if err != nil {
			return err
		}
		if k != nil {
			if k.hash != o.Hash || k.kind != sent {
				return errUsed(m.ID)
			}
			w.b.dups++
			o.At, o.Dup, o.Seq, o.Time, o.N = c.id, true, k.seq, k.time, k.n
			return nil
		}
	}
	if o.Conv == 0 {
		row, err := w.row(it.hint, keyBlock(w.k[:0], it.s.app, o.Peer, m.Sender))
		if err != nil {
			return err
		}
		if o.Blocked != (row != nil) {
			return store.ErrTurnedBack
		}
	}
	if c == nil && o.Line != "" {
		lines, err := w.lines(it.hint, it.s, pair(m.Sender, o.Peer))
		if err != nil {
			return err
		}
		if len(lines) >= store.MaxLines {
			return store.ErrLines()
		}
	}
	var reader *member // whose cursor moves, if it stands in a row
	var own *member    // of whom the message is withdrawn
	if c != nil {
		moved, err := w.moved(it.hint, c, m.Sender, o.Guard)
		if err != nil {
			return err
		}
		if moved {
			return store.ErrTurnedBack
		}
		if o.Read && c.now.Kind != im.Direct {
			if reader, err = w.member(it.hint, c, m.Sender); err != nil {
				return err
			}
		}
	}
	var t ties
	if m.ReplyTo != 0 || m.Thread != 0 {
		if err := w.readNew(it.hint, c, m, &t); err != nil {
			return err
		}
	}
	if c != nil && m.To != nil {
		if err := w.readDirected(it.hint, c, m); err != nil {
			return err
		}
	}
	if c != nil && needsOwn(o) {
		var err error
		if own, err = w.member(it.hint, c, m.Sender); err != nil {
			return err
		}
	}
	if c == nil {
		c = w.newDirect(it.s, pair(m.Sender, o.Peer), o.Line)
		it.fp = w.db.filter.fingerprint(it.s.app, c.id, m.Sender, m.ID)
		o.Made = true
		if needsOwn(o) || m.To != nil { // nothing is read: their rows hold nothing yet
			own, _ = w.member(nil, c, m.Sender)
			w.readDirected(nil, c, m)
		}
	}
	w.send(c, m)
	if m.ReplyTo != 0 || m.Thread != 0 {
		w.tie(c, m, &t)
	}
	if m.To != nil {
		w.direct(c, m, true)
	}
	if o.Read {
		w.readOwn(c, m.Sender, reader)
	} else if needsOwn(o) {
		w.withdrawOwn(c, m, own)
	}
	if m.ID != "" {
		w.keepID(it, c, c.id, m.Sender, m.ID, kept{kind: sent, hash: o.Hash, seq: m.Seq, time: m.Time, n: m.N})
	}
	o.At, o.Seq, o.Time, o.N = c.id, m.Seq, m.Time, m.N
	return nil
}

// newDirect makes the conversation of two users.
func (w *writer) newDirect(s *Store, users [2]im.UserID, line string) *conv {
	c := w.newConv(s, im.Direct)
	h := c.now
	if line != "" {
		h.Line = strings.Clone(line)
		w.madeLines = append(w.madeLines, madeLine{users, c})
	}
	w.k, w.v = keyLine(w.k[:0], s.app, users, line), appendUint(w.v[:0], uint64(c.id))
	w.put()
	for i, u := range users {
		if i == 1 && u == users[0] {
			break // notes to oneself
		}
		h.Sides[i].User = im.UserID(strings.Clone(string(u)))
		h.Members++
		w.k, w.v = keyRow(w.k[:0], s.app, u, c.id), appendDirectRow(w.v[:0])
		w.set()
	}
	return c
}

// send gives m its number and writes it as the newest of c.
func (w *writer) send(c *conv, m *im.Message) {
	t := w.touch(c)
	t.did |= didSend
	h := c.now
	h.Seq++
	st := stored{Message: m}
	if m.To == nil { // a message to some members only is counted for nobody else
		if m.Flags&im.Count != 0 {
			h.N++
		}
		if m.Mentions != nil && m.Mentions.All {
			h.NA++
			st.called = true
		}
	}
	h.Time = max(h.Time, w.millis())
	if m.Shown() {
		h.LastShown = h.Seq
	}
	m.Seq, m.N, m.NA, m.Time, m.Ver = h.Seq, h.N, h.NA, h.Time, 0
	t.fresh = append(t.fresh, st)
	app := c.app.app
	if m.Mentions != nil {
		w.mention(c, m, m.Mentions.Users, true)
	}
	w.burning(c, m, true)
	if m.Expires != 0 {
		w.k, w.v = keyExpiry(w.k[:0], app, expiryMessage, m.Expires, c.id, m.Seq), w.v[:0]
		w.set()
	}
	if m.Flags == 0 {
		w.k, w.v = keyExpiry(w.k[:0], app, expiryCommand, m.Time, c.id, m.Seq), w.v[:0]
		w.set()
	}
}

// mention writes or removes the rows of users that m names. Those who may not see m get
// none.
func (w *writer) mention(c *conv, m *im.Message, users []im.UserID, on bool) {
	for _, u := range users {
		w.k = keyMention(w.k[:0], c.app.app, u, c.id, m.Seq)
		switch {
		case !on:
			w.batch().Delete(w.k, nil)
		case m.VisibleTo(u):
			w.v = w.v[:0]
			w.set()
		}
	}
}

// readOwn moves the sender's cursor past the message he just sent. In a group that
// stands in memory, and in the `t` row, until the checkpoint.
func (w *writer) readOwn(c *conv, u im.UserID, m *member) {
	t, h := w.touch(c), c.now
	if m == nil {
		for i := range h.Sides {
			if s := &h.Sides[i]; s.User == u && u != "" {
				s.Read, s.ReadN, s.ReadNA = h.Seq, h.N, h.NA
				t.did |= readAt0 << i
				return
			}
		}
		return
	}
	if !m.there || !m.row.In() {
		return
	}
	m.row.Read, m.row.ReadN, m.row.ReadNA = h.Seq, h.N, h.NA
	if !m.dirty {
		m.dirty = true
		w.dirty.members = append(w.dirty.members, cached{c, m})
	}
	if m.batch == w.n {
		return
	}
	m.batch = w.n
	t.members = append(t.members, m)
}

func (w *writer) kept(it *item, o *store.KeptOp) error {
	var c *conv
	if o.Conv != 0 {
		c = w.conv(it.s, o.Conv)
	} else {
		var err error
		if c, err = w.address(it.hint, keyLine(w.k[:0], it.s.app, pair(o.Sender, o.Peer), o.Line)); err != nil {
			return err
		}
	}
	if c == nil {
		return nil
	}
	k, err := w.findID(it, c.id, o.Sender, o.ID)
	if err != nil {
		return err
	}
	if k != nil && k.hash != o.Hash {
		return errUsed(o.ID)
	}
	o.At = c.id
	if k != nil {
		o.Found, o.Seq, o.Time, o.N = true, k.seq, k.time, k.n
	}
	return nil
}
