package core

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestD9_ExpansionKeys(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{MaxExpansion: 4}})
	ctx := t.Context()
	g := w.group("ann", "bob", "cat")
	seq := w.say("ann", g, "x")
	w.spreadAll()
	cat := w.login("cat", "phone")
	_, err := w.as("ann").Expand(ctx, ExpandRequest{Conv: g, Seq: seq, Set: []im.Pair{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}}})
	w.ok(err)
	_, err = w.as("bob").Expand(ctx, ExpandRequest{Conv: g, Seq: seq, Set: []im.Pair{{Key: "b", Value: "3"}, {Key: "A_.-+=9", Value: "4"}}, Remove: []string{"a", "none"}})
	w.ok(err)
	m := w.message("cat", g, seq)
	if fmt.Sprint(m.Expansion) != "[{A_.-+=9 4} {b 3}]" {
		t.Fatalf("%v", m.Expansion)
	}
	cat.changed()
	if it := cat.changed(); it.Change.Kind != im.Expand || it.Change.By != "bob" || len(it.Change.Msg.Expansion) != 2 {
		t.Fatalf("%+v", it.Change)
	}
	r, err := w.as("cat").Expand(ctx, ExpandRequest{Conv: g, Seq: seq, Set: []im.Pair{{Key: "b", Value: "3"}}})
	w.ok(err)
	if !r.Dup {
		t.Fatalf("%+v", r)
	}
	pairs := func(n int) (list []im.Pair) {
		for i := range n {
			list = append(list, im.Pair{Key: fmt.Sprint("k", i), Value: "v"})
		}
		return list
	}
	for _, c := range []struct {
		q    ExpandRequest
		want im.Kind
	}{
		{ExpandRequest{}, im.Invalid},
		{ExpandRequest{Set: pairs(21)}, im.TooLarge},
		{ExpandRequest{Remove: make([]string, 21)}, im.TooLarge},
		{ExpandRequest{Set: []im.Pair{{Key: "", Value: "v"}}}, im.Invalid},
		{ExpandRequest{Set: []im.Pair{{Key: strings.Repeat("k", 33), Value: "v"}}}, im.Invalid},
		{ExpandRequest{Set: []im.Pair{{Key: "a b", Value: "v"}}}, im.Invalid},
		{ExpandRequest{Set: []im.Pair{{Key: "钥", Value: "v"}}}, im.Invalid},
		{ExpandRequest{Set: []im.Pair{{Key: "an.closed", Value: "v"}}}, im.Invalid},
		{ExpandRequest{Remove: []string{"an.closed"}}, im.Invalid},
		{ExpandRequest{Set: []im.Pair{{Key: "k", Value: strings.Repeat("v", 4096)}}, Remove: []string{"b"}}, 0},
		{ExpandRequest{Set: []im.Pair{{Key: "k", Value: strings.Repeat("v", 4097)}}}, im.TooLarge},
		{ExpandRequest{Set: []im.Pair{{Key: "k", Value: "\xff"}}}, im.Invalid},
		{ExpandRequest{Set: []im.Pair{{Key: "k", Value: "1"}, {Key: "k", Value: "2"}}}, im.Invalid},
		{ExpandRequest{Set: []im.Pair{{Key: "k", Value: "1"}}, Remove: []string{"k"}}, im.Invalid},
		{ExpandRequest{Set: pairs(3)}, im.TooLarge}, // five in all
	} {
		c.q.Conv, c.q.Seq = g, seq
		_, err := w.as("bob").Expand(ctx, c.q)
		check(t, fmt.Sprintf("%.80v", c.q), err, c.want, 0)
	}
}

// Many set keys of one message at once: each finds all the others' in the end.
func TestExpandingAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("ann", "u/bob", "x")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			q := ExpandRequest{Conv: "u/bob", Seq: 1, Set: []im.Pair{{Key: fmt.Sprint("k", i), Value: "v"}}}
			if _, err := w.as("ann").Expand(t.Context(), q); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if m := w.message("bob", "u/ann", 1); len(m.Expansion) != 50 || m.Ver != 50 {
		t.Fatalf("%d keys, change %d", len(m.Expansion), m.Ver)
	}
}

// A message stays small enough for a frame, whatever is added to it.
func TestD9_ExpansionFitsAFrame(t *testing.T) {
	w, ctx := newWorld(t, Config{}), t.Context()
	seq := w.say("ann", "u/bob", "x")
	value, added := strings.Repeat("v", maxExpansionValue), 0
	for i := range 300 {
		_, err := w.as("ann").Expand(ctx, ExpandRequest{Conv: "u/bob", Seq: seq, Set: []im.Pair{{Key: fmt.Sprintf("%03d", i), Value: value}}})
		if err != nil {
			check(t, "one more", err, im.TooLarge, 0)
			break
		}
		added += 3 + maxExpansionValue
	}
	if got := w.message("ann", "u/bob", seq).Size(); added <= im.MaxExpansionBytes-maxExpansionValue-3 || added > im.MaxExpansionBytes || got > im.MaxExpansionBytes+1<<10 {
		t.Fatalf("%d bytes were added, the message has %d", added, got)
	}
	_, err := w.as("ann").Expand(ctx, ExpandRequest{Conv: "u/bob", Seq: seq, Set: []im.Pair{{Key: "000", Value: value}}, Remove: []string{"001"}})
	w.ok(err)
}
