package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	defaultPage = 50
	maxPage     = 200
	pageBytes   = 256 << 10 // an answer holds no more messages once it weighs this
)

// Page reads messages of a conversation. Numbers that are not for this user (before
// his time, to others only, expired, gone) are covered without a message. Commands
// are among the messages as long as they are kept. The head was loaded first: no
// number above it is covered.
//
// Backward it reads from From (0 = the head) down to To (0 = the first); forward from
// From (0 = the first) up to To (0 = the head). It may end earlier, at Limit messages
// or 256 KiB: ask on from where the range ends. With Around it reads on both sides of
// that number instead.
//
// Errors: those of resolve; Invalid if the range is none.
func (s *Session) Page(ctx context.Context, q PageQuery) (Range, im.Head, error) {
	ref, err := s.resolve(q.Conv)
	if err != nil {
		return Range{}, im.Head{}, err
	}
	if q.Around != 0 {
		s.c.counts.pages.Add(1)
		r, err := s.around(&ref, &q)
		return r, headOf(&ref.head), err
	}
	lo, hi := q.From, q.To
	if q.Backward {
		lo, hi = q.To, q.From
	}
	if hi == 0 {
		hi = ref.head.Seq
	} else if lo > hi {
		return Range{}, im.Head{}, im.Errorf(im.Invalid, "the range %d to %d is empty", lo, hi)
	}
	s.c.counts.pages.Add(1)
	r, err := s.c.pageFor(&ref.row, &ref.head, lo, hi, q.Backward, limit(q.Limit, defaultPage, maxPage), pageBytes)
	return r, headOf(&ref.head), err
}

// pageFor reads lo..hi of a conversation for row.User: at most so many messages and
// about so many bytes of them, but one at least if there is one. Nothing above h.Seq
// is read or covered. The answer touches lo, or hi if it was read backward.
func (c *Core) pageFor(row *store.Row, h *store.Head, lo, hi im.Seq, backward bool, most, bytes int) (Range, error) {
	lo, hi = max(lo, 1), min(hi, h.Seq)
	first := max(lo, row.From, h.Min) // nothing below is there for him
	if lo > hi {
		return Range{From: lo, To: lo - 1}, nil
	}
	if first > hi {
		return Range{From: lo, To: hi}, nil
	}
	p, err := c.st.Page(store.PageQuery{Conv: h.Conv, From: first, To: hi, Backward: backward, Limit: most, Bytes: bytes})
	if err != nil {
		return Range{}, err
	}
	r := Range{From: p.From, To: min(p.To, hi), Messages: p.Messages[:0]}
	for _, m := range p.Messages {
		if c.visible(m, row) {
			r.Messages = append(r.Messages, m)
		}
	}
	if r.From <= first {
		r.From = lo
	}
	return r, nil
}

// limit is n within its bounds; 0 or less is the default.
func limit(n, def, most int) int {
	if n <= 0 {
		return def
	}
	return min(n, most)
}
