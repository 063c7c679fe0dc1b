package pebblestore

import (
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	batchOps   = 2048    // most operations of a commit
	batchBytes = 1 << 20 // and their weight
	idBucket   = 7 * 24 * time.Hour
	lazyDelay  = time.Second // how long a lazy operation waits for another's commit
	inFlight   = 4           // batches: one that is made, and those whose sync is waited for
)

// writer is the one goroutine that decides and writes. What it holds is all that was
// applied, whether or not it is durable yet.
type writer struct {
	db       *DB
	position im.Position // of the newest commit applied
	next     im.ConvID   // the next conversation's number
	meta     meta
	swept    im.Position // the newest commit that removed messages
	made     bool        // the store was made at this opening
	former   uint64      // the format that was found, if it is not this one
	newMeta  bool        // meta has to be written with the next commit
	recent   recent
	ids      recentIDs
	forgot   im.Position // rows of users that changed up to here may have been forgotten
	cached   []cached    // rows of users in memory
	forgetAt int         // how many there have to be before any is forgotten

	dirty   dirt       // what only `t` rows hold, since the newest checkpoint began
	entries int        // of `t` rows since then
	points  checkpoint // the one under way

	reads uint64 // rows that nobody had read before the queue
	wrote uint64 // bytes since the disk was last asked for its free space

	// of the batch under way
	n         uint64
	b         *batch
	peb       *pebble.Batch // rows but those of sends; nil = none yet
	now       time.Time
	touched   []touch
	threads   map[threadKey]map[im.Seq]int64 // which messages count in threads (when sent) or no longer do (0)
	madeLines []madeLine
	notes     []pendingNote
	order     []int32   // of touched, by conversation
	k, v      []byte    // memory for a key and a row
	lazy      []item    // what waits for a commit
	due       time.Time // when it is written at the latest
}

// cached is one row of a user in memory.
type cached struct {
	c *conv
	m *member
}

// batch is what the writer hands to the finisher.
type batch struct {
	items   []item
	peb     *pebble.Batch // nil = nothing was written: outcomes only
	view    *view         // with peb
	heads   []newHead
	cursors []newCursor
	epoch   *im.Epoch // nil = as before
	began   time.Time
	now     time.Time // by the store's clock

	ops, rows, bytes uint64
	dups, turned     uint64
}

type newHead struct {
	c *conv
	h *store.Head
}

type newCursor struct {
	c  *conv
	m  *member
	to cursor
}

// recentRows and recentIDCount are how many of the newest rows and client ids the writer
// remembers, at least.
const (
	recentRows     = 1 << 14
	recentIDCount  = 1 << 16
	recentIDsSmall = 1 << 13
)

func newWriter(db *DB) *writer {
	rows, ids := recentRows, recentIDCount
	if db.cfg.Small {
		ids = recentIDsSmall
	}
	rows, ids = or(db.cfg.recent, rows), or(db.cfg.recent, ids)
	return &writer{db: db, recent: recent{rows: map[string][]byte{}, most: rows},
		ids: recentIDs{half: [2]idTable{newIDTable(ids), newIDTable(ids)}, most: ids}}
}

// run is the writer's life. It ends when the queue is closed and empty, everything
// is written and the finisher has been told.
func (w *writer) run() {
	defer close(w.db.written)
	defer close(w.db.finish)
	for w.take() {
		w.commit()
	}
	w.last()
}

// take fills w.b with what waits, and waits if nothing does; false at the end. Lazy
// operations are held back for up to a second if there is nothing else.
func (w *writer) take() bool {
	w.b = <-w.db.free // so many commits are under way at most
	for {
		closed := w.drain()
		late := len(w.lazy) > 0 && !time.Now().Before(w.due)
		if n := len(w.b.items); n > 0 && (closed || late || n >= batchOps || !allLazy(w.b.items)) {
			w.lazy = w.lazy[:0]
			return true
		} else if n > 0 && len(w.lazy) == 0 {
			w.due = time.Now().Add(lazyDelay)
		} else if n == 0 && closed {
			return false
		}
		w.lazy = append(w.lazy[:0], w.b.items...)
		if len(w.lazy) == 0 {
			<-w.db.queue.wake
			continue
		}
		timer := time.NewTimer(time.Until(w.due))
		select {
		case <-w.db.queue.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// drain moves as much as a batch takes from the queue to w.b, behind what was held
// back.
func (w *writer) drain() (closed bool) {
	q := &w.db.queue
	w.b.items = append(w.b.items[:0], w.lazy...)
	q.mu.Lock()
	defer q.mu.Unlock()
	w.b.items = q.take(w.b.items)
	return q.closed
}

func allLazy(items []item) bool {
	for i := range items {
		switch o := items[i].op.(type) {
		case *store.PutOp:
			if !o.Lazy {
				return false
			}
		case *store.CursorOp:
			if !o.Lazy {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// commit carries out w.b and hands it on.
func (w *writer) commit() {
	w.begin()
	must := false
	for i := range w.b.items {
		it := &w.b.items[i]
		switch {
		case it.mark != nil:
			it.mark.lane.Shut = max(it.mark.lane.Shut, it.mark.round)
		case it.own != nil:
			must = it.own(w) || must
		default:
			w.b.ops++
			w.apply(it)
		}
		it.hint = nil
	}
	w.finish(must)
}

// begin starts a batch at the clock's time. The clock may jump: a new bucket of ids
// begins when the newest is a week old, one at a time, and never for a clock that
// went back.
func (w *writer) begin() {
	w.n++
	clear(w.threads)
	clear(w.notes)
	w.notes = w.notes[:0]
	clear(w.madeLines)
	w.madeLines = w.madeLines[:0]
	w.b.began, w.now = time.Now(), w.db.clock()
	w.b.now = w.now
	w.db.health.begin(w.b.began)
	w.recent.turn(w.position)
	w.ids.turn(w.position)
	if w.now.Sub(w.meta.began) >= idBucket {
		w.meta.bucket++
		w.meta.began = w.now
		w.newMeta = true
		w.db.bucket.Store(w.meta.bucket)
	}
}

// millis is the time of the commit.
func (w *writer) millis() int64 { return w.now.UnixMilli() }

// at is the position of the commit under way.
func (w *writer) at() im.Position { return w.position + 1 }

// finish hands the batch to the finisher, once it is applied if it is a commit: if
// anything was written, or must says so.
func (w *writer) finish(must bool) {
	b := w.b
	if w.peb != nil || len(w.touched) > 0 || must {
		w.seal()
		b.rows, b.bytes = uint64(b.peb.Count()), uint64(b.peb.Len())
		w.spent(b.bytes)
		if err := w.db.write(b.peb); err != nil {
			w.db.fail(err)
		}
		w.position = w.at()
		b.view = w.db.newView(w.position)
	}
	w.b = nil
	w.db.finish <- b
}
