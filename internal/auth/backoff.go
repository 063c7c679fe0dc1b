package auth

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// How guessing is slowed down.
const (
	freeTries  = 10               // wrong ones before anybody has to wait
	firstWait  = time.Second      // doubled with each wrong one after
	maxWait    = 15 * time.Minute // an owner shut out by others waits no longer
	forgetWait = time.Hour        // without a wrong one, all is forgotten
	maxTracked = 100_000          // names; the one longest untouched is forgotten first
)

// backoff counts wrong tries by name and says how long to wait. Any goroutine may
// use it.
type backoff[K comparable] struct {
	limit int // fixed: most entries

	mu    sync.Mutex
	byKey map[K]*list.Element // guarded by mu
	order list.List           // guarded by mu: of *tries[K], the last touched in front
}

type tries[K comparable] struct {
	key   K
	wrong int
	last  time.Time // of the last wrong one
	until time.Time // nobody may try before
}

func newBackoff[K comparable](limit int) *backoff[K] {
	return &backoff[K]{limit: limit, byKey: map[K]*list.Element{}}
}

// entry finds or makes the entry of k and moves it to the front. mu is held.
func (b *backoff[K]) entry(k K, now time.Time) *tries[K] {
	if e, ok := b.byKey[k]; ok {
		b.order.MoveToFront(e)
		t := e.Value.(*tries[K])
		if now.Sub(t.last) >= forgetWait {
			*t = tries[K]{key: k}
		}
		return t
	}
	if b.order.Len() >= b.limit {
		oldest := b.order.Back()
		delete(b.byKey, oldest.Value.(*tries[K]).key)
		b.order.Remove(oldest)
	}
	t := &tries[K]{key: k}
	b.byKey[k] = b.order.PushFront(t)
	return t
}

// wait says how long k has to wait; 0 = it may try.
func (b *backoff[K]) wait(k K, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := b.byKey[k]; ok {
		return max(0, e.Value.(*tries[K]).until.Sub(now))
	}
	return 0
}

// try counts a wrong try of k in advance, so that many at once are not many for free,
// or says how long to wait. If it was not wrong, forget or undo follows.
func (b *backoff[K]) try(k K, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.entry(k, now)
	if w := t.until.Sub(now); w > 0 {
		return w
	}
	t.wrong++
	t.last = now
	if n := t.wrong - freeTries; n >= 0 {
		w := maxWait
		if n < 20 { // no overflow
			w = min(firstWait<<n, maxWait)
		}
		t.until = now.Add(w)
	}
	return 0
}

// undo takes back one try that came to no decision.
func (b *backoff[K]) undo(k K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := b.byKey[k]; ok {
		t := e.Value.(*tries[K])
		t.wrong--
		t.until = time.Time{} // the wait was for the outcome of this try
		if t.wrong <= 0 {
			b.order.Remove(e)
			delete(b.byKey, k)
		}
	}
}

// forget drops what is known of k.
func (b *backoff[K]) forget(k K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e, ok := b.byKey[k]; ok {
		b.order.Remove(e)
		delete(b.byKey, k)
	}
}

// addrKey is what counts as one address: IPv4 whole, IPv6 by its /64, which one
// customer has to himself.
func addrKey(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
