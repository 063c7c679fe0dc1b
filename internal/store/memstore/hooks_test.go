package memstore_test

import (
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
)

func send(id string) (*store.AppendOp, chan struct{}) {
	done := make(chan struct{})
	op := &store.AppendOp{Peer: "bob", Hash: 1, Msg: &im.Message{ID: im.ClientID(id), Sender: "alice", Type: "an:text", Flags: im.DefaultFlags}}
	op.Done = func() { close(done) }
	return op, done
}

func TestHeldCommitIsSeenByNobody(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := memstore.New(memstore.Config{Clock: func() time.Time { return now }})
	defer s.Close()
	s.Hold()
	op, done := send("1")
	if err := s.Submit(op); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.Direct("alice", "bob", ""); ok {
		t.Fatal("a conversation is seen before its commit")
	}
	now = now.Add(3 * time.Second)
	if p := s.Health().Pending; p != 3*time.Second {
		t.Fatalf("Pending %v, want 3s", p)
	}
	s.Release()
	<-done
	if op.Err != nil || op.Seq != 1 || !op.Made {
		t.Fatalf("%+v", op)
	}
	if h, ok := s.Head(op.At); !ok || h.Seq != 1 || h.N != 1 {
		t.Fatalf("%+v", h)
	}
}

func TestRefusals(t *testing.T) {
	s := memstore.New(memstore.Config{QueueOps: 1})
	s.Hold()
	lane := &store.Lane{}
	a, doneA := send("a")
	a.Lane, a.Round = lane, 1
	b, _ := send("b")
	b.Lane, b.Round = lane, 1
	c, doneC := send("c")
	c.Lane, c.Round = lane, 1
	if err := s.Submit(a); err != nil {
		t.Fatal(err)
	}
	if err := s.Submit(b); !im.IsKind(err, im.Busy) {
		t.Fatalf("the queue is full and Submit says %v", err)
	}
	s.Release()
	<-doneA
	if a.Err != nil {
		t.Fatalf("what stood before the refused one ended as %v", a.Err)
	}
	if err := s.Submit(c); err != nil {
		t.Fatal(err)
	}
	<-doneC
	if c.Err != store.ErrTurnedBack {
		t.Fatalf("what came after a refused one of its lane ended as %v", c.Err)
	}
	s.FailReadOnly(true)
	if err := s.Submit(b); !im.IsKind(err, im.ReadOnly) || !s.Health().ReadOnly {
		t.Fatalf("read-only, and Submit says %v", err)
	}
	s.FailReadOnly(false)
	s.Close()
	if err := s.Submit(b); !im.IsKind(err, im.Unavailable) {
		t.Fatalf("closed, and Submit says %v", err)
	}
	if _, _, err := s.Direct("alice", "bob", ""); !im.IsKind(err, im.Unavailable) {
		t.Fatalf("closed, and a reader gets %v", err)
	}
}
