package native_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// A WebSocket client of our own, so that tests decide about every byte of it.

// ws is the client's side of a WebSocket.
type ws struct {
	nc       net.Conn
	br       *bufio.Reader
	deflate  bool
	closed   int // code of the server's close frame; 0 = none came
	pongs    []string
	response *http.Response
}

// web serves the door's WebSocket over HTTP, on a listener of the gate's, and answers
// its address.
func (w *world) web(url string, tc *tls.Config) string {
	w.Helper()
	u, err := gate.ParseURL(url)
	w.ok(err)
	ln, err := w.gate.Listen(u, tc)
	w.ok(err)
	mux := http.NewServeMux()
	mux.Handle(wire.Path, w.door.WebSocket())
	srv := &http.Server{Handler: mux}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	w.Cleanup(func() {
		srv.Close()
		<-done
	})
	return ln.Addr().String()
}

// upgrade makes the handshake; header has lines for the request, such as Origin.
func upgrade(nc net.Conn, header http.Header) (*ws, error) {
	nc.SetDeadline(time.Now().Add(testkit.Limit))
	host := header.Get("Host")
	if host == "" {
		host = nc.RemoteAddr().String()
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", wire.Path, host)
	h := header.Clone()
	h.Del("Host")
	h.Write(&b)
	b.WriteString("\r\n")
	if _, err := nc.Write(b.Bytes()); err != nil {
		return nil, err
	}
	s := &ws{nc: nc, br: bufio.NewReader(nc)}
	r, err := http.ReadResponse(s.br, nil)
	if err != nil {
		return nil, err
	}
	s.response = r
	if r.StatusCode == 101 {
		s.deflate = strings.Contains(r.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
		if got := r.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455 §1.3
			return nil, fmt.Errorf("Sec-WebSocket-Accept is %q", got)
		}
	}
	return s, nil
}

// frame writes one frame, masked.
func (s *ws) frame(first byte, payload []byte) error {
	s.nc.SetWriteDeadline(time.Now().Add(testkit.Limit))
	_, err := s.nc.Write(maskedFrame(first, payload))
	return err
}

func maskedFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// message reads the next message. Pings and pongs are noted.
func (s *ws) message() ([]byte, error) {
	var whole []byte
	compressed := false
	for {
		s.nc.SetReadDeadline(time.Now().Add(testkit.Limit))
		var h [2]byte
		if _, err := io.ReadFull(s.br, h[:]); err != nil {
			return nil, err
		}
		if h[1]&0x80 != 0 {
			return nil, errors.New("the server masks")
		}
		n := uint64(h[1] & 0x7f)
		switch n {
		case 126:
			var b [2]byte
			io.ReadFull(s.br, b[:])
			n = uint64(binary.BigEndian.Uint16(b[:]))
		case 127:
			var b [8]byte
			io.ReadFull(s.br, b[:])
			n = binary.BigEndian.Uint64(b[:])
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(s.br, p); err != nil {
			return nil, err
		}
		switch h[0] & 0x0f {
		case 8:
			if len(p) >= 2 {
				s.closed = int(binary.BigEndian.Uint16(p))
			} else {
				s.closed = 1005
			}
			return nil, io.EOF
		case 9, 10:
			s.pongs = append(s.pongs, string(p))
			continue
		case 1, 2:
			compressed = h[0]&0x40 != 0
		}
		whole = append(whole, p...)
		if h[0]&0x80 == 0 {
			continue
		}
		if compressed {
			return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(whole), bytes.NewReader([]byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}))))
		}
		return whole, nil
	}
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 9)
	w.Write(b)
	w.Flush()
	return bytes.TrimSuffix(out.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// socket is a client over WebSocket.
func (w *world) socket(nc net.Conn, f wire.Format, header http.Header) (*client, *ws) {
	w.Helper()
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Sec-WebSocket-Protocol", f.Subprotocol())
	s, err := upgrade(nc, h)
	w.ok(err)
	if s.response.StatusCode != 101 || s.response.Header.Get("Sec-WebSocket-Protocol") != f.Subprotocol() {
		w.Fatalf("upgrade: %v", s.response)
	}
	c := newClient(w, nc)
	c.f = f
	first := byte(0x82)
	if f == wire.JSON {
		first = 0x81
	}
	c.write = func(b []byte) error { return s.frame(first, b) }
	c.read = s.message
	return c, s
}

func (w *world) tcp(addr string) net.Conn {
	w.Helper()
	nc, err := net.Dial("tcp", addr)
	w.ok(err)
	w.Cleanup(func() { nc.Close() })
	return nc
}
