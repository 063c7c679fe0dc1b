package core

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestE2_EditHistory(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	ctx := t.Context()
	w.say("ann", "u/bob", "0", func(m *im.Message) { m.Digest = "d0" })
	for i := range 5 {
		clock.add(1000)
		_, err := w.as("ann").Edit(ctx, EditRequest{Conv: "u/bob", Seq: 1, Body: fmt.Append(nil, i+1), Digest: fmt.Sprint("d", i+1)})
		w.ok(err)
	}
	if m := w.message("bob", "u/ann", 1); string(m.Body) != "5" {
		t.Fatalf("%s", m.Body)
	}
	list, more, err := w.as("bob").EditHistory(ctx, "u/ann", 1, 0, 3)
	w.ok(err)
	rest, last, err := w.as("bob").EditHistory(ctx, "u/ann", 1, list[len(list)-1].Ver, 3)
	w.ok(err)
	if !more || last || len(list) != 3 || len(rest) != 2 {
		t.Fatalf("%d %v, %d %v", len(list), more, len(rest), last)
	}
	for i, f := range append(list, rest...) {
		since := int64(0)
		if i > 0 {
			since = newClock().Now().UnixMilli() + int64(i)*1000
		}
		if f.Ver != im.Ver(i+1) || string(f.Body) != fmt.Sprint(i) || f.Digest != fmt.Sprint("d", i) || f.Time != since {
			t.Errorf("%d: %+v", i, f)
		}
	}
	_, _, err = w.as("eve").EditHistory(ctx, "u/ann", 1, 0, 0)
	w.refused(err, im.NotFound)
	_, err = w.as("ann").Recall(ctx, RecallRequest{Conv: "u/bob", Seq: 1})
	w.ok(err)
	if list, _, err = w.as("ann").EditHistory(ctx, "u/bob", 1, 0, 0); err != nil || len(list) != 0 {
		t.Fatalf("what was recalled is still told: %v %v", list, err)
	}
}

// A history of large bodies comes in parts of about 256 KiB.
func TestEditHistoryIsBoundedInBytes(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	w.say("ann", "u/bob", "x")
	for i := range 9 {
		_, err := w.as("ann").Edit(ctx, EditRequest{Conv: "u/bob", Seq: 1, Body: bytes.Repeat([]byte{byte('a' + i)}, 100<<10)})
		w.ok(err)
	}
	n, parts := 0, 0
	for after, more := im.Ver(0), true; more; parts++ {
		var list []im.Former
		var err error
		list, more, err = w.as("bob").EditHistory(ctx, "u/ann", 1, after, 0)
		w.ok(err)
		size := 0
		for _, f := range list {
			size += len(f.Body)
		}
		if size > 400<<10 || len(list) == 0 {
			t.Fatalf("%d bytes in %d formers", size, len(list))
		}
		n += len(list)
		after = list[len(list)-1].Ver
	}
	if n != 9 || parts < 3 {
		t.Fatalf("%d formers in %d parts", n, parts)
	}
}
