package memstore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// check refuses what no operation can be, before it is queued.
func check(op store.Op) error {
	switch o := op.(type) {
	case *store.AppendOp:
		if o.Msg == nil || o.Msg.Sender == "" || o.Conv == 0 && o.Peer == "" {
			return im.Errorf(im.Invalid, "a send needs a message, its sender, and a conversation or a peer")
		}
	case *store.MemberOp:
		if o.Conv == 0 && (o.Info == nil || o.Info.ID == "") {
			return im.Errorf(im.Invalid, "a new group needs an id")
		}
		if len(o.Set) > 500 {
			return im.Errorf(im.TooLarge, "%d members in one change; at most 500 are allowed", len(o.Set))
		}
	case *store.PutOp:
		if len(o.Records) > 500 {
			return im.Errorf(im.TooLarge, "%d records at once; at most 500 are allowed", len(o.Records))
		}
		return checkRecords(o.Records)
	case *store.ChangeOp:
		switch o.Kind {
		case im.Edit, im.Recall, im.React, im.Expand, im.Pinned, im.Delete, im.Restore, im.Burn:
		default:
			return im.Errorf(im.Invalid, "change kind %d is none that alters a message", o.Kind)
		}
	case *store.SetOp:
		if len(o.Gone) > store.MaxGone {
			return store.ErrGone()
		}
	case *store.NoteOp:
		return checkNote(o)
	case *store.KeptOp, *store.ReadOp, *store.BlockOp, *store.CursorOp:
	default:
		return im.Errorf(im.Invalid, "%T is no operation", op)
	}
	return nil
}

// apply carries op out and sets its outcome.
func (st *state) apply(op store.Op) {
	out := op.Base()
	switch o := op.(type) {
	case *store.AppendOp:
		out.Err = st.append(o)
		o.ShutLane()
	case *store.KeptOp:
		out.Err = st.kept(o)
	case *store.ChangeOp:
		out.Err = st.change(o)
	case *store.ReadOp:
		out.Err = st.read(o)
	case *store.SetOp:
		out.Err = st.set(o)
	case *store.NoteOp:
		out.Err = st.note(o)
	case *store.MemberOp:
		out.Err = st.member(o)
	case *store.BlockOp:
		st.block(o)
	case *store.PutOp:
		out.Err = st.put(o)
	case *store.CursorOp:
		k := cursorKey{o.User, o.Device, o.Conv}
		if o.Seq > st.cursors[k] {
			st.cursors[k] = o.Seq
			st.touch(1, 24)
		}
	}
	if out.Err == store.ErrTurnedBack {
		st.turned++
	}
}

func (st *state) append(o *store.AppendOp) error {
	if o.Lane != nil && o.Round <= o.Lane.Shut {
		return store.ErrTurnedBack
	}
	m := o.Msg
	c := st.convs[o.Conv]
	direct := address{pair(m.Sender, o.Peer), o.Line}
	if o.Conv == 0 {
		c = st.convs[st.directs[direct]]
	} else if c == nil || c.head.Kind == im.Self {
		return errNoConv()
	}
	if c != nil { // a retry is answered before anything is refused
		e, ok, err := st.find(idKey{c.head.Conv, m.Sender, m.ID}, sent, o.Hash)
		if err != nil {
			return err
		}
		if ok {
			st.dups++
			o.At, o.Dup, o.Seq, o.Time, o.N = c.head.Conv, true, e.seq, e.time, e.n
			return nil
		}
	}
	if o.Conv == 0 && o.Blocked != st.blocks[[2]im.UserID{o.Peer, m.Sender}] {
		return store.ErrTurnedBack
	}
	if c != nil && c.moved(m.Sender, o.Guard) {
		return store.ErrTurnedBack
	}
	if c == nil {
		if o.Line != "" && len(st.lines(m.Sender, o.Peer)) >= store.MaxLines {
			return store.ErrLines()
		}
		c = st.newDirect(direct)
		o.Made = true
	}
	st.number(c, m)
	if o.Read {
		c.moveRead(m.Sender, m.Seq)
	} else {
		st.withdrawOwn(c, m)
	}
	if m.ID != "" {
		st.keep(idKey{c.head.Conv, m.Sender, m.ID}, kept{kind: sent, hash: o.Hash, seq: m.Seq, time: m.Time, n: m.N, conv: c.head.Conv})
	}
	o.At, o.Seq, o.Time, o.N = c.head.Conv, m.Seq, m.Time, m.N
	return nil
}

func (st *state) newDirect(at address) *conv {
	c, users := st.newConv(im.Direct), at.users
	st.directs[at] = c.head.Conv
	c.head.Line = at.line
	c.head.Sides[0].User = users[0]
	c.head.Members = 1
	st.list(users[0], c)
	if users[0] != users[1] {
		c.head.Sides[1].User = users[1]
		c.head.Members = 2
		st.list(users[1], c)
	}
	st.touch(4, 64)
	return c
}

// number gives m its number and stores it as the newest of c.
func (st *state) number(c *conv, m *im.Message) {
	h := &c.head
	h.Seq++
	var o ordinal
	if m.To == nil { // a message to some members only is counted for nobody else
		o.counted = m.Flags&im.Count != 0
		o.called = m.Mentions != nil && m.Mentions.All
	}
	if o.counted {
		h.N++
	}
	if o.called {
		h.NA++
	}
	o.n, o.na = h.N, h.NA
	c.ordinals = append(c.ordinals, o)
	h.Time = max(h.Time, st.millis())
	if m.Shown() {
		h.LastShown = h.Seq
	}
	h.Position = st.at()
	m.Seq, m.N, m.NA, m.Time, m.Ver = h.Seq, h.N, h.NA, h.Time, 0
	c.messages[m.Seq] = m
	st.touch(1, m.Size())
	st.mention(c, m, true)
	st.direct(c, m, true)
	if m.Burn != 0 && h.Kind == im.Direct {
		c.burning[m.Seq] = true
		st.touch(1, 16)
	}
	if linked(m) && m.ReplyTo != 0 {
		st.touch(2, 32)
	}
	if linked(m) && m.Thread != 0 {
		st.touch(3, 48)
	}
}

func (st *state) kept(o *store.KeptOp) error {
	if o.Conv == 0 {
		o.At = st.directs[address{pair(o.Sender, o.Peer), o.Line}]
	} else if st.convs[o.Conv] != nil {
		o.At = o.Conv
	}
	if o.At == 0 {
		return nil
	}
	e, ok := st.anyKind(idKey{o.At, o.Sender, o.ID})
	if !ok {
		return nil
	}
	if e.hash != o.Hash {
		o.At = 0
		return errUsed(o.ID)
	}
	o.Found, o.Seq, o.Time, o.N = true, e.seq, e.time, e.n
	return nil
}

func (st *state) block(o *store.BlockOp) {
	k := [2]im.UserID{o.User, o.Peer}
	self := st.convs[st.selves[o.User]]
	if st.blocks[k] == o.On {
		if self != nil {
			o.At = self.head.Conv
		}
		return
	}
	kind := im.BlockAdded
	if o.On {
		st.blocks[k] = true
	} else {
		delete(st.blocks, k)
		kind = im.BlockRemoved
	}
	self = st.self(o.User)
	self.head.Ver++
	self.head.Position = st.at()
	o.Moved, o.At = true, self.head.Conv
	o.Change = im.Change{Ver: self.head.Ver, Kind: kind, By: o.User, Device: o.Device, Time: st.millis(), Peer: o.Peer}
	self.changes[o.Change.Ver] = o.Change
	for _, c := range st.lines(o.User, o.Peer) {
		c.head.MVer++
		c.head.Position = st.at()
		st.touch(1, 64)
	}
	st.touch(3, 128)
}

func (st *state) put(o *store.PutOp) error {
	if o.If != nil {
		have, ok := st.records[recordKey{o.If.Kind, o.If.User, o.If.Key}]
		if ok != (o.If.Value != nil) || ok && string(have.Value) != string(o.If.Value) {
			return errChanged()
		}
	}
	for _, r := range o.Records {
		k := recordKey{r.Kind, r.User, r.Key}
		st.touch(1, 16+len(r.User)+len(r.Key)+len(r.Value))
		if r.Value == nil {
			delete(st.records, k)
			continue
		}
		r.Value = append([]byte{}, r.Value...)
		st.records[k] = r
	}
	return nil
}
