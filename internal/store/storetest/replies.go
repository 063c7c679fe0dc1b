package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// answer makes a message that answers reply in thread, either 0.
func answer(id im.ClientID, reply, thread im.Seq) *im.Message {
	m := text("bob", id, "answer")
	m.ReplyTo, m.Thread = reply, thread
	return m
}

// testReplies: replies and threads are counted and listed; what is deleted is not, what
// is recalled is; what only some may see is listed and not counted.
func testReplies(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice", "bob", "carol")
	send := func(m *im.Message) im.Seq {
		t.Helper()
		c.advance(1000)
		return must(t, s, into(s, conv, m)).Seq
	}
	a, b := send(text("alice", "a", "x")), send(text("alice", "b", "y")) // 2, 3
	send(answer("1", a, 0))                                              // 4
	send(answer("2", a, a))                                              // 5
	send(answer("3", 0, a))                                              // 6
	send(answer("4", b, a))                                              // 7
	some := answer("5", a, a)
	some.To = []im.UserID{"alice"}
	send(some) // 8
	hidden := answer("6", a, a)
	hidden.Flags = 0
	send(hidden) // 9
	send(answer("7", 0, b))
	is := func(what string, want ...im.Tally) {
		t.Helper()
		for i := range want {
			if last := want[i].ThreadLast; last != 0 {
				want[i].ThreadTime = message(t, s, conv, last).Time
			}
		}
		got, err := s.Tallies(conv, 1, 100)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%s: %+v %v, want %+v", what, got, err, want)
		}
		if err := gapless(s, conv); err != nil {
			t.Fatal(err)
		}
	}
	is("sent", im.Tally{Seq: a, Replies: 2, Thread: 3, ThreadLast: 7}, im.Tally{Seq: b, Replies: 1, Thread: 1, ThreadLast: 10})
	if got, _ := s.Tallies(conv, a+1, 100); len(got) != 1 || got[0].Seq != b {
		t.Fatalf("%+v", got)
	}
	if got, _ := s.Tallies(conv, 1, b-1); len(got) != 1 || got[0].Seq != a {
		t.Fatalf("%+v", got)
	}
	seqs := func(what string, got []im.Seq, err error, want ...im.Seq) {
		t.Helper()
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%s: %v %v, want %v", what, got, err, want)
		}
	}
	list := func() {
		t.Helper()
		got, err := s.Replies(conv, a, 0, 10)
		seqs("replies", got, err, 4, 5, 8)
		got, err = s.Replies(conv, a, 4, 1)
		seqs("replies above 4", got, err, 5)
		got, err = s.Replies(conv, 77, 0, 10)
		seqs("replies to what is not there", got, err)
		got, err = s.InThread(conv, a, 0, 0, false, 10)
		seqs("thread", got, err, 5, 6, 7, 8)
		got, err = s.InThread(conv, a, 6, 7, false, 10)
		seqs("part of a thread", got, err, 6, 7)
		got, err = s.InThread(conv, a, 0, 7, true, 2)
		seqs("thread backward", got, err, 7, 6)
		got, err = s.InThread(conv, a, 0, 0, true, 1)
		seqs("its newest", got, err, 8)
		got, err = s.InThread(conv, a, 9, 8, false, 10)
		seqs("an empty range", got, err)
	}
	list()
	if o.Reopen != nil {
		s = o.reopen(t)
	}
	list()
	must(t, s, recall(s, conv, 7, "bob"))
	is("recalled", im.Tally{Seq: a, Replies: 2, Thread: 3, ThreadLast: 7}, im.Tally{Seq: b, Replies: 1, Thread: 1, ThreadLast: 10})
	must(t, s, change(s, conv, 7, "bob", im.Delete))
	is("the newest deleted", im.Tally{Seq: a, Replies: 2, Thread: 2, ThreadLast: 6}, im.Tally{Seq: b, Thread: 1, ThreadLast: 10})
	must(t, s, change(s, conv, 5, "bob", im.Delete))
	is("one that is both", im.Tally{Seq: a, Replies: 1, Thread: 1, ThreadLast: 6}, im.Tally{Seq: b, Thread: 1, ThreadLast: 10})
	must(t, s, change(s, conv, 10, "bob", im.Delete))
	is("the last of a thread", im.Tally{Seq: a, Replies: 1, Thread: 1, ThreadLast: 6})
	must(t, s, change(s, conv, 5, "bob", im.Restore))
	is("restored", im.Tally{Seq: a, Replies: 2, Thread: 2, ThreadLast: 6})
	must(t, s, change(s, conv, 7, "bob", im.Restore))
	must(t, s, change(s, conv, 10, "bob", im.Restore))
	is("all restored", im.Tally{Seq: a, Replies: 2, Thread: 3, ThreadLast: 7}, im.Tally{Seq: b, Replies: 1, Thread: 1, ThreadLast: 10})
	list()
	must(t, s, change(s, conv, 8, "bob", im.Delete)) // counted nowhere
	is("what some see is deleted", im.Tally{Seq: a, Replies: 2, Thread: 3, ThreadLast: 7}, im.Tally{Seq: b, Replies: 1, Thread: 1, ThreadLast: 10})
	got, err := s.InThread(conv, a, 0, 0, false, 10)
	seqs("thread without it", got, err, 5, 6, 7)
	must(t, s, change(s, conv, a, "alice", im.Delete)) // the first of a thread
	is("the first deleted", im.Tally{Seq: a, Replies: 2, Thread: 3, ThreadLast: 7}, im.Tally{Seq: b, Replies: 1, Thread: 1, ThreadLast: 10})
	// many at once: sends, and deletions of the newest from the end down
	root := send(text("alice", "root", "x"))
	var waits []func() error
	from := head(t, s, conv).Seq + 1
	for i := range 40 {
		waits = append(waits, start(s, into(s, conv, answer(im.ClientID(fmt.Sprint("many", i)), root, root))))
	}
	for i := 39; i >= 10; i-- {
		waits = append(waits, start(s, &store.ChangeOp{Conv: conv, Seq: from + im.Seq(i), Guard: 1, Kind: im.Delete, By: "bob"}))
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Tallies(conv, root, root); err != nil || len(got) != 1 || got[0].Replies != 10 || got[0].Thread != 10 || got[0].ThreadLast != from+9 {
		t.Fatalf("%+v %v", got, err)
	}
	// the rest, long since kept, from the end down without waiting; and one that is
	// restored and deleted on the way
	waits = waits[:0]
	do := func(seq im.Seq, kind im.ChangeKind, seen im.Ver) {
		waits = append(waits, start(s, &store.ChangeOp{Conv: conv, Seq: seq, Guard: 1, Kind: kind, By: "bob", Seen: seen}))
	}
	ver := head(t, s, conv).Ver
	release := func() {}
	if o.Stall != nil { // so that most of them are in one batch
		release = o.Stall()
		for i := range 8 {
			waits = append(waits, start(s, &store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: "u", Key: fmt.Sprint(i), Value: []byte("x")}}}))
			time.Sleep(time.Millisecond) // lets the writer get as far as it can
		}
	}
	do(from+5, im.Delete, 0)
	do(from+3, im.Delete, 0)
	do(from+9, im.Delete, 0)
	do(from+8, im.Delete, 0)
	do(from+7, im.Delete, 0)
	do(from+5, im.Restore, ver+1)
	do(from+6, im.Delete, 0)
	do(from+5, im.Delete, ver+6)
	do(from+4, im.Delete, 0)
	do(from+2, im.Delete, 0)
	release()
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Tallies(conv, root, root); err != nil || len(got) != 1 || got[0].Thread != 2 || got[0].ThreadLast != from+1 {
		t.Fatalf("%+v %v", got, err)
	}
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
}

// testThreadOrder: threads are listed by their newest message, which sends and
// deletions move.
func testThreadOrder(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := fill(t, s, 6) // each begins a thread
	rng := rand.New(rand.NewPCG(1, 2))
	check := func() {
		t.Helper()
		tallies, err := s.Tallies(conv, 1, 6)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(tallies, func(x im.Tally) bool { return x.Thread == 0 })
		slices.SortFunc(want, func(a, b im.Tally) int { return int(b.ThreadLast) - int(a.ThreadLast) })
		got, err := s.Threads(conv, 0, 100)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%+v %v, want %+v", got, err, want)
		}
		var paged []im.Tally
		for before := im.Seq(0); ; before = paged[len(paged)-1].ThreadLast {
			page, err := s.Threads(conv, before, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
		}
		if !slices.Equal(paged, want) {
			t.Fatalf("in pages %+v, want %+v", paged, want)
		}
	}
	check()
	for round := range 12 {
		var waits []func() error
		for i := range 10 {
			waits = append(waits, start(s, into(s, conv, answer(im.ClientID(fmt.Sprint(round, "-", i)), 0, im.Seq(1+rng.IntN(6))))))
		}
		for _, wait := range waits {
			if err := wait(); err != nil {
				t.Fatal(err)
			}
		}
		check()
		h := head(t, s, conv)
		for range 15 {
			seq := h.Seq - im.Seq(rng.IntN(12))
			if m := message(t, s, conv, seq); m.Thread == 0 {
				continue
			} else if m.Deleted {
				must(t, s, change(s, conv, seq, "bob", im.Restore))
			} else {
				must(t, s, change(s, conv, seq, "bob", im.Delete))
			}
		}
		check()
		if round == 6 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
}
