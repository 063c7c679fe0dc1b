package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// pin plans that the message is pinned or the pin taken down.
func (w *writer) pin(h *hint, c *conv, a *alteration, o *store.ChangeOp) (err error) {
	now := a.now.Message
	if a.same = o.Pin == (now.Pin != nil); a.same {
		return nil
	}
	if a.ties.pins, err = w.number(h, keyConv(nil, c.app.app, tagPin, c.id), "number of pins"); err != nil {
		return err
	}
	if !o.Pin {
		if now.Pin = nil; a.ties.pins == 0 {
			return errRow(keyConv(nil, c.app.app, tagPin, c.id), "number of pins")
		}
		return nil
	}
	if o.Most > 0 && a.ties.pins >= uint64(o.Most) {
		return im.Errorf(im.TooLarge, "%d messages are pinned here already; at most %d are allowed", a.ties.pins, o.Most)
	}
	now.Pin = &im.Pin{By: o.By, Time: w.millis()}
	return nil
}

// pinned writes that seq is pinned, or not any more. t.pins was read.
func (w *writer) pinned(c *conv, seq im.Seq, t *ties, on bool) {
	w.k, w.v = keyOf(w.k[:0], c.app.app, tagPin, c.id, seq), w.v[:0]
	if on {
		w.set()
		t.pins++
	} else {
		w.batch().Delete(w.k, nil)
		t.pins--
	}
	w.k = keyConv(w.k[:0], c.app.app, tagPin, c.id)
	if t.pins == 0 {
		w.remove()
		return
	}
	w.v = appendUint(w.v[:0], t.pins)
	w.put()
}

// Pins is store.Reader's.
func (s *Store) Pins(id im.ConvID) ([]im.Seq, error) {
	prefix := keyConv(nil, s.app, tagPin, id)
	return s.seqs(id, prefix, keyOf(nil, s.app, tagPin, id, 1), maxSeq, 1<<30, "pin")
}

// maxSeq is above every number.
const maxSeq = im.Seq(1<<64 - 1)

// seqs are the numbers that follow prefix in keys from `from` on, to `to` or the head, at
// most limit, ascending.
func (s *Store) seqs(id im.ConvID, prefix, from []byte, to im.Seq, limit int, what string) ([]im.Seq, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if h == nil || limit <= 0 {
		return nil, nil
	}
	to = min(to, h.Seq)
	var out []im.Seq
	err := scan(v.snap, from, after(prefix), func(key, _ []byte) (bool, error) {
		seq, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, what)
		}
		if im.Seq(seq) > to {
			return false, nil
		}
		out = append(out, im.Seq(seq))
		return len(out) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
