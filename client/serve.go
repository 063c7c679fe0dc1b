package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/anser-im/anser/wire"
)

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
	if l.network != c.net.label {
		return errRebind // it changed just now
	}
	select {
	case <-c.rebind: // meant for an earlier link
	default:
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
	select {
	case <-c.redial: // from while there was a link
	default:
	}
	c.link = nil
	c.up = make(chan struct{})
	poison, lost := c.box.unlink(died(err), time.Now())
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
	for _, ours := range []error{errRebind, errEpoch, errSlept, errLeft, errSilent, context.Canceled} {
		if errors.Is(err, ours) {
			return false
		}
	}
	return true
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
