package pebblestore

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Epoch is store.Reader's. All apps of a database have one epoch: its files are
// older or newer together.
func (s *Store) Epoch() im.Epoch { return *s.db.epoch.Load() }

// Position is store.Reader's; it counts the commits of all apps.
func (s *Store) Position() im.Position { return s.db.Position() }

// RenewEpoch is store.Store's.
func (s *Store) RenewEpoch(ctx context.Context) (im.Epoch, error) {
	e := im.NewEpoch()
	err := s.db.own(ctx, func(w *writer) bool {
		w.meta.epoch, w.newMeta = e, true
		w.b.epoch = &e
		return true
	})
	if err != nil {
		return im.Epoch{}, err
	}
	return e, nil
}

// own has the writer do f and waits until it is durable.
func (db *DB) own(ctx context.Context, f func(*writer) bool) error {
	done := make(chan struct{})
	if err := db.submitOwn(item{own: f, done: func() { close(done) }}); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the store did not get to it in time; it may still do it")
	}
}

// Delivered is store.Store's.
func (s *Store) Delivered(id im.ConvID, u im.UserID, seq im.Seq) bool {
	c := s.conv(id)
	h := c.durable()
	if h == nil || h.Kind != im.Direct || seq > h.Seq || u == "" || s.db.view.Load() == nil {
		return false
	}
	for i := range h.Sides {
		if h.Sides[i].User != u {
			continue
		}
		for {
			was := c.delivered[i].Load()
			if uint64(seq) <= was {
				return false
			}
			if c.delivered[i].CompareAndSwap(was, uint64(seq)) {
				break
			}
		}
		db := s.db
		db.deliveredMu.Lock()
		if !c.queued {
			c.queued = true
			db.deliveries = append(db.deliveries, c)
		}
		db.deliveredMu.Unlock()
		return true
	}
	return false
}

// Head is store.Reader's.
func (s *Store) Head(id im.ConvID) (store.Head, bool) {
	c := s.conv(id)
	h := c.durable()
	if h == nil {
		return store.Head{}, false
	}
	return c.show(h), true
}

// find reads the conversation under an address. One whose head readers do not know
// yet is not there yet.
func (s *Store) find(key []byte) (im.ConvID, bool, error) {
	v := s.db.acquire()
	if v == nil {
		return 0, false, errClosed()
	}
	defer v.release()
	f := finder{r: v.snap}
	defer f.close()
	row, ok, err := f.find(key)
	if err != nil || !ok {
		return 0, false, err
	}
	n, err := decodeNumber(key, row, "number of a conversation")
	if err != nil || s.conv(im.ConvID(n)).durable() == nil {
		return 0, false, err
	}
	return im.ConvID(n), true, nil
}

// Direct is store.Reader's.
func (s *Store) Direct(a, b im.UserID, line string) (im.ConvID, bool, error) {
	return s.find(keyLine(nil, s.app, pair(a, b), line))
}

// Group is store.Reader's.
func (s *Store) Group(id im.GroupID) (im.ConvID, bool, error) {
	return s.find(keyGroup(nil, s.app, id))
}

// Self is store.Reader's.
func (s *Store) Self(u im.UserID) (im.ConvID, bool, error) {
	return s.find(keySelf(nil, s.app, u))
}

// Info is store.Reader's.
func (s *Store) Info(id im.ConvID) (im.GroupInfo, bool, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return im.GroupInfo{}, false, errClosed()
	}
	defer v.release()
	if h == nil || h.Group == "" {
		return im.GroupInfo{}, false, nil
	}
	key := keyConv(nil, s.app, tagInfo, id)
	row, ok, err := get(v.snap, key)
	if err == nil && !ok {
		err = errRow(key, "description of a group")
	}
	if err != nil {
		return im.GroupInfo{}, false, err
	}
	info, err := decodeInfo(key, h.Group, row)
	return info, err == nil, err
}

// rowIn reads u's row in c, whose head h was loaded before v was acquired; false if he
// never had one.
func (s *Store) rowIn(v *view, c *conv, h *store.Head, shown cursor, u im.UserID) (store.Row, bool, error) {
	if h == nil {
		return store.Row{}, false, nil
	}
	if h.Kind == im.Direct {
		r := directRow(h, u)
		if side := h.Side(u); side == nil || !side.Own {
			return r, r.In(), nil
		}
		key := keyRow(nil, s.app, u, c.id)
		row, ok, err := get(v.snap, key)
		if err != nil || !ok {
			return r, r.In(), err
		}
		own, _, err := decodeRow(key, c.id, u, row)
		return withOwn(r, &own), err == nil, err
	}
	f := finder{r: v.snap}
	defer f.close()
	key := keyRow(nil, s.app, u, c.id)
	row, ok, err := f.find(key)
	if err != nil || !ok {
		return store.Row{}, false, err
	}
	r, _, err := decodeRow(key, c.id, u, row)
	if err != nil {
		return store.Row{}, false, err
	}
	return shown.over(r), true, nil
}

// over is r with the cursor where it stands above that of the row.
func (k cursor) over(r store.Row) store.Row {
	if k.read > r.Read {
		r.Read, r.ReadN, r.ReadNA = k.read, k.n, k.na
	}
	r.Trim()
	return r
}

// Row is store.Reader's.
func (s *Store) Row(id im.ConvID, u im.UserID) (store.Row, bool, error) {
	c := s.conv(id)
	h := c.durable()
	var shown cursor
	if h != nil {
		shown = c.shown(u)
	}
	v := s.db.acquire()
	if v == nil {
		return store.Row{}, false, errClosed()
	}
	defer v.release()
	return s.rowIn(v, c, h, shown, u)
}

// Rows is store.Reader's.
func (s *Store) Rows(u im.UserID, above im.ConvID, limit int) ([]store.Row, error) {
	var rows []store.Row
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if limit <= 0 {
		return nil, nil
	}
	prefix := keyRows(nil, s.app, u)
	err := scan(v.snap, appendNum(append([]byte(nil), prefix...), uint64(above)+1), after(prefix), func(key, row []byte) (bool, error) {
		n, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, "row of a user")
		}
		r, direct, err := decodeRow(key, im.ConvID(n), u, row)
		if err != nil {
			return false, err
		}
		c := s.conv(im.ConvID(n))
		h := c.durable()
		if h == nil {
			return true, nil // made a moment ago: not there yet
		}
		if direct {
			mine := directRow(h, u)
			if !mine.In() {
				return false, errRow(key, "row of one of the two")
			}
			r = withOwn(mine, &r)
		} else {
			r = c.shown(u).over(r)
		}
		rows = append(rows, r)
		return len(rows) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Members is store.Reader's.
func (s *Store) Members(id im.ConvID, above im.UserID, limit int) ([]store.Row, error) {
	h := s.conv(id).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if h == nil || limit <= 0 {
		return nil, nil
	}
	var rows []store.Row
	if h.Kind == im.Direct {
		for i := range h.Sides {
			if u := h.Sides[i].User; u != "" && u > above && len(rows) < limit {
				rows = append(rows, directRow(h, u))
			}
		}
		return rows, nil
	}
	prefix := keyConv(nil, s.app, tagMember, id)
	from := append(append([]byte(nil), prefix...), above...)
	if above != "" {
		from = append(from, 0)
	}
	err := scan(v.snap, from, after(prefix), func(key, row []byte) (bool, error) {
		r, err := decodeMember(key, id, im.UserID(key[len(prefix):]), row)
		if err != nil {
			return false, err
		}
		rows = append(rows, r)
		return len(rows) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Mentions is store.Reader's.
func (s *Store) Mentions(u im.UserID, id im.ConvID, above im.Seq, limit int) ([]im.Seq, error) {
	c := s.conv(id)
	h := c.durable()
	var shown cursor
	if h != nil {
		shown = c.shown(u)
	}
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	r, ok, err := s.rowIn(v, c, h, shown, u)
	if err != nil || !ok || !r.In() || limit <= 0 {
		return nil, err
	}
	var seqs []im.Seq
	prefix := keyMentions(nil, s.app, u, id)
	from := appendNum(append([]byte(nil), prefix...), uint64(max(above, r.Read))+1)
	err = scan(v.snap, from, after(prefix), func(key, _ []byte) (bool, error) {
		seq, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, "mention")
		}
		if im.Seq(seq) > h.Seq {
			return false, nil
		}
		if !r.Hides(im.Seq(seq)) {
			seqs = append(seqs, im.Seq(seq))
		}
		return len(seqs) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return seqs, nil
}

// CountMentions is store.Reader's.
func (s *Store) CountMentions(u im.UserID, id im.ConvID) (int, error) {
	seqs, err := s.Mentions(u, id, 0, 100)
	return len(seqs), err
}

// Blocked is store.Reader's.
func (s *Store) Blocked(u, peer im.UserID) (bool, error) {
	v := s.db.acquire()
	if v == nil {
		return false, errClosed()
	}
	defer v.release()
	f := finder{r: v.snap}
	defer f.close()
	_, ok, err := f.find(keyBlock(nil, s.app, u, peer))
	return ok, err
}

// Blocks is store.Reader's.
func (s *Store) Blocks(u im.UserID, above im.UserID, limit int) ([]im.UserID, error) {
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if limit <= 0 {
		return nil, nil
	}
	var out []im.UserID
	prefix := appendString(appendTag(nil, s.app, tagBlock), u)
	from := append(append([]byte(nil), prefix...), above...)
	if above != "" {
		from = append(from, 0)
	}
	err := scan(v.snap, from, after(prefix), func(key, _ []byte) (bool, error) {
		out = append(out, im.UserID(key[len(prefix):]))
		return len(out) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Get is store.Reader's.
func (s *Store) Get(k store.RecordKind, u im.UserID, name string) ([]byte, bool, error) {
	v := s.db.acquire()
	if v == nil {
		return nil, false, errClosed()
	}
	defer v.release()
	f := finder{r: v.snap}
	defer f.close()
	key := keyRecord(nil, s.app, k, u, name)
	row, ok, err := f.find(key)
	if err != nil || !ok {
		return nil, false, err
	}
	value, _, _, err := decodeRecord(key, row)
	return value, err == nil, err
}

// List is store.Reader's.
func (s *Store) List(k store.RecordKind, u im.UserID, above string, limit int) ([]store.Record, error) {
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if limit <= 0 {
		return nil, nil
	}
	var out []store.Record
	prefix := keyRecords(nil, s.app, k, u)
	from := append(append(append([]byte(nil), prefix...), above...), 0) // the key "" is not above ""
	err := scan(v.snap, from, after(prefix), func(key, row []byte) (bool, error) {
		value, expires, due, err := decodeRecord(key, row)
		if err != nil {
			return false, err
		}
		out = append(out, store.Record{Kind: k, User: u, Key: string(key[len(prefix):]), Value: value, Expires: expires, Due: due})
		return len(out) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Cursor is store.Reader's.
func (s *Store) Cursor(u im.UserID, d im.DeviceID, id im.ConvID) (im.Seq, error) {
	v := s.db.acquire()
	if v == nil {
		return 0, errClosed()
	}
	defer v.release()
	f := finder{r: v.snap}
	defer f.close()
	key := keyCursor(nil, s.app, u, d, id)
	row, ok, err := f.find(key)
	if err != nil || !ok {
		return 0, err
	}
	n, err := decodeNumber(key, row, "number of a message")
	return im.Seq(n), err
}
