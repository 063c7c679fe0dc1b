package client

import (
	"context"
	"errors"
	"time"

	"github.com/anser-im/anser/wire"
)

// Tokens.
const (
	tokenLimit  = 30 * time.Second // how long Options.Token may take
	renewBefore = time.Minute      // before the token ends, or a fifth of its time if that is less
	renewAgain  = 5 * time.Second  // after a failure
)

// renew gets a new token before the present one ends, and gives it to the server.
func (c *Client) renew(ctx context.Context, l *link) {
	expires := l.welcome.TokenExpires
	if expires == 0 {
		return
	}
	// The server's clock counts: ours may be wrong by any amount.
	skew := time.Since(timeOf(l.welcome.ServerTime))
	if l.welcome.ServerTime == 0 {
		skew = 0
	}
	left := time.Until(timeOf(expires).Add(skew))
	wait := left - min(renewBefore, left/5)
	for {
		t := time.NewTimer(max(0, wait))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		again, err := c.renewOnce(ctx, l)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			c.log.Warn("the token could not be renewed", "err", err)
			wait = renewAgain
			continue
		}
		if again == 0 {
			return
		}
		left = time.Until(timeOf(again).Add(skew))
		wait = max(left-min(renewBefore, left/5), time.Second)
	}
}

// renewOnce answers when the new token ends.
func (c *Client) renewOnce(ctx context.Context, l *link) (expires int64, err error) {
	tctx, cancel := context.WithTimeout(ctx, tokenLimit)
	defer cancel()
	token, err := c.opt.Token(tctx)
	if err != nil {
		return 0, err
	}
	if token == "" {
		return 0, errors.New("anser: Options.Token gave none")
	}
	r := new(wire.RenewResponse)
	if err := l.request(ctx, wire.MethodRenew, &wire.RenewRequest{Token: token}, r); err != nil {
		return 0, err
	}
	return r.TokenExpires, nil
}

// tokenError is a failure of the application's token source.
type tokenError struct{ error }

func (e tokenError) Unwrap() error { return e.error }
