package pebblestore

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	minFree    = 512 << 20              // bytes below which nothing is written any more, ...
	spaceEvery = 200 * time.Millisecond // how often the disk is asked, ...
	spaceBytes = 4 << 20                // ... and after so many bytes of commits
)

// watchSpace turns the store read-only before the disk is full, which the database
// would not survive, and back when there is room again.
func (db *DB) watchSpace() {
	defer db.helpers.Done()
	if db.cfg.MinFree < 0 || db.cfg.still {
		return
	}
	t := time.NewTicker(spaceEvery)
	defer t.Stop()
	for {
		select {
		case <-db.closing:
			return
		case <-t.C:
			db.checkSpace()
		case <-db.wrote:
			db.checkSpace()
		}
	}
}

// checkSpace asks the disk once. A disk that does not answer changes nothing.
func (db *DB) checkSpace() {
	if db.cfg.MinFree < 0 {
		return
	}
	use, err := db.fs.GetDiskUsage(db.cfg.Dir)
	if err != nil {
		if !errors.Is(err, vfs.ErrUnsupported) {
			db.log.Warn("the free space of the disk cannot be read", "dir", db.cfg.Dir, "err", err)
		}
		return
	}
	mark := uint64(db.cfg.MinFree)
	if mark == 0 {
		mark = min(minFree, use.TotalBytes/20) // ... or a twentieth of a small disk
	}
	was := db.readOnly.Load()
	switch {
	case !was && use.AvailBytes < mark:
		db.readOnly.Store(true)
		db.log.Error("the disk is nearly full: writes are refused", "dir", db.cfg.Dir, "free_bytes", use.AvailBytes, "mark_bytes", mark)
	case was && use.AvailBytes > mark+mark/2:
		db.readOnly.Store(false)
		db.log.Info("there is room on the disk again: writes are taken", "dir", db.cfg.Dir, "free_bytes", use.AvailBytes)
	}
}

// spent counts what the writer wrote, and has the disk asked now and then, so that a
// fast writer does not fill it between two ticks.
func (w *writer) spent(bytes uint64) {
	if w.wrote += bytes; w.wrote < spaceBytes {
		return
	}
	w.wrote = 0
	select {
	case w.db.wrote <- struct{}{}:
	default: // it will be asked anyway
	}
}
