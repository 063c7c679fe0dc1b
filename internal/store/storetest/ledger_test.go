package storetest_test

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/internal/store/storetest"
)

// The ledger must find what is missing, or no test that uses it can fail.
func TestLedgerFindsLosses(t *testing.T) {
	whole, part := memstore.New(memstore.Config{}), memstore.New(memstore.Config{})
	defer whole.Close()
	defer part.Close()
	l := storetest.NewLedger()
	for i, id := range []im.ClientID{"1", "2", "3"} {
		for _, s := range []*memstore.Store{whole, part} {
			if s == part && i == 2 {
				continue
			}
			done := make(chan struct{})
			op := &store.AppendOp{Peer: "bob", Msg: &im.Message{ID: id, Sender: "alice", Flags: im.DefaultFlags, Body: []byte("x")}}
			op.Done = func() { close(done) }
			if err := s.Submit(op); err != nil {
				t.Fatal(err)
			}
			<-done
			if s == whole {
				l.Ack(op, "alice", id, op.Msg.Body, false)
			}
		}
	}
	if err := l.Audit(whole); err != nil || l.Lost(whole) != 0 {
		t.Fatalf("nothing is missing: %v", err)
	}
	if err := l.Audit(part); err == nil || l.Lost(part) != 1 {
		t.Fatalf("one is missing, and the audit says %v, lost %d", err, l.Lost(part))
	}
	h, _ := whole.Head(1)
	l = storetest.NewLedger()
	l.SawHead(whole.Position(), h)
	if l.Audit(part) == nil {
		t.Fatal("a head that went back is not found")
	}
	l = storetest.NewLedger()
	l.Saw(1, &im.Message{Seq: 1, ID: "1", Sender: "alice", Flags: im.DefaultFlags, Body: []byte("y")})
	if l.Audit(part) == nil {
		t.Fatal("a message that is not what was shown is not found")
	}
}
