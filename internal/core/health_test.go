package core

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func TestHealth(t *testing.T) {
	w := newWorld(t, Config{})
	want := func(h Health) {
		t.Helper()
		if got, why := w.c.Health(); got != h || (why == "") != (h == HealthOK) {
			t.Fatalf("health %d %q; want %d", got, why, h)
		}
	}
	want(HealthOK)
	for d, h := range map[time.Duration]Health{
		slowAfter: HealthOK, slowAfter + 1: HealthSlow, stuckAfter: HealthSlow, stuckAfter + 1: HealthStuck,
	} {
		w.st.SetPending(d)
		want(h)
	}
	w.st.SetPending(0)
	w.st.FailReadOnly(true)
	want(HealthStuck)
	w.st.FailReadOnly(false)
	want(HealthOK)
	w.c.draining.Store(true)
	want(HealthDraining)
	w.st.Fail(errors.New("no disk"))
	want(HealthStuck)
}

func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watch
		w.open(time.Now())
		want := func(d time.Duration) {
			t.Helper()
			if got := w.lag(); got != d {
				t.Fatalf("lag %v; want %v", got, d)
			}
		}
		want(0)
		time.Sleep(watchEvery)
		want(0)
		time.Sleep(slowAfter + 1) // it was due, and has not run
		want(slowAfter + 1)
		w.ran(time.Now())
		want(slowAfter + 1) // as late as it last was
		time.Sleep(watchEvery)
		w.ran(time.Now())
		want(0)
	})
}

// More than a second late for more than three on end: with turns in between, or
// without any.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watch
		w.open(time.Now())
		turn := func(late time.Duration, want bool) {
			t.Helper()
			time.Sleep(watchEvery + late)
			w.ran(time.Now())
			if got := w.overloaded(); got != want {
				t.Fatalf("%v late: overloaded %v; want %v", late, got, want)
			}
		}
		turn(lostAfter+1, false)
		turn(lostAfter+1, false)
		turn(lostAfter+1, true)
		turn(lostAfter, false) // in time, by that measure
		turn(lostAfter+1, false)
		turn(lostAfter+1, false)
		turn(0, false)
		time.Sleep(watchEvery + lostFor)
		if w.overloaded() {
			t.Fatal("too early")
		}
		time.Sleep(time.Nanosecond)
		if !w.overloaded() {
			t.Fatal("it does not run at all")
		}
	})
}

// Nothing tells whether an idle store still answers, so it is asked: with somebody
// connected, 5 s after the last commit, and not while one is under way.
func TestHealthProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		commits := func() uint64 { return w.st.Stats().Commits }
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := commits(); n != 0 {
			t.Fatalf("%d commits with nobody here", n)
		}
		c := w.login("ann", "phone")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		began := commits()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := commits() - began; n < 10 || n > 12 {
			t.Fatalf("%d commits in a minute", n)
		}
		w.st.Hold()
		time.Sleep(probeAfter + stuckAfter + 2*watchEvery)
		synctest.Wait()
		if h, _ := w.c.Health(); h != HealthStuck {
			t.Fatalf("health %d while the disk hangs", h)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.st.Stats().Queued; n > 1 {
			t.Fatalf("%d operations wait", n)
		}
		w.st.Release()
		synctest.Wait()
		if h, why := w.c.Health(); h != HealthOK {
			t.Fatalf("health %d %s", h, why)
		}
		c.Close()
	})
}

func TestSweepRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		w.say("ann", "u/bob", "x", func(m *im.Message) { m.Expires = time.Now().Add(time.Minute).UnixMilli() })
		done := make(chan struct{})
		swept := &Core{cfg: Config{Clock: time.Now, Limits: w.c.cfg.Limits}, st: w.st, log: w.c.log}
		swept.tells.open()
		ctx, stop := context.WithCancel(t.Context())
		go func() { swept.runSweep(ctx); close(done) }()
		time.Sleep(time.Minute + 2*expiryEvery) // no later than that
		synctest.Wait()
		if n := swept.VerbCounts().Swept; n != 1 {
			t.Fatalf("%d rows went", n)
		}
		if m := w.mine("bob", "u/ann"); m.Unread != 0 {
			t.Fatalf("%+v", m)
		}
		stop()
		<-done
	})
}
