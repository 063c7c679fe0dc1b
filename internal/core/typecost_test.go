package core

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// countedTypes counts how often a body is looked at.
type countedTypes struct {
	someTypes
	checks atomic.Int32
}

func (r *countedTypes) Check(m *im.Message, app bool) *im.Error {
	r.checks.Add(1)
	return r.someTypes.Check(m, app)
}

// A body is held to its schema once for each message, and not for one that is sent too
// fast: checking may cost more than all the rest of a send.
func TestTypesAreAskedWithinTheRate(t *testing.T) {
	clock := newClock()
	types := &countedTypes{}
	w := newWorld(t, Config{Clock: clock.Now, Types: types, Limits: im.Limits{SendRate: 1, SendBurst: 2}})
	card := func(m *im.Message) { m.Type = "app:card" }
	alice := w.as("alice")
	for range 2 {
		_, err := w.send(alice, "u/bob", "no", card)
		w.refused(err, im.Invalid, im.CodeSchema)
	}
	for range 50 {
		_, err := w.send(alice, "u/bob", "no", card)
		w.refused(err, im.Limited)
	}
	if n := types.checks.Load(); n != 2 {
		t.Errorf("%d bodies were looked at for 2 sends within the rate", n)
	}
	clock.add(time.Minute.Milliseconds())
	_, err := w.send(alice, "u/bob", "{}", card)
	w.ok(err)
	if n := types.checks.Load(); n != 3 {
		t.Errorf("%d bodies were looked at after 3 sends", n)
	}
}

// A body that its type refuses is not kept for later.
func TestScheduledBodiesAreChecked(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, Types: &someTypes{}})
	at := clock.Now().Add(time.Hour).UnixMilli()
	_, err := w.as("alice").Schedule(t.Context(), Schedule{ID: "one", At: at, To: "u/bob", Msg: &im.Message{Type: "app:card", Body: []byte("no")}})
	w.refused(err, im.Invalid, im.CodeSchema)
	_, err = w.as("alice").Schedule(t.Context(), Schedule{ID: "one", At: at, To: "u/bob", Msg: &im.Message{Type: "app:card", Body: []byte("{}")}})
	w.ok(err)
}
