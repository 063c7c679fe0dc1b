package pebblestore

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

// Unsafe turns syncs off.
func (c Config) Unsafe() Config { c.unsafeNoSync = true; return c }

// Tiny makes everything small that is there in large, so that it turns over often.
func (c Config) Tiny() Config {
	c.memtable, c.checkpoint, c.filterBytes, c.members = 64<<10, 150, 1<<10, 8
	return c
}

// CheckSpace asks the disk now.
func (db *DB) CheckSpace() { db.checkSpace() }

// Dump is every key and row.
func (db *DB) Dump() []byte {
	var out []byte
	err := scan(db.peb, nil, nil, func(key, row []byte) (bool, error) {
		out = append(append(append(out, key...), '\n'), append(row, '\n')...)
		return true, nil
	})
	if err != nil {
		panic(err)
	}
	return out
}

// SkipTo makes seq the newest number of a conversation.
func (s *Store) SkipTo(id im.ConvID, seq im.Seq) {
	err := s.db.own(context.Background(), func(w *writer) bool {
		c := w.conv(s, id)
		w.touch(c).row = true
		c.now.Seq = seq
		return false
	})
	if err != nil {
		panic(err)
	}
}
