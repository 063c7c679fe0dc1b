package pebblestore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Open opens the database in cfg.Dir, or makes it if the directory is empty or not
// there.
//
// Errors for people to read: Unavailable if another process has the directory;
// Unsupported if what is there was written by a newer program; Invalid if it is no
// store of ours.
func Open(cfg Config) (*DB, error) {
	db := &DB{cfg: cfg, fs: cfg.FS, log: cfg.Log, clock: cfg.Clock,
		apps: map[string]*Store{}, making: map[string]bool{}, lastApp: 1, written: make(chan struct{}), finished: make(chan struct{}), closing: make(chan struct{}),
		free: make(chan *batch, inFlight), finish: make(chan *batch, inFlight), wrote: make(chan struct{}, 1)}
	if db.fs == nil {
		db.fs = vfs.Default
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.clock == nil {
		db.clock = time.Now
	}
	db.checkpointEvery = or(cfg.checkpoint, 1_000_000)
	db.mostCached = or(cfg.members, mostCached)
	db.queue = queue{mostOps: or(cfg.QueueOps, 65536), mostBytes: or(cfg.QueueBytes, 64<<20), marks: map[*store.Lane]*laneMark{}, wake: make(chan struct{}, 1)}
	if cfg.Small && cfg.QueueBytes <= 0 {
		db.queue.mostBytes = 16 << 20
	}
	if err := db.makeDir(); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(cfg.Dir, db.fs)
	if err != nil {
		return nil, im.Wrap(im.Unavailable, err, fmt.Sprintf("the directory %s is in use by another process, or cannot be locked: stop that process first, or choose another directory", cfg.Dir))
	}
	db.lock = lock
	if err := db.open(); err != nil {
		lock.Close()
		return nil, err
	}
	return db, nil
}

func or(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// makeDir makes the directory and has the disk keep that it is there.
func (db *DB) makeDir() error {
	dir := db.cfg.Dir
	if info, err := db.fs.Stat(dir); err == nil && !info.IsDir() {
		return im.Errorf(im.Invalid, "%s is a file: a store needs a directory", dir)
	}
	// Up to the first directory that was there before, and that one too.
	sync := []string{dir}
	for d := dir; len(sync) < 16; {
		_, err := db.fs.Stat(d)
		up := db.fs.PathDir(d)
		if up == d {
			break
		}
		sync = append(sync, up)
		if err == nil {
			break
		}
		d = up
	}
	if err := db.fs.MkdirAll(dir, 0o700); err != nil {
		return im.Wrap(im.Unavailable, err, fmt.Sprintf("the directory %s cannot be made: %v", dir, errors.Unwrap(err)))
	}
	for i, d := range sync {
		err := syncDir(db.fs, d)
		if errors.Is(err, fs.ErrPermission) && i == len(sync)-1 {
			err = nil // it was there before, and is not ours to read
		}
		if err != nil {
			return im.Wrap(im.Unavailable, err, fmt.Sprintf("the directory %s cannot be synced", d))
		}
	}
	return nil
}

func syncDir(fs vfs.FS, dir string) error {
	if dir == "" {
		dir = "."
	}
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// open does the rest, under the lock.
func (db *DB) open() error {
	there, err := db.peek()
	if err != nil {
		return err
	}
	opts := db.options()
	defer opts.Cache.Unref()
	if db.peb, err = pebble.Open(db.cfg.Dir, opts); err != nil {
		return im.Wrap(im.Unavailable, err, fmt.Sprintf("the store in %s cannot be opened: %v", db.cfg.Dir, err))
	}
	w := newWriter(db)
	if err = db.load(w, there); err == nil {
		err = db.checkMark(w)
	}
	if err == nil {
		err = db.checkIdentity(w, there)
	}
	if err != nil {
		db.peb.Close()
		if im.IsKind(err, im.Internal) {
			err = im.Wrap(im.Unavailable, err, fmt.Sprintf("the store in %s is damaged: %v; restore a backup", db.cfg.Dir, errors.Unwrap(err)))
		}
		return err
	}
	if w.former != 0 {
		if err := w.bringUp(); err != nil {
			db.peb.Close()
			return err
		}
	}
	db.checkSpace()
	for range inFlight {
		db.free <- &batch{}
	}
	db.view.Store(db.newView(w.position))
	go w.run()
	go db.finishAll()
	db.helpers.Add(2)
	go db.watchSpace()
	go db.keepMark()
	if v := db.acquire(); len(db.filter.st.Load().uncovered) > 0 {
		db.helpers.Go(func() {
			defer v.release()
			if err := db.filter.rebuild(v.snap, db.diskUsage, db.isClosing); err != nil {
				db.log.Error("client ids cannot be gathered; each is looked up on the disk", "err", err)
			}
		})
	} else {
		v.release()
	}
	return nil
}

// diskUsage is how many bytes the rows between two keys take in files; 0 if nobody
// knows.
func (db *DB) diskUsage(from, to []byte) uint64 {
	n, err := db.peb.EstimateDiskUsage(from, to)
	if err != nil {
		return 0
	}
	return n
}

func (db *DB) isClosing() bool {
	select {
	case <-db.closing:
		return true
	default:
		return false
	}
}

// peek says whether there is a store, before anything is altered.
func (db *DB) peek() (there bool, err error) {
	dir := db.cfg.Dir
	desc, err := pebble.Peek(dir, db.fs)
	if err != nil {
		if strings.Contains(err.Error(), "unknown format major version") {
			return false, errNewer(dir)
		}
		return false, im.Wrap(im.Unavailable, err, fmt.Sprintf("the directory %s cannot be read", dir))
	}
	if desc.Exists {
		return true, nil
	}
	names, err := db.fs.List(dir)
	if err != nil {
		return false, im.Wrap(im.Unavailable, err, fmt.Sprintf("the directory %s cannot be read", dir))
	}
	for _, n := range names {
		// what an opening that was cut off leaves
		if n == "LOCK" || strings.HasPrefix(n, "marker.") || strings.HasPrefix(n, "MANIFEST-") || strings.HasPrefix(n, "OPTIONS-") ||
			strings.HasPrefix(n, "temporary.") || strings.HasSuffix(n, ".log") || strings.HasSuffix(n, ".dbtmp") {
			continue
		}
		return false, errNoStore(dir)
	}
	return false, nil
}

func errNewer(dir string) error {
	return im.Errorf(im.Unsupported, "the store in %s was written by a newer version of anser: run that version, or restore a backup", dir)
}

func errNoStore(dir string) error {
	return im.Errorf(im.Invalid, "the directory %s is not empty and holds no store: choose an empty one, or the right one", dir)
}

// pebbleFormat is fixed, so that a new version of Pebble alone never makes a store
// that the former program cannot open.
const pebbleFormat = pebble.FormatTableFormatV6

func (db *DB) options() *pebble.Options {
	memtable, cache := uint64(128<<20), int64(256<<20)
	if db.cfg.Small {
		memtable, cache = 16<<20, 32<<20
	}
	if db.cfg.memtable > 0 {
		memtable, cache = db.cfg.memtable, 8<<20
	}
	o := &pebble.Options{
		FS:                          db.fs,
		Lock:                        db.lock,
		Logger:                      &pebbleLog{db},
		FormatMajorVersion:          pebbleFormat,
		Cache:                       pebble.NewCache(cache),
		MemTableSize:                memtable,
		MemTableStopWritesThreshold: 3,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       64,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
	}
	o.EventListener = &pebble.EventListener{DataCorruption: func(info pebble.DataCorruptionInfo) {
		// Whoever reads there gets an error; the rest of the store goes on.
		db.log.Error("a file of the store is damaged", "path", info.Path, "err", info.Details)
	}}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 16 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	return o
}

// pebbleLog takes what Pebble says. Its fatal errors end writing.
type pebbleLog struct{ db *DB }

func (l *pebbleLog) Infof(string, ...any) {}

func (l *pebbleLog) Errorf(format string, args ...any) {
	l.db.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf does not return to Pebble, as it asks.
func (l *pebbleLog) Fatalf(format string, args ...any) {
	l.db.fail(fmt.Errorf(format, args...))
	select {} // a test's OnFatal came back; what was held stays held
}

// load reads what is kept in memory: what the database says of itself, the apps, the
// heads, and what the newest commits did to them.
func (db *DB) load(w *writer, there bool) error {
	row, ok, err := get(db.peb, keyMeta(nil))
	if err != nil {
		return err
	}
	if !ok {
		if there {
			iter, err := db.peb.NewIter(nil)
			if err != nil {
				return errRead(err)
			}
			used := iter.First()
			if err := errors.Join(iter.Error(), iter.Close()); err != nil {
				return errRead(err)
			}
			if used {
				return errNoStore(db.cfg.Dir)
			}
		}
		return db.create(w)
	}
	m, version, err := decodeMeta(keyMeta(nil), row)
	if err != nil {
		return err
	}
	if version > format {
		return errNewer(db.cfg.Dir)
	}
	if version < format {
		w.former = version
	}
	w.meta = m
	db.epoch.Store(&m.epoch)
	db.bucket.Store(m.bucket)
	db.filter = newFilter(m.bucket, or(db.cfg.filterBytes, filterBytes), m.bucket-1, m.bucket)
	if err := db.loadApps(); err != nil {
		return err
	}
	for _, s := range db.apps {
		if err := s.loadHeads(); err != nil {
			return err
		}
	}
	return w.loadCommits()
}

// bringUp makes a store of a former format one of this, before anything runs. There is
// nothing to do but to say so: what was written stays as it is.
func (w *writer) bringUp() error {
	if err := w.db.peb.Set(keyMeta(nil), appendMeta(nil, &w.meta), pebble.Sync); err != nil {
		return im.Wrap(im.Unavailable, err, fmt.Sprintf("the store in %s cannot be written", w.db.cfg.Dir))
	}
	w.db.log.Info("the store was brought up to this version's format; former versions of anser do not open it any more", "dir", w.db.cfg.Dir, "from", w.former, "to", format)
	return nil
}

// create makes a new store, durably.
func (db *DB) create(w *writer) error {
	w.meta = meta{epoch: im.NewEpoch(), bucket: 1, began: db.clock()}
	w.next, w.position, w.made = 1, 1, true
	b := db.peb.NewBatch()
	defer b.Close()
	b.Set(keyMeta(nil), appendMeta(nil, &w.meta), nil)
	b.Set(keyApp(nil, DefaultApp), appendUint(nil, 1), nil)
	b.Set(keyCommit(nil, w.position), appendCommit(nil, db.clock().UnixMilli(), w.next), nil)
	if err := db.peb.Apply(b, pebble.Sync); err != nil {
		return im.Wrap(im.Unavailable, err, fmt.Sprintf("a new store cannot be written to %s", db.cfg.Dir))
	}
	db.apps[DefaultApp] = &Store{db: db, app: 1, name: DefaultApp}
	db.epoch.Store(&w.meta.epoch)
	db.bucket.Store(w.meta.bucket)
	db.position.Store(uint64(w.position))
	db.filter = newFilter(w.meta.bucket, or(db.cfg.filterBytes, filterBytes))
	return nil
}

func (db *DB) loadApps() error {
	prefix := appendTag(nil, 0, tagApp)
	return scan(db.peb, prefix, after(prefix), func(key, row []byte) (bool, error) {
		n, err := decodeNumber(key, row, "number of an app")
		if err != nil || n > 1<<32-1 {
			return false, errRow(key, "number of an app")
		}
		name := string(key[len(prefix):])
		db.apps[name] = &Store{db: db, app: uint32(n), name: name}
		db.lastApp = max(db.lastApp, uint32(n))
		return true, nil
	})
}

func (s *Store) loadHeads() error {
	prefix := appendTag(nil, s.app, tagHead)
	return scan(s.db.peb, prefix, after(prefix), func(key, row []byte) (bool, error) {
		n, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 || n == 0 || n > maxConv {
			return false, errRow(key, "head")
		}
		h, err := decodeHead(key, im.ConvID(n), bytes.Clone(row))
		if err != nil {
			return false, err
		}
		s.db.convs.add(&conv{id: h.Conv, app: s, now: h})
		return true, nil
	})
}

// loadCommits brings heads and cursors up to the newest commit.
func (w *writer) loadCommits() error {
	type reader struct {
		c *conv
		u im.UserID
	}
	db := w.db
	cursors := map[reader]cursor{}
	prefix := appendTag(nil, 0, tagCommit)
	err := scan(db.peb, prefix, after(prefix), func(key, row []byte) (bool, error) {
		n, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, "commit")
		}
		at := im.Position(n)
		if w.position != 0 && at != w.position+1 {
			return false, im.Wrap(im.Internal, fmt.Errorf("pebblestore: commits %d to %d are missing", w.position+1, at-1),
				"what was stored is missing; it has been logged")
		}
		next, err := decodeCommit(key, row, func(t *touched) error {
			c := db.convs.get(t.conv)
			if c == nil {
				return errRow(key, "commit to conversations that are there")
			}
			w.entries++
			for _, m := range t.members {
				k := reader{c, im.UserID(strings.Clone(string(m.user)))}
				if m.read > cursors[k].read {
					cursors[k] = m.cursor
				}
			}
			if at <= c.now.Position {
				return nil
			}
			t.apply(c.now, at)
			if !c.dirty {
				c.dirty = true
				w.dirty.convs = append(w.dirty.convs, c)
			}
			return nil
		})
		w.position, w.next = at, max(w.next, next)
		return true, err
	})
	if err != nil {
		return err
	}
	if w.position == 0 || w.next == 0 {
		return errRow(prefix, "commit: the newest is missing")
	}
	db.position.Store(uint64(w.position))
	db.convs.all(func(c *conv) bool {
		c.head.Store(c.now)
		for i := range c.now.Sides {
			c.delivered[i].Store(uint64(c.now.Sides[i].Delivered))
		}
		w.next = max(w.next, c.id+1)
		return true
	})
	for k, to := range cursors {
		m, err := w.member(nil, k.c, k.u)
		if err != nil {
			return err
		}
		if m.there && to.read > m.row.Read {
			m.row.Read, m.row.ReadN, m.row.ReadNA = to.read, to.n, to.na
			m.shown = to
			m.dirty = true
			w.dirty.members = append(w.dirty.members, cached{k.c, m})
		}
	}
	return nil
}
