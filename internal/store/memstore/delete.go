package memstore

import (
	"slices"

	"github.com/anser-im/anser/internal/im"
)

// former is what a message said before a change. What Delete put away is only for
// Restore.
type former struct {
	im.Former
	push     string
	mentions *im.Mentions
	deleted  int64 // when; 0 = an edit
}

// keep puts what m says away. at is when it is deleted, 0 if it is edited.
func (st *state) keepFormer(c *conv, m *im.Message, ver im.Ver, deleted int64) {
	c.formers[m.Seq] = append(c.formers[m.Seq], former{
		Former: im.Former{Ver: ver, Time: m.Edited, Body: m.Body, Digest: m.Digest}, push: m.Push, mentions: m.Mentions, deleted: deleted})
	st.touch(1, 16+len(m.Body))
}

// remove makes now of m, which is deleted for all.
func (st *state) remove(c *conv, m, now *im.Message) {
	st.keepFormer(c, m, now.Ver, st.millis())
	st.mention(c, m, false)
	st.direct(c, m, false)
	c.withdraw(m.Seq)
	delete(c.burning, m.Seq)
	now.Body, now.Digest, now.Push, now.Mentions, now.Pin = nil, "", "", nil, nil
	now.Deleted = true
}

// restore makes now of a deleted message; false if what it said is gone for good.
func (st *state) restore(c *conv, now *im.Message) bool {
	list := c.formers[now.Seq]
	if len(list) == 0 || list[len(list)-1].deleted == 0 {
		return false
	}
	f := list[len(list)-1]
	c.formers[now.Seq] = list[:len(list)-1]
	now.Body, now.Digest, now.Push, now.Mentions = f.Body, f.Digest, f.push, f.mentions
	now.Deleted = false
	if now.Recalled { // stays without its count
		return true
	}
	o := c.ordinal(now.Seq)
	if o.counted {
		c.head.Withdrawn = takeRange(c.head.Withdrawn, o.n, maxWithdrawn)
	}
	if o.called && now.Mentions != nil && now.Mentions.All {
		c.head.WithdrawA = takeRange(c.head.WithdrawA, o.na, maxWithdrawA)
	}
	c.burning[now.Seq] = now.Burn != 0 && c.head.Kind == im.Direct
	st.direct(c, now, true)
	return true
}

// deletedAt is when message seq was deleted.
func (c *conv) deletedAt(seq im.Seq) int64 {
	list := c.formers[seq]
	return list[len(list)-1].deleted
}

// Formers is store.Reader's.
func (s *Store) Formers(id im.ConvID, seq im.Seq, after im.Ver, limit int) ([]im.Former, error) {
	if err := s.reading(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c := s.st.convs[id]
	if c == nil {
		return nil, nil
	}
	var out []im.Former
	for _, f := range c.formers[seq] {
		if f.Ver > after && f.deleted == 0 {
			f.Body = slices.Clone(f.Body)
			out = append(out, f.Former)
		}
	}
	return first(out, limit), nil
}
