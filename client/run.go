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
	tctx, cancel := context.WithTimeout(ctx, tokenLimit)
	token, err = c.opt.Token(tctx)
	cancel()
	if err != nil {
		return nil, "", tokenError{err}
	}
	if token == "" || token == badToken {
		return nil, token, &StopError{Reason: wire.ReasonToken, Code: wire.CodeUnauthenticated, Message: "no other token is to be had"}
	}
	l, err = c.race(ctx, c.candidates(), c.hello(token))
	return l, token, err
}

// tokenError is a failure of the application's token source.
type tokenError struct{ error }

func (e tokenError) Unwrap() error { return e.error }

// pause waits, or until something says to try now: then it answers false.
func (c *Client) pause(ctx context.Context, d time.Duration) bool {
	if c.noNetwork() {
		d = 1 << 62
		c.setState(func(s *State) { s.RetryAt = time.Time{} })
	}
	select {
	case <-c.redial: // from before
	default:
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

// hello is what every endpoint is told.
func (c *Client) hello(token string) *wire.Hello {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &wire.Hello{
		Version: wire.Version, Token: token, App: c.opt.App,
		Device:     &wire.Device{Id: c.device, Class: c.opt.Device.Class, Os: c.opt.Device.OS, Sdk: sdkName},
		Background: c.net.background, Network: c.net.label,
		Caps: &wire.Caps{Zstd: true, Fragments: true, MaxFrame: wire.MaxFrame},
	}
	if c.last != nil {
		h.Resume = &wire.Resume{Session: c.last.id, LastPush: c.last.acks.last()}
	}
	return h
}

// serve lets a welcomed link work until it is over and answers why.
func (c *Client) serve(ctx context.Context, l *link) error {
	if err := c.adopt(l); err != nil {
		l.fail(err)
		close(l.adopted)
		return err
	}
	lctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for _, f := range []func(context.Context, *link){c.pump, c.beat, c.fetch, c.renew} {
		wg.Go(func() { f(lctx, l) })
	}
	wg.Go(l.writeLoop)
	close(l.adopted)
	c.mu.Lock()
	hold := c.net.hold
	c.mu.Unlock()
	if hold {
		c.HoldSignals(true) // a session does not remember it
	}
	poke(c.pumpNow)
	select {
	case <-l.done:
	case <-c.rebind:
		l.fail(errRebind)
	case <-ctx.Done():
		l.leave(context.Cause(ctx))
	}
	err := l.cause()
	cancel()
	wg.Wait()
	l.acks.stop()
	c.abandon(l, err)
	return err
}

// Why we end a link ourselves to make another at once.
var (
	errRebind = errors.New("anser: the network changed")
	errEpoch  = errors.New("anser: the server began anew")
)

// adopt makes a welcomed link the current one.
func (c *Client) adopt(l *link) error {
	w := l.welcome
	l.born = time.Now()
	l.frame = c.handle
	n := int(w.GetLimits().GetOutstanding())
	if n == 0 {
		n = 64
	}
	l.calls.room = make(chan struct{}, n)
	l.acks.window, l.acks.windowB = int(w.WindowEvents), int(w.WindowBytes)
	if l.acks.window == 0 {
		l.acks.window = 256
	}
	if l.acks.windowB == 0 {
		l.acks.windowB = 256 << 10
	}
	l.acks.flush = func() {
		if a := l.acks.take(); a != nil {
			l.control(a)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user != "" && w.User != "" && c.user != w.User {
		return &StopError{Reason: "user", Message: "the store belongs to " + c.user + ", and the token to " + w.User}
	}
	l.resumed = w.Resumed && c.last != nil
	if l.resumed {
		last := c.last.acks.last()
		l.acks.received, l.acks.taken, l.acks.acked = last, last, last
	} else {
		c.box.fresh()
	}
	c.last = &session{id: w.Session, acks: &l.acks, at: l.at.key()}
	if w.Session == "" {
		c.last = nil
	}
	c.nodes = follow(c.endpoints, w.Nodes, c.opt.TLS)
	delete(c.left, l.at.key())
	l.begun = make(chan struct{})
	c.inbox.put(item{welcome: w, done: l.begun}, 0)
	c.link = l
	close(c.up)
	c.setState(func(s *State) {
		*s = State{Phase: Online, Endpoint: l.at.name, Node: w.Node, User: w.User, Device: w.Device, Synced: l.resumed && s.Synced}
	})
	return nil
}

// abandon takes a link that is over out of everybody's sight.
func (c *Client) abandon(l *link, err error) {
	c.mu.Lock()
	c.link = nil
	c.up = make(chan struct{})
	poison, lost := c.box.unlink(died(err))
	c.todo.unlink()
	c.mu.Unlock()
	close(l.gone)
	if poison != nil {
		c.fail(poison, ErrPoison)
	}
	for _, e := range lost {
		c.fail(e, ErrOffline)
	}
}

// died says whether a link broke in a way that something sent on it may have caused.
func died(err error) bool {
	var away goAwayError
	if errors.As(err, &away) {
		return away.Reason == wire.ReasonMalformed || away.Reason == wire.ReasonTooLarge
	}
	return !errors.Is(err, errRebind) && !errors.Is(err, errEpoch) && !errors.Is(err, context.Canceled) && !errors.Is(err, errSlept)
}

// fail gives an entry up.
func (c *Client) fail(e *entry, err error) {
	c.mu.Lock()
	if e.at == nil {
		c.mu.Unlock()
		return
	}
	c.box.giveUp(e)
	delete(c.pending, outKey(e.frame.Conv, e.frame.Id))
	c.mu.Unlock()
	e.pending.finish(Sent{}, err)
	c.inbox.put(item{failed: &outcome{e: e, err: err}}, 0)
}

// reload begins a second Run from what the store holds: events that the application did
// not take come again.
func (c *Client) reload() error {
	c.inbox.clear()
	return c.load()
}
