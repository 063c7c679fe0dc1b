package core

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/testkit"
)

func TestE8_ReadReceiptsInDirectConversations(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone")
	w.from(ann.Session, "u/bob", "1")
	w.from(ann.Session, "u/bob", "2")
	_, err := w.as("bob").Read(t.Context(), "u/ann", 1)
	w.ok(err)
	it := ann.until(func(it Item) bool { return it.State != nil && it.State.Peer != nil && it.State.Peer.Read != 0 })
	if it.Addr != "u/bob" || it.State.Peer.Read != 1 {
		t.Fatalf("%s %+v", it.Addr, it.State.Peer)
	}
	counts, err := ann.ReadCounts(t.Context(), "u/bob", []im.Seq{1, 2, 3})
	w.ok(err)
	if len(counts) != 2 || counts[0].Read != 1 || counts[0].Unread != 0 || counts[1].Read != 0 || counts[1].Unread != 1 || counts[1].Seq != 2 {
		t.Fatalf("%+v", counts)
	}
	if c, err := ann.Conversation(t.Context(), "u/bob"); err != nil || c.Peer.Read != 1 { // also for who was away
		t.Fatalf("%+v %v", c.Peer, err)
	}
	users, more, _, err := ann.ReadList(t.Context(), "u/bob", 1, false, "", 0)
	if err != nil || more || !slices.Equal(users, []im.UserID{"bob"}) {
		t.Fatal(users, more, err)
	}
}

// The receiver's client acknowledges what was pushed; the sender is told, or finds it
// when he comes.
func TestE10_DeliveredReceipts(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	seq := w.from(ann.Session, "u/bob", "1")
	if c, err := ann.Conversation(t.Context(), "u/bob"); err != nil || c.Peer.Delivered != 0 {
		t.Fatalf("%+v %v", c.Peer, err)
	}
	bob.until(says("1")) // which acknowledges it
	it := ann.until(func(it Item) bool { return it.State != nil && it.State.Peer != nil })
	if it.Addr != "u/bob" || it.State.Peer.Delivered != seq || it.State.Peer.Read != 0 {
		t.Fatalf("%s %+v", it.Addr, it.State.Peer)
	}
	ann.Close()
	w.from(bob.Session, "u/ann", "2") // nobody is there
	seq = w.from(w.as("ann"), "u/bob", "3")
	bob.until(says("3"))
	if c, err := w.login("ann", "phone").Conversation(t.Context(), "u/bob"); err != nil || c.Peer.Delivered != seq || c.Peer.Read != 2 {
		t.Fatalf("%+v %v", c.Peer, err)
	}
	if c, err := bob.Conversation(t.Context(), "u/ann"); err != nil || c.Peer.Delivered != 0 {
		t.Fatalf("%+v %v: ann's devices took nothing", c.Peer, err)
	}
}

// count wants what ReadCounts and ReadList say of one message.
func (w *world) count(u im.UserID, g im.Address, seq im.Seq, read, unread []im.UserID) {
	w.Helper()
	s := w.as(u)
	counts, err := s.ReadCounts(context.Background(), g, []im.Seq{seq})
	w.ok(err)
	if len(counts) != 1 || counts[0].Read != len(read) || counts[0].Unread != len(unread) {
		w.Fatalf("message %d: %+v; want %d and %d", seq, counts, len(read), len(unread))
	}
	for i, want := range [][]im.UserID{read, unread} {
		var got []im.UserID
		for after := im.UserID(""); ; {
			users, more, asOf, err := s.ReadList(context.Background(), g, seq, i == 1, after, 3)
			w.ok(err)
			if asOf == 0 || len(users) > 3 {
				w.Fatal(asOf, users)
			}
			got = append(got, users...)
			if !more {
				break
			}
			after = users[len(users)-1]
		}
		if !slices.Equal(got, want) {
			w.Fatalf("message %d, unread %v: %v; want %v", seq, i == 1, got, want)
		}
	}
}

func TestE9_GroupReadReceipts(t *testing.T) {
	w := newWorld(t, Config{})
	type list = []im.UserID
	g := w.group("ann", "bob", "eve", "joe", "kim")
	seq := w.say("ann", g, "1")
	w.count("ann", g, seq, nil, list{"bob", "eve", "joe", "kim"})
	for _, u := range (list{"eve", "kim"}) {
		_, err := w.as(u).Read(t.Context(), g, seq)
		w.ok(err)
	}
	w.count("bob", g, seq, list{"eve", "kim"}, list{"bob", "joe"})
	next := w.say("joe", g, "2") // who writes has read
	w.count("ann", g, seq, list{"eve", "joe", "kim"}, list{"bob"})
	w.count("ann", g, next, nil, list{"ann", "bob", "eve", "kim"})
	_, err := w.as("kim").Leave(t.Context(), g)
	w.ok(err)
	_, err = w.as("ann").GroupAdd(t.Context(), g, list{"lee"})
	w.ok(err)
	w.count("ann", g, seq, list{"eve", "joe"}, list{"bob"}) // lee does not see it
	only := w.say("ann", g, "3", func(m *im.Message) { m.To = list{"joe", "bob", "kim"} })
	_, err = w.as("bob").Read(t.Context(), g, only)
	w.ok(err)
	w.count("ann", g, only, list{"bob"}, list{"joe"})

	_, err = w.as("kim").ReadCounts(t.Context(), g, []im.Seq{seq})
	w.refused(err, im.NotFound)
	_, _, _, err = w.as("eve").ReadList(t.Context(), g, only, false, "", 0)
	w.refused(err, im.NotFound)
	if c, err := w.as("eve").ReadCounts(t.Context(), g, []im.Seq{only, 99}); err != nil || c != nil {
		t.Fatal(c, err)
	}
	_, err = w.as("ann").ReadCounts(t.Context(), g, make([]im.Seq, maxCounted+1))
	w.refused(err, im.TooLarge)
}

// What a tally is kept up to date with ends where reading all marks anew does.
func TestE9_TalliesKeepUp(t *testing.T) {
	steps := 40
	if testkit.Soak(t) {
		steps = 2000
	}
	rapid.Check(t, func(rt *rapid.T) {
		ck := newClock()
		w := newWorld(t, Config{Clock: ck.Now})
		defer w.st.Close()
		defer w.c.Close()
		g := w.crowdOf(smallMarks + 50)
		boss := w.as("ann")
		ref, err := boss.resolve(g)
		w.ok(err)
		user := func() im.UserID {
			return im.UserID(fmt.Sprintf("m%04d", rapid.IntRange(1, 20).Draw(rt, "user")))
		}
		for range steps {
			u := user()
			switch rapid.SampledFrom([]string{"read", "read", "say", "add", "remove", "wait", "ask"}).Draw(rt, "act") {
			case "read":
				_, _ = w.as(u).Read(context.Background(), g, 0) // may be out just now
			case "say":
				if row, _, _ := w.st.Row(ref.conv, u); row.In() {
					w.say(u, g, "x")
				}
			case "add":
				_, err = boss.GroupAdd(context.Background(), g, []im.UserID{u})
			case "remove":
				_, err = boss.GroupRemove(context.Background(), g, []im.UserID{u})
			case "wait":
				ck.add(2 * marksFresh.Milliseconds())
			case "ask":
				head, _ := w.st.Head(ref.conv)
				err = w.c.marksOf(context.Background(), &head, func([]mark, int64) {})
			}
			w.ok(err)
		}
		ck.add(2 * marksFresh.Milliseconds())
		head, _ := w.st.Head(ref.conv)
		want, err := w.c.readMarks(context.Background(), ref.conv)
		w.ok(err)
		w.ok(w.c.marksOf(context.Background(), &head, func(list []mark, asOf int64) {
			if !slices.Equal(list, want) || asOf != ck.Now().UnixMilli() {
				rt.Fatalf("%v at %d; want %v", list, asOf, want)
			}
		}))
	})
}

// A tally is as old as it says, is dropped when nobody asks, and all together are
// bounded.
func TestTalliesAreBounded(t *testing.T) {
	ck := newClock()
	w := newWorld(t, Config{Clock: ck.Now})
	g := w.crowdOf(smallMarks + 50)
	seq := w.say("m0000", g, "x")
	ask := func() ReadCount {
		t.Helper()
		c, err := w.as("m0000").ReadCounts(t.Context(), g, []im.Seq{seq})
		w.ok(err)
		return c[0]
	}
	began := ck.Now().UnixMilli()
	if c := ask(); c.Read != 0 || c.Unread != smallMarks+49 || c.AsOf != began {
		t.Fatalf("%+v", c)
	}
	_, err := w.as("m0003").Read(t.Context(), g, 0)
	w.ok(err)
	ck.add(marksFresh.Milliseconds() - 1)
	if c := ask(); c.Read != 0 || c.AsOf != began {
		t.Fatalf("%+v", c)
	}
	ck.add(1)
	if c := ask(); c.Read != 1 || c.AsOf != ck.Now().UnixMilli() {
		t.Fatalf("%+v", c)
	}
	ck.add(marksIdle.Milliseconds() + 1)
	w.c.marks.tick(ck.Now())
	if n := len(w.c.marks.m); n != 0 {
		t.Fatalf("%d tallies are kept", n)
	}
	for i := range 3 * maxMarkKept {
		ck.add(1)
		w.c.marks.open(im.ConvID(1000+i), maxMarks/10, ck.Now())
	}
	if n := len(w.c.marks.m); n > 10 {
		t.Fatalf("%d tallies of a tenth of all members each", n)
	}
	if w.c.marks.find(im.ConvID(1000+3*maxMarkKept-1)) == nil {
		t.Fatal("the newest has gone")
	}
}

func TestCountMarks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var list []mark
		for i := range rapid.IntRange(0, 20).Draw(rt, "members") {
			from := im.Seq(rapid.IntRange(1, 10).Draw(rt, "from"))
			list = append(list, mark{im.UserID(fmt.Sprintf("%02d", i)), from, im.Seq(rapid.IntRange(0, 12).Draw(rt, "read"))})
		}
		var msgs []*im.Message
		for range rapid.IntRange(1, 6).Draw(rt, "messages") {
			msgs = append(msgs, &im.Message{Seq: im.Seq(rapid.IntRange(1, 10).Draw(rt, "seq")), Sender: im.UserID(fmt.Sprintf("%02d", rapid.IntRange(0, 25).Draw(rt, "sender")))})
		}
		counts := make([]ReadCount, len(msgs))
		countMarks(msgs, counts, list, 5)
		for i, m := range msgs {
			want := ReadCount{Seq: m.Seq, AsOf: 5}
			for _, k := range list {
				switch {
				case k.user == m.Sender || k.from > m.Seq:
				case k.read >= m.Seq:
					want.Read++
				default:
					want.Unread++
				}
			}
			if counts[i] != want {
				rt.Fatalf("%+v; want %+v of %v", counts[i], want, list)
			}
		}
	})
}
