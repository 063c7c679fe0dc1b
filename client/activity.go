package client

import (
	"sync"
	"time"

	"github.com/anser-im/anser/wire"
)

// activity is when frames passed. The times have a monotonic reading: setting the clock
// does not move them.
type activity struct {
	mu       sync.Mutex
	lastSent time.Time // guarded by mu
	lastRecv time.Time // guarded by mu
	other    bool      // guarded by mu: something but beats passed since the last beat
}

func (a *activity) received(t wire.Type) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastRecv = time.Now()
	if t != wire.TypePong {
		a.other = true
	}
}

func (a *activity) sent(other bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastSent = time.Now()
	a.other = a.other || other
}

// wall is the time of the wall clock, without the monotonic reading that may stand
// still while a machine sleeps.
func wall() time.Time { return time.Now().Round(0) }
