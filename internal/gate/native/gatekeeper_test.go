package native_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

var errFull = im.Errorf(im.Busy, "too many connections are waiting to sign in").WithRetry(5 * time.Second)

// Connections that have not signed in are counted, on every transport, and let go of
// their place when they do, or end.
func TestGatekeeper(t *testing.T) {
	k := &keeper{places: make(chan struct{}, 2)}
	w := newWorld(t, func(o *options) { o.gate.Gatekeeper = k })
	server, trust := certificate(t)
	tcp, secure, web := w.serve("tcp://127.0.0.1:0", nil), w.serve("tls://127.0.0.1:0", server), w.web("http://127.0.0.1:0", nil)
	first, second := w.tcp(tcp), w.tcp(secure)
	w.until("both have a place", func() bool { return len(k.places) == 2 })
	if g := w.dial(tcp).over(); g == nil || g.Reason != wire.ReasonOverload || g.Code != wire.CodeBusy || g.RetryAfterMs != 5000 {
		t.Errorf("the third is told %v", g)
	}
	s, err := upgrade(w.tcp(web), http.Header{"Sec-Websocket-Protocol": {wire.SubprotocolBinary}})
	check(t, err)
	if s.response.StatusCode != http.StatusServiceUnavailable || s.response.Header.Get("Retry-After") == "" {
		t.Errorf("a WebSocket: %v", s.response)
	}
	c := newClient(w, first)
	c.login(w, "alice", "phone")
	second.Close()
	w.until("both places are free", func() bool { return len(k.places) == 0 })
	newClient(w, w.secure(secure, trust)).login(w, "alice", "tablet")
	cl, _ := w.socket(w.tcp(web), wire.Binary, nil)
	if len(k.places) != 1 {
		t.Errorf("a WebSocket without HELLO takes %d places", len(k.places))
	}
	cl.login(w, "alice", "laptop")
	if len(k.places) != 0 {
		t.Errorf("%d places are taken when all have signed in", len(k.places))
	}
	if n := w.gate.Stats().Refused; n != 2 {
		t.Errorf("%d refused", n)
	}
	c.nc.Close()
}
