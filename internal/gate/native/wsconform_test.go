package native_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lxzan/gws"

	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// Frames of every size class, cut anywhere on the way, in messages of one frame or of
// several, compressed or not: what is sent comes out.
func TestWebSocketSizes(t *testing.T) {
	w := newWorld(t)
	addr := w.web("http://127.0.0.1:0", nil)
	for _, packed := range []bool{false, true} {
		h := http.Header{}
		if packed {
			h.Set("Sec-Websocket-Extensions", "permessage-deflate; client_max_window_bits")
		}
		c, s := w.socket(w.tcp(addr), wire.JSON, h)
		if s.deflate != packed {
			t.Fatalf("deflate: %v", s.deflate)
		}
		c.login(w, "alice", fmt.Sprint("d", packed))
		n := 0
		for _, size := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 31, 32, 33, 60, 200, 4000, 40_000, 65_400, 65_500, 70_000, 131_000} {
			for _, cut := range []int{0, 1, 7, 1000} {
				n++
				body := strings.Repeat("日x", size/4) + strings.Repeat("y", size%4)
				id := fmt.Sprintf("%v-%d", packed, n)
				msg := []byte(`{"t":"send","id":"` + id + `","conv":"u/bob","type":"an:text","body":{"content":"` + body + `"}}`)
				first := byte(0x01)
				if packed {
					msg, first = deflated(msg), 0x41
				}
				var raw []byte
				parts := 1 + n%3
				for i := range parts { // runes are cut as well
					p := msg[len(msg)*i/parts : len(msg)*(i+1)/parts]
					if i > 0 {
						first = 0
					}
					if i == parts-1 {
						first |= 0x80
					}
					raw = append(raw, maskedFrame(first, p)...)
				}
				go func() {
					for len(raw) > 0 {
						k := len(raw)
						if cut > 0 {
							k = min(k, cut+len(raw)/50)
						}
						if _, err := c.nc.Write(raw[:k]); err != nil {
							return
						}
						raw = raw[k:]
					}
				}()
				a := until[wire.SendAck](c)
				if a.Code != 0 || a.Id != id {
					t.Fatalf("size %d: %v", size, a)
				}
				var p wire.PageResponse
				if r := c.call(wire.MethodPage, &wire.PageRequest{Conv: "u/bob", Backward: true, Limit: 1}, &p); r.Code != 0 ||
					string(p.Range.Messages[0].Body) != `{"content":"`+body+`"}` {
					t.Fatalf("size %d comes out as something else", size)
				}
			}
		}
	}
}

// Close frames are answered as RFC 6455 §7.4 says, whatever they hold.
func TestWebSocketClose(t *testing.T) {
	w := newWorld(t)
	addr := w.web("http://127.0.0.1:0", nil)
	for _, c := range []struct {
		payload []byte
		want    int
	}{
		{nil, 1000}, {[]byte{3}, 1002},
		{code(1000), 1000}, {code(1001), 1001}, {code(1003), 1003}, {code(1011), 1011}, {code(1012), 1012}, {code(3000), 3000}, {code(4999), 4999},
		{code(0), 1002}, {code(999), 1002}, {code(1004), 1002}, {code(1005), 1002}, {code(1006), 1002}, {code(1015), 1002}, {code(1100), 1002}, {code(2999), 1002}, {code(5000), 1002}, {code(65535), 1002},
		{append(code(1000), "bye"...), 1000}, {append(code(1000), 0xff), 1007},
		{append(code(1000), bytes.Repeat([]byte("x"), 123)...), 1000},
	} {
		cl, s := w.socket(w.tcp(addr), wire.Binary, nil)
		cl.login(w, "alice", "phone")
		check(t, s.frame(0x88, c.payload))
		s.frame(0x82, wire.AppendPing(nil)) // nobody reads it any more
		if g := cl.over(); g != nil || s.closed != c.want {
			t.Errorf("%q is answered with %d, %v; want %d", c.payload, s.closed, g, c.want)
		}
	}
	w.quiet()
}

func code(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

// Control frames stand anywhere, a pong is ignored, and an empty message is one.
func TestWebSocketControl(t *testing.T) {
	w := newWorld(t)
	c, s := w.socket(w.tcp(w.web("http://127.0.0.1:0", nil)), wire.Binary, nil)
	check(t, s.frame(0x89, nil)) // before HELLO
	c.login(w, "alice", "phone")
	long := strings.Repeat("p", 125)
	check(t, s.frame(0x89, []byte(long)))
	check(t, s.frame(0x8a, []byte("never asked for")))
	check(t, s.frame(0x82, nil))
	check(t, s.frame(0x02, []byte{0x01}))
	check(t, s.frame(0x89, []byte("between")))
	check(t, s.frame(0x80, []byte{0x00}))
	expect[wire.Pong](c)
	if len(s.pongs) != 3 || s.pongs[1] != long || s.pongs[2] != "between" {
		t.Errorf("pongs: %.40q", s.pongs)
	}
}

// foreign is another implementation's client.
type foreign struct {
	gws.BuiltinEventHandler
	got  chan []byte
	ends chan error
}

func (f *foreign) OnMessage(_ *gws.Conn, m *gws.Message) {
	f.got <- bytes.Clone(m.Bytes())
	m.Close()
}

func (f *foreign) OnClose(_ *gws.Conn, err error) { f.ends <- err }

// A client made by others gets along with us, compressed or not.
func TestForeignClient(t *testing.T) {
	w := newWorld(t)
	server, trust := certificate(t)
	for url, addr := range map[string]string{"ws://": w.web("http://127.0.0.1:0", nil), "wss://": w.web("https://127.0.0.1:0", server)} {
		for _, packed := range []bool{false, true} {
			f := &foreign{got: make(chan []byte, 100), ends: make(chan error, 1)}
			conn, res, err := gws.NewClient(f, &gws.ClientOption{
				Addr: url + addr + wire.Path, TlsConfig: trust,
				RequestHeader:     http.Header{"Sec-WebSocket-Protocol": {wire.SubprotocolJSON}},
				PermessageDeflate: gws.PermessageDeflate{Enabled: packed, Threshold: 1, ServerContextTakeover: true, ClientContextTakeover: true},
			})
			check(t, err)
			if agreed := res.Header.Get("Sec-WebSocket-Extensions"); (agreed != "") != packed {
				t.Fatalf("extensions: %q", agreed)
			}
			done := make(chan struct{})
			go func() { defer close(done); conn.ReadLoop() }()
			c := &client{TB: t, f: wire.JSON, nc: conn.NetConn()}
			c.write = func(b []byte) error { return conn.WriteMessage(gws.OpcodeText, b) }
			c.read = func() ([]byte, error) {
				select {
				case b := <-f.got:
					return b, nil
				case err := <-f.ends:
					f.ends <- err
					return nil, io.EOF
				}
			}
			c.login(w, "alice", fmt.Sprint("f", packed))
			big := strings.Repeat("all work and no play ", 5000)
			c.send("1", "u/bob", big)
			var p wire.PageResponse
			if r := c.call(wire.MethodPage, &wire.PageRequest{Conv: "u/bob"}, &p); r.Code != 0 || !strings.Contains(string(p.Range.Messages[0].Body), big) {
				t.Fatalf("%v", r)
			}
			check(t, conn.WriteClose(1000, []byte("bye")))
			testkit.Within(t, "the end", func() { <-done })
			err = <-f.ends
			var ce *gws.CloseError
			if err != nil && errors.As(err, &ce) && ce.Code != 1000 {
				t.Errorf("closed with %v", err)
			}
		}
	}
	w.quiet()
}
