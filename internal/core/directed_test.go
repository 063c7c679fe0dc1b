package core

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// TestC11_DirectedMessage: a message of a group for some of its members is seen by them
// and its sender alone, and unread for them alone, on the way and on every way to read.
func TestC11_DirectedMessage(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob", "carol", "dave")
	ann, bob, carol := w.login("ann", "phone"), w.login("bob", "phone"), w.login("carol", "phone")
	for _, u := range []im.UserID{"ann", "bob", "carol", "dave"} {
		_, err := w.as(u).Read(ctx, g, 0)
		w.ok(err)
	}
	to := func(users ...im.UserID) func(*im.Message) { return func(m *im.Message) { m.To = users } }
	all, err := w.send(ann.Session, g, "for all")
	w.ok(err)
	some, err := w.send(ann.Session, g, "for some", to("bob", "dave"), mention("bob", "carol"))
	w.ok(err)
	quiet, err := w.send(ann.Session, g, "not counted", to("bob"), func(m *im.Message) { m.Flags = im.Persist })
	w.ok(err)

	bob.until(func(it Item) bool { return it.Seq == all.Seq && it.Msg != nil })
	if it := bob.until(func(it Item) bool { return it.Seq == some.Seq }); it.Msg != some.Msg {
		t.Fatalf("bob is told %+v", it.Event)
	}
	carol.until(func(it Item) bool { return it.Seq == all.Seq && it.Msg != nil })
	if it := carol.until(func(it Item) bool { return it.Seq == some.Seq }); it.Msg != nil || !it.Hidden {
		t.Fatalf("carol is told %+v", it.Event)
	}
	for u, want := range map[im.UserID]struct {
		unread   uint64
		mentions int
		messages int
	}{"ann": {0, 0, 3}, "bob": {2, 1, 3}, "carol": {1, 0, 1}, "dave": {2, 0, 2}} {
		mine := w.mine(u, g)
		r, _, err := w.as(u).Page(ctx, PageQuery{Conv: g, From: all.Seq})
		w.ok(err)
		if mine.Unread != want.unread || mine.Mentions != want.mentions || len(r.Messages) != want.messages || r.To != quiet.Seq {
			t.Errorf("%s: %d unread, %d mentions, %d messages to %d; want %+v", u, mine.Unread, mine.Mentions, len(r.Messages), r.To, want)
		}
		msgs, err := w.as(u).Messages(ctx, g, []im.Seq{all.Seq, some.Seq, quiet.Seq})
		w.ok(err)
		if len(msgs) != want.messages {
			t.Errorf("%s gets %d by number", u, len(msgs))
		}
	}

	// what is for others is not there to be changed
	for _, err := range []error{
		func() error {
			_, err := w.as("carol").React(ctx, ReactRequest{Conv: g, Seq: some.Seq, Add: []string{"+1"}})
			return err
		}(),
		func() error {
			_, _, err := w.as("carol").Reactions(ctx, ReactionsQuery{Conv: g, Seq: some.Seq})
			return err
		}(),
	} {
		w.refused(err, im.NotFound)
	}
	_, err = ann.Edit(ctx, EditRequest{Conv: g, Seq: some.Seq, ID: "e", Body: []byte("edited")})
	w.ok(err)
	if it := bob.until(func(it Item) bool { return it.Ver != 0 }); it.Change == nil || string(it.Change.Msg.Body) != "edited" {
		t.Fatalf("bob is told %+v", it.Event)
	}
	if it := carol.until(func(it Item) bool { return it.Ver != 0 }); it.Change != nil {
		t.Fatalf("carol is told %+v", it.Change)
	}

	// read, recalled, and gone
	_, err = ann.Recall(ctx, RecallRequest{Conv: g, Seq: some.Seq, ID: "r"})
	w.ok(err)
	if mine := w.mine("bob", g); mine.Unread != 1 || mine.Mentions != 0 {
		t.Errorf("recalled: %d unread, %d mentions", mine.Unread, mine.Mentions)
	}
	mine, err := bob.Read(ctx, g, 0)
	w.ok(err)
	if mine.Unread != 0 {
		t.Errorf("read: %d unread", mine.Unread)
	}
	_, err = w.send(ann.Session, "u/bob", "x", to("bob"))
	w.refused(err, im.Invalid)
}
