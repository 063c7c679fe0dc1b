package server

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/anser-im/anser/internal/auth"
)

// How many HTTP connections there may be that are not WebSockets. A WebSocket is
// counted by the native door until it has signed in.
const (
	maxHTTP        = 4096
	maxHTTPPerAddr = 200 // but for loopback and trusted proxies
)

// httpLimit closes HTTP connections above a number, in all and for each address, so
// that idle ones cannot use up the file descriptors. What became a WebSocket no longer
// counts: the native door has limits of its own.
type httpLimit struct {
	keeper *auth.Gatekeeper
	exempt func(netip.Addr) bool

	mu   sync.Mutex
	held map[net.Conn]netip.Addr // guarded by mu: those that have a place
}

func (s *Server) newHTTPLimit() *httpLimit {
	proxies, _ := s.cfg.proxies() // checked at the start
	return &httpLimit{keeper: auth.NewGatekeeper(maxHTTPPerAddr, maxHTTP), held: map[net.Conn]netip.Addr{}, exempt: func(a netip.Addr) bool {
		for _, p := range proxies {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}}
}

// state is http.Server.ConnState.
func (l *httpLimit) state(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		a := remoteAddr(c)
		if l.exempt(a) {
			return
		}
		if l.keeper.Acquire(a) != nil {
			c.Close()
			return
		}
		l.mu.Lock()
		l.held[c] = a
		l.mu.Unlock()
	case http.StateHijacked, http.StateClosed:
		l.mu.Lock()
		a, ok := l.held[c]
		delete(l.held, c)
		l.mu.Unlock()
		if ok {
			l.keeper.Release(a)
		}
	}
}

// remoteAddr is the client's address, without its port.
func remoteAddr(c net.Conn) netip.Addr {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}
