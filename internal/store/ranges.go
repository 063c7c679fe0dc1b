package store

import (
	"cmp"
	"slices"

	"github.com/anser-im/anser/internal/im"
)

// The most ranges of ordinals that are withdrawn for all, or for one user alone. Past it
// the lowest are dropped: unread may then be too high, never too low.
const (
	MaxWithdrawn  = 256
	MaxWithdrawnA = 64 // of @all
)

// MaxDirected is how many messages to some members only stand in a row at most.
const MaxDirected = 100

// Unite is what is in a or in b, in a new slice: ascending, disjoint, neighbours joined.
// Both may be in any order and overlap; a range that ends before it begins is nothing.
func Unite(a, b []Range) []Range {
	all := make([]Range, 0, len(a)+len(b))
	for _, list := range [][]Range{a, b} {
		for _, r := range list {
			if r.From <= r.To {
				all = append(all, r)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	out := all[:0]
	for _, r := range all {
		if l := len(out) - 1; l >= 0 && (r.From <= out[l].To || r.From == out[l].To+1) {
			out[l].To = max(out[l].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Between is the part of ranges, as Unite leaves them, above low and up to high. It is
// ranges itself if that is all.
func Between(ranges []Range, low, high uint64) []Range {
	if len(ranges) == 0 || ranges[0].From > low && ranges[len(ranges)-1].To <= high {
		return ranges
	}
	var out []Range
	for _, r := range ranges {
		if r.From, r.To = max(r.From, low+1), min(r.To, high); low < high && r.From <= r.To {
			out = append(out, r)
		}
	}
	return out
}

// Newest is the last most of ranges.
func Newest(ranges []Range, most int) []Range { return ranges[max(0, len(ranges)-most):] }

// UniteGone is what is in have or in add, in a new slice: ascending, disjoint,
// neighbours joined. have is as this leaves it; add may be in any order, and what of it
// is above head is left out. hole says whether nothing is left of the numbers from..to,
// both inclusive: ranges joined over such need one place instead of two. It is asked
// only beside what is in add.
func UniteGone(have, add []im.SeqRange, head im.Seq, hole func(from, to im.Seq) bool) []im.SeqRange {
	type span struct {
		im.SeqRange
		fresh bool
	}
	all := make([]span, 0, len(have)+len(add))
	for _, r := range have {
		all = append(all, span{r, false})
	}
	for _, r := range add {
		if r.From, r.To = max(r.From, 1), min(r.To, head); r.From <= r.To {
			all = append(all, span{r, true})
		}
	}
	slices.SortStableFunc(all, func(a, b span) int { return cmp.Compare(a.From, b.From) })
	join := func(spans []span, may func(l, s *span) bool) []span {
		out := spans[:0]
		for _, s := range spans {
			if len(out) > 0 {
				if l := &out[len(out)-1]; may(l, &s) {
					l.To, l.fresh = max(l.To, s.To), l.fresh || s.fresh
					continue
				}
			}
			out = append(out, s)
		}
		return out
	}
	spans := join(all, func(l, s *span) bool { return s.From <= l.To+1 })
	spans = join(spans, func(l, s *span) bool { return (l.fresh || s.fresh) && hole(l.To+1, s.From-1) })
	if len(spans) == 0 {
		return nil
	}
	out := make([]im.SeqRange, len(spans))
	for i, s := range spans {
		out[i] = s.SeqRange
	}
	return out
}
