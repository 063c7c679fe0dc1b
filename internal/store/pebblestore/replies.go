package pebblestore

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
)

// Replies and threads are counted in rows of their own (tagTally), beside the messages
// that were answered, and listed by rows that messages with ReplyTo or Thread alone
// write. What has to be read for that is read before the queue like all else: a merge
// operator of Pebble's would need no reading, but its name stands in the files, so that
// stores made without one could not be opened.

// linked says whether m has its place among replies and in its thread. What is not
// shown has none; what was recalled keeps it.
func linked(m *im.Message) bool {
	return (m.ReplyTo != 0 || m.Thread != 0) && m.Shown() && !m.Deleted
}

// ties are the rows that a message shares with others, as they are now.
type ties struct {
	pins                uint64
	reply, thread       im.Tally
	isReply, isInThread bool   // it stands there
	before              im.Seq // the newest of its thread without it, if it is that itself ...
	beforeTime          int64  // ... and its time
}

// tally is what was answered to seq.
func (w *writer) tally(h *hint, c *conv, seq im.Seq) (im.Tally, error) {
	key := keyOf(nil, c.app.app, tagTally, c.id, seq)
	row, err := w.row(h, key)
	if err != nil || row == nil {
		return im.Tally{Seq: seq}, err
	}
	return decodeTally(key, seq, row)
}

// readTies reads what m shares with others; without links only what recall needs.
func (w *writer) readTies(h *hint, c *conv, m *im.Message, t *ties, links bool) (err error) {
	if m.Pin != nil {
		if t.pins, err = w.number(h, keyConv(nil, c.app.app, tagPin, c.id), "number of pins"); err != nil {
			return err
		}
		if t.pins == 0 {
			return errRow(keyConv(nil, c.app.app, tagPin, c.id), "number of pins")
		}
	}
	if err := w.readDirected(h, c, m); err != nil || !links || !linked(m) {
		return err
	}
	app := c.app.app
	if m.ReplyTo != 0 {
		if t.reply, err = w.tally(h, c, m.ReplyTo); err != nil {
			return err
		}
		row, err := w.row(h, keyReply(nil, app, c.id, m.ReplyTo, m.Seq))
		if err != nil {
			return err
		}
		t.isReply = row != nil
	}
	if m.Thread != 0 {
		if t.thread, err = w.tally(h, c, m.Thread); err != nil {
			return err
		}
		row, err := w.row(h, keyInThread(nil, app, c.id, m.Thread, m.Seq))
		if err != nil {
			return err
		}
		t.isInThread = row != nil
		if t.isInThread && t.thread.ThreadLast == m.Seq {
			if t.before, t.beforeTime, err = w.before(c, m.Thread, m.Seq); err != nil {
				return err
			}
		}
	}
	return nil
}

// readNew is readTies for a message that has not been sent yet.
func (w *writer) readNew(h *hint, c *conv, m *im.Message, t *ties) (err error) {
	if c == nil || m.To != nil || !linked(m) {
		return nil
	}
	if m.ReplyTo != 0 {
		if t.reply, err = w.tally(h, c, m.ReplyTo); err != nil {
			return err
		}
	}
	if m.Thread != 0 {
		t.thread, err = w.tally(h, c, m.Thread)
	}
	return err
}

// tie gives m its place among replies and in its thread. What only some members may
// see is listed, but counted for nobody.
func (w *writer) tie(c *conv, m *im.Message, t *ties) {
	if !linked(m) {
		return
	}
	app := c.app.app
	if m.ReplyTo != 0 && !t.isReply {
		w.k, w.v = keyReply(w.k[:0], app, c.id, m.ReplyTo, m.Seq), w.v[:0]
		w.put()
		if m.To == nil {
			t.reply.Seq = m.ReplyTo
			t.reply.Replies++
			if m.Thread == m.ReplyTo && !t.isInThread {
				t.thread = t.reply // and is written there
			} else {
				w.setTally(c, &t.reply)
			}
		}
	}
	if m.Thread != 0 && !t.isInThread {
		counts := m.Time
		if m.To != nil {
			counts = 0
		}
		w.inThread(c, m, counts)
		w.k, w.v = keyInThread(w.k[:0], app, c.id, m.Thread, m.Seq), appendUint(w.v[:0], uint64(counts))
		w.put()
		if m.To == nil {
			last := t.thread.ThreadLast
			t.thread.Seq = m.Thread
			t.thread.Thread++
			if m.Seq > last {
				t.thread.ThreadLast, t.thread.ThreadTime = m.Seq, m.Time
				w.setLast(c, m.Thread, last, m.Seq)
			}
			w.setTally(c, &t.thread)
		}
	}
}

// untie takes m from its place among replies and in its thread.
func (w *writer) untie(c *conv, m *im.Message, t *ties) {
	app := c.app.app
	if t.isReply {
		w.k = keyReply(w.k[:0], app, c.id, m.ReplyTo, m.Seq)
		w.remove()
		if m.To == nil {
			t.reply.Replies--
			if m.Thread == m.ReplyTo && t.isInThread {
				t.thread.Replies-- // and is written there
			} else {
				w.setTally(c, &t.reply)
			}
		}
	}
	if t.isInThread {
		w.inThread(c, m, 0)
		w.k = keyInThread(w.k[:0], app, c.id, m.Thread, m.Seq)
		w.remove()
		if m.To == nil {
			t.thread.Thread--
			if t.thread.ThreadLast == m.Seq {
				t.thread.ThreadLast, t.thread.ThreadTime = t.before, t.beforeTime
				w.setLast(c, m.Thread, m.Seq, t.before)
			}
			w.setTally(c, &t.thread)
		}
	}
}

func (w *writer) setTally(c *conv, t *im.Tally) {
	w.k = keyOf(w.k[:0], c.app.app, tagTally, c.id, t.Seq)
	if t.Replies == 0 && t.Thread == 0 {
		w.remove()
		return
	}
	w.v = appendTally(w.v[:0], t)
	w.put()
}

// setLast moves the entry of a thread in the list of threads.
func (w *writer) setLast(c *conv, root, was, now im.Seq) {
	if was != 0 {
		w.k = keyOf(w.k[:0], c.app.app, tagLast, c.id, was)
		w.batch().Delete(w.k, nil)
	}
	if now != 0 {
		w.k, w.v = keyOf(w.k[:0], c.app.app, tagLast, c.id, now), appendUint(w.v[:0], uint64(root))
		w.set()
	}
}

// threadKey names a thread.
type threadKey struct {
	conv im.ConvID
	root im.Seq
}

// inThread notes that the batch under way counts m in its thread, or no longer does
// (0), for before, which cannot find that in the database yet.
func (w *writer) inThread(c *conv, m *im.Message, counts int64) {
	k := threadKey{c.id, m.Thread}
	if w.threads[k] == nil {
		if w.threads == nil {
			w.threads = map[threadKey]map[im.Seq]int64{}
		}
		w.threads[k] = map[im.Seq]int64{}
	}
	w.threads[k][m.Seq] = counts
}

// before is the newest message that counts in a thread below seq, and its time; 0 if
// there is none.
func (w *writer) before(c *conv, root, seq im.Seq) (im.Seq, int64, error) {
	fresh := w.threads[threadKey{c.id, root}]
	last, at, err := lastInThread(w.db.peb, c.app.app, c.id, root, seq, func(n im.Seq) bool {
		_, known := fresh[n]
		return known
	})
	if err != nil {
		return 0, 0, err
	}
	for n, counts := range fresh {
		if n < seq && n > last && counts != 0 {
			last, at = n, counts
		}
	}
	return last, at, nil
}

// lastInThread is the newest message below seq that counts in a thread and is not in
// without, as far as the rows say.
func lastInThread(r pebble.Reader, app uint32, conv im.ConvID, root, seq im.Seq, without func(im.Seq) bool) (im.Seq, int64, error) {
	prefix := keyOf(nil, app, tagInThread, conv, root)
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: appendNum(bytes.Clone(prefix), uint64(seq))})
	if err != nil {
		return 0, 0, errRead(err)
	}
	defer iter.Close()
	for ok := iter.Last(); ok; ok = iter.Prev() {
		n, counts, err := threadRow(iter, len(prefix))
		if err != nil {
			return 0, 0, err
		}
		if counts != 0 && !without(n) {
			return n, counts, nil
		}
	}
	if err := iter.Error(); err != nil {
		return 0, 0, errRead(err)
	}
	return 0, 0, nil
}

// threadRow reads the row of a thread's message that iter stands at.
func threadRow(iter *pebble.Iterator, prefix int) (im.Seq, int64, error) {
	n, rest, ok := takeNum(iter.Key()[prefix:])
	if !ok || len(rest) > 0 {
		return 0, 0, errRow(iter.Key(), "message of a thread")
	}
	row, err := iter.ValueAndErr()
	if err != nil {
		return 0, 0, errRead(err)
	}
	counts, err := decodeTime(iter.Key(), row, "message of a thread")
	return im.Seq(n), counts, err
}

// Replies is store.Reader's.
func (s *Store) Replies(id im.ConvID, seq, above im.Seq, limit int) ([]im.Seq, error) {
	prefix := keyOf(nil, s.app, tagReply, id, seq)
	return s.seqs(id, prefix, keyReply(nil, s.app, id, seq, above+1), maxSeq, limit, "reply")
}

// InThread is store.Reader's.
func (s *Store) InThread(id im.ConvID, root, from, to im.Seq, backward bool, limit int) ([]im.Seq, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if h == nil || limit <= 0 {
		return nil, nil
	}
	if to = min(to, h.Seq); to == 0 {
		to = h.Seq
	}
	if from > to {
		return nil, nil
	}
	prefix := keyOf(nil, s.app, tagInThread, id, root)
	iter, err := v.snap.NewIter(&pebble.IterOptions{
		LowerBound: appendNum(bytes.Clone(prefix), uint64(from)),
		UpperBound: appendNum(bytes.Clone(prefix), uint64(to)+1),
	})
	if err != nil {
		return nil, errRead(err)
	}
	defer iter.Close()
	ok, next := false, iter.Next
	if backward {
		ok, next = iter.Last(), iter.Prev
	} else {
		ok = iter.First()
	}
	var out []im.Seq
	for ; ok && len(out) < limit; ok = next() {
		seq, _, err := threadRow(iter, len(prefix))
		if err != nil {
			return nil, err
		}
		out = append(out, seq)
	}
	if err := iter.Error(); err != nil {
		return nil, errRead(err)
	}
	return out, nil
}

// mostTallies is how many Tallies lists.
const mostTallies = 1000

// Tallies is store.Reader's.
func (s *Store) Tallies(id im.ConvID, from, to im.Seq) ([]im.Tally, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if h == nil || from > to {
		return nil, nil
	}
	prefix := keyConv(nil, s.app, tagTally, id)
	end := after(prefix)
	if to < maxSeq {
		end = keyOf(nil, s.app, tagTally, id, to+1)
	}
	var out []im.Tally
	err := scan(v.snap, keyOf(nil, s.app, tagTally, id, from), end, func(key, row []byte) (bool, error) {
		seq, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, "tally")
		}
		t, err := decodeTally(key, im.Seq(seq), row)
		if err != nil {
			return false, err
		}
		out = append(out, t)
		return len(out) < mostTallies, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Threads is store.Reader's.
func (s *Store) Threads(id im.ConvID, before im.Seq, limit int) ([]im.Tally, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if h == nil || limit <= 0 {
		return nil, nil
	}
	prefix := keyConv(nil, s.app, tagLast, id)
	end := after(prefix)
	if before != 0 {
		end = keyOf(nil, s.app, tagLast, id, before)
	}
	iter, err := v.snap.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: end})
	if err != nil {
		return nil, errRead(err)
	}
	defer iter.Close()
	var out []im.Tally
	for ok := iter.Last(); ok && len(out) < limit; ok = iter.Prev() {
		row, err := iter.ValueAndErr()
		if err != nil {
			return nil, errRead(err)
		}
		root, err := decodeNumber(iter.Key(), row, "number of a thread")
		if err != nil {
			return nil, err
		}
		key := keyOf(nil, s.app, tagTally, id, im.Seq(root))
		row, there, err := get(v.snap, key)
		if err == nil && !there {
			err = errRow(key, "tally")
		}
		if err != nil {
			return nil, err
		}
		t, err := decodeTally(key, im.Seq(root), row)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	if err := iter.Error(); err != nil {
		return nil, errRead(err)
	}
	return out, nil
}
