package core

import (
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func TestE1_RecallWithWindowByAdminSilentAndReedit(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, Limits: im.Limits{RecallWindow: 2 * time.Minute, ReeditWindow: time.Minute}})
	ctx := t.Context()
	g := w.group("own", "mem", "oth")
	other := w.login("oth", "phone")
	recall := func(u im.UserID, seq im.Seq, silent bool) (Recalled, error) {
		return w.as(u).Recall(ctx, RecallRequest{Conv: g, Seq: seq, ID: w.id(), Silent: silent})
	}

	seq := w.say("mem", g, "first words", func(m *im.Message) { m.Digest = "first" })
	r, err := recall("mem", seq, false)
	w.ok(err)
	if r.Former == nil || string(r.Former.Body) != "first words" || r.Former.Digest != "first" || r.Former.Recalled {
		t.Fatalf("the sender is not given back what he said: %+v", r.Former)
	}
	it := other.changed()
	if m := it.Change.Msg; it.Change.Kind != im.Recall || !m.Recalled || m.RecallBy != "mem" || m.Silent || m.Body != nil {
		t.Fatalf("%+v", it.Change.Msg)
	}

	seq = w.say("mem", g, "rude")
	r, err = recall("own", seq, true)
	w.ok(err)
	if r.Former != nil {
		t.Fatalf("the owner is given what another said")
	}
	if m := other.changed().Change.Msg; !m.Silent || m.RecallBy != "own" {
		t.Fatalf("%+v", m)
	}

	seq = w.say("mem", g, "old")
	clock.add(time.Minute.Milliseconds() + 1)
	r, err = recall("mem", seq, false)
	w.ok(err)
	if r.Former != nil {
		t.Fatal("given back after its time")
	}
	again, err := recall("mem", seq, false)
	w.ok(err)
	if !again.Dup || again.Former != nil {
		t.Fatalf("%+v", again)
	}
	seq = w.say("mem", g, "older")
	clock.add(2*time.Minute.Milliseconds() + 1)
	_, err = recall("mem", seq, false)
	w.refused(err, im.Denied)
	_, err = recall("own", seq, false) // at any time
	w.ok(err)
}

// A retry of a recall is not given the text a second time: it is kept nowhere.
func TestRecallGivesBackOnce(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("ann", "u/bob", "x")
	q := RecallRequest{Conv: "u/bob", Seq: 1, ID: "r1"}
	first, err := w.as("ann").Recall(t.Context(), q)
	w.ok(err)
	again, err := w.as("ann").Recall(t.Context(), q)
	w.ok(err)
	if first.Former == nil || again.Former != nil || !again.Dup || again.Ver != first.Ver {
		t.Fatalf("%+v, then %+v", first, again)
	}
}

func TestReeditCanBeSwitchedOff(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{ReeditWindow: -1}})
	w.say("ann", "u/bob", "x")
	r, err := w.as("ann").Recall(t.Context(), RecallRequest{Conv: "u/bob", Seq: 1})
	w.ok(err)
	if r.Former != nil {
		t.Fatalf("%+v", r.Former)
	}
}

// Who had not read what is recalled is told at once what is left to read.
func TestUnreadIsRightAfterARecall(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob")
	for _, conv := range []im.Address{"u/bob", g} {
		w.say("ann", conv, "1")
		seq := w.say("ann", conv, "2")
		w.spreadAll()
		bob := w.login("bob", im.DeviceID("of-"+conv[2:]))
		_, err := w.as("ann").Recall(ctx, RecallRequest{Conv: conv, Seq: seq})
		w.ok(err)
		it := bob.until(func(it Item) bool { return it.State != nil && it.State.Mine != nil })
		if n := it.State.Mine.Unread; n != 1 {
			t.Fatalf("%s: %d unread", conv, n)
		}
	}
}
