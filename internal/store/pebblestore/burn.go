package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
)

// burning lists m for the peer, who burns it by reading it, or takes it off his list. In
// other than direct conversations nothing burns.
func (w *writer) burning(c *conv, m *im.Message, on bool) {
	if m.Burn == 0 || c.now.Kind != im.Direct {
		return
	}
	w.k, w.v = keyBurning(w.k[:0], c.app.app, c.now.Peer(m.Sender), c.id, m.Seq), w.v[:0]
	if on {
		w.set()
	} else {
		w.batch().Delete(w.k, nil)
	}
}

// Burning is store.Reader's.
func (s *Store) Burning(u im.UserID, id im.ConvID, seq im.Seq, limit int) ([]im.Seq, error) {
	prefix := keyBurnings(nil, s.app, u, id)
	return s.seqs(id, prefix, prefix, seq, limit, "burning message")
}
