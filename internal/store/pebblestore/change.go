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
	}
	if err := changeable(m.Message, o); err != nil {
		return err
	}
	copied := *m.Message // messages that readers hold are never altered
	a := alteration{was: m, now: stored{&copied, m.called}}
	a.now.Ver = c.now.Ver + 1
	if err := w.plan(it.hint, c, &a, o); err != nil {
		return err
	}
	o.Time = w.millis()
	if a.same {
		if o.Kind == im.Burn {
			w.burning(c, m.Message, false)
		}
		o.Dup, o.Ver, o.Msg = true, m.Ver, m.Message
		return nil
	}
	w.touch(c).row = true
	c.now.Ver++
	w.alter(c, &a, o)
	w.setMessage(c, a.now)
	w.log(c, &im.Change{Ver: a.now.Ver, Seq: m.Seq, Kind: o.Kind, By: o.By, Device: o.Device, ID: o.ID, Time: w.millis(), Added: a.added, Removed: a.removed})
	if o.ID != "" {
		w.keepID(it, c, c.id, o.By, o.ID, kept{kind: changed, hash: o.Hash, seq: im.Seq(a.now.Ver), time: w.millis()})
	}
	o.Ver, o.Msg, o.Added, o.Removed = a.now.Ver, a.now.Message, a.added, a.removed
	return nil
}

// changeable says why m cannot be changed by o; nil if it can.
func changeable(m *im.Message, o *store.ChangeOp) error {
	if o.Kind != im.React && o.Kind != im.Expand && o.Kind != im.Pinned && m.Ver != o.Seen { // many do these at once
		return store.ErrTurnedBack
	}
	switch {
	case m.Deleted && o.Kind != im.Restore:
		return im.Errorf(im.NotFound, "the message was deleted")
	case m.Recalled && !m.Deleted && o.Kind != im.Delete:
		return im.Errorf(im.NotFound, "the message was recalled")
	}
	return nil
}

// alteration is what a change does to a message.
type alteration struct {
	was, now       stored
	same           bool // it does nothing
	added, removed []string

	// what had to be read
	ties   ties
	former former // Restore
}

// plan reads all that a change needs and makes a.now of it as far as the message goes.
// It writes nothing: what can fail fails here.
func (w *writer) plan(h *hint, c *conv, a *alteration, o *store.ChangeOp) (err error) {
	now := a.now.Message
	switch o.Kind {
	case im.Edit:
		now.Body, now.Digest, now.Edited = o.Body, o.Digest, w.millis()
		if o.Mentions != nil {
			now.Mentions = o.Mentions
		}
	case im.Recall:
		now.Body, now.Digest, now.Push, now.Mentions, now.Origin = nil, "", "", nil, nil
		now.Reactions, now.Expansion, now.Pin = nil, nil, nil
		now.Recalled, now.RecallBy, now.Silent = true, o.By, o.Silent
		err = w.readTies(h, c, a.was.Message, &a.ties, false)
	case im.React:
		err = w.react(h, c, a, o)
	case im.Expand:
		a.same, err = expand(now, o)
	case im.Pinned:
		err = w.pin(h, c, a, o)
	case im.Delete:
		now.Body, now.Digest, now.Push, now.Mentions, now.Pin = nil, "", "", nil, nil
		now.Deleted = true
		err = w.readTies(h, c, a.was.Message, &a.ties, true)
	case im.Restore:
		if a.same = !now.Deleted; !a.same {
			err = w.restore(h, c, a)
		}
	case im.Burn:
		if a.same = o.Expires == 0 || now.Expires != 0 && now.Expires <= o.Expires; !a.same {
			now.Expires = o.Expires
		}
	}
	return err
}

// alter writes what a change does besides the message itself.
func (w *writer) alter(c *conv, a *alteration, o *store.ChangeOp) {
	m := a.was.Message
	switch o.Kind {
	case im.Edit:
		w.edit(c, a, o)
	case im.Recall:
		w.recall(c, a.was, &a.ties)
	case im.React:
		for _, key := range a.removed {
			w.k = keyReaction(w.k[:0], c.app.app, c.id, m.Seq, key, o.By)
			w.remove()
		}
		for _, key := range a.added {
			w.k, w.v = keyReaction(w.k[:0], c.app.app, c.id, m.Seq, key, o.By), appendUint(w.v[:0], uint64(w.millis()))
			w.put()
		}
	case im.Pinned:
		w.pinned(c, m.Seq, &a.ties, o.Pin)
	case im.Delete:
		w.delete(c, a)
	case im.Restore:
		w.restored(c, a)
	case im.Burn:
		w.burning(c, m, false)
		if m.Expires != 0 {
			w.k = keyExpiry(w.k[:0], c.app.app, expiryMessage, m.Expires, c.id, m.Seq)
			w.batch().Delete(w.k, nil)
		}
		w.k, w.v = keyExpiry(w.k[:0], c.app.app, expiryMessage, o.Expires, c.id, m.Seq), w.v[:0]
		w.set()
	}
}

// log writes a row of c's change log.
func (w *writer) log(c *conv, ch *im.Change) {
	w.k = keyChange(w.k[:0], c.app.app, c.id, ch.Ver)
	w.v = appendChange(w.v[:0], ch)
	w.set()
}

// edit keeps what the message said, and sees to whom it names.
func (w *writer) edit(c *conv, a *alteration, o *store.ChangeOp) {
	m := a.was
	w.k = keyFormer(w.k[:0], c.app.app, c.id, m.Seq, a.now.Ver)
	w.v = appendFormer(w.v[:0], &former{said: m.Edited, digest: m.Digest, body: m.Body})
	w.set()
	if o.Mentions == nil {
		return
	}
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

// recall takes back all that m said and did, but for its place among replies and in its
// thread.
func (w *writer) recall(c *conv, m stored, t *ties) {
	if m.Mentions != nil {
		w.mention(c, m.Message, m.Mentions.Users, false)
	}
	w.direct(c, m.Message, false)
	withdraw(c.now, m)
	w.burning(c, m.Message, false)
	if m.Pin != nil {
		w.pinned(c, m.Seq, t, false)
	}
	if m.Edited != 0 || m.Deleted {
		from := keyFormers(nil, c.app.app, c.id, m.Seq)
		w.batch().DeleteRange(from, after(from), nil)
	}
	if len(m.Reactions) > 0 {
		from := keyOf(nil, c.app.app, tagReaction, c.id, m.Seq)
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
	at, within := findRange(ranges, k)
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

// takeRange takes k out of ranges in a new slice; past most the oldest is dropped.
func takeRange(ranges []store.Range, k uint64, most int) []store.Range {
	at, within := findRange(ranges, k)
	if !within {
		return ranges
	}
	r := ranges[at]
	out := append(make([]store.Range, 0, len(ranges)+1), ranges[:at]...)
	if r.From < k {
		out = append(out, store.Range{From: r.From, To: k - 1})
	}
	if k < r.To {
		out = append(out, store.Range{From: k + 1, To: r.To})
	}
	out = append(out, ranges[at+1:]...)
	if len(out) > most {
		out = slices.Clone(out[len(out)-most:])
	}
	return out
}

// findRange is the place of the range that holds k, or where one would stand.
func findRange(ranges []store.Range, k uint64) (at int, within bool) {
	return slices.BinarySearchFunc(ranges, k, func(r store.Range, k uint64) int {
		switch {
		case k < r.From:
			return 1
		case k > r.To:
			return -1
		}
		return 0
	})
}
