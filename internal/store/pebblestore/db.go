// Package pebblestore keeps an app's data in Pebble, on the disk of this machine. One
// database holds all apps; it has one writer, which numbers and commits for all of
// them, and a finisher, which waits for the syncs, shows what is durable to readers
// and tells whoever waited.
//
//	Submit -> queue -> writer: decides, numbers, applies -> finisher: sync, publish, Done
//
// The keys stand in keys.go, the rows in rows*.go. Open gives a DB, DB.App a
// store.Store.
package pebblestore

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Config is how a database is to behave. Only Dir has no default.
type Config struct {
	Dir        string           // where the files are; made if it is not there, with mode 0700
	FS         vfs.FS           // nil = the disk
	Clock      func() time.Time // nil = time.Now
	QueueOps   int              // operations that may wait for a commit; 0 = 65,536. Beyond it sends are refused as Busy
	QueueBytes int              // bytes of these; 0 = 64 MiB, with Small 16 MiB
	Small      bool             // less memory: a memtable of 16 MiB and a cache of 32 MiB instead of 128 and 256
	MinFree    int64            // bytes that have to be free on the disk, or nothing is written; 0 = 512 MiB or a twentieth of the disk, the lesser; negative = off
	PlainApply bool             // wait for each sync before the next batch is made, without the experimental ApplyNoSyncWait of Pebble
	Log        *slog.Logger     // nil = none

	// OnFatal is told once that a write or sync failed. Nothing is answered any more:
	// not what waits, nor, but by Unavailable, what comes. nil prints it and ends the process
	// with status 74 (EX_IOERR), so that a supervisor starts it anew.
	OnFatal func(error)

	unsafeNoSync bool   // tests only: commits are not synced
	memtable     uint64 // tests only: bytes
	checkpoint   int    // tests only: entries between checkpoints
	recent       int    // tests only: rows and client ids that the writer remembers
	filterBytes  int    // tests only: of the filter of client ids
	members      int    // tests only: rows of users in memory
	still        bool   // tests only: the free space is not watched
}

// DB is an open database. Its methods may be called by any goroutine.
type DB struct {
	cfg    Config       // fixed
	fs     vfs.FS       // fixed
	log    *slog.Logger // fixed
	peb    *pebble.DB   // fixed
	lock   *pebble.Lock // fixed
	free   chan *batch  // fixed
	finish chan *batch  // fixed

	clock           func() time.Time // fixed
	checkpointEvery int              // fixed
	mostCached      int              // fixed

	queue  queue
	convs  table
	filter *filter // fixed
	bucket atomic.Uint64

	view     atomic.Pointer[view] // nil once closed
	views    sync.WaitGroup       // views that are held
	position atomic.Uint64
	epoch    atomic.Pointer[im.Epoch]
	readOnly atomic.Bool
	failed   atomic.Pointer[error]

	health health
	stats  counters
	wrote  chan struct{} // fixed; 1 deep: wakes watchSpace

	deliveredMu     sync.Mutex
	deliveries      []*conv // guarded by deliveredMu: whose delivered numbers no commit took yet
	deliveriesSpare []*conv // guarded by deliveredMu: memory

	appsMu  sync.Mutex
	apps    map[string]*Store // guarded by appsMu
	making  map[string]bool   // guarded by appsMu: apps that are not durable yet
	lastApp uint32            // guarded by appsMu: the highest number
	sweeper sync.Mutex        // held by the Sweep under way

	written  chan struct{}  // closed when the writer has ended
	finished chan struct{}  // and the finisher
	closing  chan struct{}  // closed when helpers have to end
	helpers  sync.WaitGroup // what runs beside the two
	closed   sync.Once
	closeErr error
}

// Store is one app's part of a database.
type Store struct {
	db   *DB    // fixed
	app  uint32 // fixed
	name string // fixed
}

var _ store.Store = (*Store)(nil)

// Position is that of the newest durable commit.
func (db *DB) Position() im.Position { return im.Position(db.position.Load()) }

// conv is a conversation of s, nil if there is none.
func (s *Store) conv(id im.ConvID) *conv {
	c := s.db.convs.get(id)
	if c == nil || c.app != s {
		return nil
	}
	return c
}

// fail ends all writing: a commit or its sync failed, and what is on the disk is not
// known. It is told to OnFatal, or ends the process.
func (db *DB) fail(err error) {
	err = fmt.Errorf("pebblestore: a commit to %s failed, nothing after it is acknowledged: %w", db.cfg.Dir, err)
	if !db.failed.CompareAndSwap(nil, &err) {
		return
	}
	if db.cfg.OnFatal == nil {
		fmt.Fprintln(os.Stderr, "anser:", err)
		os.Exit(exitIO)
	}
	db.cfg.OnFatal(err)
}

// exitIO is EX_IOERR of sysexits.h.
const exitIO = 74

// Close carries out what is queued, writes what a restart would have to gather, and
// closes the files. It waits for readers to let go.
func (db *DB) Close() error {
	db.closed.Do(func() { db.closeErr = db.close() })
	return db.closeErr
}

func (db *DB) close() error {
	db.queue.mu.Lock()
	db.queue.closed = true
	db.queue.signal()
	db.queue.mu.Unlock()
	close(db.closing)
	db.helpers.Wait()
	if f := db.failed.Load(); f != nil {
		return *f // the files are left as they are: the next opening recovers them
	}
	<-db.written
	<-db.finished
	if f := db.failed.Load(); f != nil {
		return *f
	}
	db.view.Swap(nil).release()
	db.views.Wait()
	var err error
	if !db.readOnly.Load() { // the log of what is in no file yet is read three times as slowly as this takes
		err = db.peb.Flush()
	}
	if e := db.peb.Close(); err == nil {
		err = e
	}
	if err == nil && !db.readOnly.Load() {
		err = db.writeMark(db.Position())
	}
	if e := db.lock.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("pebblestore: closing %s: %w", db.cfg.Dir, err)
	}
	return nil
}
