package core

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
)

// cache is what a client holds of a conversation: the messages that it was given, and
// its two cursors.
type cache struct {
	conv im.Address
	have map[im.Seq]*im.Message
	seq  im.Seq
	ver  im.Ver
}

// put takes a message, unless what is held has seen later changes.
func (k *cache) put(m *im.Message) {
	if old := k.have[m.Seq]; old == nil || m.Ver > old.Ver {
		k.have[m.Seq] = m
	}
}

// pages takes one page of what is new.
func (k *cache) pages(w *world, u im.UserID, limit int) {
	r, _, err := w.as(u).Page(w.Context(), PageQuery{Conv: k.conv, From: k.seq + 1, Limit: limit})
	w.ok(err)
	if r.From != k.seq+1 {
		w.Fatalf("asked from %d, covered from %d", k.seq+1, r.From)
	}
	for _, m := range r.Messages {
		k.put(m)
	}
	k.seq = max(k.seq, r.To)
}

// changes takes some of what was altered. Messages that are not held come with their
// page.
func (k *cache) changes(w *world, u im.UserID, limit int) {
	a, err := w.as(u).Changes(w.Context(), k.conv, k.ver+1, limit)
	w.ok(err)
	if a.Reset {
		k.have, k.seq, k.ver = map[im.Seq]*im.Message{}, 0, a.Ver
		return
	}
	if a.From != k.ver+1 {
		w.Fatalf("asked from %d, settled from %d", k.ver+1, a.From)
	}
	for _, ch := range a.Changes {
		if k.have[ch.Seq] != nil {
			k.put(ch.Msg)
		}
	}
	k.ver = max(k.ver, a.To)
}

// With a number and a version for each conversation, and pages and changes asked for
// in any order while others write, a client ends with what is there for it: no more,
// no less, and no former body.
func TestTwoCursorsAreEnough(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{})
		g := w.group("own", "ann", "bob")
		writers := rapid.SampledFrom([]im.UserID{"own", "bob", "ann"})
		head := im.Seq(1)
		act := func() {
			u := writers.Draw(r, "who")
			seq := im.Seq(rapid.IntRange(1, int(head)).Draw(r, "seq"))
			switch rapid.IntRange(0, 4).Draw(r, "act") {
			case 0, 1:
				head = w.say(u, g, "x", func(m *im.Message) {
					if rapid.IntRange(0, 3).Draw(r, "some only") == 0 {
						m.To = []im.UserID{writers.Draw(r, "to")}
					}
				})
			case 2:
				body := []byte{byte(rapid.IntRange('a', 'z').Draw(r, "body"))}
				w.as(u).Edit(t.Context(), EditRequest{Conv: g, Seq: seq, Body: body}) // refusals change nothing
			case 3:
				w.as(u).Recall(t.Context(), RecallRequest{Conv: g, Seq: seq, ID: ""})
			case 4:
				if rapid.IntRange(0, 3).Draw(r, "bob") == 0 {
					if a, err := w.as("own").GroupRemove(t.Context(), g, []im.UserID{"bob"}); err == nil && a.Seq != 0 {
						a, err = w.as("own").GroupAdd(t.Context(), g, []im.UserID{"bob"})
						w.ok(err)
						head = a.Seq
					}
				}
			}
		}
		k := &cache{conv: g, have: map[im.Seq]*im.Message{}}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			limit := rapid.IntRange(1, 4).Draw(r, "limit")
			switch rapid.IntRange(0, 3).Draw(r, "step") {
			case 0, 1:
				act()
			case 2:
				k.pages(w, "ann", limit)
			case 3:
				k.changes(w, "ann", limit)
			}
		}
		h := func() im.Head {
			c, err := w.as("ann").Conversation(t.Context(), g)
			w.ok(err)
			return c.Head
		}()
		for k.seq < h.Seq {
			k.pages(w, "ann", 3)
		}
		for k.ver < h.Ver {
			k.changes(w, "ann", 3)
		}
		page, _, err := w.as("ann").Page(t.Context(), PageQuery{Conv: g, Limit: maxPage})
		w.ok(err)
		if len(page.Messages) != len(k.have) {
			r.Fatalf("held are %v; there are %s", slices.Sorted(maps.Keys(k.have)), seqs(page))
		}
		for _, m := range page.Messages {
			if !reflect.DeepEqual(k.have[m.Seq], m) {
				r.Fatalf("held is %+v; there is %+v", k.have[m.Seq], m)
			}
			if !m.VisibleTo("ann") || m.Recalled && m.Body != nil {
				r.Fatalf("not for her: %+v", m)
			}
		}
	})
}
