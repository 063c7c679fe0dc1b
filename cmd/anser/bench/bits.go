package bench

import (
	"math/bits"
	"slices"
)

// bitset is a set of small numbers. It grows as needed.
type bitset []uint64

// add puts i in and says whether it was new.
func (b *bitset) add(i uint64) bool {
	w := i / 64
	if w >= uint64(len(*b)) {
		*b = slices.Grow(*b, int(w)+1-len(*b))
		*b = (*b)[:cap(*b)] // the rest of a grown slice is zero: it was never written
	}
	mask := uint64(1) << (i % 64)
	if (*b)[w]&mask != 0 {
		return false
	}
	(*b)[w] |= mask
	return true
}

func (b bitset) has(i uint64) bool {
	return i/64 < uint64(len(b)) && b[i/64]&(1<<(i%64)) != 0
}

// count is how many numbers are in.
func (b bitset) count() uint64 {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return uint64(n)
}

// missing is how many numbers of b are not in other.
func (b bitset) missing(other bitset) uint64 {
	n := 0
	for i, w := range b {
		if i < len(other) {
			w &^= other[i]
		}
		n += bits.OnesCount64(w)
	}
	return uint64(n)
}

// bounds are the lowest and the highest number; false if there is none.
func (b bitset) bounds() (low, high uint64, ok bool) {
	for i, w := range b {
		if w == 0 {
			continue
		}
		if !ok {
			low, ok = uint64(i*64+bits.TrailingZeros64(w)), true
		}
		high = uint64(i*64 + 63 - bits.LeadingZeros64(w))
	}
	return low, high, ok
}
