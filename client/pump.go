package client

import (
	"context"
	"strings"
	"time"

	"github.com/anser-im/anser/wire"
)

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
		if e.floor = 0; c.convs[e.frame.Conv] != nil {
			e.floor = c.convs[e.frame.Conv].done
		}
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
		c.accepted[outKey(a.Conv, e.frame.Id)] = new(acceptance)
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

// failOld gives up what has waited too long, also while there is no connection.
func (c *Client) failOld() {
	c.mu.Lock()
	old := c.box.old(time.Now())
	c.mu.Unlock()
	for _, e := range old {
		c.fail(e, ErrTooOld)
	}
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
