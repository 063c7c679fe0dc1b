package memstore

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// A lane that is refused again and again has one mark behind each of its operations.
func TestMarks(t *testing.T) {
	s := New(Config{})
	s.Hold()
	lane := &store.Lane{}
	send := func(id im.ClientID, round uint32) (*store.AppendOp, error) {
		op := &store.AppendOp{Peer: "bob", Hash: 1, Lane: lane, Round: round, Msg: &im.Message{ID: id, Sender: "alice", Type: "an:text"}}
		return op, s.Submit(op)
	}
	refused := func(from, to uint32) {
		t.Helper()
		s.FailReadOnly(true)
		defer s.FailReadOnly(false)
		for round := from; round <= to; round++ {
			if _, err := send("refused", round); !im.IsKind(err, im.ReadOnly) {
				t.Fatal(err)
			}
		}
	}
	var ops []*store.AppendOp
	take := func(id im.ClientID, round uint32) {
		t.Helper()
		op, err := send(id, round)
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, op)
	}
	refused(1, 1000)
	take("late", 1000)
	take("fine", 1001)
	refused(1001, 2000)
	take("latest", 2000)
	take("fine too", 2001)
	s.mu.Lock()
	if n := len(s.queue) - len(ops); n != 2 {
		t.Errorf("%d marks wait, want 2", n)
	}
	s.mu.Unlock()
	s.Close()
	for i, want := range []error{store.ErrTurnedBack, nil, store.ErrTurnedBack, nil} {
		if ops[i].Err != want {
			t.Errorf("%s: %v, want %v", ops[i].Msg.ID, ops[i].Err, want)
		}
	}
	if len(s.marks) != 0 {
		t.Errorf("%d marks are still known", len(s.marks))
	}
}
