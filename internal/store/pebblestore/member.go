package pebblestore

import (
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// membership makes a group or changes who is in it. It writes two rows for each user
// and a few more, so fewer than 2,000.
func (w *writer) membership(it *item, o *store.MemberOp) error {
	var c *conv
	info := im.GroupInfo{}
	if o.Conv == 0 {
		k, err := w.findID(it, 0, o.By, o.ID)
		if err != nil {
			return err
		}
		if k != nil {
			return w.madeBefore(it.s, o, k)
		}
		n, err := w.number(it.hint, keyGroup(w.k[:0], it.s.app, o.Info.ID), "number of a conversation")
		if err != nil {
			return err
		}
		if n != 0 {
			return im.Errorf(im.Conflict, "there is a group with this id already")
		}
	} else {
		c = w.conv(it.s, o.Conv)
		if c == nil || c.now.Kind == im.Direct || c.now.Kind == im.Self || c.now.Closed {
			return errNoConv()
		}
		if c.now.MVer != o.Guard {
			return store.ErrTurnedBack
		}
		for _, set := range o.Set { // all reads come before anything is written
			if _, err := w.member(it.hint, c, set.User); err != nil {
				return err
			}
		}
		if o.Info == nil {
			key := keyConv(w.k[:0], it.s.app, tagInfo, c.id)
			row, err := w.row(it.hint, key)
			if err == nil && row == nil {
				err = errRow(key, "description of a group")
			}
			if err == nil {
				info, err = decodeInfo(key, c.now.Group, row)
			}
			if err != nil {
				return err
			}
		}
	}
	if c == nil {
		c = w.newGroup(it.s, o)
	}
	w.touch(c).row = true
	h := c.now
	if o.Info != nil {
		info = *o.Info
		info.ID = h.Group
		if o.Conv != 0 {
			h.Settled = h.MVer + 1
		}
		w.k, w.v = keyConv(w.k[:0], it.s.app, tagInfo, c.id), appendInfo(w.v[:0], &info)
		w.put()
	}
	h.MVer++
	before := store.Row{From: h.Seq + 1, FromN: h.N, FromNA: h.NA}
	if info.History == im.HistoryAll {
		before = store.Row{From: 1}
	}
	o.Time = w.millis()
	if o.Msg != nil {
		w.send(c, o.Msg)
		o.Seq, o.Time = o.Msg.Seq, o.Msg.Time
	}
	for i := range o.Set {
		set := &o.Set[i]
		m := c.roster().rows[set.User]
		if m == nil { // a new group
			m = w.blank(c, c.roster(), set.User, false)
		}
		w.setRole(c, o, m, set, &before)
	}
	if h.Members == 0 && len(o.Gone) > 0 {
		h.Closed = true
	}
	w.k = keyMembership(w.k[:0], it.s.app, c.id, h.MVer)
	w.v = appendMembership(w.v[:0], o.By, w.millis(), o.Seq, o.Set)
	w.set()
	if o.Conv == 0 && o.ID != "" {
		w.keepID(it, c, 0, o.By, o.ID, kept{kind: made, hash: o.Hash, seq: o.Seq, time: o.Time, conv: c.id})
	}
	o.At, o.Group, o.MVer = c.id, h.Group, h.MVer
	return nil
}

// madeBefore answers a retry of the making of a group.
func (w *writer) madeBefore(s *Store, o *store.MemberOp, k *kept) error {
	if k.hash != o.Hash || k.kind != made {
		return errUsed(o.ID)
	}
	c := w.conv(s, k.conv)
	if c == nil {
		return im.Errorf(im.Internal, "the group that was made is not there")
	}
	w.b.dups++
	o.Dup, o.At, o.Group, o.Time, o.MVer, o.Seq = true, c.id, c.now.Group, k.time, 1, k.seq
	return nil
}

func (w *writer) newGroup(s *Store, o *store.MemberOp) *conv {
	c := w.newConv(s, im.Group)
	c.now.Group = im.GroupID(strings.Clone(string(o.Info.ID)))
	w.k, w.v = keyGroup(w.k[:0], s.app, o.Info.ID), appendUint(w.v[:0], uint64(c.id))
	w.put()
	return c
}

// setRole gives one user his role, nick and mute. before is what a newcomer begins with.
func (w *writer) setRole(c *conv, o *store.MemberOp, m *member, set *store.RoleSet, before *store.Row) {
	had := m.row.Role
	if !m.row.SetRole(set, before) {
		return
	}
	h := c.now
	if had == im.NoRole {
		h.Members++
		o.New = append(o.New, m.user)
	}
	m.row.MVer, m.row.Position = h.MVer, w.at()
	w.setMember(c, m)
	w.k = keyMember(w.k[:0], c.app.app, c.id, m.user)
	if set.Role == im.NoRole {
		h.Members--
		o.Gone = append(o.Gone, m.user)
		w.batch().Delete(w.k, nil)
		return
	}
	w.v = appendMember(w.v[:0], &m.row)
	w.set()
}
