package line_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/gate/line"
)

// Who connects to a listener with TLS and says nothing is let go in time, and does
// not keep the server from ending.
func TestSilenceInTLS(t *testing.T) {
	for _, byClose := range []bool{false, true} {
		cfg := line.Config{LoginTimeout: 50 * time.Millisecond}
		if byClose {
			cfg.LoginTimeout = time.Hour
		}
		h := newHouse(t, cfg)
		ours, theirs := net.Pipe()
		defer ours.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.door.ServeConn(ctx, tls.Server(theirs, &tls.Config{}), netip.Addr{}, nil)
		}()
		if byClose {
			cancel()
		}
		select {
		case <-done:
		case <-time.After(limit):
			t.Fatalf("by close %v: a silent client is still there", byClose)
		}
	}
}
