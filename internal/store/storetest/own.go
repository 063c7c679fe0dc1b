package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func ptr[T any](v T) *T { return &v }

// everySetting is a patch that sets all there is.
func everySetting() *im.SettingsPatch {
	return &im.SettingsPatch{Pinned: ptr(int64(1 << 41)), Level: ptr(im.NotifyMe), Hidden: ptr(im.Seq(3)), Archived: ptr(true),
		Marked: ptr(true), Tags: ptr([]string{"work", "朋友"}), Remark: ptr("老板")}
}

// testSettings: what a user sets for one of his conversations he alone has, in direct
// ones and groups; his row moves with it, so that his other devices hear of it.
func testSettings(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	d, g := fill(t, s, 5), group(t, s, "g", "alice", "bob")
	want := im.Settings{Pinned: 1 << 41, Level: im.NotifyMe, Hidden: 3, Archived: true, Marked: true, Tags: []string{"work", "朋友"}, Remark: "老板"}
	for _, conv := range []im.ConvID{d, g} {
		before, peer := row(t, s, conv, "bob"), row(t, s, conv, "alice")
		if !before.Settings.Empty() {
			t.Fatalf("%+v", before)
		}
		patch := everySetting()
		op := must(t, s, &store.SetOp{Conv: conv, User: "bob", Patch: patch})
		(*patch.Tags)[0] = "altered afterwards"
		r := row(t, s, conv, "bob")
		if !op.Moved || !reflect.DeepEqual(op.Row.Settings, want) || !reflect.DeepEqual(r.Settings, want) {
			t.Fatalf("%+v\n%+v", op, r)
		}
		if r.Position <= before.Position || r.Position > s.Position() {
			t.Fatalf("the row stands at %d, before at %d, the store at %d", r.Position, before.Position, s.Position())
		}
		r.Settings, r.Position, before.Position = im.Settings{}, 0, 0
		if !reflect.DeepEqual(r, before) {
			t.Fatalf("more than settings moved: %+v, was %+v", r, before)
		}
		now := row(t, s, conv, "alice")
		now.Position, peer.Position = 0, 0
		if !reflect.DeepEqual(now, peer) {
			t.Fatalf("the row of the other is %+v, was %+v", now, peer)
		}
		position := row(t, s, conv, "bob").Position
		again := must(t, s, &store.SetOp{Conv: conv, User: "bob", Patch: everySetting()})
		if again.Moved || again.Row.Position != position || row(t, s, conv, "bob").Position != position {
			t.Fatalf("the same again: %+v", again)
		}
		nothing := must(t, s, &store.SetOp{Conv: conv, User: "bob"})
		if nothing.Moved || !reflect.DeepEqual(nothing.Row.Settings, want) {
			t.Fatalf("%+v", nothing)
		}
	}
	rows, err := s.Rows("bob", 0, 10)
	if err != nil || len(rows) != 2 || !reflect.DeepEqual(rows[0].Settings, want) || !reflect.DeepEqual(rows[1].Settings, want) {
		t.Fatalf("%+v %v", rows, err)
	}
	// one part at a time, the others stay
	must(t, s, &store.SetOp{Conv: d, User: "bob", Patch: &im.SettingsPatch{Tags: ptr([]string(nil)), Pinned: ptr(int64(0))}})
	want.Tags, want.Pinned = nil, 0
	for i := range 2 {
		r := row(t, s, d, "bob")
		if r.Settings.Tags = slices.Clip(r.Settings.Tags); len(r.Settings.Tags) == 0 {
			r.Settings.Tags = nil
		}
		if !reflect.DeepEqual(r.Settings, want) || r.Read != 0 || !r.In() {
			t.Fatalf("%d: %+v, want %+v", i, r, want)
		}
		// a send moves the conversation, not his settings
		must(t, s, into(s, d, text("alice", im.ClientID(fmt.Sprint("more", i)), "x")))
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	if r := row(t, s, d, "bob"); !reflect.DeepEqual(head(t, s, d).Position, r.Position) {
		t.Fatalf("the row stands at %d, the head at %d", r.Position, head(t, s, d).Position)
	}
	// taking all back leaves a row that still moves
	before := row(t, s, d, "bob").Position
	none := everySetting()
	none.Pinned, none.Level, none.Hidden, none.Archived, none.Marked, none.Tags, none.Remark = ptr(int64(0)), ptr(im.NotifyInherit), ptr(im.Seq(0)), ptr(false), ptr(false), ptr([]string{}), ptr("")
	must(t, s, &store.SetOp{Conv: d, User: "bob", Patch: none})
	if o.Reopen != nil {
		s = o.reopen(t)
	}
	if r := row(t, s, d, "bob"); !r.Settings.Empty() || r.Position <= before {
		t.Fatalf("%+v, stood at %d", r, before)
	}
	// who comes back finds what he had set
	must(t, s, set(s, g, "alice", "bob", im.NoRole))
	fails(t, s, &store.SetOp{Conv: g, User: "bob", Patch: none}, im.NotFound)
	must(t, s, set(s, g, "alice", "bob", im.Member))
	if r := row(t, s, g, "bob"); r.Settings.Remark != "老板" {
		t.Fatalf("%+v", r)
	}
	fails(t, s, &store.SetOp{Conv: g, User: "carol", Patch: none}, im.NotFound)
	fails(t, s, &store.SetOp{Conv: d, User: "carol", Patch: none}, im.NotFound)
	fails(t, s, &store.SetOp{Conv: 4711, User: "bob", Patch: none}, im.NotFound)
	self := must(t, s, &store.BlockOp{User: "bob", Peer: "x", On: true}).At
	fails(t, s, &store.SetOp{Conv: self, User: "bob", Patch: none}, im.NotFound)
	// notes to oneself
	mine := must(t, s, direct(text("erin", "1", "x"), "erin")).At
	must(t, s, &store.SetOp{Conv: mine, User: "erin", Patch: &im.SettingsPatch{Remark: ptr("notes")}})
	if o.Reopen != nil {
		s = o.reopen(t)
	}
	if r := row(t, s, mine, "erin"); r.Settings.Remark != "notes" || r.Read != 1 {
		t.Fatalf("%+v", r)
	}
}

// withdrawn is what core would give for what is deleted: the ordinals that count.
func withdrawn(t testing.TB, s store.Store, conv im.ConvID, gone ...im.SeqRange) (n, na []store.Range) {
	t.Helper()
	for _, g := range gone {
		for seq := g.From; seq <= min(g.To, head(t, s, conv).Seq); seq++ {
			m, ok, err := s.Message(conv, seq)
			if err != nil {
				t.Fatal(err)
			}
			if ok && m.To == nil && m.Flags&im.Count != 0 {
				n = append(n, store.Range{From: m.N, To: m.N})
			}
			if ok && m.To == nil && m.Mentions != nil && m.Mentions.All {
				na = append(na, store.Range{From: m.NA, To: m.NA})
			}
		}
	}
	return n, na
}

// testGone: what one deletes for himself is gone for him alone, counts for him no
// more, and names him no more. Ranges join, over what is not there too.
func testGone(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice", "bob", "carol") // 1
	for i := range 20 {                               // 2..21
		m := text("alice", im.ClientID(fmt.Sprint(i)), "x")
		switch i {
		case 3, 4: // 5, 6
			m.Mentions = &im.Mentions{Users: []im.UserID{"bob", "carol"}, All: true}
		case 8: // 10
			m.Flags, m.Expires = 0, 0
		case 10: // 12
			m.Expires = c.Now().UnixMilli() + 1
		case 14: // 16
			m.To = []im.UserID{"bob", "carol"}
		}
		must(t, s, into(s, conv, m))
	}
	remove := func(ranges ...im.SeqRange) *store.SetOp {
		t.Helper()
		n, na := withdrawn(t, s, conv, ranges...)
		return must(t, s, &store.SetOp{Conv: conv, User: "bob", Gone: ranges, Withdrawn: n, WithdrawA: na})
	}
	is := func(gone string, unread, all uint64, mentions, directed string) {
		t.Helper()
		r, h := row(t, s, conv, "bob"), head(t, s, conv)
		n, na := h.Unread(&r)
		seqs, err := s.Mentions("bob", conv, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(r.Gone) != gone || n != unread || na != all || fmt.Sprint(seqs) != mentions || fmt.Sprint(r.Directed) != directed {
			t.Fatalf("gone %v, unread %d, @all %d, mentions %v, directed %v; want %s, %d, %d, %s, %s", r.Gone, n, na, seqs, r.Directed, gone, unread, all, mentions, directed)
		}
		if k, _ := s.CountMentions("bob", conv); k != len(seqs) {
			t.Fatalf("%d mentions counted", k)
		}
	}
	is("[]", 19, 2, "[5 6]", "[16]")
	remove(im.SeqRange{From: 3, To: 5})
	is("[{3 5}]", 16, 1, "[6]", "[16]")
	op := remove(im.SeqRange{From: 16, To: 16}, im.SeqRange{From: 8, To: 7}, im.SeqRange{From: 15, To: 15}, im.SeqRange{From: 6, To: 6})
	is("[{3 6} {15 16}]", 13, 0, "[]", "[]")
	if !op.Moved || !op.Row.Hides(3) || !op.Row.Hides(16) || op.Row.Hides(2) || op.Row.Hides(7) || op.Row.Hides(17) {
		t.Fatalf("%+v", op.Row)
	}
	if remove(im.SeqRange{From: 4, To: 6}).Moved {
		t.Fatal("what is gone already was told as a change")
	}
	// what the others have is as it was
	r, h := row(t, s, conv, "carol"), head(t, s, conv)
	if n, na := h.Unread(&r); n != 19 || na != 2 || len(r.Gone) != 0 || fmt.Sprint(r.Directed) != "[16]" {
		t.Fatalf("carol: unread %d, @all %d, %+v", n, na, r)
	}
	if len(h.Withdrawn) > 0 || len(h.WithdrawA) > 0 {
		t.Fatalf("%+v", h)
	}
	// a command in between is no message any more once it is swept, one that has expired neither
	remove(im.SeqRange{From: 9, To: 9}, im.SeqRange{From: 11, To: 11}, im.SeqRange{From: 13, To: 13})
	is("[{3 6} {9 9} {11 11} {13 13} {15 16}]", 10, 0, "[]", "[]")
	c.advance(1e9)
	if n, err := s.Sweep(t.Context(), c.Now(), store.SweepPolicy{Commands: 1}); n != 2 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	is("[{3 6} {9 9} {11 11} {13 13} {15 16}]", 9, 0, "[]", "[]")
	remove(im.SeqRange{From: 11, To: 11}) // again: what is beside it is looked at
	is("[{3 6} {9 13} {15 16}]", 9, 0, "[]", "[]")
	remove(im.SeqRange{From: 18, To: 1 << 40}) // nothing above the head
	is("[{3 6} {9 13} {15 16} {18 21}]", 5, 0, "[]", "[]")
	must(t, s, into(s, conv, text("alice", "new", "x")))
	is("[{3 6} {9 13} {15 16} {18 21}]", 6, 0, "[]", "[]")
	// an edit that names him where he does not look
	edited := edit(s, conv, 5, "alice", "now")
	edited.Mentions = &im.Mentions{Users: []im.UserID{"bob", "carol"}, All: true}
	must(t, s, edited)
	edited = edit(s, conv, 4, "alice", "now")
	edited.Mentions = &im.Mentions{Users: []im.UserID{"bob"}}
	must(t, s, edited)
	is("[{3 6} {9 13} {15 16} {18 21}]", 6, 0, "[]", "[]")
	must(t, s, recall(s, conv, 3, "alice")) // withdrawn for all and for him: once
	is("[{3 6} {9 13} {15 16} {18 21}]", 6, 0, "[]", "[]")
	if o.Reopen != nil {
		s = o.reopen(t)
		is("[{3 6} {9 13} {15 16} {18 21}]", 6, 0, "[]", "[]")
	}
	must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: 9})
	is("[{3 6} {9 13} {15 16} {18 21}]", 3, 0, "[]", "[]")
	must(t, s, into(s, conv, text("bob", "own", "x")))
	is("[{3 6} {9 13} {15 16} {18 21}]", 0, 0, "[]", "[]")
	if r := row(t, s, conv, "bob"); len(r.Withdrawn)+len(r.WithdrawA) > 0 {
		t.Fatalf("what stands below the cursor is kept: %+v", r)
	}
	// who comes back has not got it back
	must(t, s, set(s, conv, "alice", "bob", im.NoRole))
	back := set(s, conv, "alice", "bob", im.Member)
	back.Info = &im.GroupInfo{History: im.HistoryAll}
	must(t, s, back)
	if r := row(t, s, conv, "bob"); fmt.Sprint(r.Gone) != "[{3 6} {9 13} {15 16} {18 21}]" || r.From != 1 {
		t.Fatalf("%+v", r)
	}
}

// testGoneBounded: at most so many ranges; one more is refused and alters nothing.
func testGoneBounded(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := fill(t, s, 2*store.MaxGone+10)
	var odd []im.SeqRange
	for i := range store.MaxGone {
		odd = append(odd, im.SeqRange{From: im.Seq(2*i + 1), To: im.Seq(2*i + 1)})
	}
	fails(t, s, &store.SetOp{Conv: conv, User: "bob", Gone: append(slices.Clone(odd), im.SeqRange{From: 1, To: 1})}, im.TooLarge)
	n, _ := withdrawn(t, s, conv, odd...)
	must(t, s, &store.SetOp{Conv: conv, User: "bob", Gone: odd, Withdrawn: n})
	far := im.SeqRange{From: 2*store.MaxGone + 5, To: 2*store.MaxGone + 5}
	fails(t, s, &store.SetOp{Conv: conv, User: "bob", Gone: []im.SeqRange{far}, Patch: everySetting()}, im.TooLarge)
	for i := range 2 {
		r := row(t, s, conv, "bob")
		if len(r.Gone) != store.MaxGone || r.Hides(far.From) || !r.Settings.Empty() || len(r.Withdrawn) != store.MaxWithdrawn {
			t.Fatalf("%d ranges, %d withdrawn, %+v", len(r.Gone), len(r.Withdrawn), r.Settings)
		}
		// past the bound the lowest ordinals are dropped: too high, never too low
		if u := unread(t, s, conv, "bob"); u != 2*store.MaxGone+10-store.MaxWithdrawn {
			t.Fatalf("unread %d", u)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	must(t, s, &store.SetOp{Conv: conv, User: "bob", Gone: []im.SeqRange{{From: 1, To: 2*store.MaxGone + 5}}})
	if r := row(t, s, conv, "bob"); fmt.Sprint(r.Gone) != fmt.Sprintf("[{1 %d}]", far.From) {
		t.Fatalf("%v", r.Gone)
	}
	many := make([]store.Range, 300)
	for i := range many {
		many[i] = store.Range{From: uint64(3*i + 1), To: uint64(3*i + 2)}
	}
	many = append(many, store.Range{From: 1 << 30, To: 1 << 40}) // nothing that has not been counted yet
	must(t, s, &store.SetOp{Conv: conv, User: "alice", Withdrawn: many, WithdrawA: many})
	if r := row(t, s, conv, "alice"); len(r.Withdrawn) != 0 || len(r.WithdrawA) != 0 {
		t.Fatalf("what she sent herself was withdrawn: %+v", r)
	}
}

// testReadClears: a read mark takes away what stands below it, and the mark of unread
// even where the cursor does not move.
func testReadClears(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	d, g := fill(t, s, 6), group(t, s, "g", "alice", "bob", "carol")
	for i := range 5 {
		must(t, s, into(s, g, text("alice", im.ClientID(fmt.Sprint(i)), "x")))
	}
	for _, conv := range []im.ConvID{d, g} {
		m := text("alice", "to", "x")
		m.To = []im.UserID{"bob"}
		must(t, s, into(s, conv, m)) // 7
		gone := []im.SeqRange{{From: 3, To: 3}, {From: 5, To: 6}}
		n, _ := withdrawn(t, s, conv, gone...)
		must(t, s, &store.SetOp{Conv: conv, User: "bob", Patch: &im.SettingsPatch{Marked: ptr(true)}, Gone: gone, Withdrawn: n})
		op := must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: 4})
		r := row(t, s, conv, "bob")
		if !op.Moved || op.Row.Settings.Marked || r.Settings.Marked || len(r.Withdrawn) != 1 || len(r.Directed) != 1 || unread(t, s, conv, "bob") != 1 {
			t.Fatalf("%+v\n%+v", op, r)
		}
		must(t, s, &store.SetOp{Conv: conv, User: "bob", Patch: &im.SettingsPatch{Marked: ptr(true)}})
		before := row(t, s, conv, "bob")
		op = must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: 2})
		r = row(t, s, conv, "bob")
		if !op.Moved || op.Row.Settings.Marked || r.Settings.Marked || r.Read != 4 || op.Row.Read != 4 || r.Position <= before.Position {
			t.Fatalf("a mark below the cursor: %+v\n%+v", op, r)
		}
		if op = must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: 2}); op.Moved {
			t.Fatalf("%+v", op)
		}
		must(t, s, &store.SetOp{Conv: conv, User: "bob", Patch: &im.SettingsPatch{Marked: ptr(true), Remark: ptr("stays")}})
		if op = must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: 99}); !op.Moved || op.Row.Read != 7 {
			t.Fatalf("%+v", op)
		}
		for i := range 2 {
			r = row(t, s, conv, "bob")
			if r.Settings.Marked || r.Settings.Remark != "stays" || len(r.Withdrawn)+len(r.Directed) > 0 || r.Read != 7 || unread(t, s, conv, "bob") != 0 {
				t.Fatalf("%d: %+v", i, r)
			}
			if i == 0 && o.Reopen != nil {
				s = o.reopen(t)
			}
		}
	}
}

// testSentFor: what is sent for somebody without moving his cursor does not count for
// him, and does for the others.
func testSentFor(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	g := group(t, s, "g", "alice", "bob")
	is := func(conv im.ConvID, u im.UserID, n, all uint64) {
		t.Helper()
		r, h := row(t, s, conv, u), head(t, s, conv)
		if gotN, gotAll := h.Unread(&r); gotN != n || gotAll != all {
			t.Fatalf("%s in %d: unread %d (@all %d), want %d (%d); %+v", u, conv, gotN, gotAll, n, all, r)
		}
	}
	silent := func(op *store.AppendOp) *store.AppendOp {
		op.Read = false
		return op
	}
	first := must(t, s, silent(direct(text("alice", "1", "x"), "bob"))) // makes the conversation
	d := first.At
	is(d, "alice", 0, 0)
	is(d, "bob", 1, 0)
	for _, conv := range []im.ConvID{d, g} {
		base := unread(t, s, conv, "bob")
		must(t, s, into(s, conv, text("bob", "theirs", "x")))
		must(t, s, silent(into(s, conv, text("alice", "2", "x"))))
		m := text("alice", "3", "x")
		m.Mentions = &im.Mentions{All: true}
		must(t, s, silent(into(s, conv, m)))
		m = text("alice", "4", "x")
		m.Flags = im.Persist
		must(t, s, silent(into(s, conv, m)))
		m = text("alice", "5", "x")
		m.To = []im.UserID{"bob"}
		must(t, s, silent(into(s, conv, m)))
		is(conv, "alice", 1, 0) // what bob said
		is(conv, "bob", 3, 1)   // his own send moved his cursor
		_ = base
		if retry := must(t, s, silent(into(s, conv, text("alice", "2", "x")))); !retry.Dup {
			t.Fatalf("%+v", retry)
		}
		is(conv, "alice", 1, 0)
		if o.Reopen != nil {
			s = o.reopen(t)
			is(conv, "alice", 1, 0)
			is(conv, "bob", 3, 1)
		}
	}
	// one who is not in it has no row to note it in
	m := text("stranger", "1", "x")
	must(t, s, silent(into(s, g, m)))
	if _, ok, err := s.Row(g, "stranger"); ok || err != nil {
		t.Fatalf("%v %v", ok, err)
	}
	// many in a row are one range; with others' between they are many, and the oldest goes
	e := group(t, s, "e", "alice", "bob")
	for i := range 10 {
		must(t, s, silent(into(s, e, text("alice", im.ClientID(fmt.Sprint("in a row", i)), "x"))))
	}
	if r := row(t, s, e, "alice"); fmt.Sprint(r.Withdrawn) != "[{1 10}]" {
		t.Fatalf("%v", r.Withdrawn)
	}
	var waits []func() error
	for i := range 300 {
		waits = append(waits, start(s, silent(into(s, e, text("alice", im.ClientID(fmt.Sprint("a", i)), "x")))),
			start(s, into(s, e, text("bob", im.ClientID(fmt.Sprint("b", i)), "x"))))
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
	}
	if r := row(t, s, e, "alice"); len(r.Withdrawn) != store.MaxWithdrawn || r.Withdrawn[store.MaxWithdrawn-1] != (store.Range{From: 609, To: 609}) {
		t.Fatalf("%d ranges: %v", len(r.Withdrawn), r.Withdrawn)
	}
	is(e, "alice", 610-store.MaxWithdrawn, 0)
	is(e, "bob", 0, 0)
}

// testOwnAfterCrash: what somebody set is there after the power was cut at any moment
// after he was told so, and so are the conversation's numbers.
func testOwnAfterCrash(t *testing.T, open Open) {
	o := opened(t, open, Options{Small: true})
	if o.Crash == nil {
		t.Skip("the store's power cannot be cut")
	}
	s := o.Store
	d, g := fill(t, s, 10), group(t, s, "g", "alice", "bob")
	for i := range 12 {
		for _, conv := range []im.ConvID{d, g} {
			m := text("alice", im.ClientID(fmt.Sprint("to", i)), "x")
			m.To = []im.UserID{"bob"}
			seq := must(t, s, into(s, conv, m)).Seq
			must(t, s, &store.SetOp{Conv: conv, User: "bob", Patch: &im.SettingsPatch{Pinned: ptr(int64(i + 1)), Marked: ptr(i%2 == 0)}, Gone: []im.SeqRange{{From: im.Seq(i + 1), To: im.Seq(i + 1)}}})
			if i%4 == 3 {
				must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: seq - 1})
			}
			if i%5 == 4 {
				must(t, s, into(s, conv, text("bob", im.ClientID(fmt.Sprint("own", i)), "x")))
			}
			note := must(t, s, &store.NoteOp{User: "bob", Key: fmt.Sprint("k", i%3), Value: fmt.Append(nil, conv, i), Most: 5, Of: "k"})
			must(t, s, &store.PutOp{Records: []store.Record{{Kind: store.TimerRecord, User: "bob", Key: "t", Value: []byte("v"), Due: int64(i + 1)}}})
			for seed := range uint64(2) {
				x := o.Crash(rand.New(rand.NewPCG(seed, uint64(i))))
				for _, conv := range []im.ConvID{d, g} {
					want, got := row(t, s, conv, "bob"), row(t, x.Store, conv, "bob")
					if !reflect.DeepEqual(got, want) {
						t.Fatalf("after a power cut %+v, was %+v", got, want)
					}
				}
				changes, err := x.Store.Changes(note.At, note.Change.Ver, 10)
				if err != nil || len(changes) != 1 || changes[0].Key != note.Key || string(changes[0].Value) != string(note.Value) {
					t.Fatalf("after a power cut %+v %v, was %+v", changes, err, note.Change)
				}
				due, next, err := x.Store.Due(int64(i+1), 10)
				if err != nil || len(due) != 1 || next != 0 || due[0].Due != int64(i+1) {
					t.Fatalf("after a power cut %+v %d %v", due, next, err)
				}
				must(t, x.Store, &store.NoteOp{User: "bob", Key: "k9", Value: []byte("x"), Most: 4, Of: "k"})
				fails(t, x.Store, &store.NoteOp{User: "bob", Key: "k8", Value: []byte("x"), Most: min(i, 2) + 2, Of: "k"}, im.TooLarge)
				x.Store.Close()
			}
		}
	}
}
