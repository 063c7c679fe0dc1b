package client

import "slices"

// span is the numbers from..to, both inclusive.
type span struct{ from, to uint64 }

// ranges is a set of numbers as spans: ascending, apart by at least one number.
type ranges []span

// has says whether n is in the set.
func (r ranges) has(n uint64) bool {
	i, _ := slices.BinarySearchFunc(r, n, func(s span, n uint64) int {
		switch {
		case s.to < n:
			return -1
		case s.from > n:
			return 1
		}
		return 0
	})
	return i < len(r) && r[i].from <= n && n <= r[i].to
}

// add puts from..to into the set. from is at least 1, to not the largest number.
func (r ranges) add(from, to uint64) ranges {
	if from > to {
		return r
	}
	i := 0
	for i < len(r) && r[i].to+1 < from {
		i++
	}
	j := i
	for j < len(r) && r[j].from <= to+1 {
		from, to = min(from, r[j].from), max(to, r[j].to)
		j++
	}
	return slices.Replace(r, i, j, span{from, to})
}

// remove takes n out of the set.
func (r ranges) remove(n uint64) ranges {
	for i, s := range r {
		if n < s.from || n > s.to {
			continue
		}
		var rest []span
		if s.from < n {
			rest = append(rest, span{s.from, n - 1})
		}
		if n < s.to {
			rest = append(rest, span{n + 1, s.to})
		}
		return slices.Replace(r, i, i+1, rest...)
	}
	return r
}
