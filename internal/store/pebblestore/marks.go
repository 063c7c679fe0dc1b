package pebblestore

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Marks is store.Reader's. Members stand in one range, their cursors in the rows of each
// of them; those are in the order of users too, so one iterator finds them all, going
// forward only.
func (s *Store) Marks(id im.ConvID, above im.UserID, limit int) ([]store.Row, error) {
	c := s.conv(id)
	h := c.durable()
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
			if m := &h.Sides[i]; m.User != "" && m.User > above && len(rows) < limit {
				rows = append(rows, store.Row{User: m.User, From: 1, Read: m.Read})
			}
		}
		return rows, nil
	}
	all := appendTag(nil, s.app, tagRow)
	iter, err := v.snap.NewIter(&pebble.IterOptions{LowerBound: all, UpperBound: after(all)})
	if err != nil {
		return nil, errRead(err)
	}
	defer iter.Close()
	rows = make([]store.Row, 0, min(limit, h.Members, 1<<17))
	prefix := keyConv(nil, s.app, tagMember, id)
	from := append(bytes.Clone(prefix), above...)
	if above != "" {
		from = append(from, 0)
	}
	var key []byte
	err = scan(v.snap, from, after(prefix), func(member, _ []byte) (bool, error) {
		u := im.UserID(member[len(prefix):])
		key = keyRow(key[:0], s.app, u, id)
		if !iter.SeekGE(key) || !same(iter.Key(), key) {
			if err := iter.Error(); err != nil {
				return false, errRead(err)
			}
			return false, errRow(key, "row of a member")
		}
		row, err := iter.ValueAndErr()
		if err != nil {
			return false, errRead(err)
		}
		first, read, ok, err := decodeRead(key, row)
		if err == nil && !ok {
			err = errRow(key, "row of a member")
		}
		if err != nil {
			return false, err
		}
		rows = append(rows, store.Row{User: u, From: first, Read: max(read, c.shown(u).read)})
		return len(rows) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}
