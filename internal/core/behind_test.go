package core

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// stall makes c behind: its outbox is full of what others say elsewhere. It answers
// how many events stand in it.
func (w *world) stall(c *client) int {
	w.Helper()
	for i := range hub.MaxQueued {
		w.say("filler", im.DirectAddress(c.user), fmt.Sprint(i))
	}
	if n := w.c.hub.Stats().Queued; n < hub.MaxQueued {
		w.Fatalf("only %d events are queued", n)
	}
	return hub.MaxQueued
}

// drain takes everything but what the filler said, until f wants no more.
func (c *client) drain(more func(Item) bool) []Item {
	c.w.Helper()
	var out []Item
	for {
		it := c.next()
		if it.Addr == "u/filler" {
			continue
		}
		out = append(out, it)
		if !more(it) {
			return out
		}
	}
}

// numbers are those of a conversation, in the order in which they were told.
func numbers(items []Item, conv im.Address) []im.Seq {
	var out []im.Seq
	for _, it := range items {
		if it.Addr == conv && it.Seq != 0 {
			out = append(out, it.Seq)
		}
	}
	return out
}

func from(a, b im.Seq) []im.Seq {
	var out []im.Seq
	for ; a <= b; a++ {
		out = append(out, a)
	}
	return out
}

// A reader that stops is fed what it missed from the store: each number once, what is
// hidden and what is gone as settled, changes after numbers, states as they are by
// then.
func TestSlowReaderIsFed(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now})
	g := w.group("ann", "bob", "eve")
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	ann.sent("u/bob", "before")
	bob.until(func(it Item) bool { return it.Addr == "u/ann" && it.Seq == 1 })
	w.stall(bob)
	for i := range 300 { // u/ann 2..301
		ann.sent("u/bob", fmt.Sprint(i))
	}
	edited, err := ann.Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, ID: "e", Body: []byte("edited")})
	w.ok(err)
	ann.sent("u/bob", "soon gone", func(s *Send) { s.Msg.Expires = clk.Now().UnixMilli() + 10 }) // 302
	ann.sent("u/bob", "after")                                                                   // 303
	ann.sent(g, "for eve", func(s *Send) { s.Msg.To = []im.UserID{"eve"} })                      // 2
	ann.sent(g, "for all")                                                                       // 3
	ann.sent("u/bob", "now", flags(im.Status))
	w.ok(ann.Signal("u/bob", im.Signal{Kind: "typing"}))
	bob.sent("u/ann", "mine") // 304: answered, so not told
	ann.sent("u/bob", "last") // 305
	w.spreadAll()
	if n, _ := bob.box.Behind(); n < 2 {
		t.Fatalf("behind in %d", n)
	}
	clk.add(100)
	seen := map[im.Address]im.Seq{}
	items := bob.drain(func(it Item) bool {
		if it.Seq != 0 {
			seen[it.Addr] = it.Seq
		}
		return seen["u/ann"] < 305 || seen[g] < 3
	})
	if it := changeIn(bob, items); it.Ver != edited.Ver || string(it.Change.Msg.Body) != "edited" {
		t.Fatalf("%+v", it.Event)
	}
	want := slices.DeleteFunc(from(2, 305), func(n im.Seq) bool { return n == 304 })
	if got := numbers(items, "u/ann"); !slices.Equal(got, want) {
		t.Fatalf("%v", got)
	}
	for _, it := range items {
		switch {
		case it.Addr == "u/ann" && it.Seq == 302 && !it.Hidden,
			it.Addr == g && it.Seq == 2 && !it.Hidden,
			it.Addr == g && it.Seq == 3 && (it.Hidden || string(it.Msg.Body) != "for all"),
			it.Msg != nil && it.Msg.Flags == im.Status,
			it.Signal != nil:
			t.Fatalf("%s %+v", it.Addr, it.Event)
		}
	}
	if n, all := bob.box.Behind(); n != 0 || all {
		t.Fatalf("behind in %d, all %v", n, all)
	}
	ann.sent("u/bob", "live")
	bob.until(func(it Item) bool { return it.Addr == "u/ann" && it.Seq == 306 })
}

// changeIn finds the change among what was told, or waits for it.
func changeIn(c *client, items []Item) Item {
	for _, it := range items {
		if it.Change != nil {
			return it
		}
	}
	return c.until(func(it Item) bool { return it.Change != nil })
}

func TestStateIsToldAsItIsByThen(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob, tablet := w.login("ann", "phone"), w.login("bob", "phone"), w.login("bob", "tablet")
	for range 3 {
		ann.sent("u/bob", "x")
	}
	bob.until(func(it Item) bool { return it.Addr == "u/ann" && it.Seq == 3 })
	w.stall(bob)
	for seq := range im.Seq(3) {
		_, err := tablet.Read(t.Context(), "u/ann", seq+1)
		w.ok(err)
	}
	for n := 0; n == 0; n, _ = bob.box.Behind() {
		time.Sleep(time.Millisecond) // the teller has its own goroutine
	}
	items := bob.drain(func(it Item) bool { return it.State == nil || it.State.Mine == nil || it.State.Mine.Read < 3 })
	if n := len(items); n > 3 {
		t.Fatalf("%d events", n)
	}
	m := items[len(items)-1].State
	if m.Mine.Unread != 0 || m.Peer == nil || m.Head == nil || m.Head.Seq != 3 {
		t.Fatalf("%+v", m)
	}
}

// The change log of "me" is a conversation like any other here.
func TestBehindInMe(t *testing.T) {
	w := newWorld(t, Config{})
	phone, laptop := w.login("ann", "phone"), w.login("ann", "laptop")
	w.stall(phone)
	for _, u := range []im.UserID{"x", "y", "z"} {
		w.ok(laptop.Block(t.Context(), u))
	}
	items := phone.drain(func(it Item) bool { return it.Ver < 3 })
	for i, it := range items {
		if it.Addr != im.Me || it.Ver != im.Ver(i+1) || it.Change == nil || it.Change.Kind != im.BlockAdded || it.Change.Peer != im.UserID([]string{"x", "y", "z"}[i]) {
			t.Fatalf("%d: %s %+v", i, it.Addr, it.Event)
		}
	}
}

// Who left a group while he was behind in it hears that, and nothing else of it.
func TestLeftWhileBehind(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "zoe")
	ann, bob, zoe := w.login("ann", "phone"), w.login("bob", "phone"), w.login("zoe", "phone")
	ann.sent(g, "before")
	bob.until(func(it Item) bool { return it.Addr == g && it.Seq == 2 })
	w.stall(bob)
	for range 5 {
		ann.sent(g, "secret")
	}
	zoe.until(func(it Item) bool { return it.Seq == 7 }) // who comes after bob
	_, err := ann.GroupRemove(t.Context(), g, []im.UserID{"bob"})
	w.ok(err)
	ann.sent(g, "after")
	items := bob.drain(func(it Item) bool { return it.State == nil || it.State.Mine == nil || !it.State.Mine.Left })
	if got := numbers(items, g); len(got) != 0 {
		t.Fatalf("told %v", got)
	}
	bob.quiet(func(it Item) bool { return it.Addr == g })
}

// Of a long stretch of numbers that are gone, a reader is told that the head is
// further: he asks for what he lacks. Of a short one he is told each.
func TestHoles(t *testing.T) {
	for _, n := range []int{50, feedHole + 10} {
		clk := newClock()
		w := newWorld(t, Config{Clock: clk.Now})
		ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
		ann.sent("u/bob", "first")
		bob.until(func(it Item) bool { return it.Addr == "u/ann" })
		w.stall(bob)
		for range n {
			ann.sent("u/bob", "command", flags(0))
		}
		clk.add(31 * 24 * 3_600_000)
		gone, err := w.st.Sweep(t.Context(), clk.Now(), store.SweepPolicy{})
		w.ok(err)
		if gone < n {
			t.Fatalf("%d rows went", gone)
		}
		last := w.from(ann.Session, "u/bob", "last")
		head := im.Seq(0)
		items := bob.drain(func(it Item) bool {
			if it.State != nil && it.State.Head != nil {
				head = it.State.Head.Seq
			}
			return it.Seq != last
		})
		told := len(numbers(items, "u/ann"))
		if n < feedHole && (told != n+1 || head != 0) || n > feedHole && (told != 1 || head != last) {
			t.Fatalf("%d are gone: %d numbers are told, head %d", n, told, head)
		}
	}
}

// More than 1,000 changes behind, or below the log: the head says so.
func TestManyChangesBehind(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	ann.sent("u/bob", "x")
	bob.until(func(it Item) bool { return it.Addr == "u/ann" && it.Seq == 1 })
	w.stall(bob)
	for i := range 1100 {
		_, err := ann.Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, ID: im.ClientID(fmt.Sprint("e", i)), Body: []byte(fmt.Sprint(i))})
		w.ok(err)
	}
	items := bob.drain(func(it Item) bool { return it.State == nil || it.State.Head == nil || it.State.Head.Ver < 1100 })
	if len(items) > 10 {
		t.Fatalf("%d events", len(items))
	}
	a, err := bob.Changes(t.Context(), "u/ann", 1, 100)
	w.ok(err)
	if !a.Reset || a.Ver != 1100 {
		t.Fatalf("%+v", a)
	}
	_, err = ann.Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, ID: "last", Body: []byte("last")})
	w.ok(err)
	bob.until(func(it Item) bool { return it.Ver == 1101 })
}

// One reader that stops holds up nobody.
func TestNobodyWaitsForASlowReader(t *testing.T) {
	w := newWorld(t, Config{})
	users := []im.UserID{"slow"}
	for i := range 20 {
		users = append(users, im.UserID(fmt.Sprint("u", i)))
	}
	g := w.group("ann", users...)
	ann := w.login("ann", "phone")
	slow := w.login("slow", "phone")
	const n = 2000
	var wg sync.WaitGroup
	for _, u := range users[1:] {
		c := w.login(u, "phone")
		wg.Go(func() {
			last := im.Seq(1)
			for last < n+1 {
				it := c.until(isNumber)
				if it.Seq != 1 && it.Seq != last+1 {
					t.Errorf("%s is told %d after %d", c.user, it.Seq, last)
					return
				}
				last = it.Seq
			}
		})
	}
	done := make(chan *Send, n)
	for i := range n {
		ann.Send(&Send{To: g, Msg: &im.Message{ID: im.ClientID(fmt.Sprint(i)), Type: "an:text", Body: make([]byte, 2000)}, Done: func(s *Send) { done <- s }})
		if w := slow.box.Weight(); w > hub.MaxQueuedBytes {
			t.Fatalf("the slow one holds %d bytes", w)
		}
	}
	for range n {
		if s := <-done; s.Err != nil {
			t.Fatal(s.Err)
		}
	}
	wg.Wait()
	if n, _ := slow.box.Behind(); n != 1 {
		t.Fatalf("the slow one is behind in %d", n)
	}
	items := slow.drain(func(it Item) bool { return it.Seq < n+1 })
	if got := numbers(items, g); !slices.Equal(got, from(got[0], n+1)) || got[0] > 2 {
		t.Fatalf("%d numbers from %d", len(got), got[0])
	}
}

// A store that cannot be read for a while puts a feeder off, and nothing is lost.
func TestFeederTriesAgain(t *testing.T) {
	w := newWorld(t, Config{})
	st := &brokenReader{Store: w.st}
	w.c.Close()
	w.c = New(Config{SweepEvery: -1, Limits: im.Limits{SendRate: -1}}, st, w.c.ver, w.rev)
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	ann.sent("u/bob", "x")
	id, last := bob.ID(), bob.last
	bob.Detach()
	ann.sent("u/bob", "y")
	st.broken.Store(true)
	bob = w.login("bob", "phone", func(l *Login) { l.Resume, l.LastPush = id, last })
	for n := 0; n == 0; runtime.Gosched() {
		w.c.feeders.mu.Lock()
		n = len(w.c.feeders.later)
		w.c.feeders.mu.Unlock()
	}
	ann.sent("u/bob", "z")
	st.broken.Store(false)
	for i, body := range []string{"x", "y", "z"} {
		bob.gets("u/ann", im.Seq(i+1), body)
	}
}

// What happens while a session signs in is not forgotten: it is woken for it.
func TestWokenForWhatCameWhileSigningIn(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone")
	for range 50 {
		var wg sync.WaitGroup
		wg.Go(func() { ann.sent("u/bob", "x") })
		bob := w.login("bob", "phone")
		a, err := bob.Sync(t.Context(), SyncQuery{HeadsOnly: true})
		w.ok(err)
		wg.Wait()
		head, err := ann.Conversation(t.Context(), "u/bob")
		w.ok(err)
		known := im.Seq(0)
		for _, c := range a.Conversations {
			known = c.Head.Seq
		}
		if known < head.Head.Seq { // then it is told
			bob.until(func(it Item) bool { return it.Seq == head.Head.Seq })
		}
		bob.Close()
	}
}

func TestResumeGoesOn(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	ann.sent(g, "a")
	bob.until(func(it Item) bool { return it.Addr == g && it.Seq == 2 })
	id, last := bob.ID(), bob.last
	// these are taken by the door and lost with the link
	ann.sent(g, "b")
	ann.sent("u/bob", "1")
	for n := 0; n < 2; {
		items, _ := bob.Take(nil, 10, 1000)
		n += len(numbers(items, g)) + len(numbers(items, "u/ann"))
	}
	bob.Detach()
	ann.sent(g, "c")
	ann.sent("u/bob", "now", flags(im.Status))
	_, err := ann.Edit(t.Context(), EditRequest{Conv: "u/bob", Seq: 1, ID: "e", Body: []byte("edited")})
	w.ok(err)

	again := w.login("bob", "phone", func(l *Login) { l.Resume, l.LastPush = id, last })
	if !again.Resumed() || again.ID() == id {
		t.Fatal("not resumed, or under the same id")
	}
	seen := map[im.Address]bool{}
	var items []Item
	for len(seen) < 3 {
		it := again.next()
		items = append(items, it)
		switch {
		case it.Addr == g && it.Seq == 4, it.Addr == "u/ann" && it.Seq == 1:
			seen[it.Addr] = true
		case it.Ver == 1:
			seen["change"] = true
		}
	}
	if got := numbers(items, g); !slices.Equal(got, []im.Seq{3, 4}) {
		t.Fatalf("%v", got)
	}
	again.quiet(func(it Item) bool { return it.Msg != nil && it.Msg.Flags == im.Status })

	// until the first frame the old id is good, too: a lost welcome costs nothing
	third := w.login("bob", "phone", func(l *Login) { l.Resume, l.LastPush = id, again.last })
	if e := again.end(); !third.Resumed() || e.Code != im.CodeReplaced {
		t.Fatalf("resumed %v, %+v", third.Resumed(), e)
	}
	third.Confirm()
	fourth := w.login("bob", "phone", func(l *Login) { l.Resume, l.LastPush = id, third.last })
	if e := third.end(); fourth.Resumed() || e.Code != im.CodeReplaced {
		t.Fatalf("resumed %v, %+v", fourth.Resumed(), e)
	}
	fourth.alive()
}

func TestResumeOfOthers(t *testing.T) {
	w := newWorld(t, Config{})
	bob := w.login("bob", "phone")
	for _, c := range []struct {
		user   im.UserID
		device im.DeviceID
		id     string
		last   uint64
	}{{"eve", "phone", bob.ID(), 0}, {"bob", "laptop", bob.ID(), 0}, {"bob", "tv", "", 0}, {"bob", "tv", "nonsense", 0}, {"bob", "tv", hub.NewID().String(), 0}} {
		s := w.login(c.user, c.device, func(l *Login) { l.Resume, l.LastPush = c.id, c.last })
		if s.Resumed() {
			t.Fatalf("%+v is resumed", c)
		}
	}
	bob.alive()
	later := w.login("bob", "phone", func(l *Login) { l.Resume, l.LastPush = bob.ID(), 99 }) // never given
	if later.Resumed() || bob.end().Code != im.CodeReplaced {
		t.Fatal("resumed with a push that was never given")
	}
	later.alive()
}

// A session that has begun anew makes the detached one of the same device useless.
func TestNewSessionOfADetachedDevice(t *testing.T) {
	w := newWorld(t, Config{})
	bob := w.login("bob", "phone")
	id := bob.ID()
	bob.Detach()
	w.login("bob", "phone").alive()
	if s := w.login("bob", "phone", func(l *Login) { l.Resume = id }); s.Resumed() {
		t.Fatal("resumed")
	}
	if n := len(w.c.hub.Sessions("bob")); n != 1 {
		t.Fatalf("%d sessions", n)
	}
}

func TestDetachedSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Limits: im.Limits{DetachedFor: time.Minute}})
		bob, eve := w.login("bob", "phone"), w.login("eve", "phone")
		bob.Detach()
		eve.Detach()
		time.Sleep(58 * time.Second)
		if s := w.login("bob", "phone", func(l *Login) { l.Resume = bob.ID() }); !s.Resumed() {
			t.Fatal("not resumed after 58 s")
		}
		time.Sleep(4 * time.Second)
		if s := w.login("eve", "phone", func(l *Login) { l.Resume = eve.ID() }); s.Resumed() {
			t.Fatal("resumed after 62 s")
		}
		if n := w.c.Stats().Detached; n != 0 {
			t.Fatalf("%d are detached", n)
		}
	})
}

// Delivered numbers are told to the sender, at most once a second.
func TestDeliveredIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
		isPeer := func(it Item) bool { return it.State != nil && it.State.Peer != nil }
		time.Sleep(10 * time.Second)
		ann.sent("u/bob", "1")
		bob.until(isMessage)
		began := time.Now()
		if it := ann.until(isPeer); it.Addr != "u/bob" || it.State.Peer.Delivered != 1 || time.Since(began) != 0 {
			t.Fatalf("%+v after %v", it.State.Peer, time.Since(began))
		}
		for range 50 {
			ann.sent("u/bob", "x")
			bob.until(isMessage)
		}
		told := 0
		for {
			it := ann.until(isPeer)
			told++
			if it.State.Peer.Delivered == 51 {
				break
			}
		}
		if d := time.Since(began); told > 1 || d < time.Second || d > 2500*time.Millisecond {
			t.Fatalf("told %d times, after %v", told, d)
		}
		c, err := ann.Conversation(t.Context(), "u/bob")
		w.ok(err)
		if c.Peer.Delivered != 51 {
			t.Fatalf("%+v", c.Peer)
		}
		// what was fetched counts as well
		bob.Close()
		ann.sent("u/bob", "y")
		bob = w.login("bob", "phone")
		bob.Ack(0, []Pulled{{Conv: "u/ann", Seq: 1000}, {Conv: "g/nope", Seq: 1}, {Conv: "u/stranger", Seq: 1}, {Conv: "nonsense", Seq: 1}})
		if it := ann.until(isPeer); it.State.Peer.Delivered != 52 {
			t.Fatalf("%+v", it.State.Peer)
		}
	})
}

// A receipt made while the sender was away is there when he returns.
func TestReceiptsForTheAbsent(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	ann.sent("u/bob", "1")
	id, last := ann.ID(), ann.last
	ann.Detach()
	bob.until(isMessage)
	again := w.login("ann", "phone", func(l *Login) { l.Resume, l.LastPush = id, last })
	it := again.until(func(it Item) bool { return it.State != nil && it.State.Peer != nil })
	if !again.Resumed() || it.State.Peer.Delivered != 1 {
		t.Fatalf("%+v", it.State.Peer)
	}
}

// The cursors of doors whose clients keep none move with acknowledgements.
func TestCursors(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	ann, line := w.login("ann", "phone"), w.login("bob", "line", func(l *Login) { l.Door, l.Cursors = "line", true })
	ann.sent(g, "a")
	ann.sent("u/bob", "b")
	line.until(func(it Item) bool { return it.Addr == g && it.Seq == 2 })
	line.quiet(func(Item) bool { return false }) // acknowledged with what came before
	w.ok(w.c.do(t.Context(), &store.KeptOp{Conv: 1, Sender: "x", ID: "x"}))
	for addr, want := range map[im.Address]im.Seq{g: 2, "u/ann": 1} {
		ref, err := line.resolve(addr)
		w.ok(err)
		if n, err := w.st.Cursor("bob", "line", ref.conv); err != nil || n != want {
			t.Fatalf("%s: cursor %d (%v); want %d", addr, n, err, want)
		}
	}
}
