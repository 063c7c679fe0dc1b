package core

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/store"
)

const (
	watchEvery = 100 * time.Millisecond
	slowAfter  = 200 * time.Millisecond // a commit or a turn of the watch
	stuckAfter = time.Second            // a commit in flight
	probeAfter = 5 * time.Second        // without a commit, with somebody connected
	lostAfter  = time.Second            // a turn of the watch that is so late ...
	lostFor    = 3 * time.Second        // ... for so long on end counts as stuck
)

// watch measures how late the process runs what is due, and makes a commit where
// nothing has told for long whether the disk still answers.
type watch struct {
	began time.Time    // fixed; has a monotonic reading
	due   atomic.Int64 // when the watch means to look next: nanoseconds since began
	late  atomic.Int64 // how late it last was, nanoseconds
	lost  atomic.Int64 // since when it was due without being in time by lostAfter, nanoseconds since began; 0 = it was
}

func (w *watch) open(now time.Time) {
	w.began = now
	w.due.Store(int64(watchEvery))
}

// lag is how late the watch is, or last was.
func (w *watch) lag() time.Duration {
	overdue := int64(time.Since(w.began)) - w.due.Load()
	return time.Duration(max(overdue, w.late.Load()))
}

// ran notes that the watch runs at now.
func (w *watch) ran(now time.Time) {
	at, due := int64(now.Sub(w.began)), w.due.Load()
	w.late.Store(at - due)
	if at-due <= int64(lostAfter) {
		w.lost.Store(0)
	} else if w.lost.Load() == 0 {
		w.lost.Store(due)
	}
	w.due.Store(at + int64(watchEvery))
}

// overloaded says that the watch has not been in time for lostFor.
func (w *watch) overloaded() bool {
	at, since := int64(time.Since(w.began)), w.lost.Load()
	if since == 0 {
		since = w.due.Load()
	}
	return at-since > int64(lostFor)
}

// runWatch looks every 100 ms until ctx ends.
func (c *Core) runWatch(ctx context.Context) {
	w := &c.watch
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var last time.Time // what the store said of its last commit
	changed := w.began // when that changed, or was asked for
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		w.ran(now)
		h := c.st.Health()
		if !h.Last.Equal(last) {
			last, changed = h.Last, now
		}
		if now.Sub(changed) >= probeAfter && h.Pending == 0 && h.Failed == nil && c.sessions() > 0 {
			changed = now
			c.st.Probe()
		}
	}
}

// Health is how the node does, and a sentence on what is wrong. It is cheap enough
// for every heartbeat.
func (c *Core) Health() (Health, string) {
	h := c.st.Health()
	if why := stuck(h); why != "" {
		return HealthStuck, why
	}
	lag := c.watch.lag()
	switch {
	case c.watch.overloaded():
		return HealthStuck, "the server is overloaded"
	case c.draining.Load():
		return HealthDraining, "this server is about to end"
	case h.Pending > slowAfter:
		return HealthSlow, "the disk is slow"
	case lag > slowAfter:
		return HealthSlow, "the server is overloaded"
	}
	return HealthOK, ""
}

// stuck says why no sends are taken; "" if they are.
func stuck(h store.Health) string {
	switch {
	case h.Failed != nil:
		return "the store has failed"
	case h.ReadOnly:
		return "the disk is nearly full: nothing can be written until there is room again"
	case h.Pending > stuckAfter:
		return "the disk does not answer"
	}
	return ""
}
