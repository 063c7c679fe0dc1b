package pebblestore

import (
	"sync"
	"time"

	"github.com/anser-im/anser/internal/store"
)

// commitBounds are the upper bounds of Stats.CommitCounts, in seconds.
var commitBounds = []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10}

type counters struct {
	mu                        sync.Mutex
	ops, commits, rows, bytes uint64 // guarded by mu, as all here
	dups, turned              uint64
	took                      [15]uint64 // one more than commitBounds
	batchOps                  [7]uint64
}

func batchClass(ops int) int {
	for i, most := range [...]int{1, 4, 16, 64, 256, 1024} {
		if ops <= most {
			return i
		}
	}
	return 6
}

// Stats is store.Store's. All apps of a database share its writer, and so these
// counters.
func (s *Store) Stats() store.Stats { return s.db.Stats() }

// Stats are counters for metrics.
func (db *DB) Stats() store.Stats {
	var out store.Stats
	s := &db.stats
	s.mu.Lock()
	out.Ops, out.Commits, out.Rows, out.Bytes = s.ops, s.commits, s.rows, s.bytes
	out.Duplicates, out.TurnedBack = s.dups, s.turned
	out.CommitSeconds = append([]float64(nil), commitBounds...)
	out.CommitCounts = append([]uint64(nil), s.took[:]...)
	out.BatchOps = append([]uint64(nil), s.batchOps[:]...)
	s.mu.Unlock()
	db.queue.mu.Lock()
	out.Queued, out.QueuedBytes = db.queue.waiting, db.queue.bytes
	db.queue.mu.Unlock()
	out.Heads = int(db.convs.count.Load())
	if d, ok := db.Disk(); ok {
		out.DiskBytes = int64(d.Size)
	}
	return out
}

// health says how long the oldest batch has been under way.
type health struct {
	mu    sync.Mutex
	began []time.Time // guarded by mu: of the batches under way, the oldest first
	last  time.Time   // guarded by mu: when the newest ended, by the store's clock
}

func (h *health) begin(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began = append(h.began, t)
}

func (h *health) end(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began = append(h.began[:0], h.began[1:]...)
	h.last = now
}

// Health is store.Store's. All apps of a database have one health.
func (s *Store) Health() store.Health { return s.db.Health() }

// Health is how the database does.
func (db *DB) Health() store.Health {
	out := store.Health{ReadOnly: db.readOnly.Load()}
	q, h := &db.queue, &db.health
	q.mu.Lock()
	if len(q.items) > q.first { // a commit that the writer has not come to
		out.Pending = max(time.Since(q.since), 1)
	}
	q.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	out.Last = h.last
	if len(h.began) > 0 {
		out.Pending = max(time.Since(h.began[0]), 1)
	}
	if f := db.failed.Load(); f != nil {
		out.Failed = *f
	}
	return out
}

// Probe is store.Store's.
func (s *Store) Probe() {
	_ = s.db.submitOwn(item{own: func(*writer) bool { return true }}) // a closed store needs none
}
