package core

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// What the store refuses is passed on as it is; what it does not answer in time is
// Unavailable, and still done and told to others.
func TestTheStoreRefuses(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("bob", "u/ann", "x")
	w.say("bob", "u/ann", "y")
	laptop := w.login("ann", "laptop")
	w.flush()
	ann := w.as("ann")
	each := func(ctx context.Context, seq im.Seq, want im.Kind) {
		t.Helper()
		_, err := ann.Read(ctx, "u/bob", seq)
		w.refused(err, want)
		_, err = w.as("bob").Edit(ctx, EditRequest{Conv: "u/ann", Seq: 1, Body: []byte("z")})
		w.refused(err, want)
		_, err = ann.GroupCreate(ctx, NewGroup{})
		w.refused(err, want)
		w.refused(ann.Block(ctx, "eve"), want)
	}
	w.st.FailReadOnly(true)
	each(t.Context(), 1, im.ReadOnly)
	w.st.FailReadOnly(false)

	w.st.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	each(ctx, 1, im.Unavailable)
	if m := w.mine("ann", "u/bob"); m.Read != 0 {
		t.Fatalf("what is not durable shows: %+v", m)
	}
	w.st.Release()
	var mine *im.Mine
	for blocked := false; mine == nil || !blocked; { // in any order
		it := laptop.next()
		if it.State != nil && it.Addr == "u/bob" {
			mine = it.State.Mine
		}
		blocked = blocked || it.Change != nil && it.Change.Kind == im.BlockAdded
	}
	if mine.Read != 1 || mine.Unread != 1 {
		t.Fatalf("%+v", mine)
	}

	w.st.Fail(errors.New("no disk"))
	each(t.Context(), 2, im.Unavailable)
}

// What others are told of is under the limit of sends, and a retry is not.
func TestChangesAreLimited(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, Limits: im.Limits{SendRate: 2, SendBurst: 3}})
	w.say("ann", "u/bob", "x")
	ann := w.as("ann")
	edit := func(id im.ClientID) error {
		_, err := ann.Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, ID: id, Body: []byte("y")})
		return err
	}
	for _, id := range []im.ClientID{"1", "2", "3"} {
		w.ok(edit(id))
	}
	err := edit("4")
	w.refused(err, im.Limited)
	if r := im.AsError(err).Retry; r <= 0 || r > 500*time.Millisecond {
		t.Fatalf("to be tried again after %v", r)
	}
	w.ok(edit("3"))
	_, err = ann.GroupCreate(t.Context(), NewGroup{})
	w.refused(err, im.Limited)
	clock.add(500)
	w.ok(edit("4"))
	w.refused(edit("5"), im.Limited)
}
