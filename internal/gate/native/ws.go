package native

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// WebSocket answers requests for wire.Path: it upgrades them. The server's listener
// should be a gate.Listener, whose links are written to at their turn; others work
// with a goroutine for each write.
func (d *Door) WebSocket() http.Handler { return http.HandlerFunc(d.upgrade) }

func (d *Door) upgrade(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	switch {
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		http.Error(w, "open a WebSocket here: GET", http.StatusMethodNotAllowed)
		return
	case !hasToken(r.Header, "Upgrade", "websocket") || !hasToken(r.Header, "Connection", "upgrade"):
		h.Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket: subprotocol "+wire.SubprotocolBinary+" or "+wire.SubprotocolJSON, http.StatusUpgradeRequired)
		return
	case r.Header.Get("Sec-WebSocket-Version") != "13": // RFC 6455 §4.4
		h.Set("Sec-WebSocket-Version", "13")
		http.Error(w, "this is a WebSocket of version 13", http.StatusUpgradeRequired)
		return
	case !d.originAllowed(r):
		http.Error(w, "this page may not open a WebSocket here: its origin is not listed", http.StatusForbidden)
		return
	case d.draining.Load() || d.ctx.Err() != nil:
		h.Set("Retry-After", "1")
		http.Error(w, "the server is shutting down", http.StatusServiceUnavailable)
		return
	}
	f, ok := offered(r)
	if !ok {
		http.Error(w, "offer the subprotocol "+wire.SubprotocolBinary+" or "+wire.SubprotocolJSON, http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Sec-WebSocket-Key")
	if b, err := base64.StdEncoding.DecodeString(key); err != nil || len(b) != 16 {
		http.Error(w, "Sec-WebSocket-Key is not 16 bytes in base64", http.StatusBadRequest)
		return
	}
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2, which browsers do not use for this (RFC 8441 is not offered)
		http.Error(w, "a WebSocket needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	if brw.Reader.Buffered() > 0 {
		nc.Close() // it talks before it has been answered: RFC 6455 §4.1
		return
	}
	nc.SetDeadline(time.Time{}) // the HTTP server's
	d.adopt(nc, r, f, key)
}

// hasToken says whether a header that is a list names a token.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for _, t := range strings.Split(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// offered is the first of our formats that the client names.
func offered(r *http.Request) (wire.Format, bool) {
	var names []string
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for _, s := range strings.Split(line, ",") {
			names = append(names, strings.TrimSpace(s))
		}
	}
	for _, s := range []string{wire.SubprotocolBinary, wire.SubprotocolJSON} {
		if slices.Contains(names, s) {
			return wire.FormatOf(s)
		}
	}
	return nil, false
}

// originAllowed looks at who made the page that asks, so that no foreign page speaks
// with our user's browser. Programs that are no browser send no Origin.
func (d *Door) originAllowed(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	for _, o := range d.cfg.Origins {
		if o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), origins[0]) {
			return true
		}
	}
	u, err := url.Parse(origins[0])
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return strings.EqualFold(hostPort(u.Host, u.Scheme), hostPort(r.Host, u.Scheme))
}

// hostPort is a host without the port that its scheme has anyway.
func hostPort(host, scheme string) string {
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// adopt makes a connection of a hijacked one, and leaves the HTTP server's goroutine.
func (d *Door) adopt(nc net.Conn, r *http.Request, f wire.Format, key string) {
	c := &conn{d: d, f: f, how: overWS, l: gate.LinkOf(nc)}
	if c.l == nil {
		c.l = d.g.NewLink(nc)
		nc = c.l
	}
	if a := d.g.ClientAddr(r); a.IsValid() {
		c.l.SetClient(netip.AddrPortFrom(a, 0))
	}
	nc.SetWriteDeadline(time.Now().Add(d.cfg.HelloTimeout))
	if err := c.l.Waits(); err != nil {
		io.WriteString(nc, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"+im.AsError(err).Text+"\n")
		c.l.Abort(nil)
		return
	}
	s := &socket{c: c, below: nc, deflate: !d.cfg.NoCompress && deflateOffered(r.Header)}
	extensions := ""
	if s.deflate {
		extensions = "Sec-WebSocket-Extensions: " + deflateAgreed + "\r\n"
	}
	_, err := fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n%s\r\n", acceptKey(key), f.Subprotocol(), extensions)
	nc.SetWriteDeadline(time.Time{})
	c.ws = s
	if err != nil || !d.enter(c) {
		c.l.Abort(nil)
		return
	}
	if !c.queue() {
		s.hello = time.NewTimer(0)
		c.over()
		return
	}
	s.hello = time.AfterFunc(d.cfg.HelloTimeout, func() {
		c.end(ending{reason: wire.ReasonSilent, code: wire.CodeSilent, text: "no HELLO came in time", why: whySilent})
	})
	if d.draining.Load() {
		c.end(drained())
	}
	var src io.Reader // the link itself, read by raw calls
	if nc != net.Conn(c.l) {
		src = nc
	}
	c.in = c.l.Reader(src, nil, (*wsBudget)(s), s)
	c.read()
}

// acceptKey proves that the request was understood (RFC 6455 §4.2.2).
func acceptKey(key string) string {
	h := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(h[:])
}
