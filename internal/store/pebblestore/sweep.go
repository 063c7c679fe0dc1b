package pebblestore

import (
	"bytes"
	"context"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	month     = 30 * 24 * time.Hour
	sweepRows = 1500 // most rows of one of Sweep's commits
)

// Sweep is store.Store's. It reads beside the writer what is past its time, by the
// expiry entries, and has the writer remove it a piece at a time.
func (s *Store) Sweep(ctx context.Context, now time.Time, p store.SweepPolicy) (int, error) {
	if p.Commands == 0 {
		p.Commands = month
	}
	if p.Changes == 0 {
		p.Changes = month
	}
	if p.Deleted == 0 {
		p.Deleted = month
	}
	if p.KeepNewest == 0 {
		p.KeepNewest = 10_000
	}
	s.db.sweeper.Lock()
	defer s.db.sweeper.Unlock()
	gone := 0
	messages := func(what byte, before int64) func() (int, error) {
		return func() (int, error) { return s.sweepMessages(ctx, what, before, p.Moved) }
	}
	steps := []func() (int, error){
		messages(expiryMessage, now.UnixMilli()+1),
		func() (int, error) { return s.sweepRecords(ctx, now.UnixMilli()) },
	}
	if !p.Expired {
		steps = append(steps,
			messages(expiryCommand, now.Add(-p.Commands).UnixMilli()),
			messages(expiryDeleted, now.Add(-p.Deleted).UnixMilli()),
			func() (int, error) { return s.sweepChanges(ctx, now.Add(-p.Changes).UnixMilli(), p.KeepNewest) })
	}
	for _, step := range steps {
		n, err := step()
		gone += n
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}

// expired is one message that is past its time.
type expired struct {
	entry []byte // its expiry entry
	c     *conv
	seq   im.Seq
}

// sweepMessages removes the messages whose entries of kind what stand below before, and
// tells moved, if it is not nil, where some of them counted.
func (s *Store) sweepMessages(ctx context.Context, what byte, before int64, moved func(im.ConvID)) (int, error) {
	from := keyExpiries(nil, s.app, what)
	to := appendNum(bytes.Clone(from), uint64(max(before, 0)))
	gone := 0
	for {
		list, mins, h, err := s.expired(from, to, len(keyExpiries(nil, s.app, what)))
		if err != nil || len(list) == 0 {
			return gone, err
		}
		n, counted := 0, map[im.ConvID]bool{}
		var failed error
		err = s.db.own(ctx, func(w *writer) bool {
			n, failed = w.expire(h, what, list, mins, counted)
			return false
		})
		if err == nil && moved != nil {
			for conv := range counted {
				moved(conv)
			}
		}
		if err == nil {
			err = failed
		}
		if err != nil {
			return gone, err
		}
		gone += n
		from = append(list[len(list)-1].entry, 0)
	}
}

// expired reads some entries of [from, to), whose time follows prefix bytes. mins is
// where a conversation begins without the messages of the list, for those whose first
// is in it.
func (s *Store) expired(from, to []byte, prefix int) (list []expired, mins map[*conv]im.Seq, h *hint, err error) {
	v := s.db.acquire()
	if v == nil {
		return nil, nil, nil, errClosed()
	}
	defer v.release()
	h = &hint{at: v.at, rows: map[string][]byte{}}
	l := looker{s: s, v: v, h: h, f: finder{r: v.snap}}
	defer l.f.close()
	rows := 0
	err = scan(v.snap, from, to, func(key, _ []byte) (bool, error) {
		_, rest, ok := takeNum(key[prefix:])
		conv, rest, ok2 := takeNum(rest)
		seq, rest, ok3 := takeNum(rest)
		c := s.conv(im.ConvID(conv))
		if !ok || !ok2 || !ok3 || len(rest) > 0 || c == nil {
			return false, errRow(key, "expiry entry")
		}
		list = append(list, expired{bytes.Clone(key), c, im.Seq(seq)})
		mkey := keyMessage(nil, s.app, c.id, im.Seq(seq))
		row, there, err := get(v.snap, mkey)
		if err != nil {
			return false, err
		}
		rows += 8 // entry, message, burning, pin, number of pins, former bodies, reactions, head
		if there {
			m, err := decodeMessage(mkey, im.Seq(seq), row)
			if err != nil {
				return false, err
			}
			if m.Mentions != nil {
				rows += len(m.Mentions.Users)
			}
			if linked(m.Message) {
				rows += 6
			}
			rows += len(m.To)
			h.rows[string(mkey)] = row
			l.ties(c.id, m.Message, true)
		}
		return rows < sweepRows, nil
	})
	if err != nil {
		return nil, nil, nil, err
	}
	mins = map[*conv]im.Seq{}
	swept := map[*conv]map[im.Seq]bool{}
	for _, e := range list {
		if swept[e.c] == nil {
			swept[e.c] = map[im.Seq]bool{}
		}
		swept[e.c][e.seq] = true
	}
	for c, seqs := range swept {
		if h := c.durable(); h != nil && seqs[h.Min] {
			if mins[c], err = s.first(v, c, h.Min, seqs); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	return list, mins, h, nil
}

// first is the number of c's first message from min on that is not in without; the one
// after all of these if v has no other.
func (s *Store) first(v *view, c *conv, min im.Seq, without map[im.Seq]bool) (first im.Seq, err error) {
	prefix := keyConv(nil, s.app, tagMessage, c.id)
	err = scan(v.snap, keyMessage(nil, s.app, c.id, min), after(prefix), func(key, _ []byte) (bool, error) {
		seq, _, ok := takeNum(key[len(prefix):])
		if !ok {
			return false, errRow(key, "message")
		}
		if without[im.Seq(seq)] {
			return true, nil
		}
		first = im.Seq(seq)
		return false, nil
	})
	if first == 0 {
		for seq := range without {
			first = max(first, seq+1)
		}
	}
	return first, err
}

// expire removes messages and their entries and says how many messages were there. What
// was restored meanwhile stays. A message that cannot be read stays, with its entry; all
// of one is read before anything of it is written. counted is told where some counted.
func (w *writer) expire(h *hint, what byte, list []expired, mins map[*conv]im.Seq, counted map[im.ConvID]bool) (gone int, failed error) {
	for _, e := range list {
		c := e.c
		m, there, err := w.message(h, c, e.seq)
		there = there && (what != expiryDeleted || m.Deleted)
		var t ties
		if err == nil && there {
			err = w.readTies(h, c, m.Message, &t, true)
		}
		if err != nil {
			failed = err
			delete(mins, c)
			continue
		}
		w.batch().Delete(e.entry, nil)
		if !there {
			if m.Message != nil {
				delete(mins, c)
			}
			continue
		}
		gone++
		w.swept = w.at()
		if m.Flags&im.Count != 0 && !m.Recalled && !m.Deleted {
			counted[c.id] = true
		}
		w.touch(c).row = true // no number is given twice, whatever is recovered
		w.recall(c, m, &t)
		w.untie(c, m.Message, &t)
		w.k = keyMessage(w.k[:0], c.app.app, c.id, e.seq)
		w.remove()
	}
	for c, to := range mins {
		if w.touchedBy(c) != nil {
			c.now.Min = max(c.now.Min, min(to, c.now.Seq+1))
		}
	}
	return gone, failed
}

// sweepRecords removes the records that expired before a time.
func (s *Store) sweepRecords(ctx context.Context, before int64) (int, error) {
	from := keyExpiries(nil, s.app, expiryRecord)
	prefix := len(from)
	to := appendNum(bytes.Clone(from), uint64(max(before, 0)))
	gone := 0
	for {
		var entries, keys [][]byte
		v := s.db.acquire()
		if v == nil {
			return gone, errClosed()
		}
		err := scan(v.snap, from, to, func(key, _ []byte) (bool, error) {
			_, rest, ok := takeNum(key[prefix:])
			if !ok || len(rest) == 0 {
				return false, errRow(key, "expiry entry")
			}
			entries = append(entries, bytes.Clone(key))
			keys = append(keys, append(appendTag(nil, s.app, tagRecord), rest...))
			return len(keys) < sweepRows/3, nil
		})
		v.release()
		if err != nil || len(keys) == 0 {
			return gone, err
		}
		n := 0
		var failed error
		err = s.db.own(ctx, func(w *writer) bool {
			n, failed = w.expireRecords(entries, keys, before)
			return false
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return gone, err
		}
		gone += n
		from = append(entries[len(entries)-1], 0)
	}
}

func (w *writer) expireRecords(entries, keys [][]byte, before int64) (int, error) {
	gone := 0
	for i, key := range keys {
		row, err := w.row(nil, key)
		if err != nil {
			return gone, err
		}
		if row != nil {
			_, expires, _, err := decodeRecord(key, row)
			if err != nil {
				return gone, err
			}
			if expires != 0 && expires < before { // it may have been given more time
				gone++
				w.k = append(w.k[:0], key...)
				w.remove()
			}
		}
		w.batch().Delete(entries[i], nil)
	}
	return gone, nil
}

// sweepChanges removes the oldest of the change logs that hold more than keep.
func (s *Store) sweepChanges(ctx context.Context, before int64, keep int) (int, error) {
	var long []*conv
	s.db.convs.all(func(c *conv) bool {
		if h := c.durable(); c.app == s && h != nil && h.MinVer+im.Ver(keep) <= h.Ver {
			long = append(long, c)
		}
		return true
	})
	gone := 0
	for _, c := range long {
		for {
			n, err := s.trim(ctx, c, before, keep)
			gone += n
			if err != nil {
				return gone, err
			}
			if n == 0 {
				break
			}
		}
	}
	return gone, nil
}

// trim removes some changes of c from the oldest on: the log has no holes.
func (s *Store) trim(ctx context.Context, c *conv, before int64, keep int) (int, error) {
	h := c.durable()
	v := s.db.acquire()
	if v == nil {
		return 0, errClosed()
	}
	prefix := keyConv(nil, s.app, tagChange, c.id)
	var formers [][]byte
	from, to := h.MinVer, h.MinVer
	err := scan(v.snap, keyChange(nil, s.app, c.id, from), after(prefix), func(key, row []byte) (bool, error) {
		ver, _, ok := takeNum(key[len(prefix):])
		if !ok {
			return false, errRow(key, "change")
		}
		ch, err := decodeChange(key, im.Ver(ver), row)
		if err != nil {
			return false, err
		}
		if ch.Time >= before || to+im.Ver(keep) > h.Ver {
			return false, nil
		}
		to = ch.Ver + 1
		if ch.Kind == im.Edit {
			formers = append(formers, appendNum(keyFormers(nil, s.app, c.id, ch.Seq), ver))
		}
		return to-from < sweepRows, nil
	})
	v.release()
	if err != nil || to == from {
		return 0, err
	}
	n := 0
	err = s.db.own(ctx, func(w *writer) bool {
		if c.now.MinVer != from {
			return false
		}
		w.touch(c).row = true
		c.now.MinVer = to
		n = int(to - from)
		w.batch().DeleteRange(keyChange(nil, s.app, c.id, from), keyChange(nil, s.app, c.id, to), nil)
		for _, key := range formers {
			w.batch().Delete(key, nil)
		}
		return false
	})
	return n, err
}
