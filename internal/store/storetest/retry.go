package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// sameAs fails unless op found first.
func sameAs(t testing.TB, what string, op, first *store.AppendOp) {
	t.Helper()
	if !op.Dup || op.Made || op.At != first.At || op.Seq != first.Seq || op.Time != first.Time || op.N != first.N {
		t.Fatalf("%s: %+v, first %+v", what, op, first)
	}
	if op.Msg.Seq != 0 || op.Msg.N != 0 || op.Msg.Time != 0 {
		t.Fatalf("%s: the message of a retry was touched: %s", what, show(op.Msg))
	}
}

// testRetry: a retry finds the first one in the same batch, in the next, after
// reopening, after a power cut; from another sender or elsewhere the same id is new.
func testRetry(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	again := func() *store.AppendOp { return direct(text("alice", "the-id", "hello"), "bob") }
	first, same := again(), again()
	waitFirst, waitSame := start(s, first), start(s, same)
	if err := waitFirst(); err != nil {
		t.Fatal(err)
	}
	if err := waitSame(); err != nil {
		t.Fatal(err)
	}
	sameAs(t, "same batch", same, first)
	sameAs(t, "next batch", must(t, s, again()), first)
	for range 100 { // others in between
		must(t, s, direct(text("alice", im.ClientID(fmt.Sprint("o", rand.Uint64())), "other"), "bob"))
	}
	byConv := into(s, first.At, text("alice", "the-id", "hello"))
	must(t, s, byConv)
	sameAs(t, "by conversation", byConv, first)
	if o.Reopen != nil {
		s = o.reopen(t)
		sameAs(t, "after reopening", must(t, s, again()), first)
	}
	if o.Crash != nil {
		c := o.Crash(rand.New(rand.NewPCG(7, 7)))
		sameAs(t, "after a power cut", must(t, c.Store, again()), first)
		c.Store.Close()
	}
	for what, op := range map[string]*store.AppendOp{
		"another sender":       direct(text("bob", "the-id", "hello"), "alice"),
		"another conversation": direct(text("alice", "the-id", "hello"), "carol"),
		"another id":           direct(text("alice", "the-ie", "hello"), "bob"),
		"a longer id":          direct(text("alice", "the-id1", "hello"), "bob"),
	} {
		if must(t, s, op).Dup {
			t.Fatalf("%s: taken for a retry", what)
		}
	}
	if err := gapless(s, first.At); err != nil {
		t.Fatal(err)
	}
}

// testRetryThroughTime: ids are kept seven days and more, whatever the clock does.
func testRetryThroughTime(t *testing.T, open Open) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name  string
		jumps []time.Duration
	}{
		{"six days, then a bucket later", []time.Duration{6 * day, 23 * time.Hour, 2 * time.Hour}},
		{"seven days at once", []time.Duration{7*day - time.Minute}},
		{"forward and back", []time.Duration{10 * day, -10 * day, 10 * day, -10 * day}},
		{"back and forward", []time.Duration{-10 * day, 10 * day, -10 * day, 10 * day}},
		{"back for good", []time.Duration{-10 * day, 3 * day, 3 * day}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClock()
			o := opened(t, open, Options{Clock: c.Now})
			s := store.Store(o.Store)
			var ops []*store.AppendOp
			for i := range 20 {
				ops = append(ops, must(t, s, direct(text("alice", im.ClientID(fmt.Sprint("id", i)), "hello"), "bob")))
			}
			for i, j := range test.jumps {
				c.advance(j)
				must(t, s, direct(text("alice", im.ClientID(fmt.Sprint("later", i)), "hello"), "bob"))
				if i%2 == 1 && o.Reopen != nil {
					s = o.reopen(t)
				}
				for k, first := range ops {
					again := must(t, s, direct(text("alice", im.ClientID(fmt.Sprint("id", k)), "hello"), "bob"))
					sameAs(t, fmt.Sprint("after jump ", i), again, first)
				}
			}
			for _, first := range ops {
				if err := gapless(s, first.At); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// testRetryOfChange: an edit and a recall are made once, and a retry is answered
// even when it would be refused now.
func testRetryOfChange(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	sent := must(t, s, direct(text("alice", "m", "hello"), "bob"))
	change := func(id im.ClientID, kind im.ChangeKind, seen im.Ver, hash uint64) *store.ChangeOp {
		return &store.ChangeOp{Conv: sent.At, Seq: 1, Seen: seen, Kind: kind, By: "alice", ID: id, Hash: hash, Body: []byte("hallo")}
	}
	first := must(t, s, change("e", im.Edit, 0, 1))
	gone := must(t, s, change("r", im.Recall, 1, 2))
	check := func(s store.Store, what string) {
		t.Helper()
		for _, c := range []struct{ op, first *store.ChangeOp }{
			{change("e", im.Edit, 0, 1), first}, {change("r", im.Recall, 1, 2), gone}, {change("e", im.Edit, 9, 1), first},
		} {
			must(t, s, c.op)
			if !c.op.Dup || c.op.Ver != c.first.Ver || c.op.Time != c.first.Time || c.op.Msg == nil || !c.op.Msg.Recalled {
				t.Fatalf("%s: %+v, first %+v", what, c.op, c.first)
			}
		}
		if h := head(t, s, sent.At); h.Ver != 2 {
			t.Fatalf("%s: ver %d", what, h.Ver)
		}
	}
	check(s, "at once")
	fails(t, s, change("e", im.Edit, 2, 99), im.Conflict)
	fails(t, s, change("r", im.Recall, 2, 99), im.Conflict)
	if o.Reopen != nil {
		s = o.reopen(t)
		check(s, "after reopening")
	}
	must(t, s, &store.BlockOp{User: "bob", Peer: "alice", On: true}) // moves the guard
	check(s, "after a block")
}

// testRetryOfGroup: a group is made once.
func testRetryOfGroup(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	make := func(group im.GroupID, id im.ClientID, hash uint64) *store.MemberOp {
		return &store.MemberOp{Info: &im.GroupInfo{ID: group, Name: "name"}, By: "alice", ID: id, Hash: hash,
			Set: []store.RoleSet{{User: "alice", Role: im.Owner}}}
	}
	first := must(t, s, make("g1", "c", 1))
	for range 2 {
		again := must(t, s, make("g2", "c", 1))
		if !again.Dup || again.Group != "g1" || again.At != first.At {
			t.Fatalf("%+v, first %+v", again, first)
		}
		if _, ok, _ := s.Group("g2"); ok {
			t.Fatal("a retry made a second group")
		}
		fails(t, s, make("g3", "c", 2), im.Conflict)
		fails(t, s, make("g1", "d", 1), im.Conflict)
		fails(t, s, make("g1", "", 1), im.Conflict)
		if o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	if other := must(t, s, &store.MemberOp{Info: &im.GroupInfo{ID: "g4"}, By: "bob", ID: "c", Hash: 1,
		Set: []store.RoleSet{{User: "bob", Role: im.Owner}}}); other.Dup {
		t.Fatal("another user's id was taken for a retry")
	}
}

// testKept: the question whether an id was used counts the sends before it.
func testKept(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	m := text("alice", "k", "hello")
	ask := func(id im.ClientID, hash uint64) *store.KeptOp {
		return &store.KeptOp{Peer: "bob", Sender: "alice", ID: id, Hash: hash}
	}
	if op := must(t, s, ask("k", hash(m))); op.Found || op.At != 0 {
		t.Fatalf("before anything: %+v", op)
	}
	send, question := direct(m, "bob"), ask("k", hash(m))
	waitSend, waitQuestion := start(s, send), start(s, question)
	if err := waitSend(); err != nil {
		t.Fatal(err)
	}
	if err := waitQuestion(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if !question.Found || question.At != send.At || question.Seq != send.Seq || question.Time != send.Time || question.N != send.N {
			t.Fatalf("%d: %+v, sent %+v", i, question, send)
		}
		if i == 1 && o.Reopen != nil {
			s = o.reopen(t)
		}
		question = must(t, s, &store.KeptOp{Conv: send.At, Sender: "alice", ID: "k", Hash: hash(m)})
	}
	fails(t, s, ask("k", hash(m)+1), im.Conflict)
	if op := must(t, s, ask("other", 1)); op.Found {
		t.Fatalf("%+v", op)
	}
	change := edit(s, send.At, 1, "alice", "x")
	change.ID, change.Hash = "c", 77
	must(t, s, change)
	if op := must(t, s, &store.KeptOp{Conv: send.At, Sender: "alice", ID: "c", Hash: 77}); !op.Found || op.Seq != im.Seq(change.Ver) {
		t.Fatalf("of a change: %+v", op)
	}
}

// testOtherContent: the same client id with another content is refused, in the same
// batch too, and leaves nothing.
func testOtherContent(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	first, other := direct(text("alice", "x", "one"), "bob"), direct(text("alice", "x", "two"), "bob")
	waitFirst, waitOther := start(s, first), start(s, other)
	if err := waitFirst(); err != nil {
		t.Fatal(err)
	}
	if err := waitOther(); !im.IsKind(err, im.Conflict) {
		t.Fatalf("in the same batch: %v", err)
	}
	fails(t, s, direct(text("alice", "x", "three"), "bob"), im.Conflict)
	if other.At != 0 || other.Seq != 0 || other.Dup || other.Msg.Seq != 0 {
		t.Fatalf("a refused op has an outcome: %+v", other)
	}
	if h := head(t, s, first.At); h.Seq != 1 || h.N != 1 {
		t.Fatalf("%+v", h)
	}
}

// testFailedLeavesNothing: operations that end with an error burn no number and
// leave no row, alone and between others of their batch.
func testFailedLeavesNothing(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice", "bob")
	first := must(t, s, into(s, conv, text("alice", "1", "one")))
	before := head(t, s, conv)
	bad := func() []store.Op {
		return []store.Op{
			into(s, conv, text("alice", "1", "two")),    // Conflict
			into(s, conv+1000, text("alice", "9", "x")), // NotFound
			&store.MemberOp{Conv: conv, Guard: before.MVer + 7, By: "alice", Set: []store.RoleSet{{User: "carol", Role: im.Member}}}, // turned back
			&store.MemberOp{Info: &im.GroupInfo{ID: "g"}, By: "carol", Set: []store.RoleSet{{User: "carol", Role: im.Owner}}},        // Conflict
			&store.AppendOp{Peer: "dave", Blocked: true, Msg: text("alice", "1", "x"), Hash: 1},                                      // turned back
			&store.ChangeOp{Conv: conv, Seq: first.Seq, Guard: before.MVer, Seen: 5, Kind: im.Recall, By: "alice"},                   // turned back
			&store.ChangeOp{Conv: conv, Seq: 99, Guard: before.MVer, Kind: im.Recall, By: "alice"},                                   // NotFound
			&store.ReadOp{Conv: conv, User: "carol", Seq: 1},                                                                         // NotFound
			&store.PutOp{If: &store.Record{Kind: store.SettingRecord, Key: "k", Value: []byte("v")}, Records: []store.Record{{Kind: store.SettingRecord, Key: "k", Value: []byte("w")}}},
		}
	}
	check := func(s store.Store) {
		t.Helper()
		h := head(t, s, conv)
		h.Position = before.Position
		if fmt.Sprintf("%+v", h) != fmt.Sprintf("%+v", before) {
			t.Fatalf("the head moved: %+v, was %+v", h, before)
		}
		if _, ok, _ := s.Row(conv, "carol"); ok {
			t.Fatal("a refused newcomer has a row")
		}
		if _, ok, _ := s.Direct("alice", "dave", ""); ok {
			t.Fatal("a send that was turned back made a conversation")
		}
		if rows, _ := s.Rows("carol", 0, 10); len(rows) != 0 {
			t.Fatalf("%+v", rows)
		}
		if _, ok, _ := s.Get(store.SettingRecord, "", "k"); ok {
			t.Fatal("a refused record is there")
		}
		if err := gapless(s, conv); err != nil {
			t.Fatal(err)
		}
	}
	for _, op := range bad() {
		if err := do(s, op); err == nil {
			t.Fatalf("%T %+v went through", op, op)
		}
	}
	check(s)
	var waits []func() error
	var failed []int
	for i, op := range bad() { // each between two good ones
		good := into(s, conv, text("bob", im.ClientID(fmt.Sprint("good", i)), "fine"))
		waits = append(waits, start(s, good))
		failed = append(failed, len(waits))
		waits = append(waits, start(s, op))
		before.Seq++
		before.N++
	}
	for i, wait := range waits {
		err := wait()
		if bad := len(failed) > 0 && failed[0] == i; bad {
			failed = failed[1:]
			if err == nil {
				t.Fatalf("bad op %d went through", i)
			}
		} else if err != nil {
			t.Fatal(err)
		}
	}
	h := head(t, s, conv)
	before.Time, before.LastShown = h.Time, h.Seq
	check(s)
	if o.Reopen != nil {
		s = o.reopen(t)
		check(s)
	}
	if op := must(t, s, into(s, conv, text("alice", "next", "x"))); op.Seq != before.Seq+1 || op.N != before.N+1 {
		t.Fatalf("the next one is %d (n %d) after %d (n %d)", op.Seq, op.N, before.Seq, before.N)
	}
}
