package core

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// A session that talks to many keeps the lanes of some.
func TestManyLanes(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone", ordered)
	for i := range 3 * keepLanes {
		ann.sent(im.DirectAddress(im.UserID(fmt.Sprint("u", i))), "x")
	}
	if n := len(ann.lanes.m); n > keepLanes {
		t.Fatalf("%d lanes are kept", n)
	}
	for i := range 3 * keepLanes {
		if snd := ann.sent(im.DirectAddress(im.UserID(fmt.Sprint("u", i))), "y"); snd.Seq != 2 {
			t.Fatalf("number %d", snd.Seq)
		}
	}
	// those in which something was refused stay until that comes again, and have a bound
	w.st.FailReadOnly(true)
	for i := range maxLanes {
		w.refused(ann.send(im.DirectAddress(im.UserID(fmt.Sprint("v", i))), "id", "x").Err, im.ReadOnly)
	}
	w.st.FailReadOnly(false)
	w.refused(ann.send("u/one-more", w.id(), "x").Err, im.Busy)
	w.refused(ann.send("u/v7", w.id(), "x").Err, im.Busy)
	if n := len(ann.lanes.m); n != maxLanes {
		t.Fatalf("%d lanes", n)
	}
	for i := range maxLanes {
		if snd := ann.send(im.DirectAddress(im.UserID(fmt.Sprint("v", i))), "id", "x"); snd.Err != nil {
			t.Fatal(snd.Err)
		}
	}
	ann.sent("u/one-more", "x")
}

// stuckRedo keeps the goroutines busy that submit again what was turned back, until
// free is called.
func (w *world) stuckRedo() (free func()) {
	var stuck []*lane
	for range redoers {
		l := &lane{s: w.as("nobody"), addr: "u/x", round: 1}
		l.order.Lock()
		stuck = append(stuck, l)
		w.c.redo.add(l)
	}
	return func() {
		for _, l := range stuck {
			l.order.Unlock()
		}
	}
}

// What a lane holds until it goes on has a bound.
func TestManyHeldSends(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	bob := w.login("bob", "phone", ordered)
	bob.send(g, "m", "m")
	free := w.stuckRedo()
	_, err := w.as("ann").GroupRole(t.Context(), g, "bob", im.Admin)
	w.ok(err)
	first := bob.pipeline(g, "first") // is turned back, and waits
	l := bob.lane(g)
	w.until(func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.redo && l.flying == 0
	})
	var names []string
	for i := range maxHeld {
		names = append(names, fmt.Sprint("h", i))
	}
	held := bob.pipeline(g, names...)
	over := outcomes(t, bob.pipeline(g, "over1", "over2"), 2)
	w.refused(over["over1"].Err, im.Busy)
	w.refused(over["over2"].Err, im.Busy)
	free()
	for _, s := range outcomes(t, first, 1) {
		if s.Err != nil || s.Seq != 4 {
			t.Fatalf("%+v", s)
		}
	}
	got := outcomes(t, held, maxHeld)
	for i, id := range names {
		if got[id].Err != nil || got[id].Seq != im.Seq(5+i) {
			t.Fatalf("%s: %+v", id, got[id])
		}
	}
	w.refused(bob.send(g, "over2", "over2").Err, im.Busy) // over1 has not come again
	bob.send(g, "over1", "over1")
	if s := bob.send(g, "over2", "over2"); s.Err != nil {
		t.Fatal(s.Err)
	}
}

// until waits until f holds.
func (w *world) until(f func() bool) {
	w.Helper()
	for limit := time.Now().Add(patience); !f(); runtime.Gosched() {
		if time.Now().After(limit) {
			w.Fatal("nothing happens")
		}
	}
}

// What is turned back after core has closed is answered all the same.
func TestTurnedBackAfterClose(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	bob := w.login("bob", "phone")
	bob.send(g, "m", "m")
	w.hold()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = w.as("ann").GroupRole(context.Background(), g, "bob", im.Admin) // whatever becomes of it
	})
	w.until(func() bool { return w.st.Queued() == 1 })
	done := bob.pipeline(g, ids(1, 5)...)
	w.c.Close()
	w.st.Release()
	wg.Wait()
	for id, s := range outcomes(t, done, 5) {
		if s.Err == nil || !s.Err.Code.Retryable() && s.Err.Code != im.CodeDraining {
			t.Fatalf("%s: %v", id, s.Err)
		}
	}
}

// An earlier send is turned back after a later one was refused, and then refused
// itself: the order stands.
func TestTurnedBackBehindARefusal(t *testing.T) {
	w := newHeld(t, 6)
	g := w.group("ann", "bob")
	bob := w.login("bob", "phone", ordered)
	bob.send(g, "m00", "m00")
	w.hold()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := w.as("ann").GroupRole(context.Background(), g, "bob", im.Admin)
		w.ok(err)
	})
	w.until(func() bool { return w.st.Queued() == 1 })
	early := bob.pipeline(g, ids(1, 5)...) // fill the queue; will be turned back
	late := outcomes(t, bob.pipeline(g, ids(6, 8)...), 3)
	for id, s := range late {
		if s.Err == nil {
			t.Fatalf("%s got through", id)
		}
	}
	w.st.Release()
	wg.Wait()
	for id, s := range outcomes(t, early, 5) {
		if s.Err != nil {
			t.Fatalf("%s: %v", id, s.Err)
		}
	}
	for id, s := range outcomes(t, bob.pipeline(g, ids(6, 8)...), 3) {
		if s.Err != nil {
			t.Fatalf("%s: %v", id, s.Err)
		}
	}
	if got := fmt.Sprint(w.history("ann", g)); got != fmt.Sprint(ids(0, 8)) {
		t.Fatal(got)
	}
}

// Users who have not sent for long cost nothing.
func TestRatesAreForgotten(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now, Limits: im.Limits{SendRate: 1, SendBurst: 2}})
	n := func() int {
		n := 0
		for i := range w.c.rates.shards {
			n += len(w.c.rates.shards[i].users)
		}
		return n
	}
	const users = 64 * 80
	for i := range users {
		u := im.UserID(fmt.Sprint("u", i))
		w.c.rateDone(u, w.c.rateOf(u, clk.Now()), clk.Now()) // did not send
	}
	if n() != 0 {
		t.Fatalf("%d who did not send are kept", n())
	}
	use := func(prefix string) {
		for i := range users {
			u := im.UserID(fmt.Sprint(prefix, i))
			l := w.c.rateOf(u, clk.Now())
			l.AllowN(clk.Now(), 2)
			w.c.rateDone(u, l, clk.Now())
		}
	}
	use("a")
	if n() != users {
		t.Fatalf("%d of %d who have sent are kept", n(), users)
	}
	clk.add(3000)
	use("b")
	use("c")
	if n() > 3*users {
		t.Fatalf("%d are kept", n())
	}
	clk.add(3000)
	use("d")
	use("e")
	if n() > 3*users {
		t.Fatalf("%d are kept", n())
	}
}

func TestBucket(t *testing.T) {
	clk := newClock()
	var b bucket
	for range 10 {
		if ok, _ := b.take(clk.Now(), 10); !ok {
			t.Fatal("refused within the burst")
		}
	}
	ok, wait := b.take(clk.Now(), 10)
	if ok || wait.Milliseconds() != 100 {
		t.Fatalf("%v %v", ok, wait)
	}
	clk.add(-10_000) // a clock that goes back refills nothing and blocks nobody for good
	if ok, _ := b.take(clk.Now(), 10); ok {
		t.Fatal("refilled by a clock that went back")
	}
	clk.add(10_100)
	if ok, _ := b.take(clk.Now(), 10); !ok {
		t.Fatal("refused after 100 ms")
	}
	if ok, _ := b.take(clk.Now(), -1); !ok {
		t.Fatal("no limit")
	}
}

// A session that enters many crowds at once looks for its own in one go.
func TestManyCrowds(t *testing.T) {
	w := newWorld(t, Config{})
	var groups []im.Address
	for range fewCrowds + 4 {
		groups = append(groups, w.crowdOf(crowdFrom+1))
	}
	ann := w.login("ann", "phone")
	for _, g := range groups {
		ann.sent(g, "makes the crowd")
	}
	w.spreadAll()
	if n := len(w.c.fans.crowds); n != len(groups) {
		t.Fatalf("%d crowds", n)
	}
	_, err := ann.GroupRemove(t.Context(), groups[3], []im.UserID{"m0001"})
	w.ok(err)
	w.spreadAll()
	m, stranger := w.login("m0001", "phone"), w.login("stranger", "phone")
	for _, g := range groups {
		ann.sent(g, "told")
	}
	told := map[im.Address]bool{}
	for len(told) < len(groups)-1 {
		told[m.until(isMessage).Addr] = true
	}
	if told[groups[3]] {
		t.Fatal("told of a group he was removed from")
	}
	stranger.quiet(says("told"))
	m.quiet(says("told"))
	m.Close()
	for _, g := range groups {
		for _, s := range w.crowd(g).all() {
			if s.box == m.box {
				t.Fatal("a session that has ended still stands in a crowd")
			}
		}
	}
}

func says(body string) func(Item) bool {
	return func(it Item) bool { return it.Msg != nil && string(it.Msg.Body) == body }
}

// In a crowd only those are woken whom a message names.
func TestWakingInACrowd(t *testing.T) {
	wk := &waker{}
	w := newWorld(t, Config{Waker: wk})
	g := w.crowdOf(crowdFrom + 1)
	ann := w.login("ann", "phone")
	w.login("m0002", "phone")
	w.spreadAll()
	wk.take()
	ann.sent(g, "x")
	ann.sent(g, "y", func(s *Send) {
		s.Msg.Mentions = &im.Mentions{Users: []im.UserID{"m0001", "m0002", "stranger", "ann"}}
	})
	w.spreadAll()
	if got := wk.take(); got != "m0001:y" {
		t.Fatal(got)
	}
}

func TestLabelsAreCut(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"iOS 26":                  "iOS 26",
		"a\nb\x00\xff":            "a b",
		strings.Repeat("语", 30):   strings.Repeat("语", 21),
		strings.Repeat("x", 1000): strings.Repeat("x", 64),
	} {
		if got := clip(in); got != want {
			t.Errorf("%q: %q; want %q", in, got, want)
		}
	}
}
