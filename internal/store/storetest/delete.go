package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testDelete: what is deleted for all shows nothing and counts nowhere, and all of it
// comes back but mention rows and pin.
func testDelete(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := group(t, s, "g", "alice", "bob", "carol")
	loud := text("alice", "1", "loud")
	loud.Mentions = &im.Mentions{All: true, Users: []im.UserID{"bob"}, Roles: []im.Role{im.Owner}}
	loud.Push, loud.Digest = "push", "digest"
	must(t, s, into(s, conv, loud)) // 2
	must(t, s, into(s, conv, text("alice", "2", "second")))
	must(t, s, into(s, conv, text("alice", "3", "third")))
	must(t, s, edit(s, conv, 2, "alice", "louder"))
	must(t, s, react(conv, 2, 1, "bob", "x"))
	must(t, s, &store.ChangeOp{Conv: conv, Seq: 2, Guard: 1, Kind: im.Pinned, By: "bob", Pin: true})
	before := message(t, s, conv, 2)
	bob := func(n, all uint64, mentions int) {
		t.Helper()
		h, r := head(t, s, conv), row(t, s, conv, "bob")
		if a, b := h.Unread(&r); a != n || b != all {
			t.Fatalf("unread %d, @all %d, want %d and %d (withdrawn %v %v)", a, b, n, all, h.Withdrawn, h.WithdrawA)
		}
		if got, err := s.CountMentions("bob", conv); err != nil || got != mentions {
			t.Fatalf("%d mentions %v, want %d", got, err, mentions)
		}
	}
	bob(3, 1, 1)
	same(t, s, change(s, conv, 2, "alice", im.Restore))
	stale := change(s, conv, 2, "alice", im.Delete)
	stale.Seen--
	turnedBack(t, s, stale)
	c.advance(time.Minute)
	must(t, s, change(s, conv, 2, "alice", im.Delete))
	for i := range 2 {
		m := message(t, s, conv, 2)
		if !m.Deleted || len(m.Body) != 0 || m.Digest != "" || m.Push != "" || m.Mentions != nil || m.Pin != nil || m.Ver != 4 || m.N != before.N {
			t.Fatalf("%s", show(m))
		}
		bob(2, 0, 0)
		for _, kind := range []im.ChangeKind{im.Edit, im.Recall, im.React, im.Expand, im.Pinned, im.Delete, im.Burn} {
			op := change(s, conv, 2, "alice", kind)
			op.Add, op.Set, op.Pin, op.Expires = []string{"y"}, []im.Pair{{Key: "k", Value: "v"}}, true, 1
			fails(t, s, op, im.NotFound)
		}
		if err := gapless(s, conv); err != nil {
			t.Fatal(err)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	must(t, s, change(s, conv, 2, "bob", im.Restore))
	bob(3, 1, 0)
	m := message(t, s, conv, 2)
	want := *before
	want.Ver, want.Pin = 5, nil
	if d := differ(m, &want); d != "" {
		t.Fatalf("%s", d)
	}
	formers, err := s.Formers(conv, 2, 0, 10)
	if err != nil || len(formers) != 1 || string(formers[0].Body) != "loud" {
		t.Fatalf("%+v %v", formers, err)
	}
	// again, beside its neighbours: ranges part and join
	for _, seq := range []im.Seq{2, 4, 3} {
		must(t, s, change(s, conv, seq, "alice", im.Delete))
	}
	bob(0, 0, 0)
	if h := head(t, s, conv); len(h.Withdrawn) != 1 {
		t.Fatalf("%v", h.Withdrawn)
	}
	must(t, s, change(s, conv, 3, "alice", im.Restore))
	bob(1, 0, 0)
	if h := head(t, s, conv); len(h.Withdrawn) != 2 {
		t.Fatalf("%v", h.Withdrawn)
	}
	must(t, s, change(s, conv, 4, "alice", im.Restore))
	must(t, s, change(s, conv, 2, "alice", im.Restore))
	bob(3, 1, 0)
	if h := head(t, s, conv); len(h.Withdrawn)+len(h.WithdrawA) != 0 {
		t.Fatalf("%v %v", h.Withdrawn, h.WithdrawA)
	}
	// what was recalled can be deleted; it comes back as recalled, and uncounted
	silent := recall(s, conv, 2, "alice")
	silent.Silent = true
	must(t, s, silent)
	fails(t, s, recall(s, conv, 2, "alice"), im.NotFound)
	fails(t, s, change(s, conv, 2, "alice", im.Restore), im.NotFound)
	must(t, s, change(s, conv, 2, "alice", im.Delete))
	must(t, s, change(s, conv, 2, "alice", im.Restore))
	if m := message(t, s, conv, 2); !m.Recalled || !m.Silent || m.Deleted || len(m.Body) != 0 {
		t.Fatalf("%s", show(m))
	}
	bob(2, 0, 0)
	// an @all that an edit took back does not come again
	called := text("alice", "4", "all")
	called.Mentions = &im.Mentions{All: true}
	seq := must(t, s, into(s, conv, called)).Seq
	quiet := edit(s, conv, seq, "alice", "none")
	quiet.Mentions = &im.Mentions{}
	must(t, s, quiet)
	bob(3, 0, 0)
	must(t, s, change(s, conv, seq, "alice", im.Delete))
	must(t, s, change(s, conv, seq, "alice", im.Restore))
	bob(3, 0, 0)
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
}

// testDeletedForGood: when it can no longer be restored, all of it goes.
func testDeletedForGood(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 1)
	must(t, s, direct(text("alice", "gone", "the first secret"), "bob"))
	must(t, s, direct(text("alice", "back", "no secret"), "bob"))
	must(t, s, edit(s, conv, 2, "alice", "the second secret"))
	must(t, s, react(conv, 2, 0, "bob", "a reaction"))
	for seq := im.Seq(2); seq <= 3; seq++ {
		must(t, s, change(s, conv, seq, "alice", im.Delete))
	}
	before := head(t, s, conv)
	sweep := func(want int) {
		t.Helper()
		if n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{Deleted: time.Hour}); err != nil || n != want {
			t.Fatalf("%d rows went, want %d: %v", n, want, err)
		}
	}
	c.advance(time.Hour)
	sweep(0)
	must(t, s, change(s, conv, 3, "alice", im.Restore))
	c.advance(time.Minute)
	sweep(1)
	for i := range 2 {
		if _, ok, err := s.Message(conv, 2); ok || err != nil {
			t.Fatalf("what is deleted for good is there: %v", err)
		}
		if m := message(t, s, conv, 3); string(m.Body) != "no secret" {
			t.Fatalf("%s", show(m))
		}
		fails(t, s, change(s, conv, 2, "alice", im.Restore), im.NotFound)
		if f, err := s.Formers(conv, 2, 0, 10); err != nil || len(f) != 0 {
			t.Fatalf("%+v %v", f, err)
		}
		if r, err := s.Reactions(store.ReactionQuery{Conv: conv, Seq: 2, Limit: 10}); err != nil || len(r) != 0 {
			t.Fatalf("%+v %v", r, err)
		}
		if h := head(t, s, conv); h.Seq != before.Seq || h.N != before.N || fmt.Sprint(h.Withdrawn) != "[{2 2}]" {
			t.Fatalf("%+v, was %+v", h, before)
		}
		changes, err := s.Changes(conv, 1, 10)
		if err != nil || len(changes) != 5 || changes[0].Msg != nil || changes[4].Msg == nil {
			t.Fatalf("%+v %v", changes, err)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	if o.Dump != nil {
		dump := o.Dump()
		for _, gone := range []string{"the first secret", "the second secret"} {
			if bytes.Contains(dump, []byte(gone)) {
				t.Errorf("%q is still in the store", gone)
			}
		}
		if !bytes.Contains(dump, []byte("no secret")) {
			t.Error("the dump does not show bodies")
		}
	}
	c.advance(48 * time.Hour)
	sweep(0)
	if op := must(t, s, direct(text("alice", "next", "x"), "bob")); op.Seq != 4 {
		t.Fatalf("%+v", op)
	}
}

// testFormers: what a message said before, the oldest first, until it is recalled.
func testFormers(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 2)
	type said struct {
		ver  im.Ver
		time int64
		body string
	}
	want := []said{{1, 0, "body 1"}}
	for i := range 5 {
		c.advance(time.Minute)
		must(t, s, edit(s, conv, 2, "alice", "other")) // changes in between
		op := edit(s, conv, 1, "alice", fmt.Sprint("edit ", i))
		op.Digest = fmt.Sprint("digest ", i)
		must(t, s, op)
		want[i].ver = op.Ver
		want = append(want, said{0, op.Time, fmt.Sprint("edit ", i)})
	}
	want = want[:5]
	is := func(after im.Ver, limit int, want []said) {
		t.Helper()
		formers, err := s.Formers(conv, 1, after, limit)
		var got []said
		for _, f := range formers {
			got = append(got, said{f.Ver, f.Time, string(f.Body)})
			if f.Time != 0 && f.Digest != fmt.Sprint("digest ", string(f.Body[5:])) {
				t.Fatalf("%+v", f)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%+v %v, want %+v", got, err, want)
		}
	}
	for i := range 2 {
		is(0, 10, want)
		is(0, 2, want[:2])
		is(want[1].ver, 2, want[2:4])
		is(want[4].ver, 10, nil)
		if f, err := s.Formers(conv, 9, 0, 10); err != nil || len(f) != 0 {
			t.Fatalf("%+v %v", f, err)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	must(t, s, change(s, conv, 1, "alice", im.Delete))
	is(0, 10, want) // what it said when it was deleted was no edit
	must(t, s, change(s, conv, 1, "alice", im.Restore))
	is(0, 10, want)
	if n, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{Changes: 90 * time.Second, KeepNewest: 1}); err != nil || n == 0 {
		t.Fatalf("%d %v", n, err)
	}
	is(0, 10, want[3:]) // they go with their changes
	must(t, s, recall(s, conv, 1, "alice"))
	is(0, 10, nil)
	if err := gaplessFrom(s, conv); err != nil {
		t.Fatal(err)
	}
}

// gaplessFrom is gapless for a conversation whose change log was trimmed.
func gaplessFrom(s store.Store, conv im.ConvID) error {
	all, err := every(s, conv)
	if err != nil {
		return err
	}
	h, _ := s.Head(conv)
	return tied(s, h, all)
}
