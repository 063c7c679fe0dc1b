package core

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
)

// crowdOf makes a group of n members, "m0000" and on, and ann as its owner.
func (w *world) crowdOf(n int) im.Address {
	w.Helper()
	var users []im.UserID
	for i := range n - 1 {
		users = append(users, im.UserID(fmt.Sprintf("m%04d", i)))
	}
	first := users[:min(len(users), 400)]
	g := w.group("ann", first...)
	for rest := users[len(first):]; len(rest) > 0; {
		k := min(len(rest), 500)
		_, err := w.as("ann").GroupAdd(w.Context(), g, rest[:k])
		w.ok(err)
		rest = rest[k:]
	}
	return g
}

func (w *world) convOf(g im.Address) im.ConvID {
	w.Helper()
	ref, err := w.c.look("ann", g)
	w.ok(err)
	return ref.conv
}

// crowd is the list of sessions of a large group; nil if it has none.
func (w *world) crowd(g im.Address) *crowd {
	w.c.fans.mu.RLock()
	defer w.c.fans.mu.RUnlock()
	return w.c.fans.crowds[w.convOf(g)]
}

func isNumber(it Item) bool { return it.Seq != 0 }

// The fan-out of number k goes to the members as of k.
func TestMembersAsOfEachNumber(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	ann, bob, eve := w.login("ann", "phone"), w.login("bob", "phone"), w.login("eve", "phone")
	upTo := func(n im.Seq) { // so that the worker is not behind: who came and went meanwhile hears only that
		bob.until(func(it Item) bool { return it.Seq == n })
	}
	bob.send(g, "m2", "m2")
	_, err := w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"eve"}) // 3
	w.ok(err)
	upTo(3)
	bob.send(g, "m4", "m4")
	_, err = w.as("ann").GroupRemove(t.Context(), g, []im.UserID{"eve"}) // 5
	w.ok(err)
	upTo(5)
	bob.send(g, "m6", "m6")
	_, err = w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"eve"}) // 7
	w.ok(err)
	upTo(7)
	bob.send(g, "m8", "m8")

	it := eve.next()
	if it.Addr != g || it.State == nil || it.State.Mine == nil || it.State.Mine.From != 3 || it.State.Mine.Role != im.Member || it.State.Head == nil {
		t.Fatalf("%+v %+v", it.Event, it.State)
	}
	var got []im.Seq
	left := false
	for len(got) < 4 {
		it := eve.next()
		if it.State != nil && it.State.Mine != nil && it.State.Mine.Left {
			left = true
			if len(got) != 2 {
				t.Fatalf("left after %v", got)
			}
		}
		if isNumber(it) {
			got = append(got, it.Seq)
		}
	}
	if !slices.Equal(got, []im.Seq{3, 4, 7, 8}) || !left {
		t.Fatalf("%v, left %v", got, left)
	}
	for n := im.Seq(2); n <= 8; n++ {
		if it := ann.until(func(it Item) bool { return it.Seq >= 2 }); it.Seq != n { // 1 made the group
			t.Fatalf("ann is told %d; want %d", it.Seq, n)
		}
	}
}

func TestRolesAreTold(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	bob := w.login("bob", "phone")
	_, err := w.as("ann").GroupRole(t.Context(), g, "bob", im.Admin)
	w.ok(err)
	it := bob.until(func(it Item) bool {
		return it.State != nil && it.State.Mine != nil && it.State.Mine.Role == im.Admin
	})
	if it.Addr != g {
		t.Fatal(it.Addr)
	}
}

func TestForSomeMembersOnly(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	ann, laptop, bob, eve := w.login("ann", "phone"), w.login("ann", "laptop"), w.login("bob", "phone"), w.login("eve", "phone")
	snd := ann.sent(g, "for bob", func(s *Send) { s.Msg.To = []im.UserID{"bob"} })
	for _, c := range []*client{laptop, bob} {
		if it := c.until(func(it Item) bool { return it.Seq == snd.Seq }); it.Msg == nil || string(it.Msg.Body) != "for bob" {
			t.Fatalf("%s: %+v", c.user, it.Event)
		}
	}
	if it := eve.until(func(it Item) bool { return it.Seq == snd.Seq }); !it.Hidden || it.Msg != nil {
		t.Fatalf("%+v", it.Event)
	}
	if m := w.mine("eve", g); m.Unread != 0 {
		t.Fatalf("%d unread", m.Unread)
	}
	ch, err := ann.Edit(t.Context(), EditRequest{Conv: g, Seq: snd.Seq, ID: "e", Body: []byte("edited")})
	w.ok(err)
	if it := bob.until(func(it Item) bool { return it.Ver != 0 }); it.Change == nil || it.Ver != ch.Ver || string(it.Change.Msg.Body) != "edited" {
		t.Fatalf("%+v", it.Event)
	}
	if it := eve.until(func(it Item) bool { return it.Ver != 0 }); it.Change != nil || it.Ver != ch.Ver {
		t.Fatalf("%+v", it.Event)
	}
}

// A change of a message from before his time is settled unseen.
func TestChangesFromBeforeOnesTime(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	snd := ann.sent(g, "old")
	_, err := ann.GroupAdd(t.Context(), g, []im.UserID{"eve"})
	w.ok(err)
	eve := w.login("eve", "phone")
	_, err = ann.Recall(t.Context(), RecallRequest{Conv: g, Seq: snd.Seq, ID: "r"})
	w.ok(err)
	if it := bob.until(func(it Item) bool { return it.Ver != 0 }); it.Change == nil || !it.Change.Msg.Recalled {
		t.Fatalf("%+v", it.Event)
	}
	if it := eve.until(func(it Item) bool { return it.Ver != 0 }); it.Change != nil {
		t.Fatalf("%+v", it.Event)
	}
}

// Above 500 members the sessions that are here are listed.
func TestCrowd(t *testing.T) {
	w := newWorld(t, Config{})
	before := w.login("m0001", "phone")
	g := w.crowdOf(crowdFrom)
	ann := w.login("ann", "phone")
	ann.sent(g, "1")
	before.until(isMessage)
	if w.crowd(g) != nil {
		t.Fatal("500 members are a crowd")
	}
	_, err := ann.GroupAdd(t.Context(), g, []im.UserID{"late", "later"})
	w.ok(err)
	snd := ann.sent(g, "2")
	before.until(func(it Item) bool { return it.Seq == snd.Seq })
	if cr := w.crowd(g); cr == nil || len(cr.all()) != 2 {
		t.Fatal("502 members are no crowd, or not the two who are here")
	}
	after, late := w.login("m0002", "phone"), w.login("late", "phone")
	stranger := w.login("stranger", "phone")
	snd = ann.sent(g, "3")
	for _, c := range []*client{before, after, late} {
		if it := c.until(func(it Item) bool { return it.Seq == snd.Seq }); string(it.Msg.Body) != "3" || it.Addr != g {
			t.Fatalf("%s: %+v", c.user, it.Event)
		}
	}
	ann.quiet(func(it Item) bool { return it.Msg != nil && string(it.Msg.Body) == "3" })

	// who leaves, is removed or ends his session is told nothing more
	_, err = after.Leave(t.Context(), g)
	w.ok(err)
	_, err = ann.GroupRemove(t.Context(), g, []im.UserID{"late"})
	w.ok(err)
	before.Detach()
	snd = ann.sent(g, "4")
	again := w.login("m0001", "phone", func(l *Login) { l.Resume, l.LastPush = before.ID(), before.last })
	if !again.Resumed() {
		t.Fatal("not resumed")
	}
	again.until(func(it Item) bool { return it.Seq == snd.Seq })
	again.Close()
	for _, c := range []*client{after, late, stranger} {
		c.quiet(func(it Item) bool { return it.Msg != nil && string(it.Msg.Body) == "4" })
	}
	if n := len(w.crowd(g).all()); n != 1 {
		t.Fatalf("%d sessions in the crowd", n)
	}
	// and below 400 it is a list again
	var gone []im.UserID
	for i := 100; i < 210; i++ {
		gone = append(gone, im.UserID(fmt.Sprintf("m%04d", i)))
	}
	_, err = ann.GroupRemove(t.Context(), g, gone)
	w.ok(err)
	laptop := w.login("ann", "laptop")
	snd = ann.sent(g, "5")
	laptop.until(func(it Item) bool { return it.Seq == snd.Seq })
	if w.crowd(g) != nil {
		t.Fatal("less than 400 members are still a crowd")
	}
}

// Above 10,000 members only the head is told, for several messages at once.
func TestHugeGroup(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.crowdOf(hugeFrom + 1)
	ann, m := w.login("ann", "phone"), w.login("m0001", "phone")
	var last *Send
	for range 50 {
		last = ann.sent(g, "x")
	}
	heads := 0
	m.until(func(it Item) bool {
		if it.Seq != 0 {
			t.Fatalf("a number is told: %+v", it.Event)
		}
		if it.State != nil && it.State.Head != nil {
			heads++
			return it.State.Head.Seq == last.Seq
		}
		return false
	})
	if heads > 10 {
		t.Fatalf("50 messages were told as %d heads", heads)
	}
	if _, _, err := ann.Page(t.Context(), PageQuery{Conv: g, Backward: true}); err != nil {
		t.Fatal(err)
	}
}

// Where no message says that a group has changed, its head does.
func TestChangesOfLargeGroupsAreToldByTheHead(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.crowdOf(maxSaid + 2)
	ann, m := w.login("ann", "phone"), w.login("m0001", "phone")
	c, err := ann.GroupAdd(t.Context(), g, []im.UserID{"new"})
	w.ok(err)
	if c.Seq != 0 {
		t.Fatalf("a message says it: %+v", c)
	}
	m.until(func(it Item) bool {
		return it.State != nil && it.State.Head != nil && it.State.Head.MVer == c.MVer
	})
	snd := ann.sent(g, "numbers are told all the same")
	m.until(func(it Item) bool { return it.Seq == snd.Seq && it.Msg != nil })
}

func TestWarmth(t *testing.T) {
	clk := newClock()
	g := &gather{}
	second := func(n int) {
		for range n {
			g.warm(clk.Now())
		}
		clk.add(1000)
	}
	for i := range hotAfter + 1 {
		if g.hot {
			t.Fatalf("hot after %d s", i)
		}
		second(hotRate + 1)
	}
	g.warm(clk.Now())
	if !g.hot {
		t.Fatal("not hot")
	}
	clk.add(1000)
	for range 20 { // neither hot nor cool: stays
		second(hotRate - 5)
	}
	if !g.hot {
		t.Fatal("cooled at 15 a second")
	}
	for range hotAfter + 1 {
		second(coolRate - 1)
	}
	g.warm(clk.Now())
	if g.hot {
		t.Fatal("still hot at 9 a second")
	}
	for range hotAfter - 1 {
		second(hotRate + 1)
	}
	second(0) // a pause
	second(hotRate + 1)
	g.warm(clk.Now())
	if g.hot {
		t.Fatal("hot although there was a pause")
	}
	clk.add(1000)
	for range hotAfter + 1 {
		second(hotRate + 1)
	}
	clk.add(3_600_000)
	g.warm(clk.Now())
	if g.hot {
		t.Fatal("hot after an hour of silence")
	}
}

// A hot crowd is told its head, and when it cools down, numbers again.
func TestHotCrowd(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now})
	g := w.crowdOf(crowdFrom + 1)
	ann, m := w.login("ann", "phone"), w.login("m0001", "phone")
	told := map[im.Seq]bool{}
	head := im.Seq(0)
	upTo := func(seq im.Seq) {
		m.until(func(it Item) bool {
			if it.Seq != 0 {
				told[it.Seq] = true
			}
			if it.State != nil && it.State.Head != nil {
				head = max(head, it.State.Head.Seq)
			}
			return it.Seq == seq || head >= seq
		})
	}
	var snd *Send
	for range hotAfter + 1 {
		for range hotRate + 5 {
			snd = ann.sent(g, "x")
		}
		upTo(snd.Seq) // so that the worker has counted them
		clk.add(1000)
	}
	normal := len(told)
	for range 10 {
		snd = ann.sent(g, "hot")
	}
	upTo(snd.Seq)
	if head != snd.Seq || len(told) != normal {
		t.Fatalf("head %d, %d numbers told in heat", head, len(told)-normal)
	}
	clk.add(60_000)
	snd = ann.sent(g, "cool")
	upTo(snd.Seq)
	if !told[snd.Seq] || head < snd.Seq-1 {
		t.Fatalf("number %d told %v, head %d", snd.Seq, told[snd.Seq], head)
	}
}

// What the workers have no room for is fed from the store.
func TestFanOutWithoutRoom(t *testing.T) {
	w := newWorld(t, Config{})
	w.c.fans.most = 0
	small, large := w.group("ann", "bob"), w.crowdOf(crowdFrom+1)
	ann, bob, m := w.login("ann", "phone"), w.login("bob", "phone"), w.login("m0001", "phone")
	_, err := w.as("ann").GroupAdd(t.Context(), small, []im.UserID{"eve"})
	w.ok(err)
	eve := w.login("eve", "phone")
	for i := range 30 {
		ann.sent(small, fmt.Sprint(i))
		ann.sent(large, fmt.Sprint(i))
	}
	for _, c := range []struct {
		*client
		g im.Address
	}{{bob, small}, {eve, small}, {m, large}} {
		next := im.Seq(0)
		for n := 0; n < 30; {
			it := c.until(isNumber)
			if it.Addr != c.g || next != 0 && it.Seq != next {
				t.Fatalf("%s is told %s #%d; want %s #%d", c.user, it.Addr, it.Seq, c.g, next)
			}
			next = it.Seq + 1
			if it.Msg.Type != GroupType {
				if want := fmt.Sprint(n); string(it.Msg.Body) != want {
					t.Fatalf("%s: %q; want %q", c.user, it.Msg.Body, want)
				}
				n++
			}
		}
	}
	_, err = w.as("ann").GroupRemove(t.Context(), small, []im.UserID{"eve"})
	w.ok(err)
	eve.until(func(it Item) bool {
		return it.Addr == small && it.State != nil && it.State.Mine != nil && it.State.Mine.Left
	})
	snd := ann.sent(small, "last")
	bob.until(func(it Item) bool { return it.Seq == snd.Seq })
	eve.quiet(func(it Item) bool { return it.Msg != nil && string(it.Msg.Body) == "last" })
}

// brokenReader fails to list members and to read pages until it is mended.
type brokenReader struct {
	*memstore.Store
	broken atomic.Bool
}

func (s *brokenReader) Page(q store.PageQuery) (store.Page, error) {
	if s.broken.Load() {
		return store.Page{}, errors.New("a bad block")
	}
	return s.Store.Page(q)
}

func (s *brokenReader) Members(conv im.ConvID, after im.UserID, limit int) ([]store.Row, error) {
	if s.broken.Load() {
		return nil, errors.New("a bad block")
	}
	return s.Store.Members(conv, after, limit)
}

// Where the members cannot be read for a while, what happened meanwhile is told later,
// in order.
func TestMembersThatCannotBeRead(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	st := &brokenReader{Store: w.st}
	st.broken.Store(true)
	w.c.Close()
	w.c = New(Config{SweepEvery: -1, Limits: im.Limits{SendRate: -1}}, st, w.c.ver, w.rev)
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	for i := range 20 {
		ann.sent(g, fmt.Sprint(i))
	}
	st.broken.Store(false)
	for i := range 20 {
		if it := bob.until(isMessage); string(it.Msg.Body) != fmt.Sprint(i) {
			t.Fatalf("%q; want %d", it.Msg.Body, i)
		}
	}
}

// Lists of members have a bound: others make room, and are read again.
func TestMemberListsMakeRoom(t *testing.T) {
	w := newWorld(t, Config{})
	worker := w.c.fans.workers[0]
	var groups []im.Address
	for range 8 {
		groups = append(groups, w.group("ann", "bob"))
	}
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	for range 3 {
		for _, g := range groups {
			snd := ann.sent(g, "x")
			bob.until(func(it Item) bool { return it.Addr == g && it.Seq == snd.Seq })
		}
	}
	w.c.Close() // the workers have ended: their state may be looked at
	n := 0
	for _, g := range worker.groups {
		n += len(g.members)
	}
	if n != worker.seats || n == 0 {
		t.Fatalf("%d members are listed, %d are counted", n, worker.seats)
	}
	for conv := range worker.groups {
		worker.forget(conv)
	}
	if worker.seats != 0 {
		t.Fatalf("%d seats are left", worker.seats)
	}
}
