package client

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/anser-im/anser/wire"
)

// Why the beat ends a link.
var (
	errSilent = errors.New("anser: the server does not answer")
	errLeft   = errors.New("anser: the server answers but does not serve")
	errSlept  = errors.New("anser: the device slept longer than the link can have lived")
)

// Figures of the beat that no server changes.
const (
	againIfStuck = 5 * time.Second  // after a PONG that says sends are not taken
	lateSend     = 15 * time.Second // a SENDACK later than this from a node that says it is well
	maxNetworks  = 20               // whose search is remembered
)

// tableOf reads the server's figures; what it does not tell is the default.
func tableOf(h *wire.Heartbeat) beatTable {
	t := defaultBeats
	set := func(d *time.Duration, ms uint32) {
		if ms > 0 {
			*d = time.Duration(ms) * time.Millisecond
		}
	}
	if h == nil {
		return t
	}
	set(&t.foreground, h.ForegroundMs)
	set(&t.pong, h.PongMs)
	set(&t.second, h.SecondPongMs)
	set(&t.floor, h.BackgroundFloorMs)
	set(&t.start, h.BackgroundStartMs)
	set(&t.step, h.BackgroundStepMs)
	set(&t.margin, h.BackgroundMarginMs)
	set(&t.most, h.BackgroundMaxMs)
	t.most = max(t.most, t.floor+t.margin)
	return t
}

// seconds rounds up, as the server is told.
func seconds(d time.Duration) uint32 { return uint32(math.Ceil(d.Seconds())) }

// pong is what the reading goroutine tells the beating one.
type pong struct {
	at     time.Time
	health wire.Health
}

// ponged notes a PONG.
func (l *link) ponged(h wire.Health) {
	select {
	case l.pongs <- pong{time.Now(), h}:
	default: // the beat is behind; it will see that something came
	}
}

// beater keeps one link alive and finds out when it is dead. One goroutine uses it.
type beater struct {
	c     *Client
	l     *link
	t     beatTable
	label string // of the network; a link has one for its life

	warm       int           // good beats at no more than the floor
	announced  uint32        // the seconds the server was last told; 0 = unknown
	background bool          // as the server was last told
	last       time.Time     // when the last beat went out, or the link began
	health3    int           // PONGs in a row that say sends are not taken
	checked    time.Time     // the oldest send that a beat was made for already
	probe      bool          // Probe: the next beat is now, and has a second
	asleep     time.Duration // how long the machine slept since the last beat, which time.Now may not count

	waiting  int           // 0: the next beat is not due; 1, 2: beats without an answer
	sentAt   time.Time     // the first of them
	deadline time.Time     // when the last of them is missed
	used     time.Duration // the interval that the first of them ended
	idle     bool          // nothing but beats had passed in it
}

// beat runs the heartbeat of a link until it is over.
func (c *Client) beat(ctx context.Context, l *link) {
	b := &beater{c: c, l: l, t: tableOf(l.welcome.Heartbeat), last: time.Now()}
	c.mu.Lock()
	b.label, b.background = c.net.label, c.net.background
	c.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		began, armed := time.Now(), wall()
		due := armed.Add(max(0, b.due().Sub(began)-b.asleep))
		timer.Reset(due.Sub(armed))
		select {
		case p := <-l.pongs:
			b.pong(p)
		case <-l.pulse:
			b.news()
		case <-timer.C:
			if slept(armed, due, wall()) {
				l.fail(errSlept)
				return
			}
			b.timer(time.Now())
			if l.cause() != nil {
				b.over()
				return
			}
		case <-l.done:
			b.over()
			return
		case <-ctx.Done():
			b.over()
			return
		}
		if s := wall().Sub(armed) - time.Since(began); s > time.Second {
			b.asleep += s
		}
	}
}

// slept says whether a timer that was set at armed for due rang so late, at now, that the
// machine must have slept: later than twice the wait. The link is lost then, or must be
// taken as lost: whatever the box on the way forgot it has forgotten.
func slept(armed, due, now time.Time) bool {
	return now.Sub(armed) > 2*max(due.Sub(armed), time.Second)
}

// due is when the timer is to ring.
func (b *beater) due() time.Time {
	if b.waiting > 0 {
		return b.deadline
	}
	b.l.activity.mu.Lock()
	sent := b.l.activity.lastSent
	b.l.activity.mu.Unlock()
	if sent.Before(b.last) {
		sent = b.last
	}
	due := sent.Add(b.interval())
	switch {
	case b.health3 == 1:
		due = b.last.Add(min(againIfStuck, b.interval()))
	case b.health3 > 1: // it stays, and looks as often as in the foreground
		due = b.last.Add(min(b.t.foreground, b.interval()))
	}
	if t, ok := b.oldest(); ok && !t.Equal(b.checked) {
		if late := t.Add(lateSend); late.Before(due) {
			due = late
		}
	}
	if b.probe {
		due = time.Now()
	}
	return due
}

func (b *beater) oldest() (time.Time, bool) {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	return b.c.box.oldest()
}

// interval is the wait for the next beat.
func (b *beater) interval() time.Duration {
	if !b.background {
		return b.t.foreground
	}
	return b.search(func(s *search) time.Duration { return s.interval(b.t, b.warm) })
}

// search does something with the search of this network.
func (b *beater) search(do func(*search) time.Duration) time.Duration {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	s := b.c.beats[b.label]
	if s == nil {
		s = newSearch(b.t)
		b.c.beats[b.label] = s
	}
	return do(s)
}

// next is the interval after a beat that is about to be sent, if it comes back.
func (b *beater) next(used time.Duration, idle bool) time.Duration {
	if !b.background {
		return b.t.foreground
	}
	warm := b.warm
	if used <= b.t.floor {
		warm++
	}
	return b.search(func(s *search) time.Duration {
		after := *s
		if idle && b.warm >= warmBeats && used == s.cur {
			after.ok(b.t, wall())
		}
		return after.interval(b.t, warm)
	})
}

// timer rings: a beat is due, or has been missed.
func (b *beater) timer(now time.Time) {
	if b.waiting == 0 {
		b.send(now)
		return
	}
	if b.alive() {
		b.good()
		return
	}
	if b.waiting == 1 {
		b.waiting = 2
		b.deadline = now.Add(b.wait(b.t.second))
		b.l.control(new(wire.Ping))
		return
	}
	b.l.fail(errSilent)
}

// wait shortens a limit for Probe.
func (b *beater) wait(d time.Duration) time.Duration {
	if b.probe {
		return min(d, time.Second)
	}
	return d
}

// send makes a beat and says when the next will be, if that changes.
func (b *beater) send(now time.Time) {
	a := &b.l.activity
	a.mu.Lock()
	b.idle = !a.other
	a.other = false
	a.mu.Unlock()
	b.used = b.interval()
	if now.Before(b.last.Add(b.used - time.Second)) {
		b.idle = false // ahead of its time: it proves nothing
	}
	b.last, b.sentAt, b.waiting, b.asleep = now, now, 1, 0
	b.deadline = now.Add(b.wait(b.t.pong))
	if t, ok := b.oldest(); ok && now.Sub(t) >= lateSend {
		b.checked = t
	}
	p := new(wire.Ping)
	if next := seconds(b.next(b.used, b.idle)); next != b.announced {
		p.NextS, b.announced = next, next
	}
	b.l.control(p)
}

// alive says whether anything has been received since the beat.
func (b *beater) alive() bool {
	a := &b.l.activity
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.lastRecv.Before(b.sentAt)
}

// good notes that the beat came back, or another frame did, which says the same.
func (b *beater) good() {
	b.waiting, b.probe = 0, false
	if b.warm < warmBeats {
		if b.used <= b.t.floor {
			b.warm++
		}
		return
	}
	if !b.background || !b.idle {
		return
	}
	b.search(func(s *search) time.Duration {
		if b.used == s.cur {
			s.ok(b.t, wall())
			b.c.learnt(b.label, s)
		}
		return 0
	})
}

// over is called when the link has ended: if a beat was under way and nothing else had
// passed, the interval before it was too long for this network.
func (b *beater) over() {
	if b.waiting == 0 || !b.idle || !b.background || b.warm < warmBeats || b.alive() || !lostByNetwork(b.l.cause()) {
		return
	}
	b.search(func(s *search) time.Duration {
		if b.used == s.cur {
			s.fail(b.t, wall())
			b.c.learnt(b.label, s)
		}
		return 0
	})
}

// lostByNetwork says whether a link ended because nothing passes any more.
func lostByNetwork(err error) bool {
	var away goAwayError
	switch {
	case err == nil, errors.As(err, &away), errors.Is(err, errRebind), errors.Is(err, errSlept),
		errors.Is(err, errLeft), errors.Is(err, context.Canceled):
		return false
	}
	return true
}

// pong takes a PONG and what it says of the node.
func (b *beater) pong(p pong) {
	if b.waiting > 0 && !p.at.Before(b.sentAt) {
		b.good()
	}
	bad := false
	switch {
	case p.health >= wire.HealthStuck:
		b.health3++
		bad = b.health3 >= 2
	default:
		b.health3 = 0
		t, ok := b.oldest()
		bad = ok && p.health == wire.HealthOK && p.at.Sub(t) >= lateSend
	}
	if bad && b.c.elsewhere(b.l.at) {
		b.l.fail(errLeft)
		return
	}
	b.c.setState(func(s *State) { s.Stuck = s.Phase == Online && bad })
}

// news sees what the application has changed.
func (b *beater) news() {
	b.c.mu.Lock()
	n := b.c.net
	b.probe = b.probe || b.c.probe
	b.c.probe = false
	b.c.mu.Unlock()
	if b.probe && b.waiting > 0 { // one is under way, and need not have been for long
		if soon := time.Now().Add(b.wait(b.t.pong)); soon.Before(b.deadline) {
			b.deadline = soon
		}
	}
	if n.background == b.background {
		return
	}
	b.background = n.background
	next := seconds(b.interval())
	b.announced = next
	b.l.send(&wire.ClientState{Background: &n.background, NextS: next, Ack: b.l.acks.take()})
}

// learnt has the search of a network kept, and forgets the network that has not been
// seen for longest if there are too many. Called with mu held.
func (c *Client) learnt(label string, s *search) {
	s.used = wall()
	c.dirty[label] = true
	if len(c.beats) > maxNetworks {
		oldest := ""
		for l, o := range c.beats {
			if l != label && (oldest == "" || o.used.Before(c.beats[oldest].used)) {
				oldest = l
			}
		}
		delete(c.beats, oldest)
		c.dirty[oldest] = true
	}
	poke(c.inbox.wake)
}

// searchDirty says whether a search is to be kept.
func (c *Client) searchDirty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.dirty) > 0
}

// keepSearches adds the searches that are to be kept to b. Called with mu held.
func (c *Client) keepSearches(b *batch) {
	for label := range c.dirty {
		if s := c.beats[label]; s != nil {
			b.puts.Set(keyNet+label, s.record())
		} else {
			b.puts.Delete(keyNet + label)
		}
	}
	clear(c.dirty)
}
