package pebblestore

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
)

// Business conversations of two users stand behind their plain one: its key, 00, and
// the line.

// madeLine is a business conversation that the batch under way makes.
type madeLine struct {
	users [2]im.UserID
	c     *conv
}

// lines are all direct conversations of two users, with all that was applied.
func (w *writer) lines(h *hint, s *Store, users [2]im.UserID) ([]*conv, error) {
	var out []*conv
	plain, err := w.address(h, keyDirect(nil, s.app, users))
	if err != nil {
		return nil, err
	}
	if plain != nil {
		out = append(out, plain)
	}
	err = s.scanLines(w.db.peb, users, func(key []byte, id im.ConvID) error {
		c := w.db.convs.get(id)
		if c == nil {
			return errRow(key, "number of a conversation that is there")
		}
		out = append(out, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, m := range w.madeLines { // the database does not have them yet
		if m.users == users && m.c.app == s {
			out = append(out, m.c)
		}
	}
	return out, nil
}

// scanLines calls f for the business conversations of two users.
func (s *Store) scanLines(r pebble.Reader, users [2]im.UserID, f func(key []byte, id im.ConvID) error) error {
	prefix := append(keyDirect(nil, s.app, users), 0)
	return scan(r, bytes.Clone(prefix), after(prefix), func(key, row []byte) (bool, error) {
		n, err := decodeNumber(key, row, "number of a conversation")
		if err != nil {
			return false, err
		}
		return true, f(key, im.ConvID(n))
	})
}
