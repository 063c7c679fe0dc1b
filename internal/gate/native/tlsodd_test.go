package native_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// What may go wrong over TLS.
func TestTLSOdd(t *testing.T) {
	w := newWorld(t, func(o *options) { o.door.HelloTimeout = time.Second })
	server, trust := certificate(t)
	addr := w.serve("tls://127.0.0.1:0", server)

	// Nothing, a plain HELLO, HTTP, and a ClientHello that is cut off: all end in time.
	for _, b := range []string{"", string(frameOf(t, hello(w.token("alice"), "phone"))), "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01"} {
		nc := w.tcp(addr)
		nc.Write([]byte(b))
		nc.SetReadDeadline(time.Now().Add(testkit.Limit))
		if _, err := io.Copy(io.Discard, nc); isTimeout(err) {
			t.Errorf("%.20q: the connection stays open", b)
		}
	}
	if c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}); err == nil {
		c.Close()
		t.Error("it speaks HTTP/2")
	}

	// A handshake and then silence.
	c := newClient(w, w.secure(addr, trust, "anser/1"))
	c.away(wire.ReasonSilent, wire.CodeSilent)

	// The end is told in TLS as well: nobody can cut a connection off unnoticed.
	nc := w.secure(addr, trust, "anser/1")
	c = newClient(w, nc).login(w, "alice", "phone")
	c.raw([]byte{0x47, 0x00})
	until[wire.GoAway](c)
	nc.SetReadDeadline(time.Now().Add(testkit.Limit))
	if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the last words: %v; want a close_notify", err)
	}
	nc.Close()

	// Many records at once, and frames over the ends of records.
	c = newClient(w, w.secure(addr, trust)).login(w, "alice", "phone", func(h *wire.Hello) { h.Caps = &wire.Caps{Zstd: true, Fragments: true} })
	body := strings.Repeat("0123456789abcdef", 7<<10)
	for i := range 5 {
		c.send("m"+string(rune('0'+i)), "u/bob", body)
	}
	var p wire.PageResponse
	if r := c.call(wire.MethodPage, &wire.PageRequest{Conv: "u/bob", Limit: 2}, &p); r.Code != 0 || len(p.Range.Messages) != 2 {
		t.Errorf("%v", r)
	}
	c.nc.Close()
	w.quiet()
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// A TLS client that stops reading is closed like any other.
func TestTLSStalled(t *testing.T) {
	w := newWorld(t, func(o *options) { o.gate.WriteStall = 500 * time.Millisecond })
	server, trust := certificate(t)
	addr := w.serve("tls://127.0.0.1:0", server)
	raw := w.tcp(addr)
	raw.(*net.TCPConn).SetReadBuffer(4 << 10)
	nc := tls.Client(raw, trust)
	c := newClient(w, nc).login(w, "stalled", "d")
	for i := range 3 {
		c.send("m"+string(rune('0'+i)), "u/stalled", strings.Repeat("x", 100<<10))
	}
	q := must(c.f.MarshalBody(&wire.PageRequest{Conv: "u/stalled", Limit: 5}))
	go func() {
		for id := uint64(1 << 32); ; id++ {
			if c.write(frameOf(t, &wire.Req{Id: id, Method: wire.MethodPage, Body: q})) != nil {
				return
			}
		}
	}()
	w.until("the stalled client is closed", func() bool { return w.door.Stats().Ended["slow"] == 1 })
	again := newClient(w, w.secure(addr, trust)).login(w, "stalled", "d", func(h *wire.Hello) { h.Resume = &wire.Resume{Session: c.welcome.Session} })
	if !again.welcome.Resumed {
		t.Error("who was slow cannot resume")
	}
}
