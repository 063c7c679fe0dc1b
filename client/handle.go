package client

import (
	"slices"

	"github.com/anser-im/anser/wire"
)

// handle takes one whole frame after Welcome, on the reading goroutine: it never waits
// for the application or the disk.
func (c *Client) handle(l *link, f wire.Frame) error {
	format := l.ca.format()
	own := func(m wire.Body) error { // m may be kept: it does not point into the read buffer
		return format.Decode(wire.Frame{Type: f.Type, Health: f.Health, Body: slices.Clone(f.Body)}, m)
	}
	switch f.Type {
	case wire.TypePong:
		p := new(wire.Pong)
		if err := format.Decode(f, p); err != nil {
			return err
		}
		l.ponged(wire.Health(p.Health))
	case wire.TypePing:
		p := new(wire.Ping)
		if err := format.Decode(f, p); err != nil {
			return err
		}
		l.control(&wire.Pong{Time: p.Time})
	case wire.TypePush:
		p := new(wire.Push)
		if err := own(p); err != nil {
			return err
		}
		return c.pushed(l, p, len(f.Body))
	case wire.TypeSendAck:
		a := new(wire.SendAck)
		if err := own(a); err != nil {
			return err
		}
		c.acknowledged(l, a)
	case wire.TypeRes:
		r := new(wire.Res)
		if err := own(r); err != nil {
			return err
		}
		l.answered(r)
	case wire.TypeSignal:
		s := new(wire.Signal)
		if err := own(s); err != nil {
			return err
		}
		c.signalled(s)
	case wire.TypeGoAway:
		g := new(wire.GoAway)
		if err := own(g); err != nil {
			return err
		}
		l.left(g)
		return goAwayError{g}
	case wire.TypeExt: // from a newer server
	default:
		return protocolError("a " + f.Type.String() + " frame comes from the server")
	}
	return nil
}

// pushed queues a push for delivery. A server that pushes far beyond the window it told
// is broken.
func (c *Client) pushed(l *link, p *wire.Push, bytes int) error {
	l.acks.got(p.Number)
	b, n := c.inbox.put(item{l: l, push: p, bytes: bytes}, bytes)
	if n > 8*l.acks.window+1024 || b > 8*l.acks.windowB+4*wire.MaxFrame {
		return protocolError("it pushes more than the window")
	}
	return nil
}
