package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testChange: edits and recalls alter the message in place and stand in the log.
func testChange(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 3)
	before := message(t, s, conv, 2)
	c.advance(time.Second)
	op := edit(s, conv, 2, "alice", "second")
	op.Digest, op.ID, op.Hash = "line", "e1", 1
	must(t, s, op)
	m := message(t, s, conv, 2)
	if op.Ver != 1 || m.Ver != 1 || string(m.Body) != "second" || m.Digest != "line" || m.Edited != c.Now().UnixMilli() ||
		op.Time != m.Edited || m.Time != before.Time || m.N != before.N || m.ID != before.ID || differ(op.Msg, m) != "" {
		t.Fatalf("%s\n%+v", show(m), op)
	}
	if string(before.Body) != "body 2" || before.Ver != 0 {
		t.Fatalf("a message that a reader holds was altered: %s", show(before))
	}
	turnedBack(t, s, &store.ChangeOp{Conv: conv, Seq: 2, Seen: 0, Kind: im.Edit, By: "alice", Body: []byte("late")})
	must(t, s, edit(s, conv, 2, "alice", "second")) // no difference, and still a change
	must(t, s, recall(s, conv, 3, "bob"))
	must(t, s, recall(s, conv, 2, "alice"))
	fails(t, s, edit(s, conv, 2, "alice", "again"), im.NotFound)
	fails(t, s, recall(s, conv, 9, "alice"), im.NotFound)
	fails(t, s, recall(s, conv+77, 1, "alice"), im.NotFound)
	loud := text("alice", "loud", "x")
	loud.Push, loud.Digest, loud.Mentions = "push", "digest", &im.Mentions{All: true}
	elsewhere := must(t, s, direct(loud, "carol")).At
	must(t, s, recall(s, elsewhere, 1, "alice"))
	if m := message(t, s, elsewhere, 1); m.Push != "" || m.Digest != "" || m.Mentions != nil || len(m.Body) != 0 || m.Type != "an:text" {
		t.Fatalf("%s", show(m))
	}
	for i := range 2 {
		m := message(t, s, conv, 2)
		if !m.Recalled || m.RecallBy != "alice" || len(m.Body) != 0 || m.Digest != "" || m.Mentions != nil || m.Ver != 4 {
			t.Fatalf("%s", show(m))
		}
		changes, err := s.Changes(conv, 1, 10)
		if err != nil || len(changes) != 4 {
			t.Fatalf("%v %v", changes, err)
		}
		for j, want := range []im.Change{{Ver: 1, Seq: 2, Kind: im.Edit, By: "alice"}, {Ver: 2, Seq: 2, Kind: im.Edit, By: "alice"},
			{Ver: 3, Seq: 3, Kind: im.Recall, By: "bob"}, {Ver: 4, Seq: 2, Kind: im.Recall, By: "alice"}} {
			got := changes[j]
			if got.Ver != want.Ver || got.Seq != want.Seq || got.Kind != want.Kind || got.By != want.By || got.Device != "phone" ||
				differ(got.Msg, message(t, s, conv, want.Seq)) != "" {
				t.Fatalf("%+v, want %+v", got, want)
			}
		}
		if changes[0].ID != "e1" || changes[0].Time != op.Time {
			t.Fatalf("%+v", changes[0])
		}
		if some, err := s.Changes(conv, 2, 2); err != nil || len(some) != 2 || some[0].Ver != 2 || some[1].Ver != 3 {
			t.Fatalf("%v %v", some, err)
		}
		if none, err := s.Changes(conv, 5, 10); err != nil || len(none) != 0 {
			t.Fatalf("%v %v", none, err)
		}
		if h := head(t, s, conv); h.Ver != 4 || h.MinVer != 1 || h.Seq != 3 {
			t.Fatalf("%+v", h)
		}
		p, err := s.Page(store.PageQuery{Conv: conv, From: 1, To: 3})
		if err != nil || len(p.Messages) != 3 || !p.Messages[1].Recalled || !p.Messages[2].Recalled || p.Messages[0].Ver != 0 {
			t.Fatalf("%+v %v", p, err)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
}

// testChangeRace: many edit one message at once; each change was decided on the one
// before it, none is lost, the numbers have no gap.
func testChangeRace(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	conv := fill(t, s, 1)
	const editors, each = 8, 20
	var mu sync.Mutex
	won := map[im.Ver]string{}
	var wg sync.WaitGroup
	for g := range editors {
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprint(g, " ", i)
				op, err := persist(s, func() store.Op { return edit(s, conv, 1, "alice", body) })
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				ver := op.(*store.ChangeOp).Ver
				if won[ver] != "" {
					t.Errorf("change %d was given to two", ver)
				}
				won[ver] = body
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if h := head(t, s, conv); h.Ver != editors*each || len(won) != editors*each {
		t.Fatalf("ver %d, %d changes acknowledged, want %d", h.Ver, len(won), editors*each)
	}
	if m := message(t, s, conv, 1); string(m.Body) != won[editors*each] {
		t.Fatalf("%s, the last edit was %q", show(m), won[editors*each])
	}
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
}

// testRecallRace: of edits and a recall at once, the recall stands.
func testRecallRace(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	const n = 60
	conv := fill(t, s, n)
	var wg sync.WaitGroup
	for seq := im.Seq(1); seq <= n; seq++ {
		wg.Go(func() {
			if _, err := persist(s, func() store.Op { return recall(s, conv, seq, "alice") }); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			_, err := persist(s, func() store.Op { return edit(s, conv, seq, "alice", "edited") })
			if err != nil && !im.IsKind(err, im.NotFound) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for seq := im.Seq(1); seq <= n; seq++ {
		if m := message(t, s, conv, seq); !m.Recalled || len(m.Body) != 0 {
			t.Fatalf("%s", show(m))
		}
	}
	if err := gapless(s, conv); err != nil {
		t.Fatal(err)
	}
	if u := unread(t, s, conv, "bob"); u != 0 {
		t.Fatalf("unread %d", u)
	}
}

// testFormerBodies: after a recall nothing in the store holds what was said.
func testFormerBodies(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	if o.Dump == nil {
		t.Skip("the store cannot be dumped")
	}
	s := o.Store
	m := text("alice", "1", "the first secret")
	m.Push, m.Digest = "the pushed secret", "the digest secret"
	conv := must(t, s, direct(m, "bob")).At
	must(t, s, edit(s, conv, 1, "alice", "the second secret"))
	must(t, s, edit(s, conv, 1, "alice", "the third secret"))
	must(t, s, direct(text("alice", "2", "no secret"), "bob"))
	if n := bytes.Count(o.Dump(), []byte(" secret")); n < 2 {
		t.Fatalf("%d found before the recall: the dump does not show bodies", n)
	}
	must(t, s, recall(s, conv, 1, "alice"))
	dump := o.Dump()
	for _, gone := range []string{"the first", "the second", "the third", "the pushed", "the digest"} {
		if bytes.Contains(dump, []byte(gone+" secret")) {
			t.Errorf("%q is still in the store", gone+" secret")
		}
	}
	if !bytes.Contains(dump, []byte("no secret")) {
		t.Error("another message is gone")
	}
	if m := message(t, s, conv, 1); m.Push != "" || m.Digest != "" {
		t.Fatalf("%s", show(m))
	}
}

// testChangeLog: the log is trimmed from its start, keeps the newest, and its numbers
// go on.
func testChangeLog(t *testing.T, open Open) {
	c := newClock()
	o := opened(t, open, Options{Clock: c.Now})
	s := store.Store(o.Store)
	conv := fill(t, s, 1)
	for i := range 20 {
		must(t, s, edit(s, conv, 1, "alice", fmt.Sprint(i)))
		c.advance(time.Hour)
	}
	sweep := func(p store.SweepPolicy) int {
		t.Helper()
		n, err := s.Sweep(context.Background(), c.Now(), p)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := sweep(store.SweepPolicy{}); n != 0 {
		t.Fatalf("%d rows went although all are young", n)
	}
	if n := sweep(store.SweepPolicy{Changes: time.Minute}); n != 0 {
		t.Fatalf("%d rows went although all are among the newest", n)
	}
	if sweep(store.SweepPolicy{Changes: 5*time.Hour - time.Minute, KeepNewest: 3}) == 0 {
		t.Fatal("nothing was trimmed")
	}
	want := im.Ver(17) // those of the last 4 hours and a bit: 17..20
	for i := range 3 {
		if h := head(t, s, conv); h.MinVer != want || h.Ver != 20 {
			t.Fatalf("log from %d to %d, want from %d", h.MinVer, h.Ver, want)
		}
		changes, err := s.Changes(conv, 1, 100)
		if err != nil || len(changes) != int(20-want+1) || changes[0].Ver != want {
			t.Fatalf("%v %v", changes, err)
		}
		switch i {
		case 0:
			sweep(store.SweepPolicy{Changes: time.Minute, KeepNewest: 2})
			want = 19
		case 1:
			if o.Reopen != nil {
				s = o.reopen(t)
			}
		}
	}
	if op := must(t, s, edit(s, conv, 1, "alice", "x")); op.Ver != 21 {
		t.Fatalf("%+v", op)
	}
}
