package client

import (
	"context"
	"errors"
	"time"

	"github.com/anser-im/anser/wire"
)

// NetworkNone is the kind of network when there is none.
const NetworkNone = "none"

// NetworkChanged tells that the device is on another network now, or on one again:
// label names it ("wifi:home", "cell:46000"; at most 64 bytes), kind is
// wire.NetworkWifi, NetworkCell, NetworkWired or NetworkNone. The link of the old
// network is left at once and the next attempt is made without waiting. With
// NetworkNone the client waits to be told of another. Telling the same again means that
// the network came up anew: while connected it only makes sure that the link lives.
func (c *Client) NetworkChanged(label, kind string) {
	if len(label) > 64 {
		label = label[:64]
	}
	c.mu.Lock()
	same := c.net.label == label && c.net.kind == kind
	c.net.label, c.net.kind = label, kind
	online := c.link != nil
	c.mu.Unlock()
	switch {
	case same && online:
		c.Probe()
		return
	case online:
		poke(c.rebind)
	}
	poke(c.redial)
}

// noNetwork says whether the application told that there is no network.
func (c *Client) noNetwork() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.net.kind == NetworkNone
}

// SetBackground tells whether the application is in the background. There the beats go
// out as seldom as the network allows, and the server holds back what is only of use
// to someone who looks. Coming to the foreground also cuts a pending wait short.
func (c *Client) SetBackground(background bool) {
	c.mu.Lock()
	changed := c.net.background != background
	c.net.background = background
	l := c.link
	c.mu.Unlock()
	if !changed {
		return
	}
	if l != nil {
		poke(l.pulse)
	}
	if !background {
		poke(c.redial)
	}
}

// Probe makes sure within about two seconds that the link lives: call it when something
// says that there is news, such as a push from the platform.
func (c *Client) Probe() {
	c.mu.Lock()
	c.probe = true
	l := c.link
	c.mu.Unlock()
	if l != nil {
		poke(l.pulse)
	}
	poke(c.redial)
}

// HoldSignals asks the server to send no signals until it is called with false.
func (c *Client) HoldSignals(hold bool) {
	c.mu.Lock()
	c.net.hold = hold
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.send(&wire.ClientState{HoldSignals: &hold, Ack: l.acks.take()})
	}
}

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
