package pebblestore_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Client ids are kept for two buckets of a week and then dropped from the disk, also
// when the store is opened in between and whatever the filter still holds.
func TestClientIDsAge(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprint("reopen ", reopen), func(t *testing.T) {
			c := &clock{now: time.UnixMilli(1_800_000_000_000)}
			mem := vfs.NewMem()
			db, s := opened(t, mem, pebblestore.Config{Clock: c.Now})
			first := must(t, s, send("alice", "bob", "the-first-id", "x"))
			again := func() *store.AppendOp {
				t.Helper()
				if reopen {
					db.Close()
					db, s = opened(t, mem, pebblestore.Config{Clock: c.Now})
				}
				return must(t, s, send("alice", "bob", "the-first-id", "x"))
			}
			for week := 1; week <= 2; week++ {
				if op := again(); !op.Dup || op.Seq != first.Seq {
					t.Fatalf("week %d: %+v", week, op)
				}
				c.add(7 * 24 * time.Hour)
				must(t, s, send("alice", "bob", fmt.Sprint("week", week), "x")) // begins a bucket
			}
			if n := bytes.Count(db.Dump(), []byte("the-first-id")); n != 1 { // the message itself
				t.Fatalf("the id is there %d times", n)
			}
			if op := again(); op.Dup || op.Seq != 4 {
				t.Fatalf("after two weeks: %+v", op)
			}
			if op := must(t, s, send("alice", "bob", "week1", "x")); !op.Dup || op.Seq != 2 {
				t.Fatalf("an id of last week: %+v", op)
			}
		})
	}
}

// A checkpoint drops the rows of commits, and nothing is lost by that: not heads, not
// cursors of members who sent, whether the store was closed or its power was cut.
func TestCheckpoint(t *testing.T) {
	mem := vfs.NewCrashableMem()
	db, s := opened(t, mem, pebblestore.Config{}.Tiny())
	g := must(t, s, &store.MemberOp{Info: &im.GroupInfo{ID: "g"}, By: "u0", Set: []store.RoleSet{{User: "u0", Role: im.Owner}, {User: "u1", Role: im.Member}, {User: "u2", Role: im.Member}}})
	most := 0
	for i := range 1000 {
		op := send(fmt.Sprint("u", i%3), "", fmt.Sprint("g", i), "x")
		op.Conv, op.Guard = g.At, g.MVer
		must(t, s, op)
		must(t, s, send(fmt.Sprint("v", i%40), "peer", fmt.Sprint("d", i), "x"))
		if i%50 == 49 {
			most = max(most, db.CommitRows())
		}
	}
	if most < 50 || most > 1000 { // 2,001 commits, a checkpoint every 150
		t.Fatalf("%d rows of commits at most", most)
	}
	check := func(what string, s *pebblestore.Store, db *pebblestore.DB) {
		t.Helper()
		for i := range 3 {
			r, ok, err := s.Row(g.At, im.UserID(fmt.Sprint("u", i)))
			if want := im.Seq(1000 - (999-i)%3); err != nil || !ok || r.Read != want || r.ReadN != uint64(want) {
				t.Fatalf("%s: u%d %+v %v, want read %d", what, i, r, err, want)
			}
		}
		h, ok := s.Head(g.At)
		if !ok || h.Seq != 1000 || h.N != 1000 || h.LastShown != 1000 || h.Members != 3 {
			t.Fatalf("%s: %+v", what, h)
		}
		for i := range 40 {
			c, ok, _ := s.Direct(im.UserID(fmt.Sprint("v", i)), "peer", "")
			h, _ := s.Head(c)
			if !ok || h.Seq != 25 || h.Sides[1].Read != 25 || h.Sides[1].ReadN != 25 {
				t.Fatalf("%s: %+v", what, h)
			}
		}
	}
	check("at once", s, db)
	cut := mem.CrashClone(vfs.CrashCloneCfg{})
	db2, s2 := opened(t, cut, pebblestore.Config{}.Tiny())
	check("after a power cut", s2, db2)
	db2.Close()
	db.Close()
	db, s = opened(t, mem, pebblestore.Config{}.Tiny())
	check("after closing", s, db)
	if n := db.CommitRows(); n > 2 {
		t.Fatalf("%d rows of commits after closing", n)
	}
}
