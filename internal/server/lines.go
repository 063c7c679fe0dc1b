package server

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/anser-im/anser/internal/gate"
)

// serveLine accepts the links of a line listener until it is closed, and returns when
// all of them have ended. Core's drain ends their sessions one by one before that.
func (s *Server) serveLine(l *gate.Listener) error {
	var links sync.WaitGroup
	defer links.Wait()
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		links.Go(func() {
			link := gate.LinkOf(nc)
			s.line.ServeConn(s.lineCtx, nc, remoteAddr(nc), link.SignedIn)
		})
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
