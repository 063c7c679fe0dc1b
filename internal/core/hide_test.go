package core

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// TestDeletedForMeStaysSo: who has deleted a message for himself gets it back in no
// way, not by a change of it either.
func TestDeletedForMeStaysSo(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	for _, g := range []struct{ ann, bob im.Address }{{"u/bob", "u/ann"}, func() struct{ ann, bob im.Address } {
		g := w.group("ann", "bob")
		return struct{ ann, bob im.Address }{g, g}
	}()} {
		ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
		var last im.Seq
		for range 3 {
			snd, err := w.send(ann.Session, g.ann, "x", mention("bob"))
			w.ok(err)
			last = snd.Seq
		}
		edit := func(seq im.Seq) im.Ver {
			t.Helper()
			a, err := ann.Edit(ctx, EditRequest{Conv: g.ann, Seq: seq, ID: w.id(), Body: []byte("edited")})
			w.ok(err)
			return a.Ver
		}
		told := func(ver im.Ver) bool {
			t.Helper()
			return bob.until(func(it Item) bool { return it.Ver == ver }).Change != nil
		}
		if !told(edit(last - 1)) {
			t.Fatal("bob is not told of an edit")
		}
		_, err := w.as("bob").Delete(ctx, DeleteRequest{Conv: g.bob, Seqs: []im.Seq{last - 1}})
		w.ok(err)
		if told(edit(last - 1)) {
			t.Error("bob is told of an edit of what he deleted")
		}
		if !told(edit(last)) {
			t.Error("bob is not told of an edit of what he kept")
		}
		r, _, err := bob.Page(ctx, PageQuery{Conv: g.bob})
		w.ok(err)
		for _, m := range r.Messages {
			if m.Seq == last-1 {
				t.Error("it is in a page")
			}
		}
		msgs, err := bob.Messages(ctx, g.bob, []im.Seq{last - 1, last})
		w.ok(err)
		if len(msgs) != 1 || msgs[0].Seq != last {
			t.Errorf("%d messages by number", len(msgs))
		}
		c, err := bob.Changes(ctx, g.bob, 1, 0)
		w.ok(err)
		for _, ch := range c.Changes {
			if ch.Seq == last-1 {
				t.Error("it is in the change log")
			}
		}
		names, err := bob.Mentions(ctx, g.bob, 0)
		w.ok(err)
		for _, seq := range names {
			if seq == last-1 {
				t.Error("it is among the mentions")
			}
		}
		if mine := w.mine("bob", g.bob); len(mine.Gone) != 1 || mine.Unread != 2 {
			t.Errorf("%+v", mine)
		}
		ann.Close()
		bob.Close()
	}
}
