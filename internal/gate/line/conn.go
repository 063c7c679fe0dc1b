package line

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
)

// Door is the line door. Any goroutine may use it.
type Door struct {
	cfg  Config             // fixed
	core *core.Core         // fixed
	ctx  context.Context    // fixed; ends with Close
	stop context.CancelFunc // fixed

	next, live, lines atomic.Uint64

	mu    sync.Mutex     // orders Serve's Add before Close's Wait
	conns sync.WaitGroup // links of Serve
}

// New makes the door of c.
func New(cfg Config, c *core.Core) *Door {
	d := &Door{cfg: cfg.defaults(), core: c}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d
}

// Stats are sums for metrics, besides Live.
type Stats struct {
	Conns uint64 // links so far
	Lines uint64 // read from clients
	Live  uint64 // links now
}

// Stats tells them.
func (d *Door) Stats() Stats {
	return Stats{Conns: d.next.Load(), Lines: d.lines.Load(), Live: d.live.Load()}
}

// ServeConn talks with one client until the link ends, closes nc, and returns when
// everything of it has ended. addr is the client's; signedIn, if not nil, is called
// once when a login has succeeded. The end of ctx ends the link with a word.
func (d *Door) ServeConn(ctx context.Context, nc net.Conn, addr netip.Addr, signedIn func()) {
	c := &conn{d: d, nc: nc, addr: addr, signedIn: signedIn,
		wake: make(chan struct{}, 1), ended: make(chan core.End, 1)}
	c.log = d.cfg.Log.With("conn", d.next.Add(1), "door", "line", "addr", addr.String())
	d.live.Add(1)
	defer d.live.Add(^uint64(0))
	defer nc.Close()
	defer func() {
		if p := recover(); p != nil { // a bug of ours costs this link, not the others
			c.log.Error("panic at the line door", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	c.run(ctx)
}

// conn is one link. run reads and answers; push writes news beside it.
type conn struct {
	d        *Door
	nc       net.Conn
	addr     netip.Addr
	signedIn func()
	log      *slog.Logger
	wake     chan struct{} // room for one: Take may have something
	ended    chan core.End // room for one: core ended the session

	sess *core.Session // owned by run; set before push starts
	in   *reader       // owned by run
	to   im.Address    // owned by run: where every line goes; "" = lines are commands

	// given is the newest number shown of each conversation: what was missed and what
	// comes live overlap. Owned by run until news starts, then by news.
	given map[im.Address]im.Seq

	wmu  sync.Mutex // held while writing, so that a line is whole and news come in order
	dead bool       // guarded by wmu: a write failed

	amu     sync.Mutex
	ackOn   bool      // guarded by amu: READ acknowledges, not the writing
	unacked []awaited // guarded by amu: shown and not acknowledged, by push number
}

// awaited is one shown push under ACK ON.
type awaited struct {
	push uint64
	addr im.Address
	seq  im.Seq // 0 = nothing to wait for
}

func (c *conn) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		c.end(core.End{Code: im.CodeDraining, Text: "the server is shutting down"})
	})
	defer stop()
	if !c.handshake(ctx) {
		return
	}
	c.given = map[im.Address]im.Seq{}
	c.in = newReader(c.nc, c.d.cfg.MaxLine)
	c.write("* Anser line 1. Type LOGIN <token>, HELP or QUIT")
	if !c.login(ctx) {
		return
	}
	defer c.sess.Close()
	ctx, cancel := context.WithCancel(ctx)
	var news sync.WaitGroup
	defer news.Wait()
	defer c.nc.Close() // lets go of a write that hangs
	defer cancel()
	news.Go(func() { c.news(ctx) })
	c.commands(ctx)
}

// handshake does that of TLS, if there is one, in the time for signing in. Nothing was
// written yet, so whoever is silent here holds no lock.
func (c *conn) handshake(ctx context.Context) bool {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, c.d.cfg.LoginTimeout)
	defer cancel()
	return t.HandshakeContext(ctx) == nil
}

// read is the next line; false ends the link, with the reason told.
func (c *conn) read(limit time.Duration) (string, bool) {
	for {
		c.nc.SetReadDeadline(time.Now().Add(limit))
		text, err := c.in.next()
		switch {
		case err == nil:
			c.d.lines.Add(1)
			return text, true
		case errors.Is(err, errLong):
			c.write(fmt.Sprintf("-ERR %d that line is longer than %d bytes; nothing of it was taken", im.CodeTooLarge, c.d.cfg.MaxLine))
		case errors.Is(err, errNotText):
			c.write(fmt.Sprintf("-ERR %d that line is not UTF-8; nothing of it was taken", im.CodeInvalid))
		case errors.Is(err, errEndless):
			c.write(fmt.Sprintf("-ERR %d that line does not end", im.CodeTooLarge))
			return "", false
		default:
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				c.write(fmt.Sprintf("* nothing came for %v: goodbye", limit))
			}
			return "", false
		}
	}
}

// login reads lines until one signs in.
func (c *conn) login(ctx context.Context) bool {
	began, tries := time.Now(), 0
	for {
		text, ok := c.read(max(c.d.cfg.LoginTimeout-time.Since(began), time.Millisecond))
		if !ok {
			return false
		}
		if other := foreign(text); other != "" {
			c.write(fmt.Sprintf("-ERR %d this port talks Anser's line protocol, not %s", im.CodeMalformed, other))
			return false
		}
		cmd, rest := word(text)
		switch strings.ToUpper(cmd) {
		case "":
		case "LOGIN":
			err := c.signIn(ctx, rest)
			if err == nil {
				return true
			}
			c.write(refusal(err))
			if tries++; tries >= c.d.cfg.LoginTries {
				c.write("* too many tries: goodbye")
				return false
			}
		case "HELP":
			c.write(help...)
		case "PING":
			c.write("+OK PONG")
		case "QUIT":
			c.write("+OK goodbye")
			return false
		default:
			c.write(fmt.Sprintf("-ERR %d sign in first: LOGIN <token>", im.CodeUnauthenticated))
		}
	}
}

func (c *conn) signIn(ctx context.Context, rest string) error {
	token, device := word(rest)
	device, more := word(device)
	if token == "" || more != "" {
		return im.Errorf(im.Invalid, "type LOGIN <token>, or LOGIN <token> <device>")
	}
	if device == "" {
		device = "line"
	}
	s, err := c.d.core.Login(ctx, core.Login{
		Token: token, Door: "line", Device: im.DeviceID(device), Class: im.Line, OS: "terminal", SDK: "line",
		Addr: c.addr, Cursors: true, Wake: c.poke, Ended: c.end,
	})
	if err != nil {
		return err
	}
	if c.signedIn != nil {
		c.signedIn()
	}
	c.sess = s
	c.log = c.log.With("user", string(s.User()), "device", string(s.Device()))
	c.log.Info("signed in")
	if err := c.welcome(ctx); err != nil {
		c.write(refusal(err))
	}
	return nil
}

// poke is core's Wake.
func (c *conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// goodbyeTime is how long the last word may wait for a client that does not read.
const goodbyeTime = time.Second

// end is core's Ended. Closing the link ends run; the reason is told first.
func (c *conn) end(e core.End) {
	select {
	case c.ended <- e:
	default:
		return
	}
	go func() { // Ended must not block, and a write may
		defer time.AfterFunc(goodbyeTime, func() { c.nc.Close() }).Stop()
		c.write(fmt.Sprintf("* %s (%d): goodbye", clean(e.Text), e.Code))
		c.nc.Close()
	}()
}

// write sends lines in one piece. A client that does not read for WriteTimeout loses
// the link.
func (c *conn) write(lines ...string) bool {
	if len(lines) == 0 {
		return true
	}
	var b []byte
	for _, l := range lines {
		b = append(append(b, l...), '\r', '\n')
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.dead {
		return false
	}
	c.nc.SetWriteDeadline(time.Now().Add(c.d.cfg.WriteTimeout))
	if _, err := c.nc.Write(b); err != nil {
		c.dead = true
		c.nc.Close() // ends run's read
		return false
	}
	return true
}
