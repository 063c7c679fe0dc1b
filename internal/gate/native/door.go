package native

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Door is the native protocol's door. Any goroutine may use it.
type Door struct {
	g      *gate.Gate         // fixed
	cfg    Config             // fixed, with defaults
	budget wire.Budget        // of unfinished frames
	ctx    context.Context    // ends with Close
	stop   context.CancelFunc // of ctx

	count    counters
	requests atomic.Int64 // being carried out
	draining atomic.Bool

	mu        sync.Mutex
	conns     map[*conn]struct{}        // guarded by mu
	listeners map[net.Listener]struct{} // guarded by mu
	closed    bool                      // guarded by mu: nobody comes in any more
	empty     chan struct{}             // guarded by mu: closed when conns gets empty; nil = nobody waits
	running   sync.WaitGroup            // all goroutines of connections; Add under mu while not closed
}

// New makes a Door. Its connections are written by g's flushers: close the Door
// before g.
func New(g *gate.Gate, cfg Config) *Door {
	d := &Door{g: g, cfg: cfg.defaults(), conns: map[*conn]struct{}{}, listeners: map[net.Listener]struct{}{}}
	d.budget = wire.NewBudget(d.cfg.Budget)
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d
}

// Serve accepts from ln until it is closed, and then answers nil, or until accepting
// fails for good. It closes ln.
func (d *Door) Serve(ln net.Listener) error {
	if r, ok := ln.(interface{ SetRefusal(func(error) []byte) }); ok {
		r.SetRefusal(refusal)
	}
	d.mu.Lock()
	if d.closed || d.draining.Load() {
		d.mu.Unlock()
		ln.Close()
		return nil
	}
	d.listeners[ln] = struct{}{}
	d.mu.Unlock()
	defer func() {
		ln.Close()
		d.mu.Lock()
		delete(d.listeners, ln)
		d.mu.Unlock()
	}()
	for {
		nc, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		d.start(nc)
	}
}

// refusal is what a connection is told that the Gatekeeper turns away.
func refusal(err error) []byte {
	e := im.AsError(err)
	b, _ := wire.Binary.Append(nil, goAway(refused(e), nil)) // cannot fail: it is a frame's body
	return b
}

// start gives nc a goroutine.
func (d *Door) start(nc net.Conn) {
	c := d.newConn(nc)
	if c == nil {
		return
	}
	go func() {
		if c.open() {
			c.read()
		}
	}()
}

// ServeConn serves one connection and returns when it is over.
func (d *Door) ServeConn(nc net.Conn) {
	if c := d.newConn(nc); c != nil && c.open() {
		c.loop()
	}
}

// newConn makes the connection behind nc known, or closes nc: nil.
func (d *Door) newConn(nc net.Conn) *conn {
	c := &conn{d: d, f: wire.Binary, how: overTCP, l: gate.LinkOf(nc)}
	if c.l == nil {
		c.l = d.g.NewLink(nc)
		nc = c.l
	}
	if tc, ok := nc.(*tls.Conn); ok {
		c.tls, c.how = tc, overTLS
	}
	if !d.enter(c) {
		c.l.Abort(nil)
		return nil
	}
	return c
}

// enter notes a connection, unless the door is closed.
func (d *Door) enter(c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.conns[c] = struct{}{}
	d.running.Add(1)
	d.count.now[c.how].Add(1)
	d.count.opened.Add(1)
	return true
}

// leave is the last thing of a connection.
func (d *Door) leave(c *conn) {
	d.count.now[c.how].Add(-1)
	d.count.ended[c.cause()].Add(1)
	d.mu.Lock()
	delete(d.conns, c)
	if len(d.conns) == 0 && d.empty != nil {
		close(d.empty)
		d.empty = nil
	}
	d.mu.Unlock()
	d.running.Done()
}

func (d *Door) all() []*conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*conn, 0, len(d.conns))
	for c := range d.conns {
		list = append(list, c)
	}
	return list
}

// Drain closes the listeners and sends every connection away with GOAWAY drain, in
// random order spread over spread, each told to come back a little later. PONGs say so
// from the beginning. It returns when all are gone, or ctx is done. Who comes by
// WebSocket meanwhile is refused.
func (d *Door) Drain(ctx context.Context, spread time.Duration) {
	d.draining.Store(true)
	d.mu.Lock()
	for ln := range d.listeners {
		ln.Close()
	}
	d.mu.Unlock()
	list := d.all()
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	began := time.Now()
	t := time.NewTimer(0)
	defer t.Stop()
	for i, c := range list {
		if wait := time.Until(began.Add(spread * time.Duration(i) / time.Duration(len(list)))); wait > 0 {
			t.Reset(wait)
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
		}
		c.end(drained())
	}
	for {
		d.mu.Lock()
		if len(d.conns) == 0 {
			d.mu.Unlock()
			return
		}
		if d.empty == nil {
			d.empty = make(chan struct{})
		}
		empty := d.empty
		d.mu.Unlock()
		select {
		case <-empty:
		case <-ctx.Done():
			return
		}
		for _, c := range d.all() { // came in meanwhile
			c.end(drained())
		}
	}
}

func drained() ending {
	return ending{reason: wire.ReasonDrain, code: wire.CodeDraining, text: "the server is shutting down",
		resumable: true, retry: time.Second + rand.N(2*time.Second), why: whyDrain}
}

// Close ends every connection and waits for them.
func (d *Door) Close() {
	d.mu.Lock()
	d.closed = true
	for ln := range d.listeners {
		ln.Close()
	}
	d.mu.Unlock()
	d.stop()
	for _, c := range d.all() {
		c.end(drained())
	}
	d.running.Wait()
}
