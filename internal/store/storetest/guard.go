package storetest

import (
	"fmt"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testGuard: an append whose guard moved is turned back if its sender's own row moved
// since, and leaves nothing; others go on.
func testGuard(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	conv := group(t, s, "g", "owner", "alice", "bob")
	old := head(t, s, conv).MVer
	must(t, s, set(s, conv, "owner", "bob", im.NoRole))
	seq := head(t, s, conv).Seq
	send := func(u im.UserID, id im.ClientID, guard im.MVer) *store.AppendOp {
		m := text(u, id, "x")
		return &store.AppendOp{Conv: conv, Guard: guard, Msg: m, Hash: hash(m)}
	}
	if op := must(t, s, send("alice", "1", old)); op.Seq != seq+1 {
		t.Fatalf("%+v", op)
	}
	gone := send("bob", "1", old)
	turnedBack(t, s, gone)
	if gone.At != 0 || gone.Seq != 0 || gone.Msg.Seq != 0 {
		t.Fatalf("turned back with an outcome: %+v", gone)
	}
	turnedBack(t, s, &store.ChangeOp{Conv: conv, Seq: seq + 1, Guard: old, Kind: im.Recall, By: "bob"})
	must(t, s, &store.ChangeOp{Conv: conv, Seq: seq + 1, Guard: old, Kind: im.Recall, By: "alice"})
	if h := head(t, s, conv); h.Seq != seq+1 || h.Ver != 1 {
		t.Fatalf("%+v", h)
	}
	// in one batch: the membership change and the send decided before it
	out, late, fine := set(s, conv, "owner", "alice", im.NoRole), send("alice", "2", head(t, s, conv).MVer), send("owner", "2", head(t, s, conv).MVer)
	waits := []func() error{start(s, out), start(s, late), start(s, fine)}
	if err := waits[0](); err != nil {
		t.Fatal(err)
	}
	if err := waits[1](); err != store.ErrTurnedBack {
		t.Fatalf("a send of one who was taken out before it: %v", err)
	}
	if err := waits[2](); err != nil {
		t.Fatal(err)
	}
	if len(out.Gone) != 1 || out.Gone[0] != "alice" || fine.Seq != out.Seq+1 {
		t.Fatalf("%+v\n%+v", out, fine)
	}
	// a retry is answered before the guard is looked at
	if op := must(t, s, send("alice", "1", old)); !op.Dup || op.Seq != seq+1 {
		t.Fatalf("%+v", op)
	}
	// a lane stays shut until its next round
	lane := &store.Lane{}
	lanes := func(u im.UserID, id im.ClientID, guard im.MVer, round uint32) *store.AppendOp {
		op := send(u, id, guard)
		op.Lane, op.Round = lane, round
		return op
	}
	turnedBack(t, s, lanes("alice", "l1", old, 1))
	turnedBack(t, s, lanes("owner", "l2", head(t, s, conv).MVer, 1))
	turnedBack(t, s, send("alice", "l1", old))
	must(t, s, send("owner", "free", head(t, s, conv).MVer)) // without a lane
	must(t, s, lanes("owner", "l2", head(t, s, conv).MVer, 2))
	must(t, s, lanes("owner", "l3", head(t, s, conv).MVer, 2))
	turnedBack(t, s, lanes("owner", "l4", head(t, s, conv).MVer, 1))
	// refusals that will not pass do not shut it
	conflict := lanes("owner", "l3", head(t, s, conv).MVer, 2)
	conflict.Hash++
	fails(t, s, conflict, im.Conflict)
	must(t, s, lanes("owner", "l5", head(t, s, conv).MVer, 2))
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
}

// testBlocks: a block is noted in the blocker's log and turns back what was decided
// without it, before the first message and after.
func testBlocks(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	if _, ok, _ := s.Self("bob"); ok {
		t.Fatal("a change log before its first entry")
	}
	first := must(t, s, &store.BlockOp{User: "bob", Peer: "alice", On: true, Device: "tablet"})
	if !first.Moved || first.At == 0 || first.Change.Ver != 1 || first.Change.Kind != im.BlockAdded ||
		first.Change.Peer != "alice" || first.Change.By != "bob" || first.Change.Device != "tablet" {
		t.Fatalf("%+v", first)
	}
	if again := must(t, s, &store.BlockOp{User: "bob", Peer: "alice", On: true}); again.Moved {
		t.Fatalf("%+v", again)
	}
	turnedBack(t, s, direct(text("alice", "1", "x"), "bob"))
	if _, ok, _ := s.Direct("alice", "bob", ""); ok {
		t.Fatal("what was turned back made a conversation")
	}
	passed := direct(text("alice", "1", "x"), "bob")
	passed.Blocked = true
	must(t, s, passed)
	conv := passed.At
	guard := head(t, s, conv).MVer
	must(t, s, &store.BlockOp{User: "bob", Peer: "alice"})
	if h := head(t, s, conv); h.MVer <= guard {
		t.Fatalf("a block did not raise MVer: %d, was %d", h.MVer, guard)
	}
	m := text("alice", "2", "y")
	turnedBack(t, s, &store.AppendOp{Conv: conv, Guard: guard, Msg: m, Hash: hash(m)})
	blind := direct(text("alice", "3", "z"), "bob")
	blind.Blocked, blind.Guard = true, head(t, s, conv).MVer
	turnedBack(t, s, blind)
	must(t, s, into(s, conv, text("alice", "2", "y")))
	// the send and the block in one batch
	late := into(s, conv, text("alice", "4", "z"))
	waits := []func() error{start(s, &store.BlockOp{User: "bob", Peer: "alice", On: true}), start(s, late)}
	if err := waits[0](); err != nil {
		t.Fatal(err)
	}
	if err := waits[1](); err != store.ErrTurnedBack {
		t.Fatalf("a send right after a block: %v", err)
	}
	for i := range 30 {
		must(t, s, &store.BlockOp{User: "bob", Peer: im.UserID(fmt.Sprintf("x%02d", i)), On: true})
	}
	for i := range 2 {
		if b, err := s.Blocked("bob", "alice"); err != nil || !b {
			t.Fatalf("%v %v", b, err)
		}
		if b, err := s.Blocked("alice", "bob"); err != nil || b {
			t.Fatalf("the wrong way round: %v %v", b, err)
		}
		list, err := s.Blocks("bob", "alice", 5)
		if err != nil || fmt.Sprint(list) != "[x00 x01 x02 x03 x04]" {
			t.Fatalf("%v %v", list, err)
		}
		if list, _ := s.Blocks("bob", "", 100); len(list) != 31 {
			t.Fatalf("%v", list)
		}
		self, ok, err := s.Self("bob")
		if err != nil || !ok || self != first.At {
			t.Fatalf("%v %v %v", self, ok, err)
		}
		changes, err := s.Changes(self, 1, 100)
		if err != nil || len(changes) != 33 || changes[1].Kind != im.BlockRemoved || changes[0].Peer != "alice" || changes[0].Msg != nil {
			t.Fatalf("%v %v", changes, err)
		}
		if h := head(t, s, self); h.Kind != im.Self || h.Ver != 33 || h.Seq != 0 {
			t.Fatalf("%+v", h)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
}
