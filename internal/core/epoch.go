package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

// renewEpoch gives the store a new epoch because a client holds a good token from
// above its position: its files were put back to an older state, and the numbers
// given since are known to clients. Every session ends, for what they hold says
// nothing any more. was is the epoch under which that was seen: where it is another
// by now, somebody else has done it.
func (c *Core) renewEpoch(ctx context.Context, was im.Epoch) error {
	select {
	case c.renew <- struct{}{}: // all who come meanwhile have to wait for it
		defer func() { <-c.renew }()
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the store did not answer in time")
	}
	if c.st.Epoch() != was {
		return nil
	}
	epoch, err := c.st.RenewEpoch(ctx)
	if err != nil {
		return err
	}
	c.counts.epochs.Add(1)
	c.log.Error("the store is older than what clients hold: its files were put back, or its disk lost what it had confirmed; it has a new epoch and all sessions end",
		"epoch", epoch, "was", was)
	c.endAll(End{Code: im.CodeDraining, Text: "the server's data was put back to an older state: sign in again"})
	return nil
}
