package client

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/anser-im/anser/wire"
)

// ackAfter is how long a push that was taken may stay unacknowledged.
const ackAfter = time.Second

// ackState is what of a link's pushes has been received, taken by the application, and
// acknowledged.
type ackState struct {
	mu       sync.Mutex
	received uint64            // guarded by mu: last push number received
	oldest   time.Time         // guarded by mu: when the oldest unacknowledged push came; zero = none
	taken    uint64            // guarded by mu: every push up to this one has been taken
	acked    uint64            // guarded by mu: and this has been told
	events   int               // guarded by mu: taken and not told
	bytes    int               // guarded by mu: the same
	pulled   map[string]uint64 // guarded by mu: fetched, taken and not told; at most maxPulled
	window   int               // events; fixed at adopt
	windowB  int               // bytes; fixed at adopt
	timer    *time.Timer       // guarded by mu
	flush    func()            // sends an ACK; fixed at adopt
}

// maxPulled bounds what one ACK lists; beyond it an ACK is sent at once.
const maxPulled = 128

// got notes that a push has been received.
func (a *ackState) got(number uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.received = max(a.received, number)
	if a.oldest.IsZero() {
		a.oldest = time.Now()
	}
}

// took notes that the application has taken pushes up to number: events of them that
// came in bytes.
func (a *ackState) took(number uint64, events, bytes int) {
	a.mu.Lock()
	a.taken = max(a.taken, number)
	a.events += events
	a.bytes += bytes
	now := a.due()
	a.mu.Unlock()
	if now {
		a.flush()
	}
}

// pull notes that the application has taken what was fetched of conv up to seq.
func (a *ackState) pull(conv string, seq uint64) {
	a.mu.Lock()
	if a.pulled == nil {
		a.pulled = make(map[string]uint64)
	}
	a.pulled[conv] = seq
	if a.oldest.IsZero() {
		a.oldest = time.Now()
	}
	now := a.due()
	a.mu.Unlock()
	if now {
		a.flush()
	}
}

// due says whether to acknowledge now, and else sees to it that it will be done in
// time. Called with mu held.
func (a *ackState) due() bool {
	if a.taken == a.acked && len(a.pulled) == 0 {
		return false
	}
	if a.events >= a.window/2 || a.bytes >= a.windowB/2 || len(a.pulled) >= maxPulled {
		return true
	}
	left := ackAfter - time.Since(a.oldest)
	if left <= 0 {
		return true
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(left, a.flush)
	} else {
		a.timer.Reset(left)
	}
	return false
}

// take gives what is to be acknowledged, for an ACK or to ride with another frame,
// and notes it as told; nil if there is nothing.
func (a *ackState) take() *wire.Ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken == a.acked && len(a.pulled) == 0 {
		return nil
	}
	ack := &wire.Ack{Push: a.taken}
	for _, conv := range slices.Sorted(maps.Keys(a.pulled)) {
		ack.Pulled = append(ack.Pulled, &wire.Pulled{Conv: conv, Seq: a.pulled[conv]})
	}
	a.acked, a.events, a.bytes, a.pulled = a.taken, 0, 0, nil
	if a.oldest = (time.Time{}); a.received > a.taken {
		a.oldest = time.Now() // a little late for what came in between; it is taken soon
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	return ack
}

// stop ends the timer of a link that is over.
func (a *ackState) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
}

// last is the last push number received, for Resume.
func (a *ackState) last() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.received
}
