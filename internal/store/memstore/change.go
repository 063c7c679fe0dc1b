package memstore

import (
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func (st *state) change(o *store.ChangeOp) error {
	c := st.convs[o.Conv]
	if c == nil || c.head.Kind == im.Self {
		return errNoConv()
	}
	key := idKey{o.Conv, o.By, o.ID}
	m := c.messages[o.Seq]
	if o.ID != "" {
		e, ok, err := st.find(key, changed, o.Hash)
		if err != nil {
			return err
		}
		if ok {
			st.dups++
			o.Dup, o.Ver, o.Time, o.Msg = true, im.Ver(e.seq), e.time, m
			return nil
		}
	}
	if c.moved(o.By, o.Guard) {
		return store.ErrTurnedBack
	}
	if m == nil {
		return im.Errorf(im.NotFound, "the message is gone")
	}
	if err := changeable(m, o); err != nil {
		return err
	}
	h := &c.head
	now := *m // messages that readers hold are never altered
	now.Ver = h.Ver + 1
	ch := im.Change{Ver: now.Ver, Seq: m.Seq, Kind: o.Kind, By: o.By, Device: o.Device, ID: o.ID, Time: st.millis()}
	did, err := st.alter(c, m, &now, &ch, o)
	if err != nil {
		return err
	}
	o.Time = st.millis()
	if !did {
		o.Dup, o.Ver, o.Msg = true, m.Ver, m
		return nil
	}
	h.Ver++
	h.Position = st.at()
	c.messages[m.Seq] = &now
	c.changes[h.Ver] = ch
	st.touch(2, now.Size())
	if o.ID != "" {
		st.keep(key, kept{kind: changed, hash: o.Hash, seq: im.Seq(h.Ver), time: st.millis(), conv: o.Conv})
	}
	o.Ver, o.Msg, o.Added, o.Removed = h.Ver, &now, ch.Added, ch.Removed
	return nil
}

// changeable says why m cannot be changed by o; nil if it can.
func changeable(m *im.Message, o *store.ChangeOp) error {
	switch o.Kind {
	case im.React, im.Expand, im.Pinned: // many do them at once
	default:
		if m.Ver != o.Seen {
			return store.ErrTurnedBack
		}
	}
	switch {
	case m.Deleted && o.Kind != im.Restore:
		return im.Errorf(im.NotFound, "the message was deleted")
	case m.Recalled && !m.Deleted && o.Kind != im.Delete:
		return im.Errorf(im.NotFound, "the message was recalled")
	}
	return nil
}

// alter makes now, a copy of m, what it is to be and adds to ch what it says about it;
// false if that is what m is already. With an error nothing was altered.
func (st *state) alter(c *conv, m, now *im.Message, ch *im.Change, o *store.ChangeOp) (did bool, err error) {
	switch o.Kind {
	case im.Edit:
		st.edit(c, m, now, o)
	case im.Recall:
		st.recall(c, m)
		now.Body, now.Digest, now.Push, now.Mentions, now.Origin = nil, "", "", nil, nil
		now.Reactions, now.Expansion, now.Pin = nil, nil, nil
		now.Recalled, now.RecallBy, now.Silent = true, o.By, o.Silent
	case im.React:
		ch.Added, ch.Removed, err = st.react(c, now, o)
		return len(ch.Added)+len(ch.Removed) > 0, err
	case im.Expand:
		return expand(now, o)
	case im.Pinned:
		return st.pin(c, now, o)
	case im.Delete:
		st.remove(c, m, now)
	case im.Restore:
		if !m.Deleted {
			return false, nil
		}
		if !st.restore(c, now) {
			return false, im.Errorf(im.NotFound, "the message was deleted for good")
		}
	case im.Burn:
		if c.burning[m.Seq] {
			delete(c.burning, m.Seq)
			st.touch(1, 16)
		}
		if o.Expires == 0 || m.Expires != 0 && m.Expires <= o.Expires {
			return false, nil
		}
		now.Expires = o.Expires
	}
	return true, nil
}

// edit makes now of what m was, and keeps what it said.
func (st *state) edit(c *conv, m, now *im.Message, o *store.ChangeOp) {
	st.keepFormer(c, m, now.Ver, 0)
	now.Body, now.Digest, now.Edited = o.Body, o.Digest, st.millis()
	if o.Mentions == nil {
		return
	}
	now.Mentions = o.Mentions
	if m.Mentions != nil && m.Mentions.All && !o.Mentions.All {
		c.withdrawAll(m.Seq)
	}
	st.remention(c, m, now)
}

// recall takes back all that m said and did, but for its place among replies and in
// its thread.
func (st *state) recall(c *conv, m *im.Message) {
	st.mention(c, m, false)
	st.direct(c, m, false)
	c.withdraw(m.Seq)
	delete(c.formers, m.Seq)
	delete(c.reacted, m.Seq)
	delete(c.burning, m.Seq)
}

// remention gives new names their rows and takes those of dropped ones. Who is named
// as before keeps what he has: if he has read it, it does not come back.
func (st *state) remention(c *conv, old, now *im.Message) {
	var before []im.UserID
	if old.Mentions != nil {
		before = old.Mentions.Users
	}
	var added, dropped im.Mentions
	for _, u := range now.Mentions.Users {
		if !slices.Contains(before, u) {
			added.Users = append(added.Users, u)
		}
	}
	for _, u := range before {
		if !slices.Contains(now.Mentions.Users, u) {
			dropped.Users = append(dropped.Users, u)
		}
	}
	of := *now
	of.Mentions = &added
	st.mention(c, &of, true)
	of.Mentions = &dropped
	st.mention(c, &of, false)
}
