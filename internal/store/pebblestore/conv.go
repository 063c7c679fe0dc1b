package pebblestore

import (
	"sync"
	"sync/atomic"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// conv is a conversation in memory. It stays from when it is made, or the database
// opened, until the database is closed.
type conv struct {
	id  im.ConvID // fixed
	app *Store    // fixed

	// head is what readers are told: durable, and never altered once it is here. nil as
	// long as the commit that makes the conversation is not durable.
	head atomic.Pointer[store.Head]

	delivered [2]atomic.Uint64       // in direct conversations: of Sides, at once
	queued    bool                   // guarded by DB.deliveredMu: in DB.deliveries
	members   atomic.Pointer[roster] // nil until somebody's row is looked at

	// The rest is the writer's.
	now   *store.Head // with all that was applied; in the commit under way if batch says so
	batch uint64      // number of the newest batch that touched it
	at    int         // index in writer.touched, in that batch
	dirty bool        // now is newer than the head's row: `t` rows hold the difference
}

// roster is what is known of the rows of users in a conversation that is not direct.
type roster struct {
	mu   sync.Mutex
	rows map[im.UserID]*member // guarded by mu; the writer alone adds and removes
}

// member is one user's row; of one of a direct conversation's two, what is his alone. A
// user without one has a member whose there is false.
type member struct {
	user im.UserID // fixed

	// the writer's
	row   store.Row // with all that was applied
	there bool
	batch uint64      // the newest in which a send moved the cursor
	dirty bool        // the cursor stands above the one in the `u` row: `t` rows hold it
	since im.Position // of the commit that changed it last; 0 if none did since it was read

	shown cursor // guarded by roster.mu: the durable cursor, if sends moved it since it was read
}

// roster returns c's, made if there is none.
func (c *conv) roster() *roster {
	r := c.members.Load()
	if r == nil {
		r = &roster{rows: map[im.UserID]*member{}}
		c.members.Store(r) // by the writer only
	}
	return r
}

// knows says whether the writer has u's row in memory. Any goroutine may ask.
func (c *conv) knows(u im.UserID) bool {
	r := c.members.Load()
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rows[u] != nil
}

// shown is u's durable cursor as far as sends moved it; zero if they did not.
func (c *conv) shown(u im.UserID) cursor {
	r := c.members.Load()
	if r == nil {
		return cursor{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.rows[u]; m != nil {
		return m.shown
	}
	return cursor{}
}

// durable is the head as readers are told, nil if there is none yet.
func (c *conv) durable() *store.Head {
	if c == nil {
		return nil
	}
	return c.head.Load()
}

// show copies the head for a reader.
func (c *conv) show(h *store.Head) store.Head {
	out := *h
	if out.Kind == im.Direct {
		for i := range out.Sides {
			d := im.Seq(c.delivered[i].Load())
			out.Sides[i].Delivered = max(out.Sides[i].Delivered, min(d, out.Seq))
		}
	}
	return out
}

// table finds conversations by number. The writer adds; any goroutine may look.
type table struct {
	chunks atomic.Pointer[[]*chunk]
	count  atomic.Int64
}

type chunk [1024]atomic.Pointer[conv]

// maxConv bounds the table. Numbers are given one after the other, so one above it
// in a row is no number of ours.
const maxConv = 1 << 34

func (t *table) get(id im.ConvID) *conv {
	chunks := t.chunks.Load()
	if chunks == nil || uint64(id)/uint64(len(chunk{})) >= uint64(len(*chunks)) {
		return nil
	}
	k := (*chunks)[uint64(id)/uint64(len(chunk{}))]
	if k == nil {
		return nil
	}
	return k[uint64(id)%uint64(len(chunk{}))].Load()
}

// add is for the writer, and for Open.
func (t *table) add(c *conv) {
	at := uint64(c.id) / uint64(len(chunk{}))
	var have []*chunk
	if p := t.chunks.Load(); p != nil {
		have = *p
	}
	if at >= uint64(len(have)) || have[at] == nil {
		grown := make([]*chunk, max(at+1, uint64(len(have))), max(at+1, uint64(len(have)))+at/8)
		copy(grown, have)
		grown[at] = &chunk{}
		have = grown
		t.chunks.Store(&grown)
	}
	have[at][uint64(c.id)%uint64(len(chunk{}))].Store(c)
	t.count.Add(1)
}

// all calls f for every conversation, by number, until it answers false.
func (t *table) all(f func(*conv) bool) {
	chunks := t.chunks.Load()
	if chunks == nil {
		return
	}
	for _, k := range *chunks {
		if k == nil {
			continue
		}
		for i := range k {
			if c := k[i].Load(); c != nil && !f(c) {
				return
			}
		}
	}
}
