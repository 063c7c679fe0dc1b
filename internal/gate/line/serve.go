package line

import (
	"errors"
	"net"

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
			l := gate.LinkOf(nc)
			d.ServeConn(d.ctx, nc, l.Addr(), l.SignedIn)
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
