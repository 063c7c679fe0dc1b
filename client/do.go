package client

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/anser-im/anser/wire"
)

// do makes one request: it waits for a link, and repeats what may be repeated until ctx
// ends. again says that the verb may be made twice without harm, so that it is also
// repeated when the link broke before the answer came.
func (c *Client) do(ctx context.Context, method string, req, res wire.Body, again bool) error {
	failed := 0
	for try := 0; ; try++ {
		l, up := c.current()
		if l == nil {
			if s := c.State(); s.Phase == Stopped {
				return s.Err
			}
			select {
			case <-up:
				continue
			case <-ctx.Done():
				return errors.Join(ErrOffline, ctx.Err())
			}
		}
		err := l.request(ctx, method, req, res)
		var e *Error
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case errors.Is(err, ErrUnknown) && again:
			select {
			case <-l.gone: // so that the next one is waited for
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		case !errors.As(err, &e) || !wire.Retryable(e.Code) || e.Code == wire.CodeUnavailable && !again:
			return err
		case e.Code == wire.CodeInternal:
			if failed++; failed >= maxInternal || !again {
				return err
			}
		}
		wait := jittered(uint32(e.RetryAfter.Milliseconds()))
		if wait == 0 {
			wait = backoffFirst/2 + backoff(try)/2
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err // the refusal says more than the context
		}
	}
}

func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString() // panics if there is no randomness at all
	}
	return id.String()
}
