package pebblestore

import (
	"bytes"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
)

// view is a durable state of all rows. Whoever reads holds it and lets go of it.
type view struct {
	db   *DB
	snap *pebble.Snapshot
	at   im.Position
	refs atomic.Int64 // one is the database's as long as it is the newest
}

// newView takes a snapshot of what has been applied.
func (db *DB) newView(at im.Position) *view {
	v := &view{db: db, snap: db.peb.NewSnapshot(), at: at}
	v.refs.Store(1)
	db.views.Add(1)
	return v
}

// acquire holds the newest durable state; nil if the database is closed.
func (db *DB) acquire() *view {
	for {
		v := db.view.Load()
		if v == nil {
			return nil
		}
		if n := v.refs.Load(); n > 0 && v.refs.CompareAndSwap(n, n+1) {
			return v
		}
	}
}

func (v *view) release() {
	if v.refs.Add(-1) == 0 {
		v.snap.Close()
		v.db.views.Done()
	}
}

func errClosed() error { return im.Errorf(im.Unavailable, "the store is closed") }

// errRead is the error of a read that the database could not make.
func errRead(err error) error {
	return im.Wrap(im.Internal, err, "the store cannot be read; it has been logged")
}

// get reads a row that is likely to be there. What it returns is the caller's.
func get(r pebble.Reader, key []byte) ([]byte, bool, error) {
	row, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, errRead(err)
	}
	out := bytes.Clone(row)
	if out == nil {
		out = emptyRow
	}
	if err := closer.Close(); err != nil {
		return nil, false, errRead(err)
	}
	return out, true, nil
}

// finder reads rows that are likely not to be there: it asks the filters of the last
// level too, which a plain Get does not.
type finder struct {
	r    pebble.Reader
	iter *pebble.Iterator // made with the first find
}

func (f *finder) find(key []byte) ([]byte, bool, error) {
	if f.iter == nil {
		iter, err := f.r.NewIter(&pebble.IterOptions{UseL6Filters: true})
		if err != nil {
			return nil, false, errRead(err)
		}
		f.iter = iter
	}
	if !f.iter.SeekPrefixGE(key) || !same(f.iter.Key(), key) {
		if err := f.iter.Error(); err != nil {
			return nil, false, errRead(err)
		}
		return nil, false, nil
	}
	row, err := f.iter.ValueAndErr()
	if err != nil {
		return nil, false, errRead(err)
	}
	out := bytes.Clone(row)
	if out == nil {
		out = emptyRow
	}
	return out, true, nil
}

func (f *finder) close() {
	if f.iter != nil {
		f.iter.Close()
		f.iter = nil
	}
}

// scan calls f for the rows of [from, to) until it answers false. Key and row are
// valid until f returns.
func scan(r pebble.Reader, from, to []byte, f func(key, row []byte) (bool, error)) error {
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return errRead(err)
	}
	defer iter.Close()
	for ok := iter.First(); ok; ok = iter.Next() {
		row, err := iter.ValueAndErr()
		if err != nil {
			return errRead(err)
		}
		if more, err := f(iter.Key(), row); err != nil || !more {
			return err
		}
	}
	if err := iter.Error(); err != nil {
		return errRead(err)
	}
	return nil
}
