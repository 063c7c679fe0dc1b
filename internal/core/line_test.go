package core

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// TestF11_BusinessConversations: two users have as many conversations as their business
// has names, each with its own numbers, cursors and place in the list; blocks hold for
// all.
func TestF11_BusinessConversations(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	ann, laptop, bob := w.login("ann", "phone"), w.login("ann", "laptop"), w.login("bob", "phone")
	for _, c := range []struct {
		to, from im.Address
		seq      im.Seq
	}{{"u/bob", "u/ann", 1}, {"u/bob/orders", "u/ann/orders", 1}, {"u/bob/orders", "u/ann/orders", 2}, {"u/bob/returns", "u/ann/returns", 1}, {"u/bob", "u/ann", 2}} {
		snd, err := w.send(ann.Session, c.to, string(c.to))
		w.ok(err)
		if it := bob.until(isMessage); it.Addr != c.from || it.Seq != c.seq || it.Msg != snd.Msg {
			t.Fatalf("bob is told %s %d", it.Addr, it.Seq)
		}
		if it := laptop.until(isMessage); it.Addr != c.to || it.Seq != c.seq {
			t.Fatalf("ann's laptop is told %s %d", it.Addr, it.Seq)
		}
	}
	w.ok(ann.Signal("u/bob/orders", im.Signal{Kind: "typing"}))
	if it := bob.until(func(it Item) bool { return it.Signal != nil }); it.Addr != "u/ann/orders" {
		t.Fatalf("bob is told %s %+v", it.Addr, it.Event)
	}
	_, err := w.send(bob.Session, "u/ann/orders", "fine")
	w.ok(err)
	if it := ann.until(isMessage); it.Addr != "u/bob/orders" || it.Seq != 3 {
		t.Fatalf("ann is told %s %d", it.Addr, it.Seq)
	}
	_, err = bob.Edit(ctx, EditRequest{Conv: "u/ann/orders", Seq: 3, ID: "e", Body: []byte("good")})
	w.ok(err)
	if it := ann.until(func(it Item) bool { return it.Change != nil }); it.Addr != "u/bob/orders" || string(it.Change.Msg.Body) != "good" {
		t.Fatalf("ann is told %s %+v", it.Addr, it.Event)
	}

	a, err := bob.Sync(ctx, SyncQuery{})
	w.ok(err)
	got := map[im.Address]im.Seq{}
	for _, c := range a.Conversations {
		got[c.Addr] = c.Head.Seq
	}
	if len(got) != 3 || got["u/ann"] != 2 || got["u/ann/orders"] != 3 || got["u/ann/returns"] != 1 {
		t.Fatalf("bob's list is %v", got)
	}
	mine, err := bob.Read(ctx, "u/ann/returns", 0)
	w.ok(err)
	if mine.Read != 1 || w.mine("bob", "u/ann").Unread != 2 {
		t.Fatalf("%+v", mine)
	}
	ann.until(func(it Item) bool { // or it would come under no address, or another one
		return it.Addr == "u/bob/returns" && it.State != nil && it.State.Peer != nil && it.State.Peer.Read == 1
	})
	r, _, err := bob.Page(ctx, PageQuery{Conv: "u/ann/orders"})
	w.ok(err)
	if len(r.Messages) != 3 {
		t.Fatalf("%d messages", len(r.Messages))
	}
	_, _, err = w.as("eve").Page(ctx, PageQuery{Conv: "u/ann/orders"})
	w.refused(err, im.NotFound)
	_, _, err = bob.Page(ctx, PageQuery{Conv: "u/ann/other"})
	w.refused(err, im.NotFound)

	// a retry after a refusal finds its own conversation
	first, err := w.send(ann.Session, "u/bob/orders", "once")
	w.ok(err)
	w.ok(bob.Block(ctx, "ann"))
	again, err := w.send(ann.Session, "u/bob/orders", "once", func(m *im.Message) { m.ID = first.Msg.ID })
	w.ok(err)
	if !again.Dup || again.Seq != first.Seq {
		t.Fatalf("the retry is %+v", again)
	}
	for _, to := range []im.Address{"u/bob", "u/bob/orders", "u/bob/new"} {
		_, err = w.send(ann.Session, to, "no")
		w.refused(err, im.Denied, im.CodeNotAccepted)
	}
	w.refused(ann.Signal("u/bob/orders", im.Signal{Kind: "typing"}), im.Denied, im.CodeNotAccepted)

	for _, to := range []im.Address{"u/bob/", "u/bob/a b", "u/bob/a/b", "u/bob/a-name-that-is-much-too-long"} {
		_, err = w.send(w.as("carol"), to, "no")
		if err == nil || im.AsError(err).Code.Retryable() {
			t.Errorf("%s: %v", to, err)
		}
	}
	snd, err := w.send(w.as("carol"), "u/carol/todo", "notes to oneself have lines too")
	w.ok(err)
	if snd.Seq != 1 {
		t.Fatal(snd.Seq)
	}
}

// TestLinesBetweenTheSame: both begin the same line at once, and it is one.
func TestLinesBetweenTheSame(t *testing.T) {
	w := newWorld(t, Config{})
	one, err := w.send(w.as("ann"), "u/bob/x", "1")
	w.ok(err)
	two, err := w.send(w.as("bob"), "u/ann/x", "2")
	w.ok(err)
	if one.Seq != 1 || two.Seq != 2 || w.conv("ann", "u/bob/x") != w.conv("bob", "u/ann/x") || w.conv("ann", "u/bob") != 0 {
		t.Fatalf("%d, %d", one.Seq, two.Seq)
	}
}
