package pebblestore_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// What counters and reactions need is read before the queue, so that the writer waits
// for no disk, however many follow each other without waiting.
func TestPartsAreReadBeforeTheQueue(t *testing.T) {
	db, s := opened(t, vfs.NewMem(), pebblestore.Config{})
	conv := must(t, s, send("alice", "bob", "first", "hello")).At
	const n = 300
	var told []chan struct{}
	var ops []store.Op
	submit := func(op store.Op) {
		done := make(chan struct{})
		op.Base().Done = func() { close(done) }
		if err := s.Submit(op); err != nil {
			t.Fatal(err)
		}
		told, ops = append(told, done), append(ops, op)
	}
	for i := range n {
		m := &im.Message{ID: im.ClientID(fmt.Sprint(i)), Sender: "bob", Type: "an:text", Flags: im.DefaultFlags, ReplyTo: 1, Thread: im.Seq(1 + i%3)}
		submit(&store.AppendOp{Conv: conv, Msg: m, Hash: 1, Read: true})
		submit(&store.ChangeOp{Conv: conv, Seq: 1, Kind: im.React, By: im.UserID(fmt.Sprint("u", i)), Add: []string{"x"}})
	}
	for i, done := range told {
		<-done
		if err := ops[i].Base().Err; err != nil {
			t.Fatal(err)
		}
	}
	tallies, err := s.Tallies(conv, 1, 3)
	if err != nil || len(tallies) != 3 || tallies[0].Replies != n || tallies[2].Thread != n/3 {
		t.Fatalf("%+v %v", tallies, err)
	}
	if reads := db.WriterReads(); reads != 0 {
		t.Fatalf("the writer read %d rows itself for %d operations", reads, 2*n)
	}
}

// A business conversation stands beside the plain one of the same users, whose address
// is the one that older stores have.
func TestF11_BusinessConversations(t *testing.T) {
	mem := vfs.NewMem()
	db, s := opened(t, mem, pebblestore.Config{})
	plain := must(t, s, send("alice", "bob", "1", "hello")).At
	op := send("alice", "bob", "1", "about your order")
	op.Line = "shop"
	shop := must(t, s, op).At
	if shop == plain || op.Seq != 1 || !op.Made {
		t.Fatalf("%+v", op)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, mem, func(db *pebble.DB) error {
		_, closer, err := db.Get(pebblestore.KeyDirect("alice", "bob"))
		if err == nil {
			err = closer.Close()
		}
		return err
	})
	_, s = opened(t, mem, pebblestore.Config{})
	for line, want := range map[string]im.ConvID{"": plain, "shop": shop} {
		if got, ok, err := s.Direct("bob", "alice", line); err != nil || !ok || got != want {
			t.Fatalf("line %q: %d %v %v, want %d", line, got, ok, err, want)
		}
		if h, _ := s.Head(want); h.Line != line || h.Seq != 1 {
			t.Fatalf("%+v", h)
		}
	}
	must(t, s, &store.BlockOp{User: "bob", Peer: "alice", On: true})
	for _, conv := range []im.ConvID{plain, shop} { // what was decided before the block is looked at again
		late := send("alice", "", "2", "late")
		late.Conv = conv
		if err := do(t, s, late); err != store.ErrTurnedBack {
			t.Fatal(err)
		}
	}
}
