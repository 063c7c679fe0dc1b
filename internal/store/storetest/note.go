package storetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testNotes: a note is written with an entry of the user's change log, all or nothing,
// and the log says what it is now.
func testNotes(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	put := func(key, value string) *store.NoteOp {
		return &store.NoteOp{User: "alice", Key: key, Value: []byte(value), Device: "phone"}
	}
	first := must(t, s, put("draft/1", "hel"))
	if !first.Moved || first.At == 0 || first.Change.Ver != 1 || first.Change.Kind != im.Noted || first.Change.By != "alice" || first.Change.Device != "phone" ||
		first.Change.Key != "draft/1" || string(first.Change.Value) != "hel" || first.Change.Time != c.Now().UnixMilli() || first.Change.Seq != 0 {
		t.Fatalf("%+v", first)
	}
	if same := must(t, s, put("draft/1", "hel")); same.Moved || same.At != first.At {
		t.Fatalf("%+v", same)
	}
	must(t, s, put("draft/1", "hello"))
	must(t, s, put("draft/2", ""))
	if gone := must(t, s, &store.NoteOp{User: "alice", Key: "draft/3"}); gone.Moved {
		t.Fatalf("what was not there was removed: %+v", gone)
	}
	must(t, s, &store.BlockOp{User: "alice", Peer: "mallory", On: true})
	must(t, s, put("profile", "p"))
	gone := must(t, s, &store.NoteOp{User: "alice", Key: "profile", Device: "tablet"})
	if !gone.Moved || gone.Change.Value != nil || gone.Change.Device != "tablet" {
		t.Fatalf("%+v", gone)
	}
	other := must(t, s, &store.NoteOp{User: "bob", Key: "draft/1", Value: []byte("bob's")})
	if other.At == first.At || other.Change.Ver != 1 {
		t.Fatalf("%+v", other)
	}
	for i := range 2 {
		changes, err := s.Changes(first.At, 1, 10)
		var got []string
		for _, ch := range changes {
			got = append(got, fmt.Sprintf("%d %s %s=%q %v", ch.Kind, ch.Peer, ch.Key, ch.Value, ch.Value == nil))
		}
		want := fmt.Sprint([]string{
			fmt.Sprintf(`%d  draft/1="hello" false`, im.Noted), fmt.Sprintf(`%d  draft/1="hello" false`, im.Noted), fmt.Sprintf(`%d  draft/2="" false`, im.Noted),
			fmt.Sprintf(`%d mallory ="" true`, im.BlockAdded), fmt.Sprintf(`%d  profile="" true`, im.Noted), fmt.Sprintf(`%d  profile="" true`, im.Noted)})
		if err != nil || fmt.Sprint(got) != want {
			t.Fatalf("%v %v, want %v", got, err, want)
		}
		list, err := s.List(store.NoteRecord, "alice", "", 10)
		if err != nil || len(list) != 2 || list[0].Key != "draft/1" || string(list[0].Value) != "hello" || list[1].Key != "draft/2" || list[1].Value == nil {
			t.Fatalf("%+v %v", list, err)
		}
		if v, ok, err := s.Get(store.NoteRecord, "bob", "draft/1"); string(v) != "bob's" || !ok || err != nil {
			t.Fatalf("%q %v %v", v, ok, err)
		}
		if h := head(t, s, first.At); h.Ver != 6 || h.Kind != im.Self || h.Position > s.Position() {
			t.Fatalf("%+v", h)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	// conditions
	swap := func(old []byte, value string) *store.NoteOp {
		op := put("list", value)
		op.If = &old
		return op
	}
	fails(t, s, swap([]byte("x"), "1"), im.Conflict)
	fails(t, s, swap([]byte{}, "1"), im.Conflict)
	must(t, s, swap(nil, "1"))
	fails(t, s, swap(nil, "2"), im.Conflict)
	must(t, s, swap([]byte("1"), "2"))
	var waits []func() error
	for i := range 20 {
		waits = append(waits, start(s, swap([]byte("2"), fmt.Sprint("n", i))))
	}
	won := 0
	for _, wait := range waits {
		if err := wait(); err == nil {
			won++
		} else if !im.IsKind(err, im.Conflict) {
			t.Fatal(err)
		}
	}
	if h := head(t, s, first.At); won != 1 || h.Ver != 9 {
		t.Fatalf("%d won, %+v", won, h)
	}
	// what is dropped goes with it, also where the note stays as it was
	timers := []store.Record{{Kind: store.TimerRecord, User: "alice", Key: "1", Value: []byte("v"), Due: 5}, {Kind: store.TimerRecord, User: "alice", Key: "2", Value: []byte("v"), Due: 6}}
	must(t, s, &store.PutOp{Records: timers})
	refused := swap([]byte("no"), "x")
	refused.Drop = timers
	fails(t, s, refused, im.Conflict)
	if due, _, _ := s.Due(10, 10); len(due) != 2 {
		t.Fatalf("what was refused dropped %d timers", 2-len(due))
	}
	done := put("draft/1", "hello")
	done.Drop = timers[:1]
	if must(t, s, done); done.Moved {
		t.Fatalf("%+v", done)
	}
	if due, _, _ := s.Due(10, 10); len(due) != 1 || due[0].Key != "2" {
		t.Fatalf("%+v", due)
	}
	done = put("draft/1", "sent")
	done.Drop = timers[1:]
	must(t, s, done)
	if due, next, _ := s.Due(10, 10); len(due) != 0 || next != 0 {
		t.Fatalf("%+v %d", due, next)
	}
	// limits of what is taken
	fails(t, s, put("long", string(bytes.Repeat([]byte("x"), store.MaxRecord+1))), im.TooLarge)
	must(t, s, put("long", string(bytes.Repeat([]byte("x"), store.MaxRecord))))
	fails(t, s, &store.PutOp{Records: []store.Record{{Kind: store.NoteRecord, User: "alice", Key: "k", Value: []byte("x")}}}, im.Invalid)
	bad := put("k", "v")
	bad.Drop = []store.Record{{Kind: store.NoteRecord, User: "alice", Key: "list"}}
	fails(t, s, bad, im.Invalid)
}

// testNotesBounded: there are never more notes of a kind than allowed, whatever comes and
// goes, in one batch too; to know that does not take a walk through all of them.
func testNotesBounded(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	note := func(key string, most int, of string) *store.NoteOp {
		return &store.NoteOp{User: "alice", Key: key, Value: []byte("x"), Most: most, Of: of}
	}
	must(t, s, note("save/before", 0, "")) // not counted yet
	must(t, s, note("tag/a", 0, ""))
	var waits []func() error
	for i := range 20 { // a batch
		waits = append(waits, start(s, note(fmt.Sprint("save/", i), 10, "save/")), start(s, note(fmt.Sprint("tag/", i), 0, "")))
	}
	won := 0
	for i, wait := range waits {
		err := wait()
		if i%2 == 0 && err == nil {
			won++
		} else if err != nil && !im.IsKind(err, im.TooLarge) {
			t.Fatal(err)
		}
	}
	if won != 9 {
		t.Fatalf("%d were taken", won)
	}
	for i := range 2 {
		fails(t, s, note("save/more", 10, "save/"), im.TooLarge)
		must(t, s, note("save/more", 11, "save/"))
		must(t, s, &store.NoteOp{User: "alice", Key: "save/more"})
		again := note("save/3", 10, "save/") // no new one
		again.Value = []byte("another")
		must(t, s, again)
		again.Value = []byte("x")
		must(t, s, note("save/3", 10, "save/"))
		must(t, s, &store.NoteOp{User: "alice", Key: "save/3"})
		must(t, s, note("save/3", 10, "save/"))
		fails(t, s, note("other", 31, ""), im.TooLarge) // 10 and 21
		must(t, s, &store.NoteOp{User: "bob", Key: "save/1", Value: []byte("x"), Most: 1, Of: "save/"})
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	for i := range 5000 {
		waits[i%40] = start(s, note(fmt.Sprint("many/", i), 0, ""))
		if i%40 == 39 {
			for _, wait := range waits {
				if err := wait(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	must(t, s, note("many/first", 6000, "many/"))
	before := s.Stats()
	began := time.Now()
	for i := range 100 {
		must(t, s, note(fmt.Sprint("many/more", i), 6000, "many/"))
	}
	t.Logf("one of 5,000 notes took %v", time.Since(began)/100)
	if rows := s.Stats().Rows - before.Rows; rows > 100*7 {
		t.Errorf("%d rows for 100 notes", rows)
	}
	fails(t, s, note("many/last", 5101, "many/"), im.TooLarge)
	must(t, s, note("many/last", 5102, "many/"))
}

// testTimers: what is due is listed, the oldest first, until it is removed or put off.
func testTimers(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	timer := func(u im.UserID, key string, due int64) store.Record {
		return store.Record{Kind: store.TimerRecord, User: u, Key: key, Value: []byte(key + " of " + string(u)), Due: due}
	}
	is := func(now int64, limit int, next int64, want ...string) {
		t.Helper()
		due, n, err := s.Due(now, limit)
		var got []string
		for _, r := range due {
			if string(r.Value) != r.Key+" of "+string(r.User) || r.Kind != store.TimerRecord {
				t.Fatalf("%+v", r)
			}
			got = append(got, fmt.Sprintf("%s:%s@%d", r.User, r.Key, r.Due))
		}
		if err != nil || n != next || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("at %d: %v, next %d %v; want %v, next %d", now, got, n, err, want, next)
		}
	}
	is(1<<50, 10, 0)
	must(t, s, &store.PutOp{Records: []store.Record{timer("bob", "a", 300), timer("alice", "a", 200), timer("alice", "b", 100), timer("alice", "c", 300), timer("", "app", 1<<40)}})
	for i := range 2 {
		is(99, 10, 100)
		is(100, 10, 200, "alice:b@100")
		is(299, 1, 200, "alice:b@100")
		is(300, 10, 1<<40, "alice:b@100", "alice:a@200", "alice:c@300", "bob:a@300")
		is(300, 3, 300, "alice:b@100", "alice:a@200", "alice:c@300")
		is(1<<50, 10, 0, "alice:b@100", "alice:a@200", "alice:c@300", "bob:a@300", ":app@1099511627776")
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	// put off, earlier, removed, no timer any more
	must(t, s, &store.PutOp{Records: []store.Record{timer("alice", "b", 250), timer("bob", "a", 50), {Kind: store.TimerRecord, User: "alice", Key: "c"}, timer("", "app", 0)}})
	is(1<<50, 10, 0, "bob:a@50", "alice:a@200", "alice:b@250")
	// twice in one batch, and in one operation
	waits := []func() error{start(s, &store.PutOp{Records: []store.Record{timer("alice", "b", 260), timer("alice", "b", 270)}}), start(s, &store.PutOp{Records: []store.Record{timer("alice", "b", 280)}}),
		start(s, &store.PutOp{Records: []store.Record{timer("bob", "b", 1), {Kind: store.TimerRecord, User: "bob", Key: "b"}}})}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	is(1<<50, 10, 0, "bob:a@50", "alice:a@200", "alice:b@280")
	// only if it has not been done by somebody else
	taken := &store.PutOp{If: &store.Record{Kind: store.TimerRecord, User: "bob", Key: "a", Value: []byte("a of bob")}, Records: []store.Record{{Kind: store.TimerRecord, User: "bob", Key: "a"}}}
	must(t, s, taken)
	again := *taken
	fails(t, s, &again, im.Conflict)
	is(1<<50, 10, 0, "alice:a@200", "alice:b@280")
	// one that expires is due no more
	expiring := timer("carol", "x", 10)
	expiring.Expires = 20
	must(t, s, &store.PutOp{Records: []store.Record{expiring}})
	is(15, 10, 200, "carol:x@10")
	if n, err := s.Sweep(context.Background(), time.UnixMilli(30), store.SweepPolicy{}); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	is(15, 10, 200)
	list, err := s.List(store.TimerRecord, "alice", "", 10)
	if err != nil || len(list) != 2 || list[0].Due != 200 || list[1].Due != 280 {
		t.Fatalf("%+v %v", list, err)
	}
	fails(t, s, &store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: "alice", Key: "k", Value: []byte("x"), Due: 1}}}, im.Invalid)
	fails(t, s, &store.PutOp{Records: []store.Record{timer("alice", "k", -1)}}, im.Invalid)
}

// testNextExpiry: when Sweep has something to do for messages that expire; what expires
// at that moment goes then.
func testNextExpiry(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	next := func(want int64) {
		t.Helper()
		if n, err := s.NextExpiry(); n != want || err != nil {
			t.Fatalf("%d %v, want %d", n, err, want)
		}
	}
	next(0)
	conv := fill(t, s, 1)
	at := c.Now().UnixMilli()
	for i, in := range []int64{5000, 1000, 9000} {
		m := text("alice", im.ClientID(fmt.Sprint("x", i)), "x")
		m.Expires = at + in
		must(t, s, into(s, conv, m))
	}
	must(t, s, &store.PutOp{Records: []store.Record{{Kind: store.SecretRecord, Key: "s", Value: []byte("x"), Expires: at + 10}}})
	next(at + 1000)
	if o.Reopen != nil {
		s = o.reopen(t)
		next(at + 1000)
	}
	sweep := func(want int) {
		t.Helper()
		if n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{Expired: true}); n != want || err != nil {
			t.Fatalf("%d went, want %d; %v", n, want, err)
		}
	}
	c.advance(999 * time.Millisecond)
	sweep(1) // the record
	next(at + 1000)
	c.advance(time.Millisecond)
	sweep(1)
	if _, ok, _ := s.Message(conv, 3); ok {
		t.Fatal("it is there at the moment when it expires")
	}
	next(at + 5000)
	must(t, s, recall(s, conv, 2, "alice")) // still is there until then
	c.advance(time.Hour)
	sweep(2)
	next(0)
	if h := head(t, s, conv); h.Seq != 4 || unread(t, s, conv, "bob") != 1 {
		t.Fatalf("%+v", h)
	}
}

// testIndexCleaned: what an index held of a record that was replaced is gone.
func testIndexCleaned(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	if o.Dump == nil {
		t.Skip("the store's rows cannot be seen")
	}
	s := store.Store(o.Store)
	rows := func() int { return bytes.Count(o.Dump(), []byte("replaced")) }
	put := func(expires, due int64, value []byte) {
		t.Helper()
		must(t, s, &store.PutOp{Records: []store.Record{{Kind: store.TimerRecord, User: "alice", Key: "replaced", Value: value, Expires: expires, Due: due}}})
	}
	put(1<<41, 1<<40, []byte("x"))
	if n := rows(); n != 3 {
		t.Fatalf("%d rows name it", n)
	}
	for i := range int64(50) {
		put(1<<41+i, 1<<40+i, []byte("x"))
	}
	if n := rows(); n != 3 {
		t.Fatalf("%d rows name it after it was replaced", n)
	}
	put(1<<41, 0, []byte("x"))
	if n := rows(); n != 2 {
		t.Fatalf("%d rows name it", n)
	}
	put(0, 1<<40, []byte("x"))
	put(0, 0, nil)
	if n := rows(); n != 0 {
		t.Fatalf("%d rows name what is gone", n)
	}
}
