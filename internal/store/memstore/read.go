package memstore

import (
	"cmp"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Epoch is store.Reader's.
func (s *Store) Epoch() im.Epoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.epoch
}

// Position is store.Reader's.
func (s *Store) Position() im.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.position
}

// Head is store.Reader's.
func (s *Store) Head(id im.ConvID) (store.Head, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.st.convs[id]; c != nil {
		return c.head, true
	}
	return store.Head{}, false
}

// reading locks the store for a reader; the error says that it is closed. The lock
// is held only if there is none.
func (s *Store) reading() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed()
	}
	return nil
}

// Direct is store.Reader's.
func (s *Store) Direct(a, b im.UserID, line string) (im.ConvID, bool, error) {
	if err := s.reading(); err != nil {
		return 0, false, err
	}
	defer s.mu.Unlock()
	c, ok := s.st.directs[address{pair(a, b), line}]
	return c, ok, nil
}

// Group is store.Reader's.
func (s *Store) Group(id im.GroupID) (im.ConvID, bool, error) {
	if err := s.reading(); err != nil {
		return 0, false, err
	}
	defer s.mu.Unlock()
	c, ok := s.st.groups[id]
	return c, ok, nil
}

// Self is store.Reader's.
func (s *Store) Self(u im.UserID) (im.ConvID, bool, error) {
	if err := s.reading(); err != nil {
		return 0, false, err
	}
	defer s.mu.Unlock()
	c, ok := s.st.selves[u]
	return c, ok, nil
}

// Info is store.Reader's.
func (s *Store) Info(id im.ConvID) (im.GroupInfo, bool, error) {
	if err := s.reading(); err != nil {
		return im.GroupInfo{}, false, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil || c.head.Group == "" {
		return im.GroupInfo{}, false, nil
	}
	return c.info, true, nil
}

// Row is store.Reader's.
func (s *Store) Row(id im.ConvID, u im.UserID) (store.Row, bool, error) {
	if err := s.reading(); err != nil {
		return store.Row{}, false, err
	}
	defer s.mu.Unlock()
	if c := s.st.convs[id]; c != nil {
		r, ok := c.shown(u)
		return r, ok, nil
	}
	return store.Row{}, false, nil
}

// Rows is store.Reader's.
func (s *Store) Rows(u im.UserID, after im.ConvID, limit int) ([]store.Row, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var rows []store.Row
	for id := range s.st.byUser[u] {
		if id > after {
			r, _ := s.st.convs[id].shown(u)
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b store.Row) int { return cmp.Compare(a.Conv, b.Conv) })
	return first(rows, limit), nil
}

// Members is store.Reader's.
func (s *Store) Members(id im.ConvID, after im.UserID, limit int) ([]store.Row, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	rows := c.members(after)
	slices.SortFunc(rows, func(a, b store.Row) int { return cmp.Compare(a.User, b.User) })
	return first(rows, limit), nil
}

// Message is store.Reader's.
func (s *Store) Message(id im.ConvID, seq im.Seq) (*im.Message, bool, error) {
	if err := s.reading(); err != nil {
		return nil, false, err
	}
	defer s.mu.Unlock()
	if c := s.st.convs[id]; c != nil {
		m, ok := c.messages[seq]
		return m, ok, nil
	}
	return nil, false, nil
}

// Page is store.Reader's.
func (s *Store) Page(q store.PageQuery) (store.Page, error) {
	if err := s.reading(); err != nil {
		return store.Page{}, err
	}
	defer s.mu.Unlock()
	if q.Limit <= 0 {
		q.Limit = 50
	}
	if q.Bytes <= 0 {
		q.Bytes = 256 << 10
	}
	c := s.st.convs[q.Conv]
	if c == nil {
		return store.Page{From: max(q.From, 1)}, nil
	}
	p := store.Page{From: max(q.From, 1), To: min(q.To, c.head.Seq)}
	bytes := 0
	for i := p.From; i <= p.To; i++ {
		seq := i
		if q.Backward {
			seq = p.To - (i - p.From)
		}
		m := c.messages[seq]
		if m == nil {
			continue
		}
		p.Messages = append(p.Messages, m)
		bytes += m.Size()
		if len(p.Messages) >= q.Limit || bytes >= q.Bytes {
			if q.Backward {
				p.From = seq
			} else {
				p.To = seq
			}
			break
		}
	}
	if q.Backward {
		slices.Reverse(p.Messages)
	}
	return p, nil
}

// Changes is store.Reader's.
func (s *Store) Changes(id im.ConvID, from im.Ver, limit int) ([]im.Change, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	var out []im.Change
	for v := max(from, c.head.MinVer); v <= c.head.Ver && len(out) < limit; v++ {
		ch := c.changes[v]
		ch.Msg = c.messages[ch.Seq]
		s.st.noted(&ch)
		out = append(out, ch)
	}
	return out, nil
}

// mentions lists what names u in c above after and above what he has read.
func (st *state) mentions(u im.UserID, id im.ConvID, after im.Seq) []im.Seq {
	c := st.convs[id]
	if c == nil {
		return nil
	}
	r := c.row(u)
	if r == nil || !r.In() {
		return nil
	}
	var out []im.Seq
	for seq := range c.mentions[u] {
		if seq > after && seq > r.Read && !r.Hides(seq) {
			out = append(out, seq)
		}
	}
	slices.Sort(out)
	return out
}

// Mentions is store.Reader's.
func (s *Store) Mentions(u im.UserID, id im.ConvID, after im.Seq, limit int) ([]im.Seq, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return first(s.st.mentions(u, id, after), limit), nil
}

// CountMentions is store.Reader's.
func (s *Store) CountMentions(u im.UserID, id im.ConvID) (int, error) {
	if err := s.reading(); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return min(len(s.st.mentions(u, id, 0)), 100), nil
}

// Blocked is store.Reader's.
func (s *Store) Blocked(u, peer im.UserID) (bool, error) {
	if err := s.reading(); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	return s.st.blocks[[2]im.UserID{u, peer}], nil
}

// Blocks is store.Reader's.
func (s *Store) Blocks(u im.UserID, after im.UserID, limit int) ([]im.UserID, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []im.UserID
	for k := range s.st.blocks {
		if k[0] == u && k[1] > after {
			out = append(out, k[1])
		}
	}
	slices.Sort(out)
	return first(out, limit), nil
}

// Get is store.Reader's.
func (s *Store) Get(k store.RecordKind, u im.UserID, key string) ([]byte, bool, error) {
	if err := s.reading(); err != nil {
		return nil, false, err
	}
	defer s.mu.Unlock()
	r, ok := s.st.records[recordKey{k, u, key}]
	return slices.Clone(r.Value), ok, nil
}

// List is store.Reader's.
func (s *Store) List(k store.RecordKind, u im.UserID, after string, limit int) ([]store.Record, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []store.Record
	for key, r := range s.st.records {
		if key.kind == k && key.user == u && key.key > after {
			r.Value = append([]byte{}, r.Value...)
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b store.Record) int { return cmp.Compare(a.Key, b.Key) })
	return first(out, limit), nil
}

// Cursor is store.Reader's.
func (s *Store) Cursor(u im.UserID, d im.DeviceID, id im.ConvID) (im.Seq, error) {
	if err := s.reading(); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.st.cursors[cursorKey{u, d, id}], nil
}

// first cuts list to limit; a limit of 0 leaves nothing.
func first[T any](list []T, limit int) []T {
	return list[:min(len(list), max(limit, 0))]
}
