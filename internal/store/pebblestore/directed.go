package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// A message to some members only that counts is listed in the row of each of them.

// isDirected says whether m is one.
func isDirected(m *im.Message) bool { return m.To != nil && m.Flags&im.Count != 0 }

// directed notes what direct needs to read.
func (l *looker) directed(c im.ConvID, m *im.Message) {
	if !isDirected(m) {
		return
	}
	for _, u := range m.To {
		if u != m.Sender {
			l.member(c, u)
		}
	}
}

// readDirected reads what direct needs, before anything is written.
func (w *writer) readDirected(h *hint, c *conv, m *im.Message) error {
	if !isDirected(m) {
		return nil
	}
	for _, u := range m.To {
		if u == m.Sender {
			continue
		}
		if _, err := w.member(h, c, u); err != nil {
			return err
		}
	}
	return nil
}

// direct lists m for those of its To who have to read it, where it counts, or takes it
// off their lists. readDirected was called.
func (w *writer) direct(c *conv, m *im.Message, on bool) {
	if !isDirected(m) {
		return
	}
	for _, u := range m.To {
		k := c.roster().rows[u]
		if u == m.Sender || k == nil || !k.in(c) {
			continue
		}
		r := w.mine(c, k)
		if on && r.List(m.Seq) || !on && r.Unlist(m.Seq) {
			k.row.Directed = r.Directed
			w.setOwn(c, k)
		}
	}
}

// mine is k's row with the cursor, without what is below that. It says nothing else of a
// direct conversation than what is his alone.
func (w *writer) mine(c *conv, k *member) store.Row {
	r := k.row
	if c.now.Kind == im.Direct {
		side := c.now.Side(k.user)
		r.Read, r.ReadN, r.ReadNA = side.Read, side.ReadN, side.ReadNA
	}
	r.Trim()
	return r
}

// setOwn writes k's row, in which something for its user alone has changed.
func (w *writer) setOwn(c *conv, k *member) {
	k.row.Position = w.at()
	w.setMember(c, k)
}
