package memstore

import (
	"cmp"
	"maps"
	"slices"

	"github.com/anser-im/anser/internal/im"
)

// linked says whether m has its place among replies and in its thread. What is not
// shown has none; what was recalled keeps it.
func linked(m *im.Message) bool { return m.Shown() && !m.Deleted }

// tallies are what was answered to each message of c. What only some members may see
// is listed, but counted for nobody.
func (c *conv) tallies() map[im.Seq]im.Tally {
	out := map[im.Seq]im.Tally{}
	for _, m := range c.messages {
		if !linked(m) || m.To != nil {
			continue
		}
		if m.ReplyTo != 0 {
			t := out[m.ReplyTo]
			t.Seq = m.ReplyTo
			t.Replies++
			out[m.ReplyTo] = t
		}
		if m.Thread != 0 {
			t := out[m.Thread]
			t.Seq = m.Thread
			t.Thread++
			if m.Seq > t.ThreadLast {
				t.ThreadLast, t.ThreadTime = m.Seq, m.Time
			}
			out[m.Thread] = t
		}
	}
	return out
}

// Tallies is store.Reader's.
func (s *Store) Tallies(id im.ConvID, from, to im.Seq) ([]im.Tally, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	all := slices.SortedFunc(maps.Values(c.tallies()), func(a, b im.Tally) int { return cmp.Compare(a.Seq, b.Seq) })
	return first(slices.DeleteFunc(all, func(t im.Tally) bool { return t.Seq < from || t.Seq > to }), 1000), nil
}

// Replies is store.Reader's.
func (s *Store) Replies(id im.ConvID, seq, after im.Seq, limit int) ([]im.Seq, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	return first(c.seqs(func(m *im.Message) bool {
		return seq != 0 && m.ReplyTo == seq && m.Seq > after && linked(m)
	}), limit), nil
}

// InThread is store.Reader's.
func (s *Store) InThread(id im.ConvID, root, from, to im.Seq, backward bool, limit int) ([]im.Seq, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	list := c.seqs(func(m *im.Message) bool {
		return root != 0 && m.Thread == root && m.Seq >= from && (to == 0 || m.Seq <= to) && linked(m)
	})
	if backward {
		slices.Reverse(list)
	}
	return first(list, limit), nil
}

// Threads is store.Reader's.
func (s *Store) Threads(id im.ConvID, before im.Seq, limit int) ([]im.Tally, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	all := slices.SortedFunc(maps.Values(c.tallies()), func(a, b im.Tally) int { return cmp.Compare(b.ThreadLast, a.ThreadLast) })
	return first(slices.DeleteFunc(all, func(t im.Tally) bool {
		return t.ThreadLast == 0 || before != 0 && t.ThreadLast >= before
	}), limit), nil
}
