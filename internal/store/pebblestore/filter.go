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
// blocks of one cache line. When they would take more than most bytes, the oldest is
// dropped, and its bucket is looked up again.
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
}

// segment has one goroutine that adds; any may ask.
type segment struct {
	bucket uint64
	words  []uint64
	room   int // ids that may still be added
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
	if f.newest.room <= 0 || f.newest.bucket != bucket {
		f.grow(bucket)
	}
	f.newest.add(fp)
}

// grow begins a new segment. Buckets below the one before bucket are gone.
func (f *filter) grow(bucket uint64) {
	size, largest := f.sizes()
	if f.newest != nil && f.newest.bucket == bucket {
		size = min(2*8*len(f.newest.words), largest)
	}
	f.newest = newSegment(bucket, size)
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
	st := &filterState{slices.Clone(old.segs), slices.Clone(old.uncovered)}
	to(st)
	f.st.Store(st)
}

// rebuild reads the ids of the uncovered buckets, the newest first, as long as they
// find room. The writer adds new ones meanwhile. stop is asked now and then.
func (f *filter) rebuild(r pebble.Reader, stop func() bool) error {
	buckets := slices.Clone(f.st.Load().uncovered)
	slices.Sort(buckets)
	slices.Reverse(buckets)
	for _, bucket := range buckets {
		_, largest := f.sizes()
		room := f.most - f.st.Load().bytes() - largest // that is for what comes
		segs, whole, err := f.read(r, bucket, room, stop)
		if err != nil || !whole {
			return err
		}
		f.change(func(st *filterState) {
			at := slices.Index(st.uncovered, bucket)
			if at < 0 { // gone meanwhile
				return
			}
			st.uncovered = slices.Delete(st.uncovered, at, at+1)
			st.segs = append(segs, st.segs...)
		})
	}
	return nil
}

// read makes the segments of one bucket; whole says whether they hold all of it.
func (f *filter) read(r pebble.Reader, bucket uint64, room int, stop func() bool) (segs []*segment, whole bool, err error) {
	from := keyBucket(nil, bucket)
	size, largest := f.sizes()
	n := 0
	whole = true
	err = scan(r, from, after(from), func(key, _ []byte) (bool, error) {
		if n++; n%4096 == 0 && stop() {
			whole = false
			return false, nil
		}
		if len(segs) == 0 || segs[len(segs)-1].room <= 0 {
			if size > room {
				whole = false
				return false, nil
			}
			segs = append(segs, newSegment(bucket, size))
			room -= size
			size = min(2*size, largest)
		}
		app, conv, sender, id, ok := parseID(key[len(from):])
		if !ok {
			return false, errRow(key, "client id")
		}
		segs[len(segs)-1].add(f.fingerprint(app, conv, sender, id))
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
