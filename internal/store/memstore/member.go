package memstore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func (st *state) member(o *store.MemberOp) error {
	c := st.convs[o.Conv]
	key := idKey{0, o.By, o.ID}
	if o.Conv == 0 {
		if o.ID != "" {
			e, ok, err := st.find(key, made, o.Hash)
			if err != nil {
				return err
			}
			if ok {
				st.dups++
				o.Dup, o.At, o.Group, o.Time, o.MVer, o.Seq = true, e.conv, e.group, e.time, 1, e.seq
				return nil
			}
		}
		if st.groups[o.Info.ID] != 0 {
			return im.Errorf(im.Conflict, "there is a group with this id already")
		}
		c = st.newConv(im.Group)
		c.head.Group = o.Info.ID
		st.groups[o.Info.ID] = c.head.Conv
	} else {
		if c == nil || c.head.Kind == im.Direct || c.head.Kind == im.Self || c.head.Closed {
			return errNoConv()
		}
		if c.head.MVer != o.Guard {
			return store.ErrTurnedBack
		}
	}
	h := &c.head
	if o.Info != nil {
		c.info = *o.Info
		c.info.ID = h.Group
		if o.Conv != 0 {
			h.Settled = h.MVer + 1
		}
	}
	h.MVer++
	h.Position = st.at()
	before := store.Row{From: h.Seq + 1, FromN: h.N, FromNA: h.NA}
	if c.info.History == im.HistoryAll {
		before = store.Row{From: 1}
	}
	o.Time = st.millis()
	if o.Msg != nil {
		st.number(c, o.Msg)
		o.Seq, o.Time = o.Msg.Seq, o.Msg.Time
	}
	for _, set := range o.Set {
		st.setRole(c, o, set, before)
	}
	if h.Members == 0 && len(o.Gone) > 0 {
		h.Closed = true
	}
	o.At, o.Group, o.MVer = h.Conv, h.Group, h.MVer
	st.touch(2, 128)
	if o.Conv == 0 && o.ID != "" {
		st.keep(key, kept{kind: made, hash: o.Hash, seq: o.Seq, time: o.Time, conv: h.Conv, group: h.Group})
	}
	return nil
}

// setRole gives one user his role, nick and mute. before is what a newcomer begins with.
func (st *state) setRole(c *conv, o *store.MemberOp, set store.RoleSet, before store.Row) {
	r, there := c.rows[set.User]
	if !there {
		r = &store.Row{Conv: c.head.Conv, User: set.User}
	}
	had := r.Role
	if !r.SetRole(&set, &before) {
		return
	}
	switch {
	case had == im.NoRole:
		c.rows[set.User] = r
		st.list(set.User, c)
		c.head.Members++
		o.New = append(o.New, set.User)
	case set.Role == im.NoRole:
		c.head.Members--
		o.Gone = append(o.Gone, set.User)
	}
	r.MVer, r.Position = c.head.MVer, st.at()
	st.touch(2, 96)
}
