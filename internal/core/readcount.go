package core

import (
	"context"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxCounted   = 100
	defaultReads = 100
	maxReads     = 1000
)

// ReadCounts says of messages how many of those who are members now have read them,
// and how many have not: without the sender, and without who came after the message
// and does not see it. A message to some members only is counted among those. Messages
// that are not there for the user are left out. AsOf is at most some seconds ago.
//
// Errors: those of resolve; TooLarge for more than 100 numbers; those of the store.
func (s *Session) ReadCounts(ctx context.Context, conv im.Address, seqs []im.Seq) ([]ReadCount, error) {
	if len(seqs) > maxCounted {
		return nil, im.Errorf(im.TooLarge, "%d messages at once; at most %d can be counted", len(seqs), maxCounted)
	}
	ref, err := s.resolve(conv)
	if err != nil {
		return nil, err
	}
	var msgs []*im.Message
	for _, seq := range seqs {
		m, err := s.shownAt(&ref, seq)
		if err != nil {
			return nil, err
		}
		if m != nil {
			msgs = append(msgs, m)
		}
	}
	if len(msgs) == 0 {
		return nil, nil
	}
	counts := make([]ReadCount, len(msgs))
	if slices.ContainsFunc(msgs, func(m *im.Message) bool { return m.To == nil }) {
		err = s.c.marksOf(ctx, &ref.head, func(list []mark, asOf int64) { countMarks(msgs, counts, list, asOf) })
		if err != nil {
			return nil, err
		}
	}
	for i, m := range msgs {
		if m.To == nil {
			continue
		}
		list, err := s.c.audience(&ref.head, m)
		if err != nil {
			return nil, err
		}
		countMarks(msgs[i:i+1], counts[i:i+1], list, s.c.Now().UnixMilli())
	}
	return counts, nil
}

// countMarks counts the marks in list for each message, in one walk through the list.
func countMarks(msgs []*im.Message, counts []ReadCount, list []mark, asOf int64) {
	order := make([]int, len(msgs)) // by number
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(msgs[a].Seq) - int(msgs[b].Seq) })
	seqs := make([]im.Seq, len(msgs))
	for i, at := range order {
		seqs[i] = msgs[at].Seq
	}
	// Of n numbers in order, those a member has read and those he does not see are
	// each a beginning of them: one counter for where each ends is enough.
	reads, blind := make([]int, len(msgs)+1), make([]int, len(msgs)+1)
	for i := range list {
		m := &list[i]
		unseen := 0
		if m.from > seqs[0] {
			unseen, _ = slices.BinarySearch(seqs, m.from) // numbers below from
		}
		read := len(seqs)
		if m.read < seqs[len(seqs)-1] {
			read, _ = slices.BinarySearch(seqs, m.read+1) // numbers up to read
		}
		blind[unseen]++
		reads[max(read, unseen)]++
	}
	// member i sees seqs[unseen:], has read seqs[unseen:read].
	gone, sees := len(list), 0
	for i, at := range order {
		gone -= reads[i] // those whose reading ended before this one
		sees += blind[i] // those who see from here on
		hidden := len(list) - sees
		counts[at] = ReadCount{Seq: seqs[i], Read: gone - hidden, Unread: len(list) - gone, AsOf: asOf}
		if j, ok := findMark(list, msgs[at].Sender); ok && list[j].from <= seqs[i] {
			if list[j].read >= seqs[i] {
				counts[at].Read--
			} else {
				counts[at].Unread--
			}
		}
	}
}

// audience is how far those have read whom a message to some members only is for, as
// far as they are in.
func (c *Core) audience(h *store.Head, m *im.Message) ([]mark, error) {
	var list []mark
	for _, u := range m.To {
		_, row, err := c.at(h.Conv, u)
		if err != nil {
			return nil, err
		}
		if row.In() {
			list = append(list, mark{u, row.From, row.Read})
		}
	}
	slices.SortFunc(list, func(a, b mark) int {
		if a.user < b.user {
			return -1
		}
		return 1
	})
	return slices.CompactFunc(list, func(a, b mark) bool { return a.user == b.user }), nil
}

// ReadList lists who has read a message, or with unread who has not, by id, those
// above after, at most most (0 = 100; at most 1,000), by the rules of ReadCounts; more
// says that there are others.
//
// Errors: those of resolve; NotFound if there is no such message for the user; those
// of the store.
func (s *Session) ReadList(ctx context.Context, conv im.Address, seq im.Seq, unread bool, after im.UserID, most int) (users []im.UserID, more bool, asOf int64, err error) {
	ref, err := s.resolve(conv)
	if err != nil {
		return nil, false, 0, err
	}
	m, err := s.shownAt(&ref, seq)
	if err == nil && m == nil {
		err = im.Errorf(im.NotFound, "no such message")
	}
	if err != nil {
		return nil, false, 0, err
	}
	most = limit(most, defaultReads, maxReads)
	pick := func(list []mark, at int64) {
		asOf = at
		i, found := findMark(list, after)
		if found {
			i++
		}
		for ; i < len(list); i++ {
			k := &list[i]
			if k.user == m.Sender || k.from > m.Seq || (k.read < m.Seq) != unread {
				continue
			}
			if len(users) == most {
				more = true
				return
			}
			users = append(users, k.user)
		}
	}
	if m.To != nil {
		list, err := s.c.audience(&ref.head, m)
		if err == nil {
			pick(list, s.c.Now().UnixMilli())
		}
		return users, more, asOf, err
	}
	err = s.c.marksOf(ctx, &ref.head, pick)
	return users, more, asOf, err
}
