package core

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Who has read what in large groups is told from tallies: how far each member has
// read, as a list in memory. A tally is read from the store when it is first asked
// for, and kept as long as it is asked for. What moves meanwhile costs the sender of a
// message nothing: read marks and membership changes of this node are noted, and who
// sent something is looked up, when it is next asked.
const (
	marksFresh  = time.Second     // a tally is not brought up to date more often
	marksWhole  = 5 * time.Minute // read anew then: what another node did
	marksIdle   = 5 * time.Minute // not asked for: dropped
	maxMarks    = 1 << 21         // members of all tallies; beyond it the one that was not asked for longest goes
	maxMarkKept = 64              // tallies
	maxDirty    = 2000            // members to be looked up one by one; beyond it the tally is read anew
	smallMarks  = 200             // groups up to here are read each time
	marksChunk  = 5000            // members read at once
)

// marks are the tallies.
type marks struct {
	mu sync.Mutex
	m  map[im.ConvID]*tally // guarded by mu
}

// tally is how far the members of a conversation have read.
type tally struct {
	turn chan struct{} // fixed; holds one while somebody brings it up to date

	mu      sync.Mutex
	list    []mark                 // guarded by mu, its elements by turn: by user
	whole   time.Time              // guarded by mu: when list was read from the store; zero = it was not
	asOf    time.Time              // guarded by mu: what happened before is in it
	seq     im.Seq                 // guarded by mu: messages up to here have been looked at for who sent them
	reads   map[im.UserID]im.Seq   // guarded by mu: read marks since asOf
	dirty   map[im.UserID]struct{} // guarded by mu: whose rows are to be read
	lost    bool                   // guarded by mu: too much is dirty: the list is to be read anew
	asked   time.Time              // guarded by marks.mu
	members int                    // guarded by marks.mu: what it counts for
}

// mark is how far a member has read.
type mark struct {
	user im.UserID
	from im.Seq // he does not see what is before
	read im.Seq
}

// moved notes a read mark, if somebody asks for the tally of conv.
func (ms *marks) moved(conv im.ConvID, u im.UserID, read im.Seq) {
	t := ms.find(conv)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.reads) >= maxDirty {
		if _, ok := t.reads[u]; !ok {
			t.lost = true
			return
		}
	}
	t.reads[u] = max(t.reads[u], read)
}

// membership notes who came and went.
func (ms *marks) membership(op *store.MemberOp) {
	t := ms.find(op.At)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, list := range [][]im.UserID{op.New, op.Gone} {
		for _, u := range list {
			if len(t.dirty) >= maxDirty {
				t.lost = true
				return
			}
			t.dirty[u] = struct{}{}
		}
	}
}

func (ms *marks) find(conv im.ConvID) *tally {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.m[conv]
}

// open finds or makes the tally of conv, for a group of so many members.
func (ms *marks) open(conv im.ConvID, members int, now time.Time) *tally {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.drop(now)
	t := ms.m[conv]
	if t == nil {
		for len(ms.m) > 0 && (len(ms.m) >= maxMarkKept || ms.weight()+members > maxMarks) {
			var oldest im.ConvID
			for id, o := range ms.m {
				if oldest == 0 || o.asked.Before(ms.m[oldest].asked) {
					oldest = id
				}
			}
			delete(ms.m, oldest)
		}
		t = &tally{turn: make(chan struct{}, 1), reads: map[im.UserID]im.Seq{}, dirty: map[im.UserID]struct{}{}}
		if ms.m == nil {
			ms.m = map[im.ConvID]*tally{}
		}
		ms.m[conv] = t
	}
	t.asked, t.members = now, members
	return t
}

// weight is how many members the tallies hold. mu is held.
func (ms *marks) weight() int {
	n := 0
	for _, t := range ms.m {
		n += t.members
	}
	return n
}

// drop forgets tallies that nobody asks for. mu is held.
func (ms *marks) drop(now time.Time) {
	for id, t := range ms.m {
		if now.Sub(t.asked) > marksIdle {
			delete(ms.m, id)
		}
	}
}

// tick forgets what nobody asks for.
func (ms *marks) tick(now time.Time) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.drop(now)
}

// marksOf answers how far the members of h's conversation have read, by user, and as
// of when. f must not keep the list.
func (c *Core) marksOf(ctx context.Context, h *store.Head, f func(list []mark, asOf int64)) error {
	now := c.Now()
	if h.Members <= smallMarks {
		list, err := c.readMarks(ctx, h.Conv)
		if err == nil {
			f(list, now.UnixMilli())
		}
		return err
	}
	t := c.marks.open(h.Conv, h.Members, now)
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the members were not counted in time")
	}
	now = c.Now()
	if err := c.catchUp(ctx, t, h.Conv, now); err != nil {
		return err
	}
	t.mu.Lock()
	list, asOf := t.list, t.asOf
	t.mu.Unlock()
	f(list, asOf.UnixMilli()) // under turn: nobody alters the list
	return nil
}

// catchUp brings t up to date. The caller has its turn.
func (c *Core) catchUp(ctx context.Context, t *tally, conv im.ConvID, now time.Time) error {
	head, ok := c.st.Head(conv) // before the rest: what comes later is for the next time
	if !ok {
		return errNoConv()
	}
	t.mu.Lock()
	if d := now.Sub(t.asOf); !t.whole.IsZero() && d >= 0 && d < marksFresh {
		t.mu.Unlock()
		return nil
	}
	reads, dirty := t.reads, t.dirty
	t.reads, t.dirty = map[im.UserID]im.Seq{}, map[im.UserID]struct{}{}
	whole := t.lost || t.whole.IsZero() || now.Sub(t.whole) > marksWhole || now.Before(t.whole) ||
		head.Seq-t.seq > maxDirty
	t.lost = false
	seq, list := t.seq, t.list
	t.mu.Unlock()

	var err error
	if !whole {
		if err = c.senders(conv, seq, head.Seq, dirty); err == nil && len(dirty) <= maxDirty {
			list, err = c.mend(list, conv, reads, dirty)
		} else {
			whole = true
		}
	}
	if whole && err == nil {
		list, err = c.readMarks(ctx, conv)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.lost = true // what was noted is gone
		return err
	}
	if whole {
		t.whole = now
	}
	t.list, t.asOf, t.seq = list, now, head.Seq
	return nil
}

// senders adds who sent something above seq: that moved his own mark.
func (c *Core) senders(conv im.ConvID, seq, to im.Seq, dirty map[im.UserID]struct{}) error {
	for from := seq + 1; from <= to; {
		p, err := c.st.Page(store.PageQuery{Conv: conv, From: from, To: to, Limit: 500, Bytes: 1 << 20})
		if err != nil {
			return err
		}
		for _, m := range p.Messages {
			dirty[m.Sender] = struct{}{}
		}
		if p.To < from {
			return nil
		}
		from = p.To + 1
	}
	return nil
}

// mend puts what moved into list.
func (c *Core) mend(list []mark, conv im.ConvID, reads map[im.UserID]im.Seq, dirty map[im.UserID]struct{}) ([]mark, error) {
	for u, read := range reads {
		if i, ok := findMark(list, u); ok {
			list[i].read = max(list[i].read, read)
		}
	}
	for u := range dirty {
		row, _, err := c.st.Row(conv, u)
		if err != nil {
			return nil, err
		}
		i, ok := findMark(list, u)
		switch {
		case ok && row.In():
			list[i] = mark{list[i].user, row.From, row.Read}
		case ok:
			list = slices.Delete(list, i, i+1)
		case row.In():
			list = slices.Insert(list, i, mark{u, row.From, row.Read})
		}
	}
	return list, nil
}

func findMark(list []mark, u im.UserID) (int, bool) {
	return slices.BinarySearchFunc(list, u, func(m mark, u im.UserID) int { return cmp.Compare(m.user, u) })
}

// readMarks reads them from the store.
func (c *Core) readMarks(ctx context.Context, conv im.ConvID) ([]mark, error) {
	var list []mark
	for after := im.UserID(""); ; {
		rows, err := c.st.Marks(conv, after, marksChunk)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, im.Wrap(im.Unavailable, err, "the members were not counted in time")
		}
		list = slices.Grow(list, len(rows))
		for i := range rows {
			list = append(list, mark{rows[i].User, rows[i].From, rows[i].Read})
			after = rows[i].User
		}
		if len(rows) < marksChunk {
			return list, nil
		}
	}
}
