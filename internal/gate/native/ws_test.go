package native_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// Pages of other sites may not open a WebSocket; the answer is 403, whatever cookies
// come with the request.
func TestOrigin(t *testing.T) {
	w := newWorld(t, func(o *options) { o.door.Origins = []string{"https://chat.example.org", "http://localhost:5173/"} })
	addr := w.web("http://127.0.0.1:0", nil)
	for _, c := range []struct {
		origin, host string
		want         int
	}{
		{"", "", 101},
		{"http://" + addr, "", 101},
		{"HTTP://" + addr, "", 101}, // a browser writes it small; it is the same
		{"https://chat.example.org", "", 101},
		{"http://localhost:5173", "", 101},
		{"https://my.example.com", "my.example.com", 101},
		{"https://my.example.com:443", "my.example.com", 101},
		{"https://my.example.com", "my.example.com:443", 101},
		{"https://my.example.com:8443", "my.example.com", 403},
		{"http://chat.example.org", "", 403},
		{"https://chat.example.org.evil.com", "", 403},
		{"https://evil.com/https://chat.example.org", "", 403},
		{"https://evilchat.example.org", "", 403},
		{"https://evil.com", "", 403},
		{"null", "", 403},
		{"file://", "", 403},
		{"http://" + addr + ".evil.com", "", 403},
		{"://", "", 403},
	} {
		h := http.Header{"Sec-Websocket-Protocol": {wire.SubprotocolBinary}, "Cookie": {"session=1"}}
		if c.origin != "" {
			h.Set("Origin", c.origin)
		}
		if c.host != "" {
			h.Set("Host", c.host)
		}
		nc := w.tcp(addr)
		s, err := upgrade(nc, h)
		check(t, err)
		if s.response.StatusCode != c.want {
			t.Errorf("Origin %q, Host %q: %d, want %d", c.origin, c.host, s.response.StatusCode, c.want)
		}
		nc.Close()
	}
	any := newWorld(t, func(o *options) { o.door.Origins = []string{"*"} })
	nc := any.tcp(any.web("http://127.0.0.1:0", nil))
	s, err := upgrade(nc, http.Header{"Sec-Websocket-Protocol": {wire.SubprotocolBinary}, "Origin": {"https://evil.com"}})
	check(t, err)
	if s.response.StatusCode != 101 {
		t.Errorf("* lets %d", s.response.StatusCode)
	}
}

// Requests that are no WebSocket of ours are answered in HTTP.
func TestUpgradeRefusals(t *testing.T) {
	w := newWorld(t)
	addr := w.web("http://127.0.0.1:0", nil)
	get := func(method string, h http.Header) *http.Response {
		r, err := http.NewRequest(method, "http://"+addr+wire.Path, nil)
		check(t, err)
		if h != nil {
			r.Header = h
		}
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		res, err := (&http.Client{Transport: tr, Timeout: testkit.Limit}).Do(r)
		check(t, err)
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return res
	}
	if r := get("GET", nil); r.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("a plain GET: %d", r.StatusCode)
	}
	if r := get("POST", nil); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET" {
		t.Errorf("POST: %d", r.StatusCode)
	}
	ours := http.Header{"Upgrade": {"WebSocket"}, "Connection": {"keep-alive, Upgrade"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {wire.SubprotocolBinary}}
	for name, c := range map[string]struct {
		value string
		want  int
	}{
		"Sec-Websocket-Version": {"12", http.StatusUpgradeRequired},
		"Sec-Websocket-Key":     {"c2hvcnQ=", http.StatusBadRequest},
		"Connection":            {"close", http.StatusUpgradeRequired},
		"Upgrade":               {"h2c", http.StatusUpgradeRequired},
	} {
		h := ours.Clone()
		h.Set(name, c.value)
		if r := get("GET", h); r.StatusCode != c.want {
			t.Errorf("%s: %s: %d", name, c.value, r.StatusCode)
		}
	}
	for _, protocols := range [][]string{nil, {"chat"}, {"anser.v2.bin", "ANSER.V1.BIN"}} {
		h := http.Header{}
		for _, p := range protocols {
			h.Add("Sec-Websocket-Protocol", p)
		}
		s, err := upgrade(w.tcp(addr), h)
		check(t, err)
		if s.response.StatusCode != http.StatusBadRequest {
			t.Errorf("subprotocols %q: %d", protocols, s.response.StatusCode)
		}
	}
	for h, want := range map[string]string{"anser.v1.json, anser.v1.bin": wire.SubprotocolBinary, "x , anser.v1.json": wire.SubprotocolJSON} {
		s, err := upgrade(w.tcp(addr), http.Header{"Sec-Websocket-Protocol": {h}})
		check(t, err)
		if got := s.response.Header.Get("Sec-WebSocket-Protocol"); s.response.StatusCode != 101 || got != want {
			t.Errorf("of %q it takes %q", h, got)
		}
	}
	// Two lines of the header are one list.
	s, err := upgrade(w.tcp(addr), http.Header{"Sec-Websocket-Protocol": {"x", wire.SubprotocolJSON}})
	check(t, err)
	if s.response.StatusCode != 101 || s.response.Header.Get("Sec-WebSocket-Protocol") != wire.SubprotocolJSON {
		t.Errorf("two lines: %v", s.response)
	}
	w.door.Close()
	if r := get("GET", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Protocol": {wire.SubprotocolBinary}}); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after Close: %d", r.StatusCode)
	}
}

// What a client may do wrong with WebSocket's own framing and with units, and the
// GOAWAY and close code it gets.
func TestWebSocketOdd(t *testing.T) {
	w := newWorld(t)
	addr := w.web("http://127.0.0.1:0", nil)
	deflate := http.Header{"Sec-Websocket-Extensions": {"permessage-deflate; client_max_window_bits"}}
	unmasked := func(first byte, p []byte) []byte { return append([]byte{first, byte(len(p))}, p...) }
	header := func(first byte, n uint64) []byte { // claims a length and sends nothing
		return append(binary.BigEndian.AppendUint64([]byte{first, 0xff}, n), 1, 2, 3, 4)
	}
	ping := wire.AppendPing(nil)
	for _, c := range []struct {
		name    string
		format  wire.Format
		header  http.Header
		login   bool
		send    []byte
		reason  string
		code    uint32
		closing int
	}{
		{"no mask", wire.Binary, nil, true, unmasked(0x82, ping), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"reserved bits", wire.Binary, nil, true, maskedFrame(0xf2, ping), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"an opcode that is none", wire.Binary, nil, true, maskedFrame(0x8b, ping), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"a continuation of nothing", wire.Binary, nil, true, maskedFrame(0x80, ping), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"a ping in fragments", wire.Binary, nil, true, maskedFrame(0x09, nil), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"a text in the binary protocol", wire.Binary, nil, true, maskedFrame(0x81, ping), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"a binary in the JSON protocol", wire.JSON, nil, true, maskedFrame(0x82, []byte(`{"t":"ping"}`)), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"text that is not UTF-8", wire.JSON, nil, true, maskedFrame(0x81, []byte("{\"t\":\"\xff\"}")), wire.ReasonMalformed, wire.CodeMalformed, 1007},
		{"JSON that is none", wire.JSON, nil, true, maskedFrame(0x81, []byte(`{"t":"ping"`)), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"JSON too deep", wire.JSON, nil, true, maskedFrame(0x81, []byte(strings.Repeat("[", 20000))), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"a frame that is cut off by its message", wire.Binary, nil, true, maskedFrame(0x82, []byte{0x07, 0x05, 1}), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"not HELLO first", wire.Binary, nil, false, maskedFrame(0x82, ping), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"not hello first, in JSON", wire.JSON, nil, false, maskedFrame(0x81, []byte(`{"t":"ping"}`)), wire.ReasonMalformed, wire.CodeMalformed, 1002},
		{"a claim of 64 KiB and a byte before HELLO", wire.Binary, nil, false, header(0x82, 64<<10+1), wire.ReasonTooLarge, wire.CodeFrameSize, 1009},
		{"a claim of 2^63-1 before HELLO", wire.Binary, nil, false, header(0x82, 1<<63-1), wire.ReasonTooLarge, wire.CodeFrameSize, 1009},
		{"a claim of 1 MiB and a byte", wire.Binary, nil, true, header(0x82, 1<<20+1), wire.ReasonTooLarge, wire.CodeFrameSize, 1009},
		{"fragments of more than 1 MiB", wire.Binary, nil, true,
			append(append(maskedFrame(0x02, make([]byte, 512<<10)), maskedFrame(0x00, make([]byte, 512<<10))...), maskedFrame(0x80, []byte{1})...),
			wire.ReasonTooLarge, wire.CodeFrameSize, 1009},
		{"a bomb", wire.JSON, deflate, true, maskedFrame(0xc1, bomb(64, ' ')), wire.ReasonTooLarge, wire.CodeFrameSize, 1009},
		{"a bomb before HELLO", wire.JSON, deflate, false, maskedFrame(0xc1, bomb(32, ' ')), wire.ReasonTooLarge, wire.CodeFrameSize, 1009},
		{"bytes that do not decompress", wire.Binary, deflate, true, maskedFrame(0xc2, []byte{0xff, 0xff, 0xff}), wire.ReasonMalformed, wire.CodeMalformed, 1007},
		{"a zstd bomb", wire.Binary, nil, true, maskedFrame(0x82, wire.AppendRaw(nil, wire.TypeSend, wire.FlagZstd, zeros(t, 64<<20))), wire.ReasonTooLarge, wire.CodeFrameSize, 1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, s := w.socket(w.tcp(addr), c.format, c.header)
			cl.TB = t
			if c.login {
				cl.login(w, "alice", "phone")
			}
			go cl.nc.Write(c.send) // the server may close before it has read all
			cl.away(c.reason, c.code)
			if s.closed != c.closing {
				t.Errorf("close code %d, want %d", s.closed, c.closing)
			}
		})
	}
	w.quiet()
}

// bomb is n MiB of a byte, deflated.
func bomb(n int, c byte) []byte {
	block := append(deflated(bytes.Repeat([]byte{c}, 1<<20)), 0, 0, 0xff, 0xff) // ends at a byte
	return bytes.TrimSuffix(bytes.Repeat(block, n), []byte{0, 0, 0xff, 0xff})
}

// A bomb costs the server a few times the limit of 1 MiB while a buffer doubles up to
// it, not what the bomb would be.
func TestBombMemory(t *testing.T) {
	w := newWorld(t)
	addr := w.web("http://127.0.0.1:0", nil)
	frame := maskedFrame(0xc1, bomb(64, 0))
	run := func() uint64 {
		cl, _ := w.socket(w.tcp(addr), wire.JSON, http.Header{"Sec-Websocket-Extensions": {"permessage-deflate"}})
		cl.login(w, "alice", "phone")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		go cl.nc.Write(frame)
		cl.over()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	run() // what is made once
	if n := run(); n > 16<<20 {
		t.Errorf("a bomb of 64 MiB took %d bytes", n)
	}
}

// WebSocket's own fragments, pings and closes.
func TestWebSocketFrames(t *testing.T) {
	w := newWorld(t)
	addr := w.web("http://127.0.0.1:0", nil)
	c, s := w.socket(w.tcp(addr), wire.JSON, nil)
	c.login(w, "alice", "phone")
	msg := []byte(`[{"t":"ping"},{"t":"send","id":"1","conv":"u/bob","type":"an:text","body":{"content":"日本"}},{"t":"later","x":[1]}]`)
	for i := range msg { // a fragment a byte, with pings between
		first := byte(0)
		if i == 0 {
			first = 1
		}
		if i == len(msg)-1 {
			first |= 0x80
		}
		check(t, s.frame(first, msg[i:i+1]))
		if i%20 == 0 {
			check(t, s.frame(0x89, []byte("p"+strconv.Itoa(i))))
		}
	}
	expect[wire.Pong](c)
	if a := expect[wire.SendAck](c); a.Code != 0 || a.Seq != 1 {
		t.Fatalf("%v", a)
	}
	if want := (len(msg) + 19) / 20; len(s.pongs) != want || s.pongs[1] != "p20" {
		t.Errorf("pongs: %q", s.pongs)
	}
	check(t, s.frame(0x88, []byte{0x03, 0xe8})) // 1000
	if g := c.over(); g != nil {
		t.Errorf("%v", g)
	}
	if s.closed != 1000 {
		t.Errorf("our close is answered with %d", s.closed)
	}
	w.quiet()
	if n := w.door.Stats().Ended["client"]; n != 1 {
		t.Errorf("ended: %v", w.door.Stats().Ended)
	}
	// A client that goes without a word.
	c, _ = w.socket(w.tcp(addr), wire.Binary, nil)
	c.login(w, "alice", "phone")
	c.nc.Close()
	w.quiet()
}

// A WebSocket that says no HELLO is told, and closed in time.
func TestWebSocketSlow(t *testing.T) {
	w := newWorld(t, func(o *options) { o.door.HelloTimeout = 300 * time.Millisecond })
	c, s := w.socket(w.tcp(w.web("http://127.0.0.1:0", nil)), wire.Binary, nil)
	c.away(wire.ReasonSilent, wire.CodeSilent)
	if s.closed != 1008 {
		t.Errorf("close code %d", s.closed)
	}
}

// Large answers over WebSocket come in messages of a size that clients take.
func TestWebSocketUnits(t *testing.T) {
	w := newWorld(t)
	addr := w.web("http://127.0.0.1:0", nil)
	for _, f := range []wire.Format{wire.Binary, wire.JSON} {
		c, _ := w.socket(w.tcp(addr), f, nil)
		c.login(w, "alice", "phone")
		read, largest := c.read, 0
		c.read = func() ([]byte, error) {
			b, err := read()
			largest = max(largest, len(b))
			return b, err
		}
		for i := range 2 {
			c.send("m"+strconv.Itoa(i), "u/bob", strings.Repeat("x", 100<<10))
		}
		var all []wire.Body
		for i := range 30 {
			all = append(all, &wire.Req{Id: uint64(i) + 1000, Method: wire.MethodPage, Body: must(f.MarshalBody(&wire.PageRequest{Conv: "u/bob"}))})
		}
		c.say(all...)
		for range all {
			if r := until[wire.Res](c); r.Code != 0 {
				t.Fatal(r)
			}
		}
		if largest > 512<<10 {
			t.Errorf("%s: a message of %d bytes", f.Subprotocol(), largest)
		}
	}
}

// The address in X-Forwarded-For is the client's if a trusted proxy says so.
func TestForwarded(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		w := newWorld(t, func(o *options) {
			if trusted {
				o.gate.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		c, _ := w.socket(w.tcp(w.web("http://127.0.0.1:0", nil)), wire.Binary, http.Header{"X-Forwarded-For": {"203.0.113.9, 198.51.100.7"}})
		c.login(w, "alice", "phone")
		got := w.core.Sessions("alice")
		if len(got) != 1 || got[0].Addr.String() != map[bool]string{true: "198.51.100.7", false: "127.0.0.1"}[trusted] {
			t.Errorf("trusted %v: %v", trusted, got)
		}
	}
}

var _ gate.Gatekeeper = (*keeper)(nil)

// keeper lets a few connections in.
type keeper struct{ places chan struct{} }

func (k *keeper) Acquire(netip.Addr) error {
	select {
	case k.places <- struct{}{}:
		return nil
	default:
		return errFull
	}
}

func (k *keeper) Release(netip.Addr) { <-k.places }

// Unfinished frames of those who have not signed in take nothing from those who have;
// of these all together hold no more than the budget.
func TestBudget(t *testing.T) {
	w := newWorld(t, func(o *options) { o.door.Budget = 200 << 10 })
	addr := w.web("http://127.0.0.1:0", nil)
	for range 20 {
		_, s := w.socket(w.tcp(addr), wire.Binary, nil)
		f := maskedFrame(0x82, make([]byte, 60<<10))
		s.nc.Write(f[:len(f)-1])
	}
	big := func(device string) (*client, []byte) {
		c, _ := w.socket(w.tcp(addr), wire.Binary, nil)
		c.login(w, "alice", device)
		return c, maskedFrame(0x82, frameOf(t, text("m", "u/bob", strings.Repeat("x", 100<<10))))
	}
	one, f := big("one")
	one.nc.Write(f[:90<<10])
	w.until("it is held", func() bool { return w.gate.Stats().ReadIn > 20*60<<10+90<<10 })
	two, f2 := big("two")
	two.nc.Write(f2[:90<<10])
	if g := two.away(wire.ReasonOverload, wire.CodeBusy); !g.Resumable || g.RetryAfterMs == 0 {
		t.Errorf("%v", g)
	}
	one.nc.Write(f[90<<10:])
	if a := until[wire.SendAck](one); a.Code != 0 {
		t.Errorf("%v", a)
	}
	three, f3 := big("three")
	three.nc.Write(f3)
	if a := until[wire.SendAck](three); !a.Duplicate {
		t.Errorf("the budget is not given back: %v", a)
	}
}
