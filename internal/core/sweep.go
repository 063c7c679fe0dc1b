package core

import (
	"context"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const defaultSweep = 10 * time.Minute

// runSweep removes what is past its time, every SweepEvery until ctx ends. A turn
// that fails is made up for by the next.
func (c *Core) runSweep(ctx context.Context) {
	every := c.cfg.SweepEvery
	if every == 0 {
		every = defaultSweep
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n, err := c.st.Sweep(ctx, c.Now(), store.SweepPolicy{Commands: c.cfg.Limits.CommandsKept, Deleted: max(c.cfg.Limits.UndeleteWindow, 0)})
		c.counts.swept.Add(uint64(max(n, 0)))
		switch {
		case err == nil || ctx.Err() != nil:
		case im.IsKind(err, im.ReadOnly) || im.IsKind(err, im.Busy):
			c.log.Info("what is past its time stays for now", "err", err)
		default:
			c.log.Error("what is past its time could not be removed", "err", err)
		}
	}
}
