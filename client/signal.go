package client

import (
	"time"

	"github.com/anser-im/anser/wire"
)

// Signal is what passes by and is kept nowhere: typing, recording, presence.
type Signal struct {
	Conv   string
	Kind   string // typing, recording, ...
	Body   []byte
	TTL    time.Duration // how long it holds
	Sender string
	Device string
}

func (c *Client) signalled(s *wire.Signal) {
	if c.opt.OnSignal == nil {
		return
	}
	ttl := time.Duration(s.TtlMs) * time.Millisecond
	if ttl == 0 {
		ttl = 10 * time.Second
	}
	select {
	case c.signals <- Signal{Conv: s.Conv, Kind: s.Kind, Body: s.Body, TTL: ttl, Sender: s.Sender, Device: s.Device}:
	default: // the application is busy: signals are the first to be dropped
	}
}

// keepSignals is how many signals wait for the application; more are dropped.
const keepSignals = 64

// tellSignals calls OnSignal until stop is closed.
func (c *Client) tellSignals(stop <-chan struct{}) {
	for {
		select {
		case s := <-c.signals:
			c.opt.OnSignal(s)
		case <-stop:
			return
		}
	}
}

// Signal sends something that passes by: typing, recording. kind has 1-32 bytes, body
// at most 4 KiB, ttl at most a minute (0 = 10 s). It is dropped when there is no
// connection or no room, and then answers ErrOffline.
func (c *Client) Signal(conv, kind string, body []byte, ttl time.Duration) error {
	if !allUTF8(conv, kind) {
		return &Error{Code: wire.CodeInvalid, Message: "a text is not UTF-8"}
	}
	l, _ := c.current()
	if l == nil || l.waiting() > queueSignals {
		return ErrOffline
	}
	if !l.send(&wire.Signal{Conv: conv, Kind: kind, Body: body, TtlMs: uint32(max(0, ttl).Milliseconds())}) {
		return ErrOffline
	}
	return nil
}

// Typing tells the others of a conversation that this user is typing.
func (c *Client) Typing(conv string) error { return c.Signal(conv, "typing", nil, 0) }

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
