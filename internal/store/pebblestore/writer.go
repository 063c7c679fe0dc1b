package pebblestore

import (
	"cmp"
	"slices"
	"strings"
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
	newMeta  bool // meta has to be written with the next commit
	recent   recent
	ids      recentIDs
	forgot   im.Position // rows of users that changed up to here may have been forgotten
	cached   []cached    // rows of users in memory

	dirty   dirt       // what only `t` rows hold, since the newest checkpoint began
	entries int        // of `t` rows since then
	points  checkpoint // the one under way

	wrote uint64 // bytes since the disk was last asked for its free space

	// of the batch under way
	n       uint64
	b       *batch
	peb     *pebble.Batch // rows but those of sends; nil = none yet
	now     time.Time
	touched []touch
	order   []int32   // of touched, by conversation
	k, v    []byte    // memory for a key and a row
	lazy    []item    // what waits for a commit
	due     time.Time // when it is written at the latest
}

// cached is one row of a user in memory.
type cached struct {
	c *conv
	m *member
}

// touch is what the batch under way does to one conversation.
type touch struct {
	c       *conv
	did     byte // bits of its entry in the `t` row
	row     bool // its head row is written
	base    im.Seq
	fresh   []stored  // messages base+1...: written at the end
	ids     []int32   // client ids in writer.ids: written at the end
	members []*member // whose cursor their send moved
}

// reset keeps the memory of t's lists, unless they were unusually long.
func (t *touch) reset() {
	if cap(t.fresh) > 256 || cap(t.members) > 256 {
		*t = touch{}
		return
	}
	clear(t.fresh)
	clear(t.members)
	*t = touch{fresh: t.fresh[:0], ids: t.ids[:0], members: t.members[:0]}
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

// recentRows and recentIDs are how many of the newest rows and client ids the writer
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
		case it.lane != nil:
			it.lane.Shut = max(it.lane.Shut, it.round)
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

// seal makes the commit under way of what was decided and what every commit has:
// delivered numbers that moved, a piece of the checkpoint, heads, and the `t` row.
func (w *writer) seal() {
	w.deliveries()
	w.points.step(w)
	millis := w.millis()
	w.v = appendCommit(w.v[:0], millis, w.next)
	w.order = w.order[:0]
	var members []memberCursor
	for i := range w.touched {
		t := &w.touched[i]
		c := t.c
		w.order = append(w.order, int32(i))
		members = members[:0]
		for _, m := range t.members {
			members = append(members, memberCursor{m.user, cursor{m.row.Read, m.row.ReadN, m.row.ReadNA}})
		}
		c.now.Position = w.at()
		if t.row {
			c.dirty = false
			t.did = 0
		} else if !c.dirty {
			c.dirty = true
			w.dirty.convs = append(w.dirty.convs, c)
		}
		if !t.row || len(members) > 0 {
			w.v = appendTouched(w.v, millis, c.now, t.did, members)
			w.entries++
		}
		w.b.heads = append(w.b.heads, newHead{c, c.now})
		for _, m := range t.members {
			w.b.cursors = append(w.b.cursors, newCursor{c, m, cursor{m.row.Read, m.row.ReadN, m.row.ReadNA}})
		}
	}
	w.k = keyCommit(w.k[:0], w.at())
	w.set()
	w.writeSends()
	for _, i := range w.order {
		t := &w.touched[i]
		if t.row {
			w.k = keyConv(w.k[:0], t.c.app.app, tagHead, t.c.id)
			w.v = appendHead(w.v[:0], t.c.now)
			w.set()
		}
		t.reset()
	}
	w.touched = w.touched[:0]
	if w.newMeta {
		w.newMeta = false
		w.k, w.v = keyMeta(w.k[:0]), appendMeta(w.v[:0], &w.meta)
		w.set()
		if w.meta.bucket >= 2 { // the third and all before it
			w.batch().DeleteRange(keyBucket(nil, 0), keyBucket(nil, w.meta.bucket-1), nil)
		}
	}
	if w.b.peb == nil {
		w.b.peb = w.peb
	} else {
		w.b.peb.Apply(w.peb, nil) // after the sends, since an edit may be of one of them
		w.peb.Close()
	}
	w.peb = nil
	w.forget()
}

// writeSends writes the rows of messages and of client ids, each by conversation: the
// memtable takes them for less than one message and one id in turn (2.0 against 2.6 us
// of CPU a send with 32 of each user under way, 4.6 against 5.3 with one).
func (w *writer) writeSends() {
	slices.SortFunc(w.order, func(a, b int32) int { return cmp.Compare(w.touched[a].c.id, w.touched[b].c.id) })
	for _, i := range w.order {
		t := &w.touched[i]
		for _, m := range t.fresh {
			w.k = keyMessage(w.k[:0], t.c.app.app, t.c.id, m.Seq)
			w.v = appendMessage(w.v[:0], m)
			w.sends().Set(w.k, w.v, nil)
		}
	}
	for _, i := range w.order {
		for _, j := range w.touched[i].ids {
			e := &w.ids.half[0].entries[j]
			sender, id := w.ids.half[0].of(e)
			w.k = keyID(w.k[:0], w.meta.bucket, e.app, e.conv, im.UserID(text(sender)), im.ClientID(text(id)))
			w.v = appendKept(w.v[:0], &e.kept)
			w.sends().Set(w.k, w.v, nil)
		}
	}
}

// sends is where their rows go.
func (w *writer) sends() *pebble.Batch {
	if w.b.peb == nil {
		w.b.peb = w.db.peb.NewBatch()
	}
	return w.b.peb
}

// deliveries takes along the delivered numbers that moved.
func (w *writer) deliveries() {
	db := w.db
	db.deliveredMu.Lock()
	moved := db.deliveries
	db.deliveries, db.deliveriesSpare = db.deliveriesSpare[:0], nil
	for _, c := range moved {
		c.queued = false
	}
	db.deliveredMu.Unlock()
	for _, c := range moved {
		t := w.touch(c)
		for i := range c.now.Sides {
			s := &c.now.Sides[i]
			if d := im.Seq(c.delivered[i].Load()); d > s.Delivered {
				s.Delivered = d
				t.did |= delivered0 << i
			}
		}
	}
	clear(moved)
	db.deliveredMu.Lock()
	db.deliveriesSpare = moved[:0]
	db.deliveredMu.Unlock()
}

// batch is the rows of the commit under way.
func (w *writer) batch() *pebble.Batch {
	if w.peb == nil {
		w.peb = w.db.peb.NewBatch()
	}
	return w.peb
}

// touch is what the batch under way does to c. It is good until the next touch.
func (w *writer) touch(c *conv) *touch {
	if c.batch == w.n && c.at < len(w.touched) {
		return &w.touched[c.at]
	}
	h := *c.now // readers have the old one
	c.now = &h
	c.batch, c.at = w.n, len(w.touched)
	if len(w.touched) < cap(w.touched) {
		w.touched = w.touched[:len(w.touched)+1] // with the memory of its lists
	} else {
		w.touched = append(w.touched, touch{})
	}
	t := &w.touched[c.at]
	t.c, t.did, t.row, t.base = c, 0, false, h.Seq
	return t
}

// touchedBy is c's touch in the batch under way, nil if there is none.
func (w *writer) touchedBy(c *conv) *touch {
	if c.batch == w.n && c.at < len(w.touched) {
		return &w.touched[c.at]
	}
	return nil
}

// set writes the row that is in w.v under the key in w.k.
func (w *writer) set() { w.batch().Set(w.k, w.v, nil) }

// put is set for rows that recent remembers.
func (w *writer) put() {
	w.set()
	w.recent.put(w.k, w.v)
}

// remove removes the row under the key in w.k, and recent remembers.
func (w *writer) remove() {
	w.batch().Delete(w.k, nil)
	w.recent.put(w.k, nil)
}

// fits says whether what h lacks was not written since.
func (w *writer) fits(h *hint) bool {
	return h != nil && h.at >= w.recent.since && h.at >= w.forgot
}

// row reads the row under key as it is now; nil if there is none. It is not to be
// kept.
func (w *writer) row(h *hint, key []byte) ([]byte, error) {
	if row, known := w.recent.get(key); known {
		return row, nil
	}
	if w.fits(h) {
		if row, asked := h.rows[string(key)]; asked {
			return row, nil
		}
	}
	f := finder{r: w.db.peb}
	defer f.close()
	row, ok, err := f.find(key)
	if err != nil || !ok {
		return nil, err
	}
	return row, nil
}

// number reads a row that is one number; 0 if there is none.
func (w *writer) number(h *hint, key []byte, what string) (uint64, error) {
	row, err := w.row(h, key)
	if err != nil || row == nil {
		return 0, err
	}
	return decodeNumber(key, row, what)
}

// address finds a conversation by its address; nil if there is none.
func (w *writer) address(h *hint, key []byte) (*conv, error) {
	n, err := w.number(h, key, "number of a conversation")
	if err != nil || n == 0 {
		return nil, err
	}
	c := w.db.convs.get(im.ConvID(n))
	if c == nil {
		return nil, errRow(key, "number of a conversation that is there")
	}
	return c, nil
}

// conv is a conversation of s, with all that was applied; nil if there is none.
func (w *writer) conv(s *Store, id im.ConvID) *conv {
	c := w.db.convs.get(id)
	if c == nil || c.app != s {
		return nil
	}
	return c
}

// newConv makes a conversation. Its head row is written with this commit.
func (w *writer) newConv(s *Store, kind im.ConvKind) *conv {
	c := &conv{id: w.next, app: s}
	w.next++
	c.now = &store.Head{Conv: c.id, Kind: kind, Min: 1, MinVer: 1}
	w.db.convs.add(c)
	w.touch(c).row = true
	return c
}

// member is u's row in c, in memory from now on.
func (w *writer) member(h *hint, c *conv, u im.UserID) (*member, error) {
	r := c.roster()
	if m := r.rows[u]; m != nil {
		return m, nil
	}
	key := keyRow(nil, c.app.app, u, c.id)
	row, err := w.row(h, key)
	if err != nil {
		return nil, err
	}
	u = im.UserID(strings.Clone(string(u))) // it may stay for long
	m := &member{user: u, row: store.Row{Conv: c.id, User: u}}
	if row != nil {
		if m.row, _, err = decodeRow(key, c.id, u, row); err != nil {
			return nil, err
		}
		m.there = true
	}
	w.remember(c, r, m)
	return m, nil
}

func (w *writer) remember(c *conv, r *roster, m *member) {
	r.mu.Lock()
	r.rows[m.user] = m
	r.mu.Unlock()
	w.cached = append(w.cached, cached{c, m})
}

// setMember writes m's row.
func (w *writer) setMember(c *conv, m *member) {
	m.there, m.dirty, m.since = true, false, w.at()
	w.k = keyRow(w.k[:0], c.app.app, m.user, c.id)
	w.v = appendRow(w.v[:0], &m.row)
	w.set()
}

// mostCached is how many rows of users may be in memory before old ones are forgotten.
const mostCached = 200_000

// forget lets go of rows of users that are durable as they are, if there are many.
func (w *writer) forget() {
	if len(w.cached) < w.db.mostCached {
		return
	}
	durable := w.db.Position()
	keep := w.cached[:0]
	for _, k := range w.cached {
		m := k.m
		if m.dirty || m.since > durable || k.c.batch == w.n {
			keep = append(keep, k)
			continue
		}
		w.forgot = max(w.forgot, m.since)
		r := k.c.roster()
		r.mu.Lock()
		delete(r.rows, m.user)
		r.mu.Unlock()
	}
	clear(w.cached[len(keep):])
	w.cached = keep
}

// message is the message seq of c as it is now; false if it is gone.
func (w *writer) message(h *hint, c *conv, seq im.Seq) (stored, bool, error) {
	key := keyMessage(nil, c.app.app, c.id, seq)
	row, known := w.recent.get(key)
	if known {
		if row == nil {
			return stored{}, false, nil
		}
		row = append([]byte(nil), row...)
	}
	if !known {
		if t := w.touchedBy(c); t != nil && seq > t.base && seq-t.base <= im.Seq(len(t.fresh)) {
			return t.fresh[seq-t.base-1], true, nil
		}
		if w.fits(h) {
			row = h.rows[string(key)] // one that was not there may have been sent since
		}
	}
	if row == nil {
		var ok bool
		var err error
		if row, ok, err = get(w.db.peb, key); err != nil || !ok {
			return stored{}, false, err
		}
	}
	m, err := decodeMessage(key, seq, row)
	return m, err == nil, err
}

// setMessage writes a message that was altered.
func (w *writer) setMessage(c *conv, m stored) {
	w.k = keyMessage(w.k[:0], c.app.app, c.id, m.Seq)
	w.v = appendMessage(w.v[:0], m)
	w.put()
}

// ordinals is n and na at seq of c, which is at most its newest.
func (w *writer) ordinals(h *hint, c *conv, seq im.Seq) (n, na uint64, err error) {
	if seq == c.now.Seq {
		return c.now.N, c.now.NA, nil
	}
	if h != nil && h.mark == seq { // they never change
		return h.markN, h.markNA, nil
	}
	if t := w.touchedBy(c); t != nil && seq > t.base && seq-t.base <= im.Seq(len(t.fresh)) {
		m := t.fresh[seq-t.base-1]
		return m.N, m.NA, nil
	}
	return c.app.ordinals(w.db.peb, c.id, seq)
}

// moved says whether what u was allowed by guard has to be looked at again.
func (w *writer) moved(h *hint, c *conv, u im.UserID, guard im.MVer) (bool, error) {
	if c.now.MVer == guard {
		return false, nil
	}
	if c.now.Kind == im.Direct {
		return true, nil
	}
	m, err := w.member(h, c, u)
	if err != nil {
		return false, err
	}
	return m.there && m.row.MVer > guard, nil
}

// rowOf is m's row, or u's made from the head in a direct conversation; false if he
// has none.
func (w *writer) rowOf(h *hint, c *conv, u im.UserID) (store.Row, *member, error) {
	if c.now.Kind == im.Direct {
		return directRow(c.now, u), nil, nil
	}
	m, err := w.member(h, c, u)
	if err != nil || !m.there {
		return store.Row{}, nil, err
	}
	return m.row, m, nil
}

// directRow is u's row in a direct conversation; NoRole if he is not one of the two.
func directRow(h *store.Head, u im.UserID) store.Row {
	side := h.Side(u)
	if side == nil {
		return store.Row{}
	}
	return store.Row{Conv: h.Conv, User: u, Role: im.Member, MVer: h.MVer, From: 1,
		Read: side.Read, ReadN: side.ReadN, ReadNA: side.ReadNA, Position: h.Position}
}

// findID looks up what became of a client id; nil if nothing did.
func (w *writer) findID(it *item, c im.ConvID, sender im.UserID, id im.ClientID) (*kept, error) {
	if id == "" {
		return nil, nil
	}
	if it.fp == 0 {
		it.fp = w.db.filter.fingerprint(it.s.app, c, sender, id)
	}
	if !w.db.filter.maybe(it.fp) {
		return nil, nil
	}
	if k := w.ids.get(it.fp, it.s.app, c, sender, id); k != nil {
		return k, nil
	}
	if h := it.hint; h != nil && h.idAsked && h.at >= w.ids.since {
		return h.kept, nil
	}
	f := finder{r: w.db.peb}
	defer f.close()
	return it.s.findID(w.db.peb, &f, c, sender, id)
}

// keepID notes what became of a client id that findID was asked for. c was touched.
func (w *writer) keepID(it *item, c *conv, conv im.ConvID, sender im.UserID, id im.ClientID, k kept) {
	w.db.filter.add(w.meta.bucket, it.fp)
	t := w.touch(c)
	t.ids = append(t.ids, w.ids.half[0].put(it.fp, it.s.app, conv, sender, id, k))
}
