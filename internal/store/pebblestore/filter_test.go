package pebblestore

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
)

func fill(f *filter, bucket uint64, from, to int) {
	for i := from; i < to; i++ {
		f.add(bucket, f.fingerprint(1, 7, "alice", im.ClientID(fmt.Sprint(i))))
	}
}

// missed counts the ids that the filter calls fresh.
func missed(f *filter, from, to int) int {
	n := 0
	for i := from; i < to; i++ {
		if !f.maybe(f.fingerprint(1, 7, "alice", im.ClientID(fmt.Sprint(i)))) {
			n++
		}
	}
	return n
}

// What was added is never called fresh, and little else is not, even when the filter
// is as full as it gets.
func TestFilter(t *testing.T) {
	f := newFilter(1, 64<<10)
	n := 0
	for ; len(f.st.Load().uncovered) == 0; n += 1000 {
		if n > 0 && n%10_000 == 0 {
			if got := missed(f, 0, n); got != 0 {
				t.Fatalf("%d of %d used ids are called fresh", got, n)
			}
			const fresh = 5000
			wrong := fresh - missed(f, 1<<30, 1<<30+fresh)
			t.Logf("%d ids in %d segments: %d of %d fresh ones have to be looked up", n, len(f.st.Load().segs), wrong, fresh)
			if n < 30_000 && wrong > fresh/50 || wrong > fresh/3 {
				t.Fatalf("%d of %d fresh ids have to be looked up", wrong, fresh)
			}
		}
		fill(f, 1, n, n+1000)
	}
	if n < 65_000 {
		t.Fatalf("a filter of 64 KiB is full at %d ids", n)
	}
}

// Beyond its memory a filter forgets the oldest ids, and says so.
func TestFilterFull(t *testing.T) {
	f := newFilter(1, 1<<10)
	n := 0
	for ; len(f.st.Load().uncovered) == 0; n++ {
		fill(f, 1, n, n+1)
	}
	st := f.st.Load()
	if st.bytes() > 1<<10 || fmt.Sprint(st.uncovered) != "[1]" || missed(f, 0, 3*n) != 0 || n < 200 {
		t.Fatalf("%d ids, %d bytes, uncovered %v, %d called fresh", n, st.bytes(), st.uncovered, missed(f, 0, 3*n))
	}
	fill(f, 2, 0, 1) // the former bucket is kept
	if fmt.Sprint(f.st.Load().uncovered) != "[1]" {
		t.Fatalf("uncovered %v", f.st.Load().uncovered)
	}
	fill(f, 3, 0, 1) // and now it is gone
	if st := f.st.Load(); len(st.uncovered) != 0 || missed(f, 1, 100) < 90 || missed(f, 0, 1) != 0 {
		t.Fatalf("uncovered %v", st.uncovered)
	}
}

// After opening the filter is gathered from the keys, of both buckets, and a bucket
// that finds no room stays uncovered.
func TestFilterRebuild(t *testing.T) {
	db, err := pebble.Open("s", &pebble.Options{FS: vfs.NewMem(), Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	b := db.NewBatch()
	const each = 2000
	for i := range 3 * each {
		b.Set(keyID(nil, uint64(5+i/each), 1, 7, "alice", im.ClientID(fmt.Sprint(i))), appendKept(nil, &kept{kind: sent, seq: 1}), nil)
	}
	if err := db.Apply(b, nil); err != nil {
		t.Fatal(err)
	}
	never := func() bool { return false }
	f := newFilter(7, 64<<10, 6, 7)
	if missed(f, 0, 4*each) != 0 {
		t.Fatal("an id is called fresh before the filter knows")
	}
	fill(f, 7, 3*each, 3*each+10) // meanwhile
	unknown := func(_, _ []byte) uint64 { return 0 }
	if err := f.rebuild(db, unknown, never); err != nil {
		t.Fatal(err)
	}
	if st := f.st.Load(); len(st.uncovered) != 0 || missed(f, each, 3*each+10) != 0 {
		t.Fatalf("uncovered %v, %d used ids are called fresh", st.uncovered, missed(f, each, 3*each+10))
	}
	if missed(f, 4*each, 5*each) < each*9/10 || missed(f, 0, each) < each*9/10 { // bucket 5 is over
		t.Fatal("the filter calls nothing fresh")
	}
	large := newFilter(7, 64<<10, 6, 7) // with one large segment for each
	if err := large.rebuild(db, func(_, _ []byte) uint64 { return each * 2 * idRowBytes }, never); err != nil {
		t.Fatal(err)
	}
	if st := large.st.Load(); len(st.segs) != 3 || len(st.uncovered) != 0 || missed(large, each, 3*each) != 0 || missed(large, 4*each, 5*each) < each*9/10 {
		t.Fatalf("%d segments, uncovered %v", len(st.segs), st.uncovered)
	}
	small := newFilter(7, 1<<10, 6, 7) // no room for either beside what comes
	if err := small.rebuild(db, unknown, never); err != nil {
		t.Fatal(err)
	}
	if st := small.st.Load(); fmt.Sprint(st.uncovered) != "[6 7]" || missed(small, 0, 4*each) != 0 {
		t.Fatalf("a filter without room: uncovered %v", st.uncovered)
	}
	n := 0
	stopped := newFilter(7, 64<<10, 6, 7)
	if err := stopped.rebuild(db, unknown, func() bool { n++; return true }); err != nil || len(stopped.st.Load().uncovered) == 0 && n > 0 {
		t.Fatalf("stopped, and %v %v", stopped.st.Load().uncovered, err)
	}
	// What came while a bucket was read was too much for the filter: it does not know all.
	race := newFilter(7, 16<<10, 6, 7)
	began := false
	if err := race.rebuild(db, func(_, _ []byte) uint64 {
		if !began {
			began = true
			fill(race, 7, 10*each, 30*each)
		}
		return 0
	}, never); err != nil {
		t.Fatal(err)
	}
	if got := missed(race, each, 3*each) + missed(race, 10*each, 30*each); got != 0 {
		t.Fatalf("%d used ids are called fresh", got)
	}
}

// The tables of recent ids find what was put into them, however full they are, and
// tell ids with one fingerprint apart.
func TestRecentIDs(t *testing.T) {
	r := recentIDs{half: [2]idTable{newIDTable(16), newIDTable(16)}, most: 16}
	at := im.Position(0)
	put := func(i int) {
		r.half[0].put(uint64(i%5), 1, 7, "u", im.ClientID(fmt.Sprint(i)), kept{seq: im.Seq(i)})
	}
	find := func(i int) *kept { return r.get(uint64(i%5), 1, 7, "u", im.ClientID(fmt.Sprint(i))) }
	for i := range 1000 {
		if i%10 == 0 {
			at++
			r.turn(at)
		}
		put(i)
		for j := range 10 { // the newest batches
			if k := find(max(i-j, 0)); k == nil || k.seq != im.Seq(max(i-j, 0)) {
				t.Fatalf("%d is not found right after %d", i-j, i)
			}
		}
	}
	if r.since == 0 || r.since >= r.turned || r.turned > at {
		t.Fatalf("since %d, turned %d, at %d", r.since, r.turned, at)
	}
	if find(3) != nil {
		t.Fatal("nothing is forgotten")
	}
	for i := range 5000 { // one huge batch
		put(10_000 + i)
	}
	for i := range 5000 {
		if k := find(10_000 + i); k == nil || k.seq != im.Seq(10_000+i) {
			t.Fatalf("%d of a huge batch is not found", i)
		}
	}
}

// Recent rows are those of the newest commits, and no more than so many or so large.
func TestRecentRows(t *testing.T) {
	r := recent{rows: map[string][]byte{}, most: 10}
	big := make([]byte, 128<<10)
	turns := 0
	for at := im.Position(1); at < 1000; at++ {
		was := r.turned
		r.turn(at - 1)
		if r.turned != was {
			turns++
		}
		key := []byte(fmt.Sprint(at))
		row := []byte("row")
		if at > 500 { // ten large ones are not too many, but a hundred are
			r.most, row = 1000, big
		}
		r.put(key, row)
		if got, known := r.get(key); !known || len(got) != len(row) {
			t.Fatalf("%d is not known", at)
		}
		for p := r.since + 1; p < at; p++ {
			if _, known := r.get([]byte(fmt.Sprint(p))); !known {
				t.Fatalf("at %d, since %d: %d is not known", at, r.since, p)
			}
		}
		if r.bytes > recentBytes+len(big)+10 {
			t.Fatalf("%d bytes", r.bytes)
		}
	}
	if turns < 50 {
		t.Fatalf("%d turns", turns)
	}
	r.put([]byte("gone"), nil)
	if row, known := r.get([]byte("gone")); !known || row != nil {
		t.Fatal("a removed row is not known as removed")
	}
}

// silent is a logger of Pebble's that says nothing.
type silent struct{}

func (silent) Infof(string, ...any)         {}
func (silent) Errorf(string, ...any)        {}
func (silent) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }
