package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anser-im/anser/wire"
)

// Backoff between attempts: full jitter, so that those who were cut off together do not
// come back together.
const (
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 60 * time.Second
	steady       = 30 * time.Second // a link that lived this long starts the backoff anew
)

// backoff is a random wait below a bound that doubles with n, from 0.
func backoff(n int) time.Duration {
	most := backoffMost
	if n < 7 {
		most = min(most, backoffFirst<<n)
	}
	return rand.N(most)
}

// Run connects, and connects again whenever the link breaks, until ctx ends or Close is
// called, which is no error. It answers a *StopError when the server sends the client
// away for good, and the store's error when that fails. It can be called again then;
// only one Run is active at a time.
func (c *Client) Run(ctx context.Context) error {
	c.running.Lock()
	defer c.running.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.closing = cancel
	again := c.ran
	c.ran = true
	c.mu.Unlock()
	if again {
		if err := c.reload(); err != nil {
			return err
		}
	}
	var told sync.WaitGroup
	stop := make(chan struct{})
	told.Go(func() { c.tellState(stop) })
	told.Go(func() { c.tellSignals(stop) })
	delivery, endDelivery := context.WithCancelCause(ctx)
	c.workers.Go(func() { endDelivery(c.deliverLoop(delivery)) })
	err := c.keepUp(delivery)
	if cause := context.Cause(delivery); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	endDelivery(context.Canceled)
	c.workers.Wait()
	var se *StopError
	c.setState(func(s *State) {
		*s = State{Phase: Idle, User: s.User, Device: s.Device, Err: err}
		if errors.As(err, &se) {
			s.Phase = Stopped
		}
	})
	c.mu.Lock()
	close(c.up) // those who wait for a link look at the state
	c.up = make(chan struct{})
	c.mu.Unlock()
	close(stop)
	told.Wait()
	return err
}

// keepUp holds one link after the other until ctx ends, or for good.
func (c *Client) keepUp(ctx context.Context) error {
	tries := 0     // attempts since the last steady link
	badToken := "" // the token that was refused; "" = none
	ghosts := 0    // times in a row that we were replaced by ourselves
	var wait time.Duration
	for ctx.Err() == nil {
		c.failOld()
		if !c.pause(ctx, wait) {
			tries = 0
		}
		if ctx.Err() != nil {
			break
		}
		c.setState(func(s *State) {
			*s = State{Phase: Connecting, User: s.User, Device: s.Device, Err: s.Err}
		})
		l, token, err := c.connectAny(ctx, badToken)
		if err == nil {
			badToken = ""
			err = c.serve(ctx, l)
			if time.Since(l.born) >= steady {
				tries = 0
			}
		}
		if ctx.Err() != nil {
			break
		}
		v := c.judge(err, l, badToken != "", &ghosts)
		c.log.Info("not connected", "err", err, "stop", v.stop != nil)
		if v.stop != nil {
			return v.stop
		}
		if v.token {
			badToken = token
		}
		wait = v.wait
		if !v.exact {
			wait += backoff(tries)
			tries++
		}
		c.setState(func(s *State) {
			*s = State{Phase: Waiting, User: s.User, Device: s.Device, Err: err, RetryAt: time.Now().Add(wait)}
		})
	}
	return nil
}

// connectAny logs in somewhere. token is what it tried with.
func (c *Client) connectAny(ctx context.Context, badToken string) (l *link, token string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	c.mu.Lock()
	c.attempt = cancel
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.attempt = nil
		c.mu.Unlock()
		if context.Cause(ctx) == errRebind && err != nil {
			err = errRebind
		}
		cancel(nil)
	}()
	tctx, stop := context.WithTimeout(ctx, tokenLimit)
	token, err = c.opt.Token(tctx)
	stop()
	if err != nil {
		return nil, "", tokenError{err}
	}
	if token == "" || token == badToken {
		return nil, token, &StopError{Reason: wire.ReasonToken, Code: wire.CodeUnauthenticated, Message: "no other token is to be had"}
	}
	hello := c.hello(token)
	l, err = c.race(ctx, c.candidates(), hello)
	if err == nil {
		l.network = hello.Network
	}
	return l, token, err
}

// pause waits, or until something says to try now: then it answers false.
func (c *Client) pause(ctx context.Context, d time.Duration) bool {
	if c.noNetwork() {
		d = 1 << 62
		c.setState(func(s *State) { s.RetryAt = time.Time{} })
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-c.redial:
			if !c.noNetwork() {
				return false
			}
		case <-ctx.Done():
			return true
		}
	}
}

// reload begins a second Run from what the store holds: events that the application did
// not take come again.
func (c *Client) reload() error {
	c.inbox.clear()
	return c.load()
}
