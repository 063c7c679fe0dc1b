package core

import "github.com/anser-im/anser/internal/im"

// around reads half of the numbers' messages before q.Around and the rest from it on,
// as one range. Either side may end earlier, at half of 256 KiB.
func (s *Session) around(ref *convRef, q *PageQuery) (Range, error) {
	most := limit(q.Limit, defaultPage, maxPage)
	at := min(q.Around, ref.head.Seq+1)
	after, err := s.c.pageFor(&ref.row, &ref.head, at, ref.head.Seq, false, max(most-most/2, 1), pageBytes/2)
	if err != nil || at <= 1 || most < 2 {
		return after, err
	}
	before, err := s.c.pageFor(&ref.row, &ref.head, 1, at-1, true, most/2, pageBytes/2)
	if err != nil {
		return Range{}, err
	}
	messages := make([]*im.Message, 0, len(before.Messages)+len(after.Messages))
	messages = append(append(messages, before.Messages...), after.Messages...)
	return Range{From: before.From, To: max(before.To, after.To), Messages: messages}, nil
}
