package pebblestore_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// A send that fails for a reason that may pass shuts its lane: what was sent after it
// does not overtake it.
func TestFailedSendShutsItsLane(t *testing.T) {
	mem := vfs.NewMem()
	db, s := opened(t, mem, pebblestore.Config{})
	conv := must(t, s, send("alice", "bob", "1", "hello")).At
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, mem, func(db *pebble.DB) error {
		return db.Set(pebblestore.KeyID(conv, "alice", "1"), []byte{1, 0xff, 0xff}, pebble.Sync)
	})
	_, s = opened(t, mem, pebblestore.Config{})
	lane := &store.Lane{}
	into := func(id string, round uint32) *store.AppendOp {
		op := send("alice", "", id, "hello")
		op.Conv, op.Lane, op.Round = conv, lane, round
		return op
	}
	if err := do(t, s, into("1", 1)); !im.IsKind(err, im.Internal) {
		t.Fatalf("a send whose id cannot be read ended with %v", err)
	}
	if err := do(t, s, into("2", 1)); err != store.ErrTurnedBack {
		t.Fatalf("the one behind it ended with %v", err)
	}
	if op := must(t, s, into("2", 2)); op.Seq != 2 {
		t.Fatalf("%+v", op)
	}
	other := into("2", 2)
	other.Hash++
	if err := do(t, s, other); !im.IsKind(err, im.Conflict) { // that does not pass
		t.Fatal(err)
	}
	must(t, s, into("3", 2))
}
