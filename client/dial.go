package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/anser-im/anser/wire"
)

// Racing: the next endpoint is tried after racePause if the last one has not welcomed
// us, up to raceWidth at once, dialLimit each.
const (
	racePause = 2500 * time.Millisecond
	raceWidth = 3
)

// dial comes to WELCOME at one endpoint. It leaves nothing behind when it fails or ctx
// ends first. hello is not altered. sent is called once Hello is on its way.
func (c *Client) dial(ctx context.Context, e endpoint, hello *wire.Hello, sent func()) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := c.connect(ctx, e)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // ends whatever waits below
	l, err := c.login(ctx, conn, e, hello, sent)
	if !stop() && err == nil { // ctx ended at the same moment
		l.fail(ctx.Err())
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("anser: %s did not answer in time: %w", e.name, context.Cause(ctx))
		}
		return nil, err
	}
	return l, nil
}

// connect makes the connection and puts TLS on it.
func (c *Client) connect(ctx context.Context, e endpoint) (net.Conn, error) {
	var conn net.Conn
	var err error
	if c.opt.Dial != nil {
		conn, err = c.opt.Dial(ctx, e.name)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", e.addr)
	}
	if err != nil {
		return nil, err
	}
	if conn == nil {
		return nil, errors.New("anser: Options.Dial gave no connection")
	}
	if !e.tls {
		return conn, nil
	}
	cfg := &tls.Config{}
	if c.opt.TLS != nil {
		cfg = c.opt.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = e.host
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	if e.ws {
		cfg.NextProtos = []string{"http/1.1"}
	}
	t := tls.Client(conn, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return t, nil
}

// login upgrades to WebSocket if that is what the endpoint is, says HELLO and waits
// for WELCOME. On success the link's reading goroutine runs and waits to be adopted.
func (c *Client) login(ctx context.Context, conn net.Conn, e endpoint, hello *wire.Hello, sent func()) (*link, error) {
	l := newLink(nil, e)
	l.max.n.Store(wire.MaxFrame)
	if e.ws {
		s, err := dialWebSocket(conn, e, c.opt.JSON, &l.max)
		if err != nil {
			return nil, err
		}
		l.ca = s
	} else {
		l.ca = &stream{conn: conn, max: &l.max}
	}
	b, err := l.ca.format().Append(nil, hello)
	if err != nil {
		return nil, err
	}
	if len(b) > wire.MaxFirstFrame {
		return nil, &StopError{Reason: wire.ReasonToken, Message: "the token is too long"}
	}
	sent()
	if err := l.ca.write(b); err != nil {
		return nil, err
	}
	l.activity.sent(true)
	c.workers.Go(l.readLoop)
	select {
	case f := <-l.first:
		return l, f.err
	case <-ctx.Done():
		l.fail(ctx.Err())
		return nil, ctx.Err()
	}
}

// candidates are the endpoints in the order in which to try them: the one that a
// session can be resumed at, then the configured ones, then those told by servers; and
// after all of them what was left in the last minute.
func (c *Client) candidates() []endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first, good, bad []endpoint
	seen := make(map[string]bool)
	sent := c.go2
	c.go2 = nil
	for i, e := range slices.Concat(sent, c.endpoints, c.nodes) {
		k := e.key()
		switch {
		case seen[k]:
		case i < len(sent):
			first = append(first, e)
		case c.leftLately(k):
			bad = append(bad, e)
		case c.last != nil && c.last.at == k:
			first = append(first, e)
		default:
			good = append(good, e)
		}
		seen[k] = true
	}
	return append(append(first, good...), bad...)
}

// leaveFor is how long an endpoint that was left is remembered.
const leaveFor = time.Minute

// leftLately says whether the endpoint was left in the last minute. Called with mu held.
func (c *Client) leftLately(key string) bool {
	t, ok := c.left[key]
	if d := wall().Sub(t); ok && (d >= leaveFor || d < 0) { // the clock may have been set back
		delete(c.left, key)
		return false
	}
	return ok
}

// leave notes that an endpoint does not serve.
func (c *Client) leave(e endpoint) {
	c.mu.Lock()
	c.left[e.key()] = wall()
	c.mu.Unlock()
}

// elsewhere says whether there is another endpoint that was not left lately.
func (c *Client) elsewhere(e endpoint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range slices.Concat(c.endpoints, c.nodes) {
		if o.key() != e.key() && !c.leftLately(o.key()) {
			return true
		}
	}
	return false
}

// errLost ends a link whose endpoint lost the race.
var errLost = errors.New("anser: another endpoint was quicker")

// race tries endpoints until one welcomes us. It answers the last error if none does,
// or at once one that would be the same everywhere: a token that is not good.
func (c *Client) race(ctx context.Context, list []endpoint, hello *wire.Hello) (*link, error) {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		l   *link
		err error
		at  endpoint
	}
	results := make(chan result, len(list)) // room for all: nobody waits to be heard
	saidHello := make(chan struct{}, len(list))
	running := 0
	defer func() { // an attempt may have won at the same moment
		cancel()
		if n := running; n > 0 {
			c.workers.Go(func() {
				for range n {
					if r := <-results; r.l != nil {
						r.l.fail(errLost)
					}
				}
			})
		}
	}()
	begin := func() {
		e := list[0]
		list = list[1:]
		running++
		c.workers.Go(func() {
			l, err := c.dial(ctx, e, hello, func() { saidHello <- struct{}{} })
			results <- result{l, err, e}
		})
	}
	timer := time.NewTimer(racePause)
	defer timer.Stop()
	last := errors.New("anser: no endpoint to try")
	begin()
	for running > 0 {
		var next <-chan time.Time
		if len(list) > 0 && running < raceWidth {
			next = timer.C
		}
		select {
		case r := <-results:
			running--
			if r.err == nil {
				r.l.ghosts = len(saidHello) > 1
				return r.l, nil
			}
			c.log.Debug("endpoint did not welcome us", "endpoint", r.at.name, "err", r.err)
			last = r.err
			c.sentElsewhere(r.err, r.at)
			if final(r.err) {
				return nil, r.err
			}
		case <-next:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if len(list) > 0 { // and there is room: one came back, or the timer saw it
			begin()
			timer.Reset(racePause)
		}
	}
	return nil, last
}
