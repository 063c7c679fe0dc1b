package pebblestore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
)

// When the end of a log is damaged, Pebble cannot tell it from an end that was never
// synced, and goes on without it. So how far the store had got is noted now and then
// in a file of its own: a store that has got less far has lost what it acknowledged,
// and is not opened. (That nothing is missing before the end, the numbers of the
// commits themselves show.)
const (
	markFile  = "MARK"
	markNew   = "MARK.new"
	markEvery = time.Second
	markText  = "anser store, position %d, check %08x\n"
)

func markLine(at im.Position) string {
	check := crc32.ChecksumIEEE(fmt.Append(nil, uint64(at)))
	return fmt.Sprintf(markText, uint64(at), check)
}

// writeMark notes at, which is durable.
func (db *DB) writeMark(at im.Position) error {
	name, fresh := db.fs.PathJoin(db.cfg.Dir, markFile), db.fs.PathJoin(db.cfg.Dir, markNew)
	f, err := db.fs.Create(fresh, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, markLine(at))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = db.fs.Rename(fresh, name)
	}
	if err == nil {
		err = syncDir(db.fs, db.cfg.Dir)
	}
	return err
}

// readMark is the noted position. there is false if none is noted; 0 if the note is
// damaged.
func (db *DB) readMark() (at im.Position, there bool, err error) {
	f, err := db.fs.Open(db.fs.PathJoin(db.cfg.Dir, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return 0, false, err
	}
	var n uint64
	var check uint32
	if got, _ := fmt.Sscanf(string(b), markText, &n, &check); got != 2 || string(b) != markLine(im.Position(n)) {
		db.log.Error("the note of how far the store had got is damaged; it is written anew", "dir", db.cfg.Dir, "file", markFile)
		return 0, true, nil
	}
	return im.Position(n), true, nil
}

// checkMark refuses a store that has got less far than it had. Without a note, which
// whoever wants to go on all the same removes, it takes a new epoch: clients may hold
// what is not there any more.
func (db *DB) checkMark(w *writer) error {
	was, there, err := db.readMark()
	if err != nil {
		return im.Wrap(im.Unavailable, err, fmt.Sprintf("the file %s in %s cannot be read: %v", markFile, db.cfg.Dir, err))
	}
	if w.position < was {
		return im.Errorf(im.Unavailable, "the store in %s is damaged: it had got to commit %d and is at %d, so what was acknowledged is missing; restore a backup, or remove the file %s there to go on with what is left",
			db.cfg.Dir, was, w.position, markFile)
	}
	if !there && !w.made {
		if err := w.renew(); err != nil {
			return err
		}
		db.log.Warn("the store does not say how far it had got: clients begin anew", "dir", db.cfg.Dir, "file", markFile, "epoch", w.meta.epoch.String())
	}
	if err := db.writeMark(w.position); err != nil { // no room, perhaps
		db.log.Warn("how far the store has got cannot be noted", "dir", db.cfg.Dir, "file", markFile, "err", err)
	}
	return nil
}

// renew gives the store a new epoch before anything runs.
func (w *writer) renew() error {
	e := im.NewEpoch()
	w.meta.epoch = e
	if err := w.db.peb.Set(keyMeta(nil), appendMeta(nil, &w.meta), pebble.Sync); err != nil {
		return im.Wrap(im.Unavailable, err, fmt.Sprintf("the store in %s cannot be written", w.db.cfg.Dir))
	}
	w.db.epoch.Store(&e)
	return nil
}

// keepMark notes how far the store has got every second, if it has got further.
func (db *DB) keepMark() {
	defer db.helpers.Done()
	t := time.NewTicker(markEvery)
	defer t.Stop()
	noted := im.Position(0)
	for {
		select {
		case <-db.closing:
			return
		case <-t.C:
		}
		if at := db.Position(); at > noted && !db.readOnly.Load() && db.failed.Load() == nil {
			if err := db.writeMark(at); err != nil {
				db.log.Warn("how far the store has got cannot be noted", "file", markFile, "err", err)
			}
			noted = at
		}
	}
}
