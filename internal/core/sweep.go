package core

import (
	"context"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	defaultSweep = 10 * time.Minute
	expiryEvery  = time.Second // how often it is looked whether a message has expired
)

// runSweep removes what is past its time until ctx ends: messages that expire within
// about a second, all else every SweepEvery. A turn that fails is made up for by the
// next. Nobody is shown an expired message however long it still is there.
func (c *Core) runSweep(ctx context.Context) {
	every := c.cfg.SweepEvery
	if every == 0 {
		every = defaultSweep
	}
	all, look := time.NewTicker(every), time.NewTicker(expiryEvery)
	defer all.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-all.C:
			c.sweep(ctx, false)
		case <-look.C:
			c.sweepExpired(ctx)
		}
	}
}

// sweepExpired removes the messages that have expired, if there are any.
func (c *Core) sweepExpired(ctx context.Context) {
	next, err := c.st.NextExpiry()
	if err != nil {
		c.log.Error("what expires cannot be read", "err", err)
		return
	}
	if next != 0 && next <= c.Now().UnixMilli() {
		c.sweep(ctx, true)
	}
}

// sweep has the store remove what is past its time, or only what has expired, and
// tells those who have not read some of it what is left.
func (c *Core) sweep(ctx context.Context, expired bool) {
	n, err := c.st.Sweep(ctx, c.Now(), store.SweepPolicy{Commands: c.cfg.Limits.CommandsKept,
		Deleted: max(c.cfg.Limits.UndeleteWindow, 0), Expired: expired, Moved: c.unreadMoved})
	c.counts.swept.Add(uint64(max(n, 0)))
	switch {
	case err == nil || ctx.Err() != nil:
	case im.IsKind(err, im.ReadOnly) || im.IsKind(err, im.Busy):
		c.log.Info("what is past its time stays for now", "err", err)
	default:
		c.log.Error("what is past its time could not be removed", "err", err)
	}
}

// unreadMoved tells everybody online in conv what he has not read. It does not block.
func (c *Core) unreadMoved(conv im.ConvID) {
	head, ok := c.st.Head(conv)
	if !ok {
		return
	}
	if head.Kind != im.Direct {
		c.fans.offer(conv, job{recount: true})
		return
	}
	for _, side := range head.Sides {
		if side.User != "" {
			c.mineMoved(side.User, conv, nil)
		}
	}
}
