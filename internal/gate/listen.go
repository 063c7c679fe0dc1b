package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Listener accepts the connections of one door. Accept gives a *Link, or with TLS a
// *tls.Conn over one whose handshake is still to be made.
type Listener struct {
	g     *Gate
	url   URL // with the real port
	inner net.Listener
	tls   *tls.Config // nil: plain

	mu      sync.Mutex
	refusal func(error) []byte // guarded by mu; see SetRefusal

	// With trusted proxies only: their headers are read before Accept gives the
	// connection, by at most maxProxied goroutines.
	proxied chan net.Conn
	quit    chan struct{}
	once    sync.Once
	reading sync.WaitGroup
}

// Listen opens u. tc is needed with TLS; its NextProtos are set by the door.
//
// Errors are sentences that say what is wrong and what to do.
func (g *Gate) Listen(u URL, tc *tls.Config) (*Listener, error) {
	switch {
	case u.TLS && tc == nil:
		return nil, fmt.Errorf("%s needs a certificate: set tls.cert and tls.key", u)
	case !u.TLS && !u.Loopback() && !g.cfg.AllowPlain:
		return nil, fmt.Errorf("%s would carry tokens and messages in clear text over the network: "+
			"write %s and set a certificate, listen on 127.0.0.1, or, behind a proxy that ends TLS, set allow_plain", u, u.secure())
	}
	// Doors have heartbeats of their own; TCP's keepalive would see less and cost
	// system calls.
	lc := net.ListenConfig{KeepAlive: -1}
	inner, err := lc.Listen(context.Background(), "tcp", u.Addr)
	if err != nil {
		return nil, listenError(u, err)
	}
	u.Addr = inner.Addr().String()
	ln := &Listener{g: g, url: u, inner: inner}
	if u.TLS {
		ln.tls = tc.Clone()
		ln.tls.NextProtos = alpn[u.Door]
	}
	if len(g.cfg.TrustedProxies) > 0 {
		ln.proxied, ln.quit = make(chan net.Conn), make(chan struct{})
		ln.reading.Go(ln.readProxied)
	}
	return ln, nil
}

// alpn is what a door's TLS offers; nil takes whatever the client says.
var alpn = map[string][]string{
	"native": {"anser/1"},
	"http":   {"h2", "http/1.1"},
}

func listenError(u URL, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: the port is taken by another program, perhaps by another anser: stop it, or choose another port (0 takes any free one)", u)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: this user may not open that port: choose one above 1023, or give the program the right to (CAP_NET_BIND_SERVICE)", u)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine has no such address: use one it has, or leave the host out for all of them", u)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: the name of the host cannot be resolved: use an address", u)
	}
	return fmt.Errorf("%s cannot be opened: %w", u, err)
}

// URL is where it listens, with the real port.
func (ln *Listener) URL() URL { return ln.url }

// Addr is the address it listens on.
func (ln *Listener) Addr() net.Addr { return ln.inner.Addr() }

// SetRefusal says what a connection is told that the Gatekeeper refuses, if it is
// plain text; nothing by default.
func (ln *Listener) SetRefusal(f func(error) []byte) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.refusal = f
}

// Close ends Accept. Connections that were accepted stay.
func (ln *Listener) Close() error {
	err := ln.inner.Close()
	if ln.quit != nil {
		ln.once.Do(func() { close(ln.quit) })
		ln.reading.Wait()
	}
	return err
}

// Accept waits for the next connection. It goes on by itself where the reason of a
// failure passes, such as no file descriptors left; else the error is final.
func (ln *Listener) Accept() (net.Conn, error) {
	if ln.proxied != nil {
		select {
		case c := <-ln.proxied:
			return c, nil
		case <-ln.quit:
			return nil, net.ErrClosed
		}
	}
	for {
		raw, err := ln.accept()
		if err != nil {
			return nil, err
		}
		if c := ln.admit(raw, addrPort(raw.RemoteAddr()), nil); c != nil {
			return c, nil
		}
	}
}

// accept waits for a connection. Without file descriptors it tries again after 5 ms,
// then twice that, up to a second.
func (ln *Listener) accept() (net.Conn, error) {
	const least, most = 5 * time.Millisecond, time.Second
	for wait := least; ; wait = min(2*wait, most) {
		raw, err := ln.inner.Accept()
		if err == nil || !isTransient(err) {
			return raw, err
		}
		if wait == least {
			ln.g.log.Error("cannot accept connections: waiting; if this stays, raise the limit of open files", "listener", ln.url.String(), "err", err)
		}
		time.Sleep(wait)
	}
}

// admit makes a link of a connection, or refuses it: nil.
func (ln *Listener) admit(raw net.Conn, addr netip.AddrPort, head []byte) net.Conn {
	keeper := ln.g.cfg.Gatekeeper
	if ln.url.Door == "http" {
		keeper = nil // its requests carry their tokens; a WebSocket is counted when it is one
	}
	l := ln.g.link(raw, addr, head)
	if keeper != nil {
		if err := ln.g.enter(l); err != nil {
			ln.refuse(l, err)
			return nil
		}
	}
	if ln.tls != nil {
		return tls.Server(l, ln.tls)
	}
	return l
}

func (ln *Listener) refuse(raw net.Conn, err error) {
	ln.g.refused.Add(1)
	ln.mu.Lock()
	f := ln.refusal
	ln.mu.Unlock()
	if f != nil && ln.tls == nil {
		raw.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)) // a new socket takes it at once
		raw.Write(f(err))
	}
	raw.Close()
}

// Waits says that the link is one that has not signed in: it takes a place of the
// Gatekeeper, until SignedIn or its end. For WebSockets, whose listener counts nothing.
func (l *Link) Waits() error {
	if l.g.cfg.Gatekeeper == nil || l.waiting.Load() {
		return nil
	}
	l.since.Store(l.g.crowd.now()) // the upgrade is answered: the next byte is the client's to send
	if err := l.g.enter(l); err != nil {
		l.g.refused.Add(1)
		return err
	}
	l.mu.Lock()
	dead := l.dead
	l.mu.Unlock()
	if dead { // meanwhile, and so before it had a place to give back
		l.SignedIn()
	}
	return nil
}
