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
	if m.Ver != o.Seen {
		return store.ErrTurnedBack
	}
	if o.Kind == im.Edit && m.Recalled {
		return im.Errorf(im.NotFound, "the message was recalled")
	}
	h := &c.head
	h.Ver++
	h.Position = st.at()
	now := *m // messages that readers hold are never altered
	now.Ver = h.Ver
	if o.Kind == im.Edit {
		now.Body, now.Digest, now.Edited = o.Body, o.Digest, st.millis()
		if o.Mentions != nil {
			now.Mentions = o.Mentions
			if m.Mentions != nil && m.Mentions.All && !o.Mentions.All {
				c.withdrawAll(m.Seq)
			}
			st.remention(c, m, &now)
		}
	} else {
		st.mention(c, m, false)
		c.withdraw(m.Seq)
		now.Body, now.Digest, now.Push, now.Mentions = nil, "", "", nil
		now.Recalled, now.RecallBy = true, o.By
	}
	c.messages[m.Seq] = &now
	c.changes[h.Ver] = im.Change{Ver: h.Ver, Seq: m.Seq, Kind: o.Kind, By: o.By, Device: o.Device, ID: o.ID, Time: st.millis()}
	st.touch(3, now.Size()+len(m.Body))
	if o.ID != "" {
		st.keep(key, kept{kind: changed, hash: o.Hash, seq: im.Seq(h.Ver), time: st.millis(), conv: o.Conv})
	}
	o.Ver, o.Time, o.Msg = h.Ver, st.millis(), &now
	return nil
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
