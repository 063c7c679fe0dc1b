package client

import (
	"context"
	"slices"
	"strings"
	"time"

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

// acknowledged handles SENDACK.
func (c *Client) acknowledged(l *link, a *wire.SendAck) {
	c.mu.Lock()
	e := c.box.find(a.Conv, a.Id)
	if e == nil || l != c.link || !e.flying {
		c.mu.Unlock()
		return // settled by the message itself, or given up
	}
	now := time.Now()
	var give error
	switch {
	case a.Code == wire.CodeOK:
		s := Sent{ID: e.frame.Id, Conv: e.frame.Conv, Seq: a.Seq, N: a.N, Time: timeOf(a.Time), Duplicate: a.Duplicate}
		c.settle(e)
		c.accepted[outKey(a.Conv, e.frame.Id)] = true
		c.mu.Unlock()
		e.pending.finish(s, nil)
		c.inbox.put(item{sent: &outcome{e: e, sent: s}}, 0)
		poke(c.pumpNow)
		return
	case !retryable(a.Code): // holds nothing up
		e.refused = 0
		if ln := c.box.lane(a.Conv); ln.held == e {
			ln.held = nil
		}
		give = refusal(a.Code, strings.Clone(a.Message), a.RetryMs)
	case e.cancelled:
		e.refused++ // the server may be holding the conversation for it
		give = ErrCancelled
	case a.Code == wire.CodeInternal && e.internal+1 >= maxInternal:
		e.refused++
		give = refusal(a.Code, strings.Clone(a.Message), a.RetryMs)
	default:
		if a.Code == wire.CodeInternal {
			e.internal++
		}
		wait := jittered(a.RetryMs)
		if a.RetryMs == 0 {
			wait = backoffFirst/2 + backoff(e.refused)/2
		}
		if ln := c.box.lane(a.Conv); ln.held == nil || e.order <= ln.held.order {
			e.refused++ // else it was only refused because the one before it was
		}
		c.box.refuse(e, now.Add(wait))
	}
	if give != nil {
		c.box.land(e)
	}
	c.mu.Unlock()
	if give != nil {
		c.fail(e, give)
	}
	poke(c.pumpNow)
}

// settle takes an accepted entry out of the outbox. Called with mu held.
func (c *Client) settle(e *entry) {
	c.box.remove(e)
	delete(c.pending, outKey(e.frame.Conv, e.frame.Id))
}

// pump sends from the outbox while the link has credit and room.
func (c *Client) pump(ctx context.Context, l *link) {
	credit := int(l.welcome.SendCredit)
	if credit == 0 {
		credit = 64
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := c.pumpOnce(l, credit)
		if wait <= 0 {
			wait = time.Hour // entries grow too old meanwhile
		}
		timer.Reset(wait)
		select {
		case <-c.pumpNow:
		case <-l.drained:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// pumpOnce sends what can be sent now; it answers how long to wait for the next that is
// only waiting for its time, 0 if there is none.
func (c *Client) pumpOnce(l *link, credit int) time.Duration {
	for l.waiting() < queueSends {
		c.mu.Lock()
		now := time.Now()
		e, wait, bad := c.box.ready(now, credit)
		if e == nil {
			c.mu.Unlock()
			return wait
		}
		if bad != nil {
			c.mu.Unlock()
			c.fail(e, bad)
			continue
		}
		frame := c.box.fly(e, now)
		first := c.box.flying == 1
		c.mu.Unlock()
		frame.Ack = l.acks.take()
		chunks, err := l.encode(frame)
		if err != nil { // larger than this server takes
			if frame.Ack != nil {
				l.control(frame.Ack)
			}
			c.fail(e, err)
			continue
		}
		if !l.queue(chunks) {
			return 0
		}
		if first {
			poke(l.pulse) // its answer is waited for by the beat
		}
	}
	return 0
}
