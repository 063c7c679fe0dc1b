package pebblestore

import (
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func (w *writer) change(it *item, o *store.ChangeOp) error {
	c := w.conv(it.s, o.Conv)
	if c == nil || c.now.Kind == im.Self {
		return errNoConv()
	}
	m, there, err := w.message(it.hint, c, o.Seq)
	if err != nil {
		return err
	}
	k, err := w.findID(it, c.id, o.By, o.ID)
	if err != nil {
		return err
	}
	if k != nil {
		if k.hash != o.Hash || k.kind != changed {
			return errUsed(o.ID)
		}
		w.b.dups++
		o.Dup, o.Ver, o.Time = true, im.Ver(k.seq), k.time
		if there {
			o.Msg = m.Message
		}
		return nil
	}
	moved, err := w.moved(it.hint, c, o.By, o.Guard)
	switch {
	case err != nil:
		return err
	case moved:
		return store.ErrTurnedBack
	case !there:
		return im.Errorf(im.NotFound, "the message is gone")
	case m.Ver != o.Seen:
		return store.ErrTurnedBack
	case o.Kind == im.Edit && m.Recalled:
		return im.Errorf(im.NotFound, "the message was recalled")
	}
	w.touch(c).row = true
	h := c.now
	h.Ver++
	copied := *m.Message // messages that readers hold are never altered
	now := stored{&copied, m.called}
	now.Ver = h.Ver
	if o.Kind == im.Edit {
		w.edit(c, m, now, o)
	} else {
		w.recall(c, m)
		now.Body, now.Digest, now.Push, now.Mentions = nil, "", "", nil
		now.Recalled, now.RecallBy = true, o.By
	}
	w.setMessage(c, now)
	w.log(c, &im.Change{Ver: h.Ver, Seq: m.Seq, Kind: o.Kind, By: o.By, Device: o.Device, ID: o.ID, Time: w.millis()})
	if o.ID != "" {
		w.keepID(it, c, c.id, o.By, o.ID, kept{kind: changed, hash: o.Hash, seq: im.Seq(h.Ver), time: w.millis()})
	}
	o.Ver, o.Time, o.Msg = h.Ver, w.millis(), now.Message
	return nil
}

// log writes a row of c's change log.
func (w *writer) log(c *conv, ch *im.Change) {
	w.k = keyChange(w.k[:0], c.app.app, c.id, ch.Ver)
	w.v = appendChange(w.v[:0], ch)
	w.set()
}

// edit makes now of what m was, and keeps what it said.
func (w *writer) edit(c *conv, m, now stored, o *store.ChangeOp) {
	w.k = appendNum(keyFormers(w.k[:0], c.app.app, c.id, m.Seq), uint64(now.Ver))
	w.v = appendFormer(w.v[:0], m.Message)
	w.set()
	now.Body, now.Digest, now.Edited = o.Body, o.Digest, w.millis()
	if o.Mentions == nil {
		return
	}
	now.Mentions = o.Mentions
	var before []im.UserID
	if m.Mentions != nil {
		before = m.Mentions.Users
		if m.Mentions.All && !o.Mentions.All {
			withdrawAll(c.now, m)
		}
	}
	// Who is named as before keeps what he has: if he has read it, it does not come back.
	w.mention(c, m.Message, without(o.Mentions.Users, before), true)
	w.mention(c, m.Message, without(before, o.Mentions.Users), false)
}

// without is the users of list who are not in other.
func without(list, other []im.UserID) []im.UserID {
	var out []im.UserID
	for _, u := range list {
		if !slices.Contains(other, u) {
			out = append(out, u)
		}
	}
	return out
}

// recall takes back all that m said and did.
func (w *writer) recall(c *conv, m stored) {
	if m.Mentions != nil {
		w.mention(c, m.Message, m.Mentions.Users, false)
	}
	withdraw(c.now, m)
	if m.Edited != 0 {
		from := keyFormers(nil, c.app.app, c.id, m.Seq)
		w.batch().DeleteRange(from, after(from), nil)
	}
}

// withdraw takes back what m added to n and na.
func withdraw(h *store.Head, m stored) {
	if m.counted() {
		h.Withdrawn = addRange(h.Withdrawn, m.N, maxWithdrawn)
	}
	withdrawAll(h, m)
}

// withdrawAll takes back only what m added to na.
func withdrawAll(h *store.Head, m stored) {
	if m.called {
		h.WithdrawA = addRange(h.WithdrawA, m.NA, maxWithdrawA)
	}
}

// addRange adds k to ranges in a new slice, since readers hold the old one.
// Neighbours join; past most the oldest is dropped.
func addRange(ranges []store.Range, k uint64, most int) []store.Range {
	at, within := slices.BinarySearchFunc(ranges, k, func(r store.Range, k uint64) int {
		switch {
		case k < r.From:
			return 1
		case k > r.To:
			return -1
		}
		return 0
	})
	if within {
		return ranges
	}
	out := make([]store.Range, 0, len(ranges)+1)
	out = append(append(append(out, ranges[:at]...), store.Range{From: k, To: k}), ranges[at:]...)
	if at+1 < len(out) && out[at+1].From == k+1 {
		out[at].To = out[at+1].To
		out = slices.Delete(out, at+1, at+2)
	}
	if at > 0 && out[at-1].To+1 == k {
		out[at-1].To = out[at].To
		out = slices.Delete(out, at, at+1)
	}
	if len(out) > most {
		out = slices.Clone(out[len(out)-most:])
	}
	return out
}
