package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

// Replies lists the messages that answer one, ascending, those above after. A part
// weighs about 256 KiB at most, but holds one at least.
//
// Errors: those of resolve; NotFound if there is no such message for this user.
func (s *Session) Replies(ctx context.Context, conv im.Address, seq, after im.Seq, most int) (msgs []*im.Message, more bool, err error) {
	ref, _, err := s.seen(conv, seq)
	if err != nil {
		return nil, false, err
	}
	return s.c.seeList(ctx, &ref, limit(most, defaultPage, maxPage), func(last im.Seq, n int) ([]im.Seq, error) {
		return s.c.st.Replies(ref.conv, seq, max(last, after), n)
	})
}

// seeList reads at most so many messages that ref's user may see, of numbers that
// next lists: those behind last, at most n; last is 0 at first.
func (c *Core) seeList(ctx context.Context, ref *convRef, most int, next func(last im.Seq, n int) ([]im.Seq, error)) (msgs []*im.Message, more bool, err error) {
	last, bytes := im.Seq(0), 0
	for {
		seqs, err := next(last, maxPage)
		if err != nil || len(seqs) == 0 {
			return msgs, false, err
		}
		for _, seq := range seqs {
			last = seq
			m, err := c.see(ref, seq)
			switch {
			case err != nil:
				return nil, false, err
			case m == nil:
				continue
			case len(msgs) == most || bytes >= pageBytes:
				return msgs, true, nil
			}
			msgs = append(msgs, m)
			bytes += m.Size()
		}
		if len(seqs) < maxPage {
			return msgs, false, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, false, im.Wrap(im.Unavailable, err, "the list was not read to its end")
		}
	}
}
