package pebblestore_test

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// send is a first message of sender to peer.
func send(sender, peer, id, body string) *store.AppendOp {
	return &store.AppendOp{Peer: im.UserID(peer), Hash: 1, Read: true,
		Msg: &im.Message{ID: im.ClientID(id), Sender: im.UserID(sender), Device: "phone", Type: "an:text", Flags: im.DefaultFlags, Body: []byte(body)}}
}

// do submits op and waits for its outcome.
func do(t testing.TB, s store.Store, op store.Op) error {
	t.Helper()
	done := make(chan struct{})
	op.Base().Done = func() { close(done) }
	if err := s.Submit(op); err != nil {
		return err
	}
	<-done
	return op.Base().Err
}

// must is do for what has to succeed.
func must[O store.Op](t testing.TB, s store.Store, op O) O {
	t.Helper()
	if err := do(t, s, op); err != nil {
		t.Fatalf("%T: %v", op, err)
	}
	return op
}
