package pebblestore

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// write applies a batch. When it returns, what comes after sees the rows; they are
// durable when sync has returned.
func (db *DB) write(b *pebble.Batch) error {
	switch {
	case db.cfg.unsafeNoSync:
		return db.peb.Apply(b, pebble.NoSync)
	case db.cfg.PlainApply:
		return db.peb.Apply(b, pebble.Sync)
	}
	return db.peb.ApplyNoSyncWait(b, pebble.Sync)
}

func (db *DB) sync(b *pebble.Batch) error {
	if db.cfg.unsafeNoSync || db.cfg.PlainApply {
		return nil
	}
	return b.SyncWait()
}

// finishAll is the finisher's life: it waits for each batch's sync in their order,
// shows what is durable to readers, and then tells whoever waited.
func (db *DB) finishAll() {
	defer close(db.finished)
	for b := range db.finish {
		if b.peb != nil {
			if err := db.sync(b.peb); err != nil {
				db.fail(err)
			}
			if db.failed.Load() != nil {
				continue // never an answer after a failed sync
			}
			db.publish(b)
			b.peb.Close()
		}
		if db.failed.Load() != nil {
			continue
		}
		db.account(b)
		for i := range b.items {
			it := &b.items[i]
			switch {
			case it.op != nil:
				if done := it.op.Base().Done; done != nil {
					done()
				}
			case it.done != nil:
				it.done()
			}
		}
		b.reset()
		db.free <- b
	}
}

// publish shows a durable batch to readers. They load the other way round: position,
// heads, rows.
func (db *DB) publish(b *batch) {
	old := db.view.Swap(b.view)
	for _, n := range b.heads {
		n.c.head.Store(n.h)
	}
	for _, n := range b.cursors {
		r := n.c.members.Load()
		r.mu.Lock()
		n.m.shown = n.to
		r.mu.Unlock()
	}
	if b.epoch != nil {
		db.epoch.Store(b.epoch)
	}
	db.position.Store(uint64(b.view.at))
	old.release()
}

func (b *batch) reset() {
	clear(b.items)
	clear(b.heads)
	clear(b.cursors)
	*b = batch{items: b.items[:0], heads: b.heads[:0], cursors: b.cursors[:0]}
}

// account adds b to the counters, before anybody is told of it.
func (db *DB) account(b *batch) {
	took := time.Since(b.began)
	db.health.end(b.now)
	s := &db.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops += b.ops
	s.dups += b.dups
	s.turned += b.turned
	if b.peb == nil {
		return
	}
	s.commits++
	s.rows += b.rows
	s.bytes += b.bytes
	s.batchOps[batchClass(int(b.ops))]++
	i, sec := 0, took.Seconds()
	for i < len(commitBounds) && sec > commitBounds[i] {
		i++
	}
	s.took[i]++
}
