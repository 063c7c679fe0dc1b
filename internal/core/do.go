package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// do submits op and waits for its outcome. If op has a Done, it is called first, in
// commit order, also when ctx has ended meanwhile: what follows from an operation
// belongs there, not behind do.
//
// Errors: those of op, store.ErrTurnedBack among them; those of Submit, with which
// nothing was done and Done is not called; Unavailable if ctx ends first: the
// operation may still be carried out, and op belongs to the store.
func (c *Core) do(ctx context.Context, op store.Op) error {
	out, ended := op.Base(), make(chan struct{})
	then := out.Done
	out.Done = func() {
		if then != nil {
			then()
		}
		close(ended)
	}
	if err := c.st.Submit(op); err != nil {
		return err
	}
	select {
	case <-ended:
		return out.Err
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the outcome is not known yet: ask again")
	}
}

// kept asks whether u used the client id in conv for what has this hash, before
// something is refused: a retry is answered, whatever holds by now. found is false
// where there is nothing to ask for.
//
// Errors: Conflict if the id was used for something else; those of do.
func (c *Core) kept(ctx context.Context, conv im.ConvID, u im.UserID, id im.ClientID, hash uint64) (*store.KeptOp, bool, error) {
	if conv == 0 || id == "" {
		return nil, false, nil
	}
	op := &store.KeptOp{Conv: conv, Sender: u, ID: id, Hash: hash}
	if err := c.do(ctx, op); err != nil {
		return nil, false, err
	}
	return op, op.Found, nil
}

// charge counts a request against the user's rate of sends: one that others are told
// of costs as much as a message. The app has no rate.
//
// Errors: Limited, with how long to wait.
func (s *Session) charge() error {
	if s.app {
		return nil
	}
	c, now := s.c, s.c.Now()
	r := s.rateOf()
	if r.AllowN(now, 1) {
		return nil
	}
	return im.Errorf(im.Limited, "you are doing this too fast: at most %v requests a second, %d at once", c.cfg.Limits.SendRate, c.rates.burst).
		WithRetry(c.rates.wait(r, now))
}

// maxTries is how often a verb looks again after it was turned back. Each time
// somebody else's change got in between.
const maxTries = 10

// errContended says that all tries were used up.
func errContended() *im.Error {
	return im.Errorf(im.Busy, "others are changing the same thing: try again").WithRetry(retryContended)
}
