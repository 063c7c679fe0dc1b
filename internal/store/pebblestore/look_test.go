package pebblestore

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// What was read before the queue says nothing of messages that came after it, however
// far the conversation had got by the time it was looked at.
func TestLookingIsOlderThanTheHead(t *testing.T) {
	db, err := Open(Config{Dir: "data", FS: vfs.NewMem(), Small: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.App(DefaultApp)
	if err != nil {
		t.Fatal(err)
	}
	do := func(op store.Op) {
		t.Helper()
		done := make(chan struct{})
		op.Base().Done = func() { close(done) }
		if err := s.Submit(op); err != nil {
			t.Fatal(err)
		}
		<-done
		if err := op.Base().Err; err != nil {
			t.Fatal(err)
		}
	}
	send := func(conv im.ConvID, n int) im.ConvID {
		op := &store.AppendOp{Conv: conv, Peer: "bob", Hash: 1, Read: true, Msg: &im.Message{ID: im.ClientID(fmt.Sprint(n)), Sender: "alice", Type: "t", Flags: im.DefaultFlags}}
		do(op)
		return op.At
	}
	conv := send(0, 1)
	read, set := &store.ReadOp{Conv: conv, User: "bob", Seq: 2}, &store.SetOp{Conv: conv, User: "bob", Gone: []im.SeqRange{{From: 1, To: 1}, {From: 3, To: 3}}}
	hints := func(between func()) (list []*hint) {
		for _, op := range []store.Op{read, set} {
			before := s.headBefore(op)
			v := db.acquire()
			defer v.release()
			l := &looker{s: s, v: v, h: &hint{at: v.at}, before: before, f: finder{r: v.snap}}
			defer l.f.close()
			between()
			l.look(&item{op: op, s: s})
			list = append(list, l.h)
			between = func() {}
			if op == store.Op(read) {
				between = func() { send(conv, 4); send(conv, 5) }
			}
		}
		return list
	}
	got := hints(func() { send(conv, 2); send(conv, 3) })
	if got[0].mark != 0 {
		t.Errorf("n at number 2 is said to be %d by a state that ends with number 1", got[0].markN)
	}
	if got[1].head != 3 {
		t.Errorf("what is beside ranges is said up to %d by a state that ends with number 3", got[1].head)
	}
	do(read)
	do(set)
	r, _, err := s.Row(conv, "bob")
	if err != nil || r.Read != 2 || r.ReadN != 2 || r.Hides(2) {
		t.Fatalf("%+v %v", r, err)
	}
}
