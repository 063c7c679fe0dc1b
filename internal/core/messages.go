package core

import (
	"context"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Messages reads messages by their numbers, at most 200, ascending: those that the
// user may see. Past about 256 KiB the rest is left out: ask again for the numbers
// above the last one answered.
//
// Errors: those of resolve; TooLarge for too many numbers.
func (s *Session) Messages(ctx context.Context, conv im.Address, seqs []im.Seq) ([]*im.Message, error) {
	if len(seqs) > maxPage {
		return nil, im.Errorf(im.TooLarge, "%d numbers in one request; at most %d are allowed", len(seqs), maxPage)
	}
	ref, err := s.resolve(conv)
	if err != nil {
		return nil, err
	}
	return s.c.seeAll(&ref, slices.Compact(slices.Sorted(slices.Values(seqs))))
}

// seeAll reads those of seqs that ref's user may see, up to about 256 KiB.
func (c *Core) seeAll(ref *convRef, seqs []im.Seq) ([]*im.Message, error) {
	var list []*im.Message
	bytes := 0
	for _, seq := range seqs {
		m, err := c.see(ref, seq)
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		list = append(list, m)
		if bytes += m.Size(); bytes >= pageBytes {
			break
		}
	}
	return list, nil
}

// Extras is what there is besides to the messages of a page just read, as of now:
// what was answered to them, and which reactions are the user's own. One for each
// message that has any, ascending.
//
// Errors: those of resolve.
func (s *Session) Extras(ctx context.Context, conv im.Address, r Range) ([]Extra, error) {
	if len(r.Messages) == 0 {
		return nil, nil
	}
	ref, err := s.resolve(conv)
	if err != nil || ref.conv == 0 {
		return nil, err
	}
	tallies := map[im.Seq]im.Tally{}
	last := r.Messages[len(r.Messages)-1].Seq
	for from := r.Messages[0].Seq; from <= last; {
		part, err := s.c.st.Tallies(ref.conv, from, last)
		if err != nil {
			return nil, err
		}
		if len(part) == 0 {
			break
		}
		for _, t := range part {
			tallies[t.Seq] = t
		}
		from = part[len(part)-1].Seq + 1
	}
	var list []Extra
	for _, m := range r.Messages {
		if !s.c.visible(m, &ref.row) {
			continue
		}
		x := Extra{Tally: tallies[m.Seq]}
		if len(m.Reactions) > 0 {
			own, err := s.c.st.Reactions(store.ReactionQuery{Conv: ref.conv, Seq: m.Seq, User: s.user, Limit: maxReactions})
			if err != nil {
				return nil, err
			}
			for _, o := range own {
				x.Mine = append(x.Mine, o.Key)
			}
		}
		if x.Seq != 0 || x.Mine != nil {
			x.Seq = m.Seq
			list = append(list, x)
		}
	}
	return list, nil
}
