package pebblestore

import (
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

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
	w.reads++
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

// member is u's row in c, in memory from now on. That of one of a direct conversation's
// two holds only what is his alone.
func (w *writer) member(h *hint, c *conv, u im.UserID) (*member, error) {
	r := c.roster()
	if m := r.rows[u]; m != nil {
		return m, nil
	}
	if c.now.Kind == im.Direct {
		if side := c.now.Side(u); side == nil || !side.Own {
			return w.blank(c, r, u, side != nil), nil
		}
	}
	key := keyRow(nil, c.app.app, u, c.id)
	row, err := w.row(h, key)
	if err != nil {
		return nil, err
	}
	m := w.blank(c, r, u, false)
	u = m.user
	if row != nil {
		if m.row, _, err = decodeRow(key, c.id, u, row); err != nil {
			return nil, err
		}
		m.there = true
	}
	return m, nil
}

// blank is a row that holds nothing, in memory from now on.
func (w *writer) blank(c *conv, r *roster, u im.UserID, there bool) *member {
	u = im.UserID(strings.Clone(string(u))) // it may stay for long
	m := &member{user: u, row: store.Row{Conv: c.id, User: u}, there: there}
	w.remember(c, r, m)
	return m
}

// in says whether m is in c.
func (m *member) in(c *conv) bool { return m.there && (c.now.Kind == im.Direct || m.row.In()) }

func (w *writer) remember(c *conv, r *roster, m *member) {
	r.mu.Lock()
	r.rows[m.user] = m
	r.mu.Unlock()
	w.cached = append(w.cached, cached{c, m})
}

// setMember writes m's row.
func (w *writer) setMember(c *conv, m *member) {
	m.there, m.dirty, m.since = true, false, w.at()
	if c.now.Kind == im.Direct {
		if !c.now.Side(m.user).Own {
			w.touch(c).row = true
			c.now.Side(m.user).Own = true
		}
		m.row.Position = w.at()
		w.v = appendDirectOwn(w.v[:0], &m.row)
	} else {
		m.row.Trim()
		w.v = appendRow(w.v[:0], &m.row)
	}
	w.k = keyRow(w.k[:0], c.app.app, m.user, c.id)
	w.set()
}

// mostCached is how many rows of users may be in memory before old ones are forgotten.
const mostCached = 200_000

// forget lets go of rows of users that are durable as they are, if there are many.
func (w *writer) forget() {
	if len(w.cached) < max(w.db.mostCached, w.forgetAt) {
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
	w.forgetAt = 2 * len(keep) // not with every commit, if none can go
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
	return guard < c.now.Settled || m.there && m.row.MVer > guard, nil
}

// rowOf is u's row as readers will be told, and what it is kept in: nil in a direct
// conversation as long as he has nothing of his own. His role is none if he has no row.
func (w *writer) rowOf(h *hint, c *conv, u im.UserID) (store.Row, *member, error) {
	if c.now.Kind == im.Direct {
		r := directRow(c.now, u)
		if side := c.now.Side(u); side == nil || !side.Own {
			return r, nil, nil
		}
		m, err := w.member(h, c, u)
		if err != nil {
			return store.Row{}, nil, err
		}
		return withOwn(r, &m.row), m, nil
	}
	m, err := w.member(h, c, u)
	if err != nil || !m.there {
		return store.Row{}, nil, err
	}
	r := m.row
	r.Trim() // its sends moved the cursor
	return r, m, nil
}

// withOwn is a direct conversation's row r with what own holds for its user alone.
func withOwn(r store.Row, own *store.Row) store.Row {
	r.Settings, r.Gone, r.Withdrawn, r.WithdrawA, r.Directed = own.Settings, own.Gone, own.Withdrawn, own.WithdrawA, own.Directed
	r.Position = max(r.Position, own.Position)
	r.Trim()
	return r
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
	return it.s.findID(w.db.peb, &f, it.fp, c, sender, id)
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

// keepID notes what became of a client id that findID was asked for. c was touched.
func (w *writer) keepID(it *item, c *conv, conv im.ConvID, sender im.UserID, id im.ClientID, k kept) {
	w.db.filter.add(w.meta.bucket, it.fp)
	t := w.touch(c)
	t.ids = append(t.ids, w.ids.half[0].put(it.fp, it.s.app, conv, sender, id, k))
}
