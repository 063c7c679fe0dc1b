package auth

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestBackoffIsBounded(t *testing.T) {
	b, now := newBackoff[int](3), newClock().Now()
	for range freeTries {
		b.try(0, now)
	}
	for i := range 1000 {
		if b.try(i+1, now) != 0 {
			t.Fatal("a new name has to wait")
		}
		if i%2 == 0 {
			if b.try(0, now) == 0 { // touched, so not forgotten
				t.Fatalf("forgotten after %d others", i)
			}
		}
		if len(b.byKey) > 3 || b.order.Len() != len(b.byKey) {
			t.Fatalf("%d entries", len(b.byKey))
		}
	}
	if b.wait(0, now.Add(firstWait)) != 0 {
		t.Error("waits longer than told")
	}
	if b.try(0, now.Add(forgetWait)) != 0 || b.wait(0, now.Add(forgetWait)) != 0 {
		t.Error("not forgotten after an hour")
	}
	for range 1000 { // no overflow however many
		now = now.Add(maxWait)
		if b.try(0, now); b.wait(0, now) > maxWait {
			t.Fatal(b.wait(0, now))
		}
	}
}

func TestGatekeeper(t *testing.T) {
	g := NewGatekeeper(0, 0)
	for range 100 {
		if err := g.Acquire(away); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, g.Acquire(away), im.Limited, im.CodeLimited)
	wantErr(t, g.Acquire(netip.MustParseAddr("::ffff:203.0.113.7")), im.Limited, im.CodeLimited)
	if err := g.Acquire(faraway); err != nil {
		t.Error(err)
	}
	g.Release(faraway)
	g.Release(faraway) // one too many
	for range 900 {
		if err := g.Acquire(home); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, g.Acquire(home), im.Busy, im.CodeBusy)
	g.Release(away)
	if err := g.Acquire(away); err != nil {
		t.Error(err)
	}
	for range 100 {
		g.Release(away)
	}
	for range 900 {
		g.Release(home)
	}
	if g.Waiting() != 0 || len(g.byAddr) != 0 {
		t.Errorf("%d left, %d addresses", g.Waiting(), len(g.byAddr))
	}
	free := NewGatekeeper(-1, -1)
	for range 5000 {
		if err := free.Acquire(away); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	small := NewGatekeeper(5, 10)
	for range 50 {
		wg.Go(func() {
			for range 100 {
				if small.Acquire(away) == nil {
					if n := small.Waiting(); n > 5 {
						t.Errorf("%d at once", n)
					}
					small.Release(away)
				}
			}
		})
	}
	wg.Wait()
	if small.Waiting() != 0 {
		t.Error("places are lost")
	}
}
