package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testLines: two users may have business conversations beside their plain one; each
// is a conversation of its own, and a block holds in all of them.
func testLines(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	line := func(from, to im.UserID, line string, id im.ClientID) *store.AppendOp {
		op := direct(text(from, id, "on "+line), to)
		op.Line = line
		return op
	}
	plain := must(t, s, direct(text("alice", "1", "plain"), "bob")).At
	shop := must(t, s, line("alice", "bob", "shop", "1"))
	help := must(t, s, line("bob", "alice", "help", "1"))
	longer := must(t, s, line("bob", "alice", "shopping", "1"))
	other := must(t, s, direct(text("alice", "1", "x"), "bobby")).At // the address of alice and bob begins this one's
	self := must(t, s, line("alice", "alice", "shop", "1"))
	if !shop.Made || !help.Made || !self.Made || shop.At == plain || help.At == shop.At || longer.At == shop.At || shop.Seq != 1 {
		t.Fatalf("%+v %+v", shop, help)
	}
	if again := must(t, s, line("bob", "alice", "shop", "2")); again.At != shop.At || again.Made || again.Seq != 2 {
		t.Fatalf("%+v", again)
	}
	if retry := must(t, s, line("alice", "bob", "shop", "1")); !retry.Dup || retry.At != shop.At || retry.Seq != 1 {
		t.Fatalf("%+v", retry)
	}
	for i := range 2 {
		for l, want := range map[string]im.ConvID{"": plain, "shop": shop.At, "help": help.At, "shopping": longer.At} {
			for _, pair := range [][2]im.UserID{{"alice", "bob"}, {"bob", "alice"}} {
				if got, ok, err := s.Direct(pair[0], pair[1], l); err != nil || !ok || got != want {
					t.Fatalf("line %q: %d %v %v, want %d", l, got, ok, err, want)
				}
			}
			if h := head(t, s, want); h.Line != l || h.Kind != im.Direct || h.Members != 2 {
				t.Fatalf("line %q: %+v", l, h)
			}
		}
		if _, ok, err := s.Direct("alice", "bob", "sho"); ok || err != nil {
			t.Fatalf("a line that is not there: %v", err)
		}
		if _, ok, _ := s.Direct("bob", "bob", "shop"); ok {
			t.Fatal("somebody else's line")
		}
		rows, err := s.Rows("bob", 0, 100)
		if err != nil || len(rows) != 4 {
			t.Fatalf("%+v %v", rows, err)
		}
		kept := &store.KeptOp{Peer: "bob", Line: "shop", Sender: "alice", ID: "1", Hash: shop.Hash}
		if must(t, s, kept); !kept.Found || kept.At != shop.At {
			t.Fatalf("%+v", kept)
		}
		none := &store.KeptOp{Peer: "bob", Line: "none", Sender: "alice", ID: "1", Hash: shop.Hash}
		if must(t, s, none); none.Found || none.At != 0 {
			t.Fatalf("%+v", none)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	// a block holds in all of them, those made in the same batch too, and in no other
	all := []im.ConvID{plain, shop.At, help.At, longer.At}
	was := map[im.ConvID]im.MVer{}
	for _, c := range append(slices.Clone(all), other, self.At) {
		was[c] = head(t, s, c).MVer
	}
	fresh := line("alice", "bob", "fresh", "1")
	waits := []func() error{start(s, fresh), start(s, &store.BlockOp{User: "bob", Peer: "alice", On: true}), start(s, line("alice", "bob", "late", "1"))}
	if err := waits[0](); err != nil {
		t.Fatal(err)
	}
	if err := waits[1](); err != nil {
		t.Fatal(err)
	}
	if err := waits[2](); err != store.ErrTurnedBack {
		t.Fatalf("a first message after the block: %v", err)
	}
	for _, c := range all {
		if h := head(t, s, c); h.MVer != was[c]+1 {
			t.Fatalf("line %q: mver %d, was %d", h.Line, h.MVer, was[c])
		}
		m := text("alice", "late", "y")
		turnedBack(t, s, &store.AppendOp{Conv: c, Guard: was[c], Msg: m, Hash: hash(m)})
	}
	if h := head(t, s, fresh.At); h.MVer != 1 {
		t.Fatalf("one made in the batch of the block: %+v", h)
	}
	for _, c := range []im.ConvID{other, self.At} {
		if h := head(t, s, c); h.MVer != was[c] {
			t.Fatalf("%+v, was %d", h, was[c])
		}
	}
	if _, ok, _ := s.Direct("alice", "bob", "late"); ok {
		t.Fatal("what was turned back made a conversation")
	}
	// first messages of one line at once make it once
	waits = waits[:0]
	var ops []*store.AppendOp
	for i := range 20 {
		u, peer := im.UserID("x"), im.UserID("y")
		if i%2 == 1 {
			u, peer = peer, u
		}
		ops = append(ops, line(u, peer, fmt.Sprint("l", i%4/2), im.ClientID(fmt.Sprint(i))))
		waits = append(waits, start(s, ops[i]))
	}
	made := map[im.ConvID]int{}
	for i, wait := range waits {
		if err := wait(); err != nil {
			t.Fatal(err)
		}
		made[ops[i].At]++
	}
	if len(made) != 2 {
		t.Fatalf("%v", made)
	}
	for c := range made {
		if err := gapless(s, c); err != nil {
			t.Fatal(err)
		}
	}
}

// testLinesBounded: two users begin so many conversations at most, since a block writes
// to all of them at once.
func testLinesBounded(t *testing.T, open Open) {
	s := store.Store(opened(t, open, Options{}).Store)
	begin := func(i int) *store.AppendOp {
		op := direct(text("alice", im.ClientID(fmt.Sprint(i)), "x"), "bob")
		op.Line = fmt.Sprint("l", i)
		return op
	}
	plain := must(t, s, direct(text("alice", "plain", "x"), "bob")).At
	var waits []func() error
	for i := range store.MaxLines - 1 {
		waits = append(waits, start(s, begin(i)))
	}
	waits = append(waits, start(s, begin(store.MaxLines)))
	for i, wait := range waits {
		if err := wait(); err != nil && i < store.MaxLines-1 || !im.IsKind(err, im.TooLarge) && i == store.MaxLines-1 {
			t.Fatalf("conversation %d: %v", i+2, err)
		}
	}
	fails(t, s, begin(store.MaxLines), im.TooLarge)
	again := begin(7)
	again.Msg.ID = "again"
	must(t, s, again) // what was begun goes on
	other := direct(text("alice", "other", "x"), "bobby")
	other.Line = "l1"
	must(t, s, other)
	before := s.Stats().Rows
	must(t, s, &store.BlockOp{User: "bob", Peer: "alice", On: true})
	if rows := s.Stats().Rows - before; rows > 2000 || head(t, s, plain).MVer != 1 || head(t, s, again.At).MVer != 1 {
		t.Fatalf("a block wrote %d rows", rows)
	}
}
