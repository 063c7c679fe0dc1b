package core

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestE6_PinsWithTheirList(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{MaxPins: 2}})
	ctx := t.Context()
	for range 4 {
		w.say("ann", "u/bob", "x")
	}
	bob := w.login("bob", "phone")
	for _, c := range []struct {
		u    im.UserID
		conv im.Address
		seq  im.Seq
		on   bool
		want im.Kind
		dup  bool
	}{
		{"ann", "u/bob", 3, true, 0, false},
		{"bob", "u/ann", 1, true, 0, false},
		{"bob", "u/ann", 1, true, 0, true},
		{"ann", "u/bob", 2, true, im.TooLarge, false},
		{"ann", "u/bob", 1, false, 0, false}, // also what the other pinned
		{"ann", "u/bob", 1, false, 0, true},
		{"ann", "u/bob", 2, true, 0, false},
		{"ann", "u/bob", 9, true, im.NotFound, false},
	} {
		r, err := w.as(c.u).Pin(ctx, c.conv, c.seq, c.on, "")
		check(t, string(c.u), err, c.want, 0)
		if r.Dup != c.dup {
			t.Errorf("%+v: %+v", c, r)
		}
	}
	r, err := w.as("bob").Pins(ctx, "u/ann")
	w.ok(err)
	if len(r.Messages) != 2 || r.Messages[0].Seq != 2 || r.Messages[1].Seq != 3 || r.Messages[0].Pin.By != "ann" || r.Messages[0].Pin.Time == 0 || r.From != 0 || r.To != 0 {
		t.Fatalf("%+v", r)
	}
	it := bob.changed()
	if it.Change.Kind != im.Pinned || it.Change.Msg.Pin == nil || it.Change.Seq != 3 {
		t.Fatalf("%+v", it.Change)
	}
	// what is deleted or recalled is no longer pinned; what is deleted for oneself one does not see
	_, err = w.as("ann").Delete(ctx, DeleteRequest{Conv: "u/bob", Seqs: []im.Seq{2}, ForAll: true})
	w.ok(err)
	_, err = w.as("bob").Delete(ctx, DeleteRequest{Conv: "u/ann", Seqs: []im.Seq{3}})
	w.ok(err)
	if r, err = w.as("bob").Pins(ctx, "u/ann"); err != nil || len(r.Messages) != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err = w.as("ann").Pins(ctx, "u/bob"); err != nil || len(r.Messages) != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	_, err = w.as("ann").Recall(ctx, RecallRequest{Conv: "u/bob", Seq: 3})
	w.ok(err)
	if r, err = w.as("ann").Pins(ctx, "u/bob"); err != nil || len(r.Messages) != 0 {
		t.Fatalf("%+v %v", r, err)
	}
}

func TestMembersMayPinWhereTheyMay(t *testing.T) {
	w := newWorld(t, Config{MembersPin: true})
	g := w.group("own", "mem")
	seq := w.say("own", g, "x")
	_, err := w.as("mem").Pin(t.Context(), g, seq, true, "")
	w.ok(err)
}
