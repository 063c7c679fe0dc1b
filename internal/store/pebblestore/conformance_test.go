package pebblestore_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/pebblestore"
	"github.com/anser-im/anser/internal/store/storetest"
)

// disk is a file system in memory whose power can be cut, whose syncs can be watched
// and stalled, and whose free space can be made up.
type disk struct {
	vfs.FS
	mem    *vfs.MemFS
	plain  bool // fixed: stores on it use PlainApply
	onSync atomic.Pointer[func()]
	full   atomic.Bool

	mu    sync.Mutex
	stall chan struct{} // guarded by mu: syncs wait until it is closed; nil = they do not
}

func newDisk(mem *vfs.MemFS) *disk { return &disk{FS: mem, mem: mem} }

func (d *disk) sync(f func() error) error {
	d.mu.Lock()
	stall := d.stall
	d.mu.Unlock()
	if stall != nil {
		<-stall
	}
	if on := d.onSync.Load(); on != nil {
		(*on)()
		defer (*on)()
	}
	return f()
}

func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if d.full.Load() {
		return vfs.DiskUsage{AvailBytes: 1 << 20, TotalBytes: 1 << 40}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 39, TotalBytes: 1 << 40}, nil
}

type file struct {
	vfs.File
	d *disk
}

func (f file) Sync() error     { return f.d.sync(f.File.Sync) }
func (f file) SyncData() error { return f.d.sync(f.File.SyncData) }
func (f file) SyncTo(n int64) (full bool, err error) {
	err = f.d.sync(func() error { full, err = f.File.SyncTo(n); return err })
	return full, err
}

func (d *disk) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return file{f, d}, nil
}

func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.wrap(d.FS.Create(name, c))
}

func (d *disk) OpenDir(name string) (vfs.File, error) { return d.wrap(d.FS.OpenDir(name)) }

func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.wrap(d.FS.OpenReadWrite(name, c, o...))
}

func (d *disk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.wrap(d.FS.ReuseForWrite(old, name, c))
}

// whole is a store with the database it stands in.
type whole struct {
	*pebblestore.Store
	db *pebblestore.DB
}

func (w *whole) Close() error { return w.db.Close() }

func openOn(t testing.TB, d *disk, o storetest.Options) (*whole, error) {
	cfg := pebblestore.Config{Dir: "data/store", FS: d, Clock: o.Clock, QueueOps: o.QueueOps, Small: true, PlainApply: d.plain}
	if o.Unsafe {
		cfg = cfg.Unsafe()
	}
	if o.Small {
		cfg = cfg.Tiny()
	}
	db, err := pebblestore.Open(cfg)
	if err != nil {
		return nil, err
	}
	s, err := db.App(pebblestore.DefaultApp)
	if err != nil {
		t.Fatal(err)
	}
	return &whole{s, db}, nil
}

// on is a store on d with all that can be done to it.
func on(t testing.TB, d *disk, o storetest.Options) storetest.Opened {
	w, err := openOn(t, d, o)
	if err != nil {
		if o.Unsafe { // what an unsynced power cut left
			return storetest.Opened{}
		}
		t.Fatal(err)
	}
	reopen := func() storetest.Store {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if w, err = openOn(t, d, o); err != nil {
			t.Fatal(err)
		}
		return w
	}
	return storetest.Opened{
		Store:  w,
		Reopen: reopen,
		Crash: func(rng *rand.Rand) storetest.Opened {
			percent := rng.IntN(101)
			if o.Unsafe {
				percent = 0
			}
			left := newDisk(d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}))
			left.plain = d.plain
			return on(t, left, o)
		},
		OnSync: func(f func()) {
			if f == nil {
				d.onSync.Store(nil)
				return
			}
			d.onSync.Store(&f)
		},
		Stall: func() func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			stall := make(chan struct{})
			d.stall = stall
			return func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.stall = nil
				close(stall)
			}
		},
		FailReadOnly: func(on bool) {
			d.full.Store(on)
			w.db.CheckSpace()
		},
		Dump: func() []byte { return w.db.Dump() },
		SkipTo: func(conv im.ConvID, seq im.Seq) storetest.Store {
			w.SkipTo(conv, seq)
			return reopen()
		},
	}
}

func crashable(t testing.TB, o storetest.Options) storetest.Opened {
	return on(t, newDisk(vfs.NewCrashableMem()), o)
}

func TestConformance(t *testing.T) { storetest.Run(t, crashable) }

// The switch that does without ApplyNoSyncWait holds the same promises.
func TestConformancePlain(t *testing.T) {
	if testing.Short() {
		t.Skip("what depends on it is tested in TestDiskFails too")
	}
	storetest.Run(t, func(t testing.TB, o storetest.Options) storetest.Opened {
		d := newDisk(vfs.NewCrashableMem())
		d.plain = true
		return on(t, d, o)
	}, "History", "LargeGroup", "CostOfSize", "Bodies", "Order", "RetryThroughTime") // of what is decided, not of how it is synced
}
