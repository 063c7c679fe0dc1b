package pebblestore

import (
	"cmp"
	"slices"
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// reacted calls f for the keys of m's reactions that o may alter, each once.
func reacted(m *im.Message, o *store.ChangeOp, f func(key string)) {
	for i, key := range o.Add {
		if !slices.Contains(o.Add[:i], key) {
			f(key)
		}
	}
	for _, r := range m.Reactions {
		if !slices.Contains(o.Add, r.Key) && slices.ContainsFunc(o.Remove, func(k string) bool { return covers(k, r.Key) }) {
			f(r.Key)
		}
	}
}

// covers says whether what is to be removed names key: it is that, or what key begins
// with and a "*".
func covers(remove, key string) bool {
	if begin, all := strings.CutSuffix(remove, "*"); all {
		return strings.HasPrefix(key, begin)
	}
	return remove == key
}

// react finds which of o.By's reactions go and come, and counts them in a.now.
func (w *writer) react(h *hint, c *conv, a *alteration, o *store.ChangeOp) (err error) {
	m := a.was.Message
	has := map[string]bool{}
	reacted(m, o, func(key string) {
		if err != nil {
			return
		}
		var row []byte
		row, err = w.row(h, keyReaction(nil, c.app.app, c.id, m.Seq, key, o.By))
		has[key] = row != nil
	})
	if err != nil {
		return err
	}
	for _, key := range o.Add {
		if !has[key] && !slices.Contains(a.added, key) {
			a.added = append(a.added, key)
		}
	}
	for _, remove := range o.Remove { // in the order in which they were named
		for _, r := range m.Reactions {
			if has[r.Key] && covers(remove, r.Key) && !slices.Contains(o.Add, r.Key) && !slices.Contains(a.removed, r.Key) {
				a.removed = append(a.removed, r.Key)
			}
		}
	}
	if a.same = len(a.added)+len(a.removed) == 0; a.same {
		return nil
	}
	list := make([]im.Reaction, 0, len(m.Reactions)+len(a.added))
	for _, r := range m.Reactions {
		switch {
		case slices.Contains(a.removed, r.Key):
			r.Count--
		case slices.Contains(a.added, r.Key):
			r.Count++
		}
		if r.Count > 0 {
			list = append(list, r)
		}
	}
	fresh := false
	for _, key := range a.added {
		if !slices.ContainsFunc(list, func(r im.Reaction) bool { return r.Key == key }) {
			list, fresh = append(list, im.Reaction{Key: key, Count: 1}), true
		}
	}
	if fresh && o.Most > 0 && len(list) > o.Most {
		return im.Errorf(im.TooLarge, "there are %d different reactions to this message already; at most %d are allowed", len(m.Reactions), o.Most)
	}
	a.now.Reactions = list
	return nil
}

// expand sets keys of the expansion; same if that altered nothing.
func expand(now *im.Message, o *store.ChangeOp) (same bool, err error) {
	list := slices.Clone(now.Expansion)
	for _, p := range o.Set {
		at, there := slices.BinarySearchFunc(list, p.Key, func(x im.Pair, key string) int { return cmp.Compare(x.Key, key) })
		switch {
		case p.Value == "" && there:
			list = slices.Delete(list, at, at+1)
		case p.Value == "":
		case there:
			list[at].Value = p.Value
		default:
			list = slices.Insert(list, at, p)
		}
	}
	if o.Most > 0 && len(list) > o.Most && len(list) > len(now.Expansion) {
		return false, im.Errorf(im.TooLarge, "the expansion of this message would have %d keys; at most %d are allowed", len(list), o.Most)
	}
	if slices.Equal(list, now.Expansion) {
		return true, nil
	}
	if n := pairsSize(list); o.Bytes > 0 && n > o.Bytes && n > pairsSize(now.Expansion) {
		return false, im.Errorf(im.TooLarge, "the expansion of this message would have %d bytes; at most %d are allowed", n, o.Bytes)
	}
	if len(list) == 0 {
		list = nil
	}
	now.Expansion = list
	return false, nil
}

// pairsSize is the bytes of all keys and values.
func pairsSize(list []im.Pair) (n int) {
	for i := range list {
		n += len(list[i].Key) + len(list[i].Value)
	}
	return n
}

// Reactions is store.Reader's.
func (s *Store) Reactions(q store.ReactionQuery) ([]im.Reacted, error) {
	h := s.conv(q.Conv).durable()
	v := s.db.acquire()
	if v == nil {
		return nil, errClosed()
	}
	defer v.release()
	if h == nil || q.Limit <= 0 {
		return nil, nil
	}
	if q.User != "" {
		return s.reactionsOf(v, q)
	}
	whole := keyOf(nil, s.app, tagReaction, q.Conv, q.Seq)
	prefix := slices.Clone(whole)
	if q.Key != "" {
		prefix = appendString(prefix, q.Key)
	}
	from := prefix
	if q.AfterKey != "" || q.AfterUser != "" {
		if above := append(append(appendString(slices.Clone(whole), q.AfterKey), q.AfterUser...), 0); slices.Compare(above, from) > 0 {
			from = above
		}
	}
	to := after(prefix)
	var out []im.Reacted
	if slices.Compare(from, to) >= 0 {
		return nil, nil
	}
	err := scan(v.snap, from, to, func(key, row []byte) (bool, error) {
		name, user, ok := takeString(key[len(whole):])
		if !ok || len(user) == 0 {
			return false, errRow(key, "reaction")
		}
		t, err := decodeTime(key, row, "reaction")
		if err != nil {
			return false, err
		}
		out = append(out, im.Reacted{User: im.UserID(user), Key: name, Time: t})
		return len(out) < q.Limit, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// reactionsOf is what one user did, by the few keys there are on the message, not by
// the many users.
func (s *Store) reactionsOf(v *view, q store.ReactionQuery) ([]im.Reacted, error) {
	m, there, err := s.messageIn(v, q.Conv, q.Seq)
	if err != nil || !there {
		return nil, err
	}
	var keys []string
	for _, r := range m.Reactions {
		if (q.Key == "" || q.Key == r.Key) && (r.Key > q.AfterKey || r.Key == q.AfterKey && q.User > q.AfterUser) {
			keys = append(keys, r.Key)
		}
	}
	slices.Sort(keys)
	f := finder{r: v.snap}
	defer f.close()
	var out []im.Reacted
	for _, name := range keys {
		key := keyReaction(nil, s.app, q.Conv, q.Seq, name, q.User)
		row, there, err := f.find(key)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		t, err := decodeTime(key, row, "reaction")
		if err != nil {
			return nil, err
		}
		if out = append(out, im.Reacted{User: q.User, Key: name, Time: t}); len(out) == q.Limit {
			break
		}
	}
	return out, nil
}
