package pebblestore

import (
	"fmt"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// While the disk hangs, a lane that is refused again and again has one mark behind each
// of its operations that were taken, and each mark shuts what it has to.
func TestMarks(t *testing.T) {
	db, err := Open(Config{Dir: t.TempDir(), Small: true, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.App(DefaultApp)
	if err != nil {
		t.Fatal(err)
	}
	busy, hangs := make(chan struct{}), make(chan struct{})
	if err := db.submitOwn(item{own: func(*writer) bool { close(busy); <-hangs; return false }}); err != nil {
		t.Fatal(err)
	}
	<-busy
	q := &db.queue
	room := func(ops int) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.mostOps = ops
	}
	lanes := [2]store.Lane{}
	send := func(lane int, id string, round uint32) (*store.AppendOp, chan struct{}, error) {
		op := &store.AppendOp{Peer: "bob", Hash: 1, Lane: &lanes[lane], Round: round,
			Msg: &im.Message{ID: im.ClientID(id), Sender: im.UserID(fmt.Sprint("alice", lane)), Type: "an:text", Flags: im.DefaultFlags, Body: []byte("x")}}
		done := make(chan struct{})
		op.Done = func() { close(done) }
		return op, done, s.Submit(op)
	}
	refused := func(from, to uint32) {
		t.Helper()
		room(0)
		defer room(1000)
		for round := from; round <= to; round++ {
			for lane := range lanes {
				if _, _, err := send(lane, "refused", round); !im.IsKind(err, im.Busy) {
					t.Fatalf("the queue is full and Submit says %v", err)
				}
			}
		}
	}
	type taken struct {
		op   *store.AppendOp
		done chan struct{}
		want error
	}
	var all []taken
	take := func(lane int, id string, round uint32, want error) {
		t.Helper()
		op, done, err := send(lane, id, round)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, taken{op, done, want})
	}
	refused(1, 5000)
	take(0, "late", 5000, store.ErrTurnedBack)
	take(0, "1", 5001, nil)
	refused(5001, 10_000) // lane 0 needs another mark, lane 1 does not
	take(0, "later", 5001, store.ErrTurnedBack)
	take(0, "latest", 10_000, store.ErrTurnedBack)
	take(0, "2", 10_001, nil)
	take(1, "latest", 10_000, store.ErrTurnedBack)
	take(1, "1", 10_001, nil)
	q.mu.Lock()
	marks := len(q.items) - q.first - len(all)
	q.mu.Unlock()
	if marks != 3 {
		t.Errorf("%d marks wait, want 3", marks)
	}
	close(hangs)
	for _, a := range all {
		<-a.done
		if a.op.Err != a.want {
			t.Errorf("%s of %s, round %d: %v, want %v", a.op.Msg.ID, a.op.Msg.Sender, a.op.Round, a.op.Err, a.want)
		}
	}
	if len(q.marks) != 0 {
		t.Errorf("%d marks are still known", len(q.marks))
	}
}
