package pebblestore

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Unsafe turns syncs off.
func (c Config) Unsafe() Config { c.unsafeNoSync = true; return c }

// Tiny makes everything small that is there in large, so that it turns over often.
func (c Config) Tiny() Config {
	c.memtable, c.checkpoint, c.filterBytes, c.members, c.recent = 64<<10, 150, 1<<10, 8, 16
	return c
}

// Mark notes how far the store has got.
func (db *DB) Mark() error { return db.writeMark(db.Position()) }

// Memtable sets the bytes of a memtable.
func (c Config) Memtable(bytes uint64) Config { c.memtable = bytes; return c }

// Still has nobody ask the disk but CheckSpace.
func (c Config) Still() Config { c.still = true; return c }

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

// Keys of the app that every store has.

func KeyMeta() []byte           { return keyMeta(nil) }
func KeyApp(name string) []byte { return keyApp(nil, name) }
func KeyMessage(c im.ConvID, seq im.Seq) []byte {
	return keyMessage(nil, 1, c, seq)
}
func KeyChange(c im.ConvID, v im.Ver) []byte                { return keyChange(nil, 1, c, v) }
func KeyRow(u im.UserID, c im.ConvID) []byte                { return keyRow(nil, 1, u, c) }
func KeyInfo(c im.ConvID) []byte                            { return keyConv(nil, 1, tagInfo, c) }
func KeyHead(c im.ConvID) []byte                            { return keyConv(nil, 1, tagHead, c) }
func KeyDirect(a, b im.UserID) []byte                       { return keyDirect(nil, 1, pair(a, b)) }
func KeyID(c im.ConvID, u im.UserID, id im.ClientID) []byte { return keyID(nil, 1, 1, c, u, id) }
func KeyCursor(u im.UserID, d im.DeviceID, c im.ConvID) []byte {
	return keyCursor(nil, 1, u, d, c)
}
func KeyRecord(k store.RecordKind, u im.UserID, key string) []byte {
	return keyRecord(nil, 1, k, u, key)
}

// CommitRows counts the `t` rows.
func (db *DB) CommitRows() int {
	n := 0
	prefix := appendTag(nil, 0, tagCommit)
	err := scan(db.peb, prefix, after(prefix), func(_, _ []byte) (bool, error) { n++; return true, nil })
	if err != nil {
		panic(err)
	}
	return n
}

// Former counts the rows of former bodies.
func (db *DB) Former() int {
	n := 0
	prefix := appendTag(nil, 1, tagFormer)
	err := scan(db.peb, prefix, after(prefix), func(_, _ []byte) (bool, error) { n++; return true, nil })
	if err != nil {
		panic(err)
	}
	return n
}

// WriterReads is how many rows the writer had to read itself.
func (db *DB) WriterReads() (n uint64) {
	if err := db.own(context.Background(), func(w *writer) bool { n = w.reads; return false }); err != nil {
		panic(err)
	}
	return n
}
