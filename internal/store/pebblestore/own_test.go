package pebblestore_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// What the rows of users, notes and timers need is read before the queue, so that the
// writer waits for no disk: after a restart, when nobody's row is in memory, and however
// many operations follow each other. Only how many notes a user has is counted by the
// writer, once for each kind of note.
func TestOwnIsReadBeforeTheQueue(t *testing.T) {
	mem := vfs.NewMem()
	db, s := opened(t, mem, pebblestore.Config{})
	made := &store.MemberOp{Info: &im.GroupInfo{ID: "g"}, By: "owner", Set: []store.RoleSet{{User: "owner", Role: im.Owner}}}
	const users = 50
	name := func(i int) im.UserID { return im.UserID(fmt.Sprintf("u%02d", i%users)) }
	for i := range users {
		made.Set = append(made.Set, store.RoleSet{User: name(i), Role: im.Member})
	}
	g := must(t, s, made).At
	d := must(t, s, send("alice", "bob", "first", "hello")).At
	for i := range 20 {
		op := send("alice", "", fmt.Sprint("d", i), "x")
		op.Conv = d
		must(t, s, op)
		op = send("owner", "", fmt.Sprint("g", i), "x")
		op.Conv, op.Guard = g, made.MVer
		must(t, s, op)
	}
	pinned := int64(1)
	must(t, s, &store.SetOp{Conv: d, User: "bob", Patch: &im.SettingsPatch{Pinned: &pinned}})
	must(t, s, &store.PutOp{Records: []store.Record{{Kind: store.TimerRecord, User: "bob", Key: "t", Value: []byte("v"), Due: 1}}})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, s = opened(t, mem, pebblestore.Config{})
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
	const n = 200
	for i := range n {
		id := im.ClientID(fmt.Sprint("n", i))
		for _, conv := range []im.ConvID{g, d} {
			sender, to, guard := im.UserID("owner"), []im.UserID{name(i), name(3 * i), name(7 * i), "stranger"}, made.MVer
			if conv == d {
				sender, to, guard = "alice", []im.UserID{"bob"}, 0
			}
			submit(&store.AppendOp{Conv: conv, Guard: guard, Hash: 1, Read: true, Msg: &im.Message{ID: id, Sender: sender, Type: "t", Flags: im.DefaultFlags, To: to}})
			submit(&store.AppendOp{Conv: conv, Guard: guard, Hash: 1, Msg: &im.Message{ID: "for " + id, Sender: to[0], Type: "t", Flags: im.DefaultFlags}})
			at := im.Seq(1 + 2*(i%10))
			submit(&store.SetOp{Conv: conv, User: to[0], Patch: &im.SettingsPatch{Pinned: new(int64)}, Gone: []im.SeqRange{{From: at, To: at}, {From: 11, To: 11}}})
			submit(&store.ReadOp{Conv: conv, User: to[0], Seq: at})
		}
		submit(&store.NoteOp{User: name(i), Key: fmt.Sprint("k", i), Value: []byte("x"), Most: 10, Of: "k", Drop: []store.Record{{Kind: store.TimerRecord, User: name(i), Key: "t"}}})
		submit(&store.PutOp{Records: []store.Record{{Kind: store.TimerRecord, User: "bob", Key: "t", Value: []byte("v"), Due: int64(i + 1)}}})
	}
	for i, done := range told {
		<-done
		if err := ops[i].Base().Err; err != nil {
			t.Fatalf("%T: %v", ops[i], err)
		}
	}
	if reads := db.WriterReads(); reads > users {
		t.Fatalf("the writer read %d times itself for %d operations; want once for each of %d users' notes", reads, len(ops), users)
	}
	if due, _, err := s.Due(1<<40, 10); err != nil || len(due) != 1 || due[0].Due != n {
		t.Fatalf("%+v %v", due, err)
	}
}
