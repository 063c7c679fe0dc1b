package gate_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/testkit"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// owner says what the test gives it, and notes what it is told.
type owner struct {
	l      *gate.Link
	silent chan struct{}
	cut    chan struct{}

	mu    sync.Mutex
	next  [][]byte // one a turn
	turns int
}

func newOwner(l *gate.Link, top func([]byte) error) *owner {
	o := &owner{l: l, silent: make(chan struct{}, 100), cut: make(chan struct{})}
	l.Queue(o, top)
	return o
}

func (o *owner) Fill(b []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turns++
	if len(o.next) > 0 {
		b = append(b, o.next[0]...)
		o.next = o.next[1:]
	}
	if len(o.next) > 0 {
		o.l.Wake()
	}
	return b
}

func (o *owner) Silent() { o.silent <- struct{}{} }
func (o *owner) Cut()    { close(o.cut) }

func (o *owner) say(parts ...string) {
	o.mu.Lock()
	for _, p := range parts {
		o.next = append(o.next, []byte(p))
	}
	o.mu.Unlock()
	o.l.Wake()
}

// pair is a link and the other side of it.
func pair(t testing.TB, g *gate.Gate, kind string) (*gate.Link, net.Conn) {
	t.Helper()
	if kind == "pipe" {
		a, b := net.Pipe()
		t.Cleanup(func() { b.Close() })
		return g.NewLink(a), b
	}
	ln := listen(t, g, "tcp://127.0.0.1:0")
	nc, err := net.Dial("tcp", ln.Addr().String())
	check(t, err)
	t.Cleanup(func() { nc.Close() })
	c, err := ln.Accept()
	check(t, err)
	return c.(*gate.Link), nc
}

func listen(t testing.TB, g *gate.Gate, url string) *gate.Listener {
	t.Helper()
	u, err := gate.ParseURL(url)
	check(t, err)
	ln, err := g.Listen(u, nil)
	check(t, err)
	t.Cleanup(func() { ln.Close() })
	return ln
}

func newGate(t testing.TB, cfg gate.Config) *gate.Gate {
	g := gate.New(cfg)
	t.Cleanup(func() { testkit.Within(t, "Gate.Close", g.Close) })
	return g
}

// read reads n bytes.
func read(t testing.TB, c net.Conn, n int) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(testkit.Limit))
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}
