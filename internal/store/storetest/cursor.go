package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testReadCursor: it never goes back and never above the head, in direct
// conversations and groups, and survives.
func testReadCursor(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	d := fill(t, s, 10)
	g := group(t, s, "g", "alice", "bob")
	for i := range 9 {
		must(t, s, into(s, g, text("alice", im.ClientID(fmt.Sprint(i)), "x")))
	}
	for _, conv := range []im.ConvID{d, g} {
		for _, step := range []struct {
			seq, want im.Seq
			moved     bool
		}{{4, 4, true}, {4, 4, false}, {2, 4, false}, {0, 4, false}, {7, 7, true}, {99, 10, true}, {1 << 63, 10, false}} {
			op := must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: step.seq})
			if op.Moved != step.moved || op.Row.Read != step.want || op.Row.User != "bob" || op.Row.Conv != conv {
				t.Fatalf("read %d: %+v, want %+v", step.seq, op, step)
			}
			if r := row(t, s, conv, "bob"); r.Read != step.want {
				t.Fatalf("read %d: %+v", step.seq, r)
			}
		}
		if r := row(t, s, conv, "alice"); r.Read != 10 { // moved by her own sends
			t.Fatalf("alice: %+v", r)
		}
		silent := into(s, conv, text("bob", "api", "x"))
		silent.Read = false
		must(t, s, silent)
		if r := row(t, s, conv, "bob"); r.Read != 10 {
			t.Fatalf("a send made for him moved his cursor: %+v", r)
		}
		fails(t, s, &store.ReadOp{Conv: conv, User: "carol", Seq: 1}, im.NotFound)
	}
	fails(t, s, &store.ReadOp{Conv: 9999, User: "bob", Seq: 1}, im.NotFound)
	must(t, s, set(s, g, "alice", "bob", im.NoRole))
	fails(t, s, &store.ReadOp{Conv: g, User: "bob", Seq: 1}, im.NotFound)
	if o.Reopen != nil {
		s = o.reopen(t)
		for _, conv := range []im.ConvID{d, g} {
			if b, a := row(t, s, conv, "bob"), row(t, s, conv, "alice"); b.Read != 10 || a.Read != 10 {
				t.Fatalf("after reopening: %+v %+v", a, b)
			}
		}
		if a := row(t, s, g, "alice"); a.ReadN != 9 { // the first message of a group is not counted
			t.Fatalf("after reopening: %+v", a)
		}
	}
}

// testReadRace: devices of one user move it at once; nobody sees it go back.
func testReadRace(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	conv := fill(t, s, 200)
	stop := make(chan struct{})
	var watch, move sync.WaitGroup
	watch.Go(func() {
		for last := im.Seq(0); ; {
			select {
			case <-stop:
				return
			default:
			}
			h, _ := s.Head(conv)
			r, _, err := s.Row(conv, "bob")
			if err != nil || r.Read < last || r.Read > 200 || h.Sides[1].Read > r.Read {
				t.Errorf("read %d after %d, head %+v, %v", r.Read, last, h, err)
				return
			}
			last = r.Read
		}
	})
	var mu sync.Mutex
	most := im.Seq(0)
	for g := range 8 {
		move.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(g)))
			for range 60 {
				seq := im.Seq(rng.IntN(200))
				op := &store.ReadOp{Conv: conv, User: "bob", Seq: seq}
				if err := do(s, op); err != nil || op.Row.Read < seq {
					t.Errorf("read %d: %+v %v", seq, op, err)
				}
				mu.Lock()
				most = max(most, seq)
				mu.Unlock()
			}
		})
	}
	move.Wait()
	close(stop)
	watch.Wait()
	if r := row(t, s, conv, "bob"); r.Read != most {
		t.Fatalf("read %d, want %d", r.Read, most)
	}
}

// testUnread: what counts, after recalls and with flags of all kinds.
func testUnread(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice", "bob", "carol")
	send := func(id im.ClientID, flags im.Flags, f func(*im.Message)) im.Seq {
		m := text("alice", id, "x")
		m.Flags = flags
		if f != nil {
			f(m)
		}
		return must(t, s, into(s, conv, m)).Seq
	}
	want := func(u im.UserID, n, all uint64) {
		t.Helper()
		r, h := row(t, s, conv, u), head(t, s, conv)
		if gotN, gotAll := h.Unread(&r); gotN != n || gotAll != all {
			t.Fatalf("%s: unread %d (@all %d), want %d (%d); head %+v, row %+v", u, gotN, gotAll, n, all, h, r)
		}
	}
	all := func(m *im.Message) { m.Mentions = &im.Mentions{All: true} }
	want("bob", 0, 0)
	first := send("1", im.Persist|im.Count, nil)
	send("2", im.Persist, nil)
	send("3", 0, nil)
	called := send("4", im.Persist|im.Count, all)
	last := send("5", im.Persist|im.Count, nil)
	send("6", im.Persist|im.Count, func(m *im.Message) { m.To = []im.UserID{"carol"} })
	want("bob", 3, 1)
	want("alice", 0, 0)
	must(t, s, recall(s, conv, first, "alice"))
	want("bob", 2, 1)
	must(t, s, recall(s, conv, called, "alice"))
	want("bob", 1, 0)
	must(t, s, recall(s, conv, last, "alice"))
	want("bob", 0, 0)
	must(t, s, recall(s, conv, first+1, "alice")) // was not counted
	want("bob", 0, 0)
	must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: called})
	want("bob", 0, 0)
	must(t, s, &store.ReadOp{Conv: conv, User: "carol", Seq: first})
	want("carol", 1, 0) // what was for her alone
	plain := send("7", im.Persist|im.Count, nil)
	second := send("8", im.Persist|im.Count, all)
	want("bob", 2, 1)
	// an edit adds nobody to @all, and its recall takes nobody else's away
	op := edit(s, conv, plain, "alice", "@all now")
	op.Mentions = &im.Mentions{All: true}
	must(t, s, op)
	want("bob", 2, 1)
	must(t, s, recall(s, conv, plain, "alice"))
	want("bob", 1, 1)
	if o.Reopen != nil {
		s = o.reopen(t)
		want("bob", 1, 1)
	}
	must(t, s, recall(s, conv, second, "alice"))
	want("bob", 0, 0)
	must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: second})
	send("9", im.Persist|im.Count, nil)
	want("bob", 1, 0)
	want("carol", 2, 0)
}

// testWithdrawn: neighbours join in whatever order they come, at most 256 ranges are
// kept, and past that unread is too high and never too low.
func testWithdrawn(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	const n = 700
	conv := fill(t, s, n)
	gone := func(seqs ...im.Seq) {
		t.Helper()
		var waits []func() error
		for _, seq := range seqs {
			waits = append(waits, start(s, &store.ChangeOp{Conv: conv, Seq: seq, Kind: im.Recall, By: "alice"}))
		}
		for _, wait := range waits {
			if err := wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone(10, 12, 11, 9, 14)
	if w := head(t, s, conv).Withdrawn; fmt.Sprint(w) != "[{9 12} {14 14}]" {
		t.Fatalf("%v", w)
	}
	gone(13)
	if w := head(t, s, conv).Withdrawn; fmt.Sprint(w) != "[{9 14}]" {
		t.Fatalf("%v", w)
	}
	if u := unread(t, s, conv, "bob"); u != n-6 {
		t.Fatalf("unread %d, want %d", u, n-6)
	}
	var odd []im.Seq
	for seq := im.Seq(101); seq <= n; seq += 2 { // 300 ranges
		odd = append(odd, seq)
	}
	gone(odd...)
	for i := range 2 {
		h := head(t, s, conv)
		if len(h.Withdrawn) != 256 || h.Withdrawn[255] != (store.Range{From: n - 1, To: n - 1}) || h.Withdrawn[0].From != n-1-2*255 {
			t.Fatalf("%d ranges: %v", len(h.Withdrawn), h.Withdrawn)
		}
		if u := unread(t, s, conv, "bob"); u != n-256 {
			t.Fatalf("unread %d, want %d", u, n-256)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: n - 10})
	if u := unread(t, s, conv, "bob"); u != 5 {
		t.Fatalf("unread %d, want 5", u)
	}
	// @all: 64
	g := group(t, s, "g", "alice", "bob")
	var calls []im.Seq
	for i := range 140 {
		m := text("alice", im.ClientID(fmt.Sprint(i)), "x")
		m.Mentions = &im.Mentions{All: true}
		calls = append(calls, must(t, s, into(s, g, m)).Seq)
	}
	for i := 0; i < len(calls); i += 2 {
		must(t, s, recall(s, g, calls[i], "alice"))
	}
	if h := head(t, s, g); len(h.WithdrawA) != 64 || len(h.Withdrawn) != 70 || h.NA != 140 {
		t.Fatalf("%d and %d ranges", len(h.WithdrawA), len(h.Withdrawn))
	}
	r, h := row(t, s, g, "bob"), head(t, s, g)
	if n, all := h.Unread(&r); n != 70 || all != 140-64 {
		t.Fatalf("unread %d, @all %d", n, all)
	}
}

// testDelivered: it moves at once, upwards only, to the head at most, for the two
// alone, causes no commit and is kept by the next one.
func testDelivered(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := fill(t, s, 10)
	g := group(t, s, "g", "alice", "bob")
	commits, position := s.Stats().Commits, s.Position()
	for _, step := range []struct {
		conv im.ConvID
		user im.UserID
		seq  im.Seq
		want bool
	}{
		{conv, "bob", 4, true}, {conv, "bob", 4, false}, {conv, "bob", 3, false}, {conv, "bob", 11, false}, {conv, "carol", 4, false},
		{conv, "alice", 2, true}, {conv, "bob", 7, true}, {g, "bob", 1, false}, {9999, "bob", 1, false}, {conv, "bob", 0, false},
	} {
		if got := s.Delivered(step.conv, step.user, step.seq); got != step.want {
			t.Fatalf("%+v: %v", step, got)
		}
	}
	h := head(t, s, conv)
	if h.Side("bob").Delivered != 7 || h.Side("alice").Delivered != 2 || h.Side("bob").Read != 0 {
		t.Fatalf("%+v", h)
	}
	if s.Stats().Commits != commits || s.Position() != position {
		t.Fatal("delivered numbers made a commit")
	}
	must(t, s, direct(text("carol", "1", "x"), "dave"))
	if h := head(t, s, conv); h.Position <= position {
		t.Fatalf("the next commit did not take them along: %+v, position was %d", h, position)
	}
	if o.Crash != nil {
		c := o.Crash(rand.New(rand.NewPCG(1, 1)))
		if h := head(t, c.Store, conv); h.Side("bob").Delivered != 7 || h.Side("alice").Delivered != 2 {
			t.Fatalf("after a power cut: %+v", h)
		}
		c.Store.Close()
	}
	s.Delivered(conv, "bob", 9)
	if o.Reopen != nil {
		s = o.reopen(t)
		if h := head(t, s, conv); h.Side("bob").Delivered != 9 {
			t.Fatalf("after reopening: %+v", h)
		}
	}
}

// testMentions: one row per named user, until he has read it or it is recalled.
func testMentions(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice", "bob", "carol", "dave", "erin")
	name := func(id im.ClientID, users ...im.UserID) im.Seq {
		m := text("alice", id, "x")
		m.Mentions = &im.Mentions{Users: users}
		return must(t, s, into(s, conv, m)).Seq
	}
	want := func(u im.UserID, after im.Seq, limit int, seqs ...im.Seq) {
		t.Helper()
		got, err := s.Mentions(u, conv, after, limit)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(seqs) {
			t.Fatalf("%s after %d: %v %v, want %v", u, after, got, err, seqs)
		}
	}
	a, b, c := name("a", "bob"), name("b", "bob", "carol", "bob"), name("c", "carol")
	d := name("d", "bob")
	want("bob", 0, 10, a, b, d)
	want("bob", a, 1, b)
	want("bob", d, 10)
	want("carol", 0, 10, b, c)
	want("alice", 0, 10)
	must(t, s, recall(s, conv, b, "alice"))
	want("bob", 0, 10, a, d)
	want("carol", 0, 10, c)
	op := edit(s, conv, c, "alice", "now bob")
	op.Mentions = &im.Mentions{Users: []im.UserID{"bob"}}
	must(t, s, op)
	want("bob", 0, 10, a, c, d)
	want("carol", 0, 10)
	must(t, s, edit(s, conv, c, "alice", "keeps them"))
	want("bob", 0, 10, a, c, d)
	if m := message(t, s, conv, c); m.Mentions == nil || len(m.Mentions.Users) != 1 {
		t.Fatalf("%s", show(m))
	}
	must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: c})
	want("bob", 0, 10, d)
	op = edit(s, conv, c, "alice", "carol too")
	op.Mentions = &im.Mentions{Users: []im.UserID{"bob", "carol"}}
	must(t, s, op)
	want("carol", 0, 10, c)
	want("bob", 0, 10, d) // he has read it
	for i := range 120 {
		name(im.ClientID(fmt.Sprint("many", i)), "carol")
	}
	for i := range 2 {
		if n, err := s.CountMentions("carol", conv); n != 100 || err != nil {
			t.Fatalf("%d %v, want 100", n, err)
		}
		if n, err := s.CountMentions("bob", conv); n != 1 || err != nil {
			t.Fatalf("%d %v, want 1", n, err)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	must(t, s, into(s, conv, text("bob", "own", "x"))) // his own send moves his cursor
	want("bob", 0, 10)
	// who may not see a message is not named by it, nor by an edit of it
	hidden := text("alice", "hidden", "x")
	hidden.To, hidden.Mentions = []im.UserID{"dave"}, &im.Mentions{Users: []im.UserID{"bob", "dave", "alice"}}
	e := must(t, s, into(s, conv, hidden)).Seq
	want("bob", 0, 10)
	want("dave", 0, 10, e)
	want("alice", 0, 10) // it moved her cursor
	op = edit(s, conv, e, "alice", "names others")
	op.Mentions = &im.Mentions{Users: []im.UserID{"bob", "erin"}}
	must(t, s, op)
	want("bob", 0, 10)
	want("dave", 0, 10)
	want("erin", 0, 10)
	op = edit(s, conv, e, "alice", "and him again")
	op.Mentions = &im.Mentions{Users: []im.UserID{"bob", "dave"}}
	must(t, s, op)
	want("dave", 0, 10, e)
	must(t, s, recall(s, conv, e, "alice"))
	want("dave", 0, 10)
	if n, err := s.CountMentions("bob", conv); n != 0 || err != nil {
		t.Fatalf("%d %v, want 0", n, err)
	}
}
