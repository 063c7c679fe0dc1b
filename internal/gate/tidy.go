package gate

import (
	"runtime/debug"
	"time"
)

// After a burst of connections comes a quiet time in which little is allocated, so the
// garbage of so many logins would stay for minutes: several KB for each connection,
// more than it needs itself.
const (
	burst     = 1000             // connections
	tidyEvery = 30 * time.Second // at most
)

// tidying is owned by the wheel's goroutine.
type tidying struct {
	before uint64    // connections a second ago
	at     uint64    // connections when it was tidied last
	when   time.Time // of that
}

// tidy gives the memory of a burst of logins back when it is over.
func (g *Gate) tidy() {
	t := &g.tidying
	n := g.number.Load()
	quiet := n == t.before
	t.before = n
	if !quiet || n-t.at < burst || time.Since(t.when) < tidyEvery {
		return
	}
	t.at, t.when = n, time.Now()
	g.running.Go(debug.FreeOSMemory)
}
