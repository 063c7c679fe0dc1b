package core

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// What people ask of a group of 100,000 members, over the embedded store: a page of
// members, the count of who has read a message, a page of their list, also after the
// tally has to be brought up to date, and the tally's first build.
func BenchmarkCrowd(b *testing.B) {
	const members = 100_000
	db, err := pebblestore.Open(pebblestore.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	st, err := db.App("default")
	if err != nil {
		b.Fatal(err)
	}
	v, err := auth.NewVerifier(auth.Config{Secret: testSecret})
	if err != nil {
		b.Fatal(err)
	}
	c := New(Config{SweepEvery: -1, Limits: im.Limits{SendRate: -1}}, st, v, nil)
	defer c.Close()
	ctx := context.Background()
	ok := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	as := func(u im.UserID) *Session { return &Session{c: c, user: u, device: "phone", self: im.DirectAddress(u)} }
	user := func(i int) im.UserID { return im.UserID(fmt.Sprintf("m%06d", i)) }
	owner := as("owner")
	g, err := owner.GroupCreate(ctx, NewGroup{ID: "g", Name: "crowd"})
	ok(err)
	addr := im.GroupAddress(g.ID)
	var all []im.UserID
	for i := range members - 1 {
		all = append(all, user(i))
	}
	for some := range slices.Chunk(all, maxUsersCall) {
		_, err := owner.GroupAdd(ctx, addr, some)
		ok(err)
	}
	send := func() im.Seq {
		snd := &Send{To: addr, Msg: &im.Message{ID: im.ClientID(fmt.Sprint(time.Now().UnixNano())), Type: "an:text", Body: []byte("{}")}}
		ok(owner.SendWait(ctx, snd))
		return snd.Seq
	}
	seq := send()
	ref, err := owner.resolve(addr)
	ok(err)
	reads := make(chan error, 1024)
	for i := range members / 2 { // every second one has read it
		op := &store.ReadOp{Conv: ref.conv, User: user(2 * i), Seq: seq}
		if i == members/2-1 {
			op.User = user(0)
		}
		op.Done = func() { reads <- op.Err }
		ok(st.Submit(op))
		if i >= cap(reads) {
			ok(<-reads)
		}
	}
	for range cap(reads) {
		ok(<-reads)
	}

	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			c.marks.m = nil
			counts, err := owner.ReadCounts(ctx, addr, []im.Seq{seq})
			if err != nil || counts[0].Read < members/2-1 || counts[0].Read+counts[0].Unread != members-1 {
				b.Fatalf("%+v %v", counts, err)
			}
		}
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			_, err := owner.ReadCounts(ctx, addr, []im.Seq{seq})
			ok(err)
		}
	})
	b.Run("catchup", func(b *testing.B) { // a message and 100 read marks since
		t := c.marks.find(ref.conv)
		n := 0
		for b.Loop() {
			b.StopTimer()
			last := send()
			for range 100 {
				n++
				_, err := as(user(n%members)).Read(ctx, addr, last)
				if n%members == members-1 {
					err = nil
				}
				ok(err)
			}
			t.mu.Lock()
			t.asOf = t.asOf.Add(-time.Minute)
			t.mu.Unlock()
			b.StartTimer()
			_, err := owner.ReadCounts(ctx, addr, []im.Seq{seq})
			ok(err)
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			users, more, _, err := owner.ReadList(ctx, addr, seq, true, user(members/2), 100)
			if err != nil || len(users) != 100 || !more {
				b.Fatal(len(users), more, err)
			}
		}
	})
	b.Run("members", func(b *testing.B) {
		for b.Loop() {
			list, more, _, err := owner.GroupMembers(ctx, addr, user(members/2), 100)
			if err != nil || len(list) != 100 || !more {
				b.Fatal(len(list), more, err)
			}
		}
	})
}

// On the embedded store, too, what was scheduled and to be told before it was closed is
// done once after it is opened again.
func TestE15_OnceAcrossRestartsOfTheDisk(t *testing.T) {
	dir, ck := t.TempDir(), newClock()
	v, err := auth.NewVerifier(auth.Config{Secret: testSecret, Now: ck.Now})
	if err != nil {
		t.Fatal(err)
	}
	open := func() (*Core, func()) {
		t.Helper()
		db, err := pebblestore.Open(pebblestore.Config{Dir: dir, Clock: ck.Now})
		if err != nil {
			t.Fatal(err)
		}
		st, err := db.App("default")
		if err != nil {
			t.Fatal(err)
		}
		c := New(Config{SweepEvery: -1, Clock: ck.Now}, st, v, nil)
		return c, func() {
			c.Close()
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	as := func(c *Core, u im.UserID) *Session {
		return &Session{c: c, user: u, device: "phone", self: im.DirectAddress(u)}
	}
	ctx := t.Context()
	c, stop := open()
	at := ck.Now().Add(time.Hour).UnixMilli()
	for i := range 3 {
		id := im.ClientID(fmt.Sprint("s", i))
		if _, err := as(c, "ann").Schedule(ctx, Schedule{ID: id, At: at, To: "u/bob", Msg: text(id, string(id))}); err != nil {
			t.Fatal(err)
		}
		if _, err := as(c, "ann").Remind(ctx, Reminder{ID: id, At: at}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	ck.add(2 * time.Hour.Milliseconds())
	for range 2 { // the second time there is nothing left to do
		c, stop = open()
		for limit := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			waiting, _, err := as(c, "ann").Scheduled(ctx, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			told, _, err := as(c, "ann").Reminders(ctx, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(waiting) == 0 && len(told) == 3 && told[0].Fired != 0 && told[1].Fired != 0 && told[2].Fired != 0 {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("%d wait, %+v", len(waiting), told)
			}
		}
		ch, err := as(c, "ann").Changes(ctx, im.Me, 1, 0)
		if err != nil || len(ch.Changes) != 3 {
			t.Fatalf("%d notes, %v", len(ch.Changes), err)
		}
		r, head, err := as(c, "bob").Page(ctx, PageQuery{Conv: "u/ann"})
		if err != nil || head.Seq != 3 || len(r.Messages) != 3 {
			t.Fatalf("%d messages, %v", head.Seq, err)
		}
		stop()
	}
}
