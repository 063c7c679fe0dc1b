package auth

import (
	"net/netip"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// How many wrong tokens and keys an address may show.
const (
	failuresAtOnce    = 100
	failuresPerSecond = 5
	maxFailing        = 100_000 // addresses; at more, those that have the most left are forgotten
)

// Failures limits how fast one address may show tokens and keys that are not good: what
// it costs to look at them is bounded, and guessing is seen. Who shows good ones from
// the same address has to wait with it only while the limit is reached. Loopback is not
// limited. An IPv6 address counts by its /64. The zero value is ready; any goroutine may
// use it.
type Failures struct {
	mu     sync.Mutex
	byAddr map[netip.Addr]*failing // guarded by mu
}

type failing struct {
	used float64 // of failuresAtOnce
	last time.Time
}

// left is how many are left at a time. mu is held.
func (f *failing) left(now time.Time) float64 {
	f.used = max(0, f.used-max(0, now.Sub(f.last).Seconds())*failuresPerSecond)
	f.last = now
	return failuresAtOnce - f.used
}

// Allow says whether a may show another token.
//
// Errors: Limited, with how long to wait.
func (f *Failures) Allow(a netip.Addr, now time.Time) error {
	k := addrKey(a)
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.byAddr[k]
	if x == nil {
		return nil
	}
	left := x.left(now)
	if left >= 1 {
		return nil
	}
	wait := time.Duration((1 - left) / failuresPerSecond * float64(time.Second))
	return im.Errorf(im.Limited, "too many tokens from your address were not good: wait").WithRetry(max(wait, time.Millisecond))
}

// Wrong counts a token of a that was not good.
func (f *Failures) Wrong(a netip.Addr, now time.Time) {
	k := addrKey(a)
	if k.IsLoopback() || !k.IsValid() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.byAddr[k]
	if x == nil {
		if f.byAddr == nil {
			f.byAddr = map[netip.Addr]*failing{}
		}
		if len(f.byAddr) >= maxFailing {
			f.forget(now)
		}
		x = &failing{last: now}
		f.byAddr[k] = x
	}
	if x.left(now) >= 1 {
		x.used++
	}
}

// forget makes room: of addresses that are far from the limit. mu is held.
func (f *Failures) forget(now time.Time) {
	for _, enough := range []float64{failuresAtOnce - 0.5, failuresAtOnce / 2, 0} {
		for k, x := range f.byAddr {
			if x.left(now) >= enough {
				delete(f.byAddr, k)
			}
		}
		if len(f.byAddr) < maxFailing/2 {
			return
		}
	}
}
