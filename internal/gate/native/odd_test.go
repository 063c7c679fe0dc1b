package native_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// frameOf is one whole binary frame.
func frameOf(t testing.TB, m wire.Body) []byte {
	t.Helper()
	b, err := wire.Binary.Append(nil, m)
	check(t, err)
	return b
}

// What a client may do wrong before it is welcomed, and what it is told.
func TestBeforeWelcome(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	good := func(change func(*wire.Hello)) []byte {
		h := hello(w.token("alice"), "phone")
		change(h)
		return frameOf(t, h)
	}
	for _, c := range []struct {
		name   string
		send   []byte
		reason string
		code   uint32
	}{
		{"a frame that is not HELLO", []byte{0x01, 0x00}, wire.ReasonMalformed, wire.CodeMalformed},
		{"HELLO with a flag", []byte{0x13, 0x00}, wire.ReasonMalformed, wire.CodeMalformed},
		{"type 0", []byte{0x00}, wire.ReasonMalformed, wire.CodeMalformed},
		{"HELLO of 64 KiB and a byte", []byte{0x03, 0x81, 0x80, 0x04}, wire.ReasonTooLarge, wire.CodeFrameSize},
		{"a length that never ends", []byte{0x03, 0xff, 0xff, 0xff, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"a body that is no protobuf", []byte{0x03, 0x02, 0xff, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"a string that is not UTF-8", []byte{0x03, 0x03, 0x12, 0x01, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"an empty HELLO", []byte{0x03, 0x00}, wire.ReasonVersion, wire.CodeVersion},
		{"another version", good(func(h *wire.Hello) { h.Version = 9 }), wire.ReasonVersion, wire.CodeVersion},
		{"no token", good(func(h *wire.Hello) { h.Token = "" }), wire.ReasonToken, wire.CodeUnauthenticated},
		{"a token that is none", good(func(h *wire.Hello) { h.Token = strings.Repeat(".", 60<<10) }), wire.ReasonToken, wire.CodeUnauthenticated},
		{"a token whose time is over", good(func(h *wire.Hello) {
			h.Token = w.token("alice", func(c *auth.Claims) {
				c.IssuedAt = time.Now().Add(-2 * time.Hour)
				c.Expires = time.Now().Add(-time.Hour)
			})
		}), wire.ReasonToken, wire.CodeExpired},
		{"a token of another device", good(func(h *wire.Hello) {
			h.Token = w.token("alice", func(c *auth.Claims) { c.Device = "tablet" })
		}), wire.ReasonToken, wire.CodeOtherDevice},
		{"a token for the line door", good(func(h *wire.Hello) {
			h.Token = w.token("alice", func(c *auth.Claims) { c.Doors = []string{"line"} })
		}), wire.ReasonToken, wire.CodeDoor},
		{"a device id that is none", good(func(h *wire.Hello) { h.Device.Id = "a b" }), wire.ReasonMalformed, wire.CodeInvalid},
		{"a device id of 65 bytes", good(func(h *wire.Hello) { h.Device.Id = strings.Repeat("x", 65) }), wire.ReasonTooLarge, wire.CodeTooLarge},
		{"a class that is none", good(func(h *wire.Hello) { h.Device.Class = "toaster" }), wire.ReasonMalformed, wire.CodeInvalid},
		{"an app that is not there", good(func(h *wire.Hello) { h.App = "other" }), wire.ReasonToken, wire.CodeNotFound},
		{"frames too small for a message", good(func(h *wire.Hello) { h.Caps = &wire.Caps{MaxFrame: 1000} }), wire.ReasonMalformed, wire.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, dial := range []func() *client{w.pipe, func() *client { return w.dial(addr) }} {
				cl := dial()
				cl.TB = t
				cl.raw(c.send)
				g := cl.away(c.reason, c.code)
				if g.Message == "" || g.Resumable {
					t.Errorf("GOAWAY: %v", g)
				}
			}
		})
	}
}

// Who speaks another protocol is told so in it.
func TestStrangers(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	for _, c := range []struct{ send, want string }{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 "},
		{"POST /", "HTTP/1.1 400 "},
		{"EHLO mail.example\r\n", "554 "},
		{"helo x\r\n", "554 "},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x15\x03\x01\x00\x02\x02\x46"},
	} {
		nc := w.tcp(addr)
		nc.SetDeadline(time.Now().Add(testkit.Limit))
		nc.Write([]byte(c.send))
		var got bytes.Buffer
		if _, err := got.ReadFrom(nc); err != nil || !strings.HasPrefix(got.String(), c.want) {
			t.Errorf("%q is answered with %q, %v; want %q", c.send, got.String(), err, c.want)
		}
		nc.Close()
	}
}

// A connection that says too little is closed in time, however slowly it goes on.
func TestSlowHello(t *testing.T) {
	w := newWorld(t, func(o *options) { o.door.HelloTimeout = 300 * time.Millisecond })
	addr := w.serve("tcp://127.0.0.1:0", nil)
	whole := frameOf(t, hello(w.token("alice"), "phone"))
	for name, start := range map[string]func() *client{"pipe": w.pipe, "tcp": func() *client { return w.dial(addr) }} {
		for _, drip := range []bool{false, true} {
			c := start()
			began := time.Now()
			if drip {
				go func() {
					for i := range whole {
						if c.nc.SetWriteDeadline(time.Now().Add(testkit.Limit)) != nil {
							return
						}
						if _, err := c.nc.Write(whole[i : i+1]); err != nil {
							return
						}
						time.Sleep(50 * time.Millisecond) // the attack itself
					}
				}()
			}
			if g := c.over(); g != nil && g.Reason != wire.ReasonSilent {
				t.Errorf("%s: %v", name, g)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: a slow HELLO was borne with for %v", name, took)
			}
		}
	}
}

// What a client may do wrong afterwards.
func TestAfterWelcome(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	bomb := zeros(t, 64<<20)
	cut := func(t wire.Type, flags wire.Flags, n int) []byte {
		return wire.AppendRaw(nil, t, flags, make([]byte, n))
	}
	for _, c := range []struct {
		name   string
		send   []byte
		reason string
		code   uint32
	}{
		{"HELLO again", frameOf(t, hello("x", "y")), wire.ReasonMalformed, wire.CodeMalformed},
		{"a frame of the server's", frameOf(t, &wire.SendAck{Id: "1"}), wire.ReasonMalformed, wire.CodeMalformed},
		{"WELCOME", frameOf(t, &wire.Welcome{}), wire.ReasonMalformed, wire.CodeMalformed},
		{"PUSH", frameOf(t, &wire.Push{}), wire.ReasonMalformed, wire.CodeMalformed},
		{"a reserved flag", []byte{0x47, 0x00}, wire.ReasonMalformed, wire.CodeMalformed},
		{"type 0", []byte{0xf0, 0x00}, wire.ReasonMalformed, wire.CodeMalformed},
		{"a frame above 1 MiB", []byte{0x07, 0x81, 0x80, 0xc0, 0x00}, wire.ReasonTooLarge, wire.CodeFrameSize},
		{"a claim of 256 MiB", []byte{0x07, 0xff, 0xff, 0xff, 0x7f}, wire.ReasonTooLarge, wire.CodeFrameSize},
		{"SEND that is no protobuf", []byte{0x07, 0x01, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"ACK that is no protobuf", []byte{0x0a, 0x01, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"PING that is no protobuf", []byte{0x01, 0x01, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"REQ that is no protobuf", []byte{0x05, 0x01, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"STATE that is no protobuf", []byte{0x0d, 0x01, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"SIGNAL that is no protobuf", []byte{0x0b, 0x01, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"CANCEL that is no protobuf", []byte{0x0e, 0x01, 0xff}, wire.ReasonMalformed, wire.CodeMalformed},
		{"bytes that are no zstd", wire.AppendRaw(nil, wire.TypeSend, wire.FlagZstd, []byte("no zstd")), wire.ReasonMalformed, wire.CodeMalformed},
		{"a bomb", wire.AppendRaw(nil, wire.TypeSend, wire.FlagZstd, bomb), wire.ReasonTooLarge, wire.CodeFrameSize},
		{"a fragment of 32 KiB and a byte", cut(wire.TypeSend, wire.FlagMore, 32<<10+1), wire.ReasonTooLarge, wire.CodeFrameSize},
		{"an empty fragment", cut(wire.TypeSend, wire.FlagMore, 0), wire.ReasonMalformed, wire.CodeMalformed},
		{"another frame between fragments", append(cut(wire.TypeSend, wire.FlagMore, 10), frameOf(t, &wire.Cancel{Id: 1})...), wire.ReasonMalformed, wire.CodeMalformed},
		{"fragments of more than 1 MiB", bytes.Repeat(cut(wire.TypeSend, wire.FlagMore, 32<<10), 33), wire.ReasonTooLarge, wire.CodeFrameSize},
		{"an ACK in fragments", cut(wire.TypeAck, wire.FlagMore, 10), wire.ReasonMalformed, wire.CodeMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, dial := range []func() *client{w.pipe, func() *client { return w.dial(addr) }} {
				cl := dial()
				cl.TB = t
				cl.login(w, "alice", "phone")
				go cl.write(c.send) // the server may close before it has read all
				cl.away(c.reason, c.code)
			}
		})
	}
	if n := w.door.Stats().Ended["error"]; n != 0 {
		t.Errorf("%d links broke instead of being told", n)
	}
}

// zeros is n zeros, compressed.
func zeros(t testing.TB, n int) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	check(t, err)
	defer e.Close()
	return e.EncodeAll(make([]byte, n), nil)
}

// What is unknown is passed over.
func TestUnknown(t *testing.T) {
	w := newWorld(t)
	c := w.pipe().login(w, "alice", "phone")
	c.raw([]byte{0x0f, 0x02, 0x63, 0x01})                                                                   // EXT 99
	c.raw([]byte{0x0f, 0x00})                                                                               // EXT without a sub-type
	c.raw([]byte{0x02, 0x00, 0x32, 0x00})                                                                   // PONG, with health
	c.raw(append([]byte{0x0a, 0x05}, 0xa2, 0x06, 0x02, 'h', 'i'))                                           // ACK with field 100
	c.raw([]byte{0x0e, 0x02, 0x08, 0x63})                                                                   // CANCEL of nothing
	c.say(&wire.Ack{Push: 1 << 60, Pulled: []*wire.Pulled{{Conv: "u/nobody", Seq: 9}, {Conv: "nonsense"}}}) // of what was never given
	c.say(&wire.Signal{Conv: "u/nobody", Kind: "typing"}, &wire.Signal{Conv: "g/none"}, &wire.Signal{})
	c.say(&wire.Ping{})
	expect[wire.Pong](c)
	for _, m := range []*wire.Send{
		{},
		{Id: "x"},
		{Id: "x", Conv: "u/bob", Type: "an:text", Flags: ptr(uint32(256)), Body: []byte("1")},
		{Id: "x", Conv: "u/bob", Type: "an:text", Flags: ptr(uint32(4)), Body: []byte("1")},
		{Id: "x", Conv: "bob", Type: "an:text", Body: []byte("1")},
		{Id: strings.Repeat("x", 65), Conv: "u/bob", Type: "an:text", Body: []byte("1")},
		{Id: "a b", Conv: "u/bob", Type: "an:text", Body: []byte("1")},
	} {
		c.say(m)
		if a := until[wire.SendAck](c); a.Code < 3000 || a.Code >= 4000 || a.Message == "" || a.Id != m.Id {
			t.Errorf("%v is answered with %v", m, a)
		}
	}
	for _, id := range []string{"49", "用户7", "😀", strings.Repeat("x", 64), "+8613800138000", "a.b@c"} {
		if a := c.send("to-"+fmt.Sprint(len(id)), "u/"+id, "hi"); a.Conv != "u/"+id {
			t.Errorf("%v", a)
		}
	}
	c.say(text("big", "u/bob", strings.Repeat("x", 128<<10)))
	if a := until[wire.SendAck](c); a.Code != wire.CodeTooLarge {
		t.Errorf("a body above the limit: %v", a)
	}
	c.send("full", "u/bob", strings.Repeat("x", 128<<10-len(`{"content":""}`)))
}

func ptr[T any](v T) *T { return &v }

// A connection that ends anywhere in the middle leaves nothing behind.
func TestTruncated(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	script := frameOf(t, hello(w.token("alice"), "phone"))
	login := len(script)
	script = append(script, frameOf(t, text("1", "u/bob", "hello"))...)
	script = append(script, frameOf(t, &wire.Req{Id: 1, Method: wire.MethodDevices})...)
	for n := range script {
		if n < login && n%7 != 0 {
			continue
		}
		nc := w.tcp(addr)
		nc.Write(script[:n])
		nc.Close()
	}
	w.quiet()
	for n := range script {
		if n < login && n%7 != 0 {
			continue
		}
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() { defer close(done); w.door.ServeConn(theirs) }()
		go func() { // what it answers has to be read on a pipe
			b := make([]byte, 4096)
			for {
				if _, err := ours.Read(b); err != nil {
					return
				}
			}
		}()
		ours.SetWriteDeadline(time.Now().Add(testkit.Limit))
		ours.Write(script[:n])
		ours.Close()
		testkit.Within(t, "the end", func() { <-done })
	}
}

// quiet waits until the door has no connection.
func (w *world) quiet() {
	w.Helper()
	for end := time.Now().Add(testkit.Limit); ; time.Sleep(time.Millisecond) {
		s := w.door.Stats().Connections
		if s.TCP+s.TLS+s.WebSocket == 0 {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("connections left: %+v", s)
		}
	}
}

// Garbage ends the connection or means something, and never hurts anybody else.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	witness := w.dial(addr).login(w, "witness", "phone")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	rounds := 50
	if testkit.Soak(t) {
		rounds = 5000
	}
	for i := range rounds {
		c := w.dial(addr)
		if i%4 > 0 {
			c.login(w, "garbage", "phone")
		}
		b := make([]byte, rng.IntN(2000))
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		if len(b) > 0 && i%2 == 0 {
			b[0] = byte(1 + rng.IntN(15)) // more often a frame
		}
		c.nc.SetDeadline(time.Now().Add(testkit.Limit))
		c.nc.Write(b)
		c.nc.(*net.TCPConn).CloseWrite()
		buf := make([]byte, 4096)
		for {
			if _, err := c.nc.Read(buf); err != nil {
				if os.IsTimeout(err) {
					t.Fatalf("the server keeps a connection after %x", b)
				}
				break
			}
		}
	}
	witness.say(&wire.Ping{})
	expect[wire.Pong](witness)
}

// A frame in fragments, with beats between them, is one message.
func TestFragmentsIn(t *testing.T) {
	w := newWorld(t)
	c := w.pipe().login(w, "alice", "phone")
	m := text("long", "u/bob", strings.Repeat("0123456789", 10<<10))
	frame := frameOf(t, m)
	packed, err := wire.AppendCompressed(nil, frame)
	check(t, err)
	again := false
	for name, f := range map[string][]byte{"plain": frame, "zstd": packed} {
		parts, err := wire.AppendSplit(nil, f, 900)
		check(t, err)
		beats := 0
		var out []byte
		for rest := parts; len(rest) > 0; {
			_, n, err := wire.Next(rest, 0)
			check(t, err)
			out = append(out, rest[:n]...)
			out = wire.AppendPing(out)
			beats++
			rest = rest[n:]
		}
		go c.write(out)
		for range beats - 1 {
			expect[wire.Pong](c)
		}
		var a *wire.SendAck
		for pong := false; a == nil || !pong; { // either may be first
			switch m := c.frame().(type) {
			case *wire.Pong:
				pong = true
			case *wire.SendAck:
				a = m
			default:
				t.Fatalf("%T", m)
			}
		}
		if a.Code != 0 || a.Seq != 1 || a.Duplicate != again {
			t.Fatalf("%s: %v", name, a)
		}
		again = true
	}
}
