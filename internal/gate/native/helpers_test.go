package native_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/gate/native"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// world is a door before a core over the model of a store.
type world struct {
	testing.TB
	st     *memstore.Store
	core   *core.Core
	rev    *auth.Revoker
	signer *auth.Signer
	gate   *gate.Gate
	door   *native.Door
}

// options are what a test wants different.
type options struct {
	core  core.Config
	door  native.Config
	gate  gate.Config
	store memstore.Config
}

func newWorld(t testing.TB, change ...func(*options)) *world {
	t.Helper()
	o := options{}
	o.core.SweepEvery = -1
	o.core.Limits.SendRate = -1
	for _, f := range change {
		f(&o)
	}
	w := &world{TB: t, st: memstore.New(o.store)}
	v, err := auth.NewVerifier(auth.Config{Secret: secret})
	w.ok(err)
	w.signer, err = auth.NewSigner(secret, "", nil)
	w.ok(err)
	w.rev = auth.NewRevoker(&rows{m: map[string][]byte{}}, nil, func(r auth.Revocation) { w.core.Revoked(r) })
	w.core = core.New(o.core, w.st, v, w.rev)
	w.gate = gate.New(o.gate)
	o.door.Core = func(app string) *core.Core {
		if app == "" || app == "default" {
			return w.core
		}
		return nil
	}
	w.door = native.New(w.gate, o.door)
	t.Cleanup(func() {
		w.door.Close()
		w.core.Close()
		w.gate.Close()
		w.st.Close()
	})
	return w
}

// rows is what auth keeps, in memory.
type rows struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (a *rows) Read(_ context.Context, u im.UserID, key string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.m[string(u)+"\x00"+key], nil
}

func (a *rows) Write(_ context.Context, was *auth.Row, list ...auth.Row) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range list {
		a.m[string(r.User)+"\x00"+r.Key] = r.Value
	}
	return nil
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) token(user string, change ...func(*auth.Claims)) string {
	w.Helper()
	c := auth.Claims{User: im.UserID(user), Expires: time.Now().Add(time.Hour)}
	for _, f := range change {
		f(&c)
	}
	s, err := w.signer.Sign(c)
	w.ok(err)
	return s
}

// serve opens a listener of the door's and answers its address.
func (w *world) serve(url string, tc *tls.Config) string {
	w.Helper()
	u, err := gate.ParseURL(url)
	w.ok(err)
	ln, err := w.gate.Listen(u, tc)
	w.ok(err)
	done := make(chan error, 1)
	go func() { done <- w.door.Serve(ln) }()
	w.Cleanup(func() {
		ln.Close()
		if err := <-done; err != nil {
			w.Error("Serve:", err)
		}
	})
	return ln.Addr().String()
}

// client is the other side of a connection, byte by byte.
type client struct {
	testing.TB
	f       wire.Format
	nc      net.Conn
	write   func([]byte) error     // one unit, or some bytes
	read    func() ([]byte, error) // one unit, or some bytes
	buf     []byte                 // of a stream
	asm     wire.Reassembler
	got     []wire.Body
	welcome *wire.Welcome
}

// pipe is a client on an in-memory connection.
func (w *world) pipe() *client {
	w.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); w.door.ServeConn(theirs) }()
	c := newClient(w, ours)
	w.Cleanup(func() { ours.Close(); <-done })
	return c
}

// dial is a client over TCP.
func (w *world) dial(addr string) *client {
	w.Helper()
	nc, err := net.Dial("tcp", addr)
	w.ok(err)
	return newClient(w, nc)
}

func newClient(w *world, nc net.Conn) *client {
	c := &client{TB: w.TB, f: wire.Binary, nc: nc}
	w.Cleanup(func() { nc.Close() })
	c.write = func(b []byte) error {
		nc.SetWriteDeadline(time.Now().Add(testkit.Limit))
		_, err := nc.Write(b)
		return err
	}
	b := make([]byte, 64<<10)
	c.read = func() ([]byte, error) {
		nc.SetReadDeadline(time.Now().Add(testkit.Limit))
		n, err := nc.Read(b)
		if n > 0 {
			err = nil
		}
		return b[:n], err
	}
	return c
}

// say writes frames, all in one unit.
func (c *client) say(ms ...wire.Body) {
	c.Helper()
	var b []byte
	for i, m := range ms {
		var err error
		if c.f == wire.JSON && len(ms) > 1 {
			b = append(b, "[,"[min(i, 1)])
		}
		if b, err = c.f.Append(b, m); err != nil {
			c.Fatal(err)
		}
	}
	if c.f == wire.JSON && len(ms) > 1 {
		b = append(b, ']')
	}
	c.raw(b)
}

func (c *client) raw(b []byte) {
	c.Helper()
	if err := c.write(b); err != nil {
		c.Fatal("write:", err)
	}
}

// frame is the next frame, whatever it is; nil at the end of the connection.
func (c *client) frame() wire.Body {
	c.Helper()
	for len(c.got) == 0 {
		b, err := c.read()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.Fatal("nothing came")
			}
			return nil
		}
		if err := c.take(b); err != nil {
			c.Fatal(err)
		}
	}
	m := c.got[0]
	c.got = c.got[1:]
	return m
}

func (c *client) take(b []byte) error {
	if c.f == wire.JSON {
		return c.f.Each(b, 0, func(f wire.Frame) error { return c.decode(f) })
	}
	c.buf = append(c.buf, b...)
	for {
		f, n, err := wire.Next(c.buf, 0)
		if err == wire.ErrShort {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the server sent no frame: %w: %q", err, c.buf[:min(len(c.buf), 100)])
		}
		f.Body = append([]byte(nil), f.Body...)
		c.buf = c.buf[n:]
		whole, ok, err := c.asm.Add(f)
		if err != nil {
			return err
		}
		if ok {
			if err := c.decode(whole); err != nil {
				return err
			}
		}
	}
}

func (c *client) decode(f wire.Frame) error {
	m := wire.New(f.Type)
	if m == nil {
		return fmt.Errorf("frame of type %v", f.Type)
	}
	if err := c.f.Decode(f, m); err != nil {
		return err
	}
	c.got = append(c.got, m)
	return nil
}

// expect is the next frame of a kind; others before it fail the test.
func expect[T any, P interface {
	*T
	wire.Body
}](c *client) P {
	c.Helper()
	m := c.frame()
	p, ok := m.(P)
	if !ok {
		var want P
		c.Fatalf("got %T %v, want %T", m, m, want)
	}
	return p
}

// until is the next frame of a kind; others before it are passed over.
func until[T any, P interface {
	*T
	wire.Body
}](c *client) P {
	c.Helper()
	for {
		m := c.frame()
		if m == nil {
			var want P
			c.Fatalf("the connection ended; want %T", want)
		}
		if p, ok := m.(P); ok {
			return p
		}
	}
}

// over waits for the end of the connection, and answers the GOAWAY before it (nil if
// there was none).
func (c *client) over() *wire.GoAway {
	c.Helper()
	var g *wire.GoAway
	for {
		switch m := c.frame().(type) {
		case nil:
			c.nc.Close()
			return g
		case *wire.GoAway:
			g = m
		default:
			if g != nil {
				c.Fatalf("%T after GOAWAY", m)
			}
		}
	}
}

// away expects the end for a reason.
func (c *client) away(reason string, code uint32) *wire.GoAway {
	c.Helper()
	g := c.over()
	if g == nil || g.Reason != reason || g.Code != code {
		c.Fatalf("the connection ended with %v, want %s %d", g, reason, code)
	}
	return g
}

func hello(token, device string) *wire.Hello {
	return &wire.Hello{Version: 1, Token: token, Device: &wire.Device{Id: device, Class: "phone", Os: "test", Sdk: "test"}, NextS: 30}
}

// login signs in.
func (c *client) login(w *world, user, device string, change ...func(*wire.Hello)) *client {
	c.Helper()
	h := hello(w.token(user), device)
	for _, f := range change {
		f(h)
	}
	c.say(h)
	c.welcome = expect[wire.Welcome](c)
	return c
}

func text(id, conv, s string) *wire.Send {
	return &wire.Send{Id: id, Conv: conv, Type: "an:text", Body: []byte(`{"content":"` + s + `"}`)}
}

// send sends a text and expects it to be taken.
func (c *client) send(id, conv, s string) *wire.SendAck {
	c.Helper()
	c.say(text(id, conv, s))
	a := until[wire.SendAck](c)
	if a.Code != 0 || a.Id != id {
		c.Fatalf("send: %v", a)
	}
	return a
}

// event is the next event of a PUSH, which must hold one alone.
func (c *client) event() (*wire.Push, *wire.Event) {
	c.Helper()
	p := until[wire.Push](c)
	if len(p.Events) != 1 {
		c.Fatalf("a push of %d events: %v", len(p.Events), p)
	}
	return p, p.Events[0]
}

var requestID uint64

// call makes a request and waits for its answer.
func (c *client) call(method string, q wire.Body, a wire.Body) *wire.Res {
	c.Helper()
	body, err := c.f.MarshalBody(q)
	if err != nil {
		c.Fatal(err)
	}
	requestID++
	c.say(&wire.Req{Id: requestID, Method: method, Body: body})
	for {
		r := until[wire.Res](c)
		if r.Id != requestID {
			continue
		}
		if r.Code == 0 {
			if err := c.f.UnmarshalBody(r.Body, a); err != nil {
				c.Fatal(err)
			}
		}
		return r
	}
}
