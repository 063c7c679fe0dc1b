package pebblestore

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
)

// filter says of most fresh client ids that they are fresh, without touching the
// database. It is never the truth: what it lets through as "maybe" is looked up.
//
// It is a row of Bloom filters, each for the ids of one bucket, 16 bits an id, in
// blocks of one cache line. When there is no room for another, all take more, down to 7
// bits an id: then a quarter of the fresh ones are looked up, which is still better
// than all. After that the oldest is dropped, and every id is looked up in its bucket.
type filter struct {
	seed maphash.Seed // fixed
	most int          // fixed; bytes
	st   atomic.Pointer[filterState]

	mu     sync.Mutex // of those who replace st
	newest *segment   // the writer's: takes what is added
}

// filterState is never altered.
type filterState struct {
	segs      []*segment // the oldest first
	uncovered []uint64   // buckets of which the filter does not know every id
	dropped   int        // segments so far, of buckets that are still kept
}

// segment has one goroutine that adds; any may ask.
type segment struct {
	bucket uint64
	words  []uint64
	room   int // ids that may still be added at 16 bits each; below 0 it is crowded
}

// full says whether the segment is as crowded as it may be.
func (s *segment) full() bool {
	bits := 64 * len(s.words)
	return s.room <= bits/16-bits/7
}

const (
	filterBytes = 64 << 20 // all segments
	blockWords  = 8
	blockBytes  = 8 * blockWords
)

// sizes are the bytes of a bucket's first segment and of its largest; each is twice the
// one before. A 64th and a quarter of all.
func (f *filter) sizes() (first, largest int) {
	whole := func(n int) int { return max(n/blockBytes, 1) * blockBytes }
	return whole(f.most / 64), whole(f.most / 4)
}

// newFilter makes a filter that does not know the ids of uncovered buckets.
func newFilter(bucket uint64, most int, uncovered ...uint64) *filter {
	f := &filter{seed: maphash.MakeSeed(), most: most}
	f.st.Store(&filterState{uncovered: uncovered})
	f.grow(bucket)
	return f
}

func newSegment(bucket uint64, size int) *segment {
	return &segment{bucket: bucket, words: make([]uint64, size/8), room: size * 8 / 16}
}

// fingerprint is of an id for as long as the database is open. conv 0 with an app is
// for the making of groups.
func (f *filter) fingerprint(app uint32, conv im.ConvID, sender im.UserID, id im.ClientID) uint64 {
	h := maphash.String(f.seed, string(id)) ^ mix(maphash.String(f.seed, string(sender))+uint64(conv)*0x9E3779B97F4A7C15)
	if conv == 0 {
		h ^= mix(uint64(app) + 1)
	}
	return mix(h)
}

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0xA0761D6478BD642F, 0xE7037ED1A0B428DB)
	return hi ^ lo
}

// maybe says whether fp may have been added. False is certain, for ids of covered
// buckets that were added before.
func (f *filter) maybe(fp uint64) bool {
	st := f.st.Load()
	if len(st.uncovered) > 0 {
		return true
	}
	for i := len(st.segs) - 1; i >= 0; i-- {
		if st.segs[i].has(fp) {
			return true
		}
	}
	return false
}

// maybeIn is maybe for the ids of one bucket.
func (f *filter) maybeIn(bucket, fp uint64) bool {
	st := f.st.Load()
	if slices.Contains(st.uncovered, bucket) {
		return true
	}
	for i := len(st.segs) - 1; i >= 0; i-- {
		if st.segs[i].bucket == bucket && st.segs[i].has(fp) {
			return true
		}
	}
	return false
}

func (s *segment) block(fp uint64) []uint64 {
	n, _ := bits.Mul64(fp, uint64(len(s.words)/blockWords))
	at := n * blockWords
	return s.words[at : at+blockWords : at+blockWords]
}

func (s *segment) has(fp uint64) bool {
	b := s.block(fp)
	for i, h := 0, mix(fp); i < blockWords; i, h = i+1, h>>6 {
		if atomic.LoadUint64(&b[i])&(1<<(h&63)) == 0 {
			return false
		}
	}
	return true
}

func (s *segment) add(fp uint64) {
	b := s.block(fp)
	for i, h := 0, mix(fp); i < blockWords; i, h = i+1, h>>6 {
		if w := atomic.LoadUint64(&b[i]); w&(1<<(h&63)) == 0 {
			atomic.StoreUint64(&b[i], w|1<<(h&63))
		}
	}
	s.room--
}

// add is the writer's.
func (f *filter) add(bucket, fp uint64) {
	s := f.newest
	switch {
	case s.bucket == bucket && s.room > 0:
	case s.bucket != bucket || f.st.Load().bytes()+f.next(bucket) <= f.most:
		f.grow(bucket)
		s = f.newest
	default:
		if s = f.emptiest(bucket); s.full() {
			f.grow(bucket)
			s = f.newest
		}
	}
	s.add(fp)
}

// emptiest is the least crowded segment of a bucket that has one.
func (f *filter) emptiest(bucket uint64) *segment {
	best := f.newest
	for _, s := range f.st.Load().segs {
		// by room / size, both of which may be large
		if s.bucket == bucket && float64(s.room)*float64(len(best.words)) > float64(best.room)*float64(len(s.words)) {
			best = s
		}
	}
	return best
}

// next is the bytes of the next segment.
func (f *filter) next(bucket uint64) int {
	first, largest := f.sizes()
	if f.newest != nil && f.newest.bucket == bucket {
		return min(2*8*len(f.newest.words), largest)
	}
	return first
}

// grow begins a new segment. Buckets below the one before bucket are gone.
func (f *filter) grow(bucket uint64) {
	f.newest = newSegment(bucket, f.next(bucket))
	f.change(func(st *filterState) {
		st.segs = append(st.segs, f.newest)
		live := func(b uint64) bool { return b+1 >= bucket }
		st.segs = slices.DeleteFunc(st.segs, func(s *segment) bool { return !live(s.bucket) })
		st.uncovered = slices.DeleteFunc(st.uncovered, func(b uint64) bool { return !live(b) })
		for st.bytes() > f.most && len(st.segs) > 1 {
			if b := st.segs[0].bucket; !slices.Contains(st.uncovered, b) {
				st.uncovered = append(st.uncovered, b)
			}
			st.segs = st.segs[1:]
			st.dropped++
		}
	})
}

func (st *filterState) bytes() int {
	n := 0
	for _, s := range st.segs {
		n += 8 * len(s.words)
	}
	return n
}

func (f *filter) change(to func(*filterState)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.st.Load()
	st := &filterState{slices.Clone(old.segs), slices.Clone(old.uncovered), old.dropped}
	to(st)
	f.st.Store(st)
}

// rebuild reads the ids of the uncovered buckets, the newest first, as long as they
// find room. The writer adds new ones meanwhile. about says how many bytes the rows
// between two keys take on the disk, roughly; stop is asked now and then.
func (f *filter) rebuild(r pebble.Reader, about func(from, to []byte) uint64, stop func() bool) error {
	buckets := slices.Clone(f.st.Load().uncovered)
	slices.Sort(buckets)
	slices.Reverse(buckets)
	for _, bucket := range buckets {
		st := f.st.Load()
		_, largest := f.sizes()
		room := f.most - st.bytes() - largest // that is for what comes
		segs, whole, err := f.read(r, bucket, room, about, stop)
		if err != nil || !whole {
			return err
		}
		f.change(func(now *filterState) {
			at := slices.Index(now.uncovered, bucket)
			if at < 0 || now.dropped != st.dropped { // it is gone, or ids that came meanwhile are
				return
			}
			now.uncovered = slices.Delete(now.uncovered, at, at+1)
			now.segs = append(segs, now.segs...)
		})
	}
	return nil
}

// idRowBytes is what the row of a client id takes in a file, at least.
const idRowBytes = 24

// read makes the segments of one bucket, the first as large as it may need; whole says
// whether they hold all of it.
func (f *filter) read(r pebble.Reader, bucket uint64, room int, about func(from, to []byte) uint64, stop func() bool) (segs []*segment, whole bool, err error) {
	from := keyBucket(nil, bucket)
	to := after(from)
	size, largest := f.sizes()
	if need := int(about(from, to) / idRowBytes * 2); need > size {
		size = min(need, room) / blockBytes * blockBytes
	}
	n := 0
	var s *segment
	whole = true
	err = scan(r, from, to, func(key, _ []byte) (bool, error) {
		if n++; n%4096 == 0 && stop() {
			whole = false
			return false, nil
		}
		if s == nil || s.room <= 0 {
			switch {
			case size > 0 && size <= room:
				s = newSegment(bucket, size)
				segs = append(segs, s)
				room -= size
				size = min(2*size, largest)
			case s == nil || s.full():
				whole = false
				return false, nil
			}
		}
		app, conv, sender, id, ok := parseID(key[len(from):])
		if !ok {
			return false, errRow(key, "client id")
		}
		s.add(f.fingerprint(app, conv, sender, id))
		return true, nil
	})
	return segs, whole && err == nil, err
}

// parseID takes what follows the bucket in the key of a client id apart.
func parseID(b []byte) (app uint32, conv im.ConvID, sender im.UserID, id im.ClientID, ok bool) {
	a, b, ok := takeNum(b)
	if !ok || a > 1<<32-1 {
		return 0, 0, "", "", false
	}
	c, b, ok := takeNum(b)
	if !ok {
		return 0, 0, "", "", false
	}
	s, b, ok := takeString(b)
	if !ok {
		return 0, 0, "", "", false
	}
	d := dec{b: b}
	id = d.clientID(uint64(len(b)))
	return uint32(a), im.ConvID(c), im.UserID(s), id, !d.bad
}
