package pebblestore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// Messages expire and are swept while others arrive, are edited and recalled. What is
// swept is gone, with what was said before an edit, and nothing else is; Min is never
// above a message; what counted is withdrawn.
func TestSweepWhileSending(t *testing.T) {
	c := &clock{now: time.UnixMilli(1_800_000_000_000)}
	mem := vfs.NewMem()
	db, s := opened(t, mem, pebblestore.Config{Clock: c.Now}.Tiny())
	const n = 1500
	conv := must(t, s, send("alice", "bob", "first", "stays")).At
	var sweeper sync.WaitGroup
	stop := make(chan struct{})
	swept := 0
	sweep := func() {
		got, err := s.Sweep(context.Background(), c.Now(), store.SweepPolicy{})
		if err != nil {
			t.Error(err)
		}
		swept += got
		h, _ := s.Head(conv)
		p, err := s.Page(store.PageQuery{Conv: conv, From: 1, To: h.Seq, Limit: 1})
		if err != nil || len(p.Messages) > 0 && p.Messages[0].Seq < h.Min {
			t.Errorf("Min is %d and the first message %d (%v)", h.Min, p.Messages[0].Seq, err)
		}
	}
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				sweep()
			}
		}
	})
	stays := map[im.Seq]bool{1: true}
	for i := range n {
		op := send("alice", "", fmt.Sprint(i), "secret before")
		op.Conv = conv
		if i%3 != 0 || i < n/2 { // all of the first half goes
			op.Msg.Expires = c.Now().Add(time.Minute).UnixMilli()
			op.Msg.Mentions = &im.Mentions{Users: []im.UserID{"bob"}}
		}
		must(t, s, op)
		stays[op.Seq] = op.Msg.Expires == 0
		if i%5 == 0 {
			if err := do(t, s, &store.ChangeOp{Conv: conv, Seq: op.Seq, Kind: im.Edit, By: "alice", Body: []byte("secret now")}); err != nil && !im.IsKind(err, im.NotFound) && err != store.ErrTurnedBack {
				t.Fatal(err)
			}
		}
		if i == 0 {
			must(t, s, &store.ChangeOp{Conv: conv, Seq: 1, Kind: im.Recall, By: "alice"})
		}
		if i%40 == 39 {
			c.add(2 * time.Minute)
		}
	}
	close(stop)
	sweeper.Wait()
	c.add(2 * time.Minute)
	sweep()
	want := 0
	for _, stay := range stays {
		if !stay {
			want++
		}
	}
	if swept != want {
		t.Fatalf("%d went, want %d", swept, want)
	}
	for i := range 2 {
		left := uint64(0)
		for seq, stay := range stays {
			m, ok, err := s.Message(conv, seq)
			if err != nil || ok != stay {
				t.Fatalf("message %d is there: %v, want %v (%v)", seq, ok, stay, err)
			}
			if ok && !m.Recalled {
				left++
			}
		}
		h, _ := s.Head(conv)
		r, _, _ := s.Row(conv, "bob")
		if unread, _ := h.Unread(&r); unread < left || h.Seq != n+1 || len(h.Withdrawn) > 256 {
			t.Fatalf("unread %d of %d, head %+v", unread, left, h)
		}
		if m, _ := s.CountMentions("bob", conv); m != 0 {
			t.Fatalf("%d mentions of what is gone", m)
		}
		if d := db.Former(); d != edited(stays) {
			t.Fatalf("%d former bodies, want %d", d, edited(stays))
		}
		if i == 0 {
			db.Close()
			db, s = opened(t, mem, pebblestore.Config{Clock: c.Now}.Tiny())
		}
	}
}

// edited is how many messages that stay were edited: every fifth send was.
func edited(stays map[im.Seq]bool) int {
	n := 0
	for seq, stay := range stays {
		if stay && seq > 1 && (seq-2)%5 == 0 {
			n++
		}
	}
	return n
}

// Whatever stands beside the messages that go, no commit of Sweep's writes more than
// 2,000 rows: here each was edited, reacted to and pinned, and burns, and stands in a
// conversation of its own.
func TestSweepIsCutIntoCommits(t *testing.T) {
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	_, s := opened(t, vfs.NewMem(), pebblestore.Config{Clock: c.Now})
	const n = 250
	for i := range n {
		op := send("alice", fmt.Sprint("u", i), "1", "x")
		op.Msg.Burn, op.Msg.Expires = 60, c.Now().Add(time.Minute).UnixMilli()
		conv := must(t, s, op).At
		must(t, s, &store.ChangeOp{Conv: conv, Seq: 1, Kind: im.Edit, By: "alice", Body: []byte("y")})
		must(t, s, &store.ChangeOp{Conv: conv, Seq: 1, Kind: im.React, By: "alice", Add: []string{"x"}})
		must(t, s, &store.ChangeOp{Conv: conv, Seq: 1, Kind: im.Pinned, By: "alice", Pin: true})
	}
	c.add(2 * time.Minute)
	before := s.Stats()
	if gone, err := s.Sweep(t.Context(), c.Now(), store.SweepPolicy{}); err != nil || gone != n {
		t.Fatal(gone, err)
	}
	now := s.Stats()
	if rows, commits := now.Rows-before.Rows, now.Commits-before.Commits; rows > 2000*commits {
		t.Fatalf("%d rows in %d commits", rows, commits)
	}
}
