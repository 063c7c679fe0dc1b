package line

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/anser-im/anser/internal/gate"
)

// Serve talks with whoever connects to ln, a gate.Listener, until it is closed; it
// returns nil then. Close ends the links.
func (d *Door) Serve(ln net.Listener) error {
	for {
		nc, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		d.mu.Lock()
		if d.ctx.Err() != nil {
			d.mu.Unlock()
			nc.Close()
			return nil
		}
		d.conns.Add(1)
		d.mu.Unlock()
		go func() {
			defer d.conns.Done()
			var signedIn func()
			if l := gate.LinkOf(nc); l != nil {
				signedIn = l.SignedIn
			}
			d.ServeConn(d.ctx, nc, addrOf(nc), signedIn)
		}()
	}
}

// Close tells everyone goodbye, ends all links and waits for them. The listeners are
// the caller's to close.
func (d *Door) Close() {
	d.mu.Lock()
	d.stop()
	d.mu.Unlock()
	d.conns.Wait()
}

// Drain is Close that waits no longer than ctx.
func (d *Door) Drain(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		d.Close()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func addrOf(nc net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil { // a pipe
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
