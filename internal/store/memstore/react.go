package memstore

import (
	"cmp"
	"slices"
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// react takes o.By's reactions away from now and adds others, and says which; none at
// all: it is as it was.
func (st *state) react(c *conv, now *im.Message, o *store.ChangeOp) (added, removed []string, err error) {
	has := func(key string) bool { _, ok := c.reacted[now.Seq][key][o.By]; return ok }
	took := map[string]bool{}
	for _, key := range o.Remove {
		for _, r := range now.Reactions {
			if has(r.Key) && !took[r.Key] && names(key, r.Key) && !slices.Contains(o.Add, r.Key) {
				took[r.Key] = true
				removed = append(removed, r.Key)
			}
		}
	}
	for _, key := range o.Add {
		if !has(key) && !slices.Contains(added, key) {
			added = append(added, key)
		}
	}
	list := slices.Clone(now.Reactions)
	at := func(key string) int { return slices.IndexFunc(list, func(r im.Reaction) bool { return r.Key == key }) }
	for _, key := range removed {
		i := at(key)
		if list[i].Count--; list[i].Count == 0 {
			list = slices.Delete(list, i, i+1)
		}
	}
	fresh := false
	for _, key := range added {
		if i := at(key); i >= 0 {
			list[i].Count++
			continue
		}
		fresh = true
		list = append(list, im.Reaction{Key: key, Count: 1})
	}
	if fresh && o.Most > 0 && len(list) > o.Most {
		return nil, nil, im.Errorf(im.TooLarge, "there are %d different reactions to this message already; at most %d are allowed", len(now.Reactions), o.Most)
	}
	now.Reactions = list
	if len(list) == 0 {
		now.Reactions = nil
	}
	for _, key := range removed {
		delete(c.reacted[now.Seq][key], o.By)
	}
	for _, key := range added {
		if c.reacted[now.Seq] == nil {
			c.reacted[now.Seq] = map[string]map[im.UserID]int64{}
		}
		if c.reacted[now.Seq][key] == nil {
			c.reacted[now.Seq][key] = map[im.UserID]int64{}
		}
		c.reacted[now.Seq][key][o.By] = st.millis()
	}
	st.touch(len(added)+len(removed), 32)
	return added, removed, nil
}

// names says whether what is to be removed names key: it is that, or what key begins
// with and a "*".
func names(remove, key string) bool {
	if begin, all := strings.CutSuffix(remove, "*"); all {
		return strings.HasPrefix(key, begin)
	}
	return remove == key
}

// expand sets keys of the expansion and says whether that altered anything.
func expand(now *im.Message, o *store.ChangeOp) (bool, error) {
	keys, before, size := map[string]string{}, 0, 0
	for _, p := range now.Expansion {
		keys[p.Key] = p.Value
		before += len(p.Key) + len(p.Value)
	}
	for _, p := range o.Set {
		if p.Value == "" {
			delete(keys, p.Key)
		} else {
			keys[p.Key] = p.Value
		}
	}
	if o.Most > 0 && len(keys) > o.Most && len(keys) > len(now.Expansion) {
		return false, im.Errorf(im.TooLarge, "the expansion of this message would have %d keys; at most %d are allowed", len(keys), o.Most)
	}
	var list []im.Pair
	for k, v := range keys {
		list = append(list, im.Pair{Key: k, Value: v})
		size += len(k) + len(v)
	}
	if o.Bytes > 0 && size > o.Bytes && size > before {
		return false, im.Errorf(im.TooLarge, "the expansion of this message would have %d bytes; at most %d are allowed", size, o.Bytes)
	}
	slices.SortFunc(list, func(a, b im.Pair) int { return cmp.Compare(a.Key, b.Key) })
	if slices.Equal(list, now.Expansion) {
		return false, nil
	}
	now.Expansion = list
	return true, nil
}

// pin pins now or takes the pin off, and says whether that altered anything.
func (st *state) pin(c *conv, now *im.Message, o *store.ChangeOp) (bool, error) {
	if o.Pin == (now.Pin != nil) {
		return false, nil
	}
	if !o.Pin {
		now.Pin = nil
		return true, nil
	}
	if n := len(c.pins()); o.Most > 0 && n >= o.Most {
		return false, im.Errorf(im.TooLarge, "%d messages are pinned here already; at most %d are allowed", n, o.Most)
	}
	now.Pin = &im.Pin{By: o.By, Time: st.millis()}
	return true, nil
}

// pins are the pinned messages, ascending.
func (c *conv) pins() []im.Seq { return c.seqs(func(m *im.Message) bool { return m.Pin != nil }) }

// seqs are the numbers of the messages that are so, ascending.
func (c *conv) seqs(is func(*im.Message) bool) []im.Seq {
	var out []im.Seq
	for seq, m := range c.messages {
		if is(m) {
			out = append(out, seq)
		}
	}
	slices.Sort(out)
	return out
}

// Pins is store.Reader's.
func (s *Store) Pins(id im.ConvID) ([]im.Seq, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if c := s.st.convs[id]; c != nil {
		return c.pins(), nil
	}
	return nil, nil
}

// Reactions is store.Reader's.
func (s *Store) Reactions(q store.ReactionQuery) ([]im.Reacted, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[q.Conv]
	if c == nil {
		return nil, nil
	}
	var out []im.Reacted
	for key, users := range c.reacted[q.Seq] {
		for u, t := range users {
			if (q.Key == "" || q.Key == key) && (q.User == "" || q.User == u) &&
				(key > q.AfterKey || key == q.AfterKey && u > q.AfterUser) {
				out = append(out, im.Reacted{User: u, Key: key, Time: t})
			}
		}
	}
	slices.SortFunc(out, func(a, b im.Reacted) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.User, b.User))
	})
	return first(out, q.Limit), nil
}

// Burning is store.Reader's.
func (s *Store) Burning(u im.UserID, id im.ConvID, seq im.Seq, limit int) ([]im.Seq, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	return first(c.seqs(func(m *im.Message) bool {
		return m.Seq <= seq && c.burning[m.Seq] && c.head.Peer(m.Sender) == u
	}), limit), nil
}
