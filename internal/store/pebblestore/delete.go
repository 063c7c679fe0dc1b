package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
)

// delete writes that a message is deleted for all: what it said is put away until it is
// restored, or swept.
func (w *writer) delete(c *conv, a *alteration) {
	m := a.was
	w.k = keyFormer(w.k[:0], c.app.app, c.id, m.Seq, a.now.Ver)
	w.v = appendFormer(w.v[:0], &former{said: m.Edited, deleted: w.millis(), digest: m.Digest, push: m.Push, mentions: m.Mentions, body: m.Body})
	w.put()
	w.k, w.v = keyExpiry(w.k[:0], c.app.app, expiryDeleted, w.millis(), c.id, m.Seq), w.v[:0]
	w.set()
	if m.Mentions != nil {
		w.mention(c, m.Message, m.Mentions.Users, false)
	}
	w.direct(c, m.Message, false)
	withdraw(c.now, m)
	w.burning(c, m.Message, false)
	if m.Pin != nil {
		w.pinned(c, m.Seq, &a.ties, false)
	}
	w.untie(c, m.Message, &a.ties)
}

// restore plans that a deleted message is there again. Its newest former is that of its
// last change.
func (w *writer) restore(h *hint, c *conv, a *alteration) error {
	now := a.now.Message
	key := keyFormer(nil, c.app.app, c.id, now.Seq, a.was.Ver)
	row, err := w.row(h, key)
	if err != nil {
		return err
	}
	if row == nil {
		return im.Errorf(im.NotFound, "the message was deleted for good")
	}
	if a.former, err = decodeFormer(key, append([]byte(nil), row...)); err != nil {
		return err
	}
	f := &a.former
	now.Body, now.Digest, now.Push, now.Mentions = f.body, f.digest, f.push, f.mentions
	now.Deleted = false
	return w.readTies(h, c, now, &a.ties, true)
}

// restored undoes what delete wrote, but for mentions and the pin.
func (w *writer) restored(c *conv, a *alteration) {
	m := a.now
	w.k = keyFormer(w.k[:0], c.app.app, c.id, m.Seq, a.was.Ver)
	w.remove()
	w.k = keyExpiry(w.k[:0], c.app.app, expiryDeleted, a.former.deleted, c.id, m.Seq)
	w.batch().Delete(w.k, nil)
	w.tie(c, m.Message, &a.ties)
	if m.Recalled { // stays without its count
		return
	}
	if m.counted() {
		c.now.Withdrawn = takeRange(c.now.Withdrawn, m.N, maxWithdrawn)
	}
	if m.called && m.Mentions != nil && m.Mentions.All {
		c.now.WithdrawA = takeRange(c.now.WithdrawA, m.NA, maxWithdrawA)
	}
	w.burning(c, m.Message, true)
	w.direct(c, m.Message, true)
}

// Formers is store.Reader's.
func (s *Store) Formers(id im.ConvID, seq im.Seq, above im.Ver, limit int) ([]im.Former, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if h == nil || limit <= 0 {
		return nil, nil
	}
	var out []im.Former
	prefix := keyFormers(nil, s.app, id, seq)
	err := scan(v.snap, keyFormer(nil, s.app, id, seq, above+1), after(prefix), func(key, row []byte) (bool, error) {
		ver, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, "former body")
		}
		f, err := decodeFormer(key, append([]byte(nil), row...))
		if err != nil {
			return false, err
		}
		if f.deleted == 0 {
			out = append(out, im.Former{Ver: im.Ver(ver), Time: f.said, Body: f.body, Digest: f.digest})
		}
		return len(out) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
