package client

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"

	"github.com/anser-im/anser/wire"
)

// carrier moves frames over one connection. read is called once, from one goroutine;
// write from one goroutine at a time; close from any, and it ends the two others.
type carrier interface {
	// read hands over every frame, which may be a fragment, until the connection or
	// frame fails. A frame's body is good until frame returns.
	read(frame func(wire.Frame) error) error
	// write sends whole frames.
	write(p []byte) error
	close()
	// format is how bodies are encoded.
	format() wire.Format
	// fragments says whether frames may be cut.
	fragments() bool
}

// limit is the largest body of a frame, which Welcome may change.
type limit struct{ n atomic.Int64 }

func (l *limit) get() int { return int(l.n.Load()) }

// stream carries frames over TCP or TLS.
type stream struct {
	conn net.Conn
	max  *limit
}

func (s *stream) format() wire.Format { return wire.Binary }
func (s *stream) fragments() bool     { return true }
func (s *stream) close()              { s.conn.Close() }

func (s *stream) write(p []byte) error {
	_, err := s.conn.Write(p)
	return err
}

func (s *stream) read(frame func(wire.Frame) error) error {
	buf := make([]byte, 0, 4<<10)
	for {
		n, err := s.conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		used, need := 0, 0
		for used < len(buf) {
			f, size, err := wire.Next(buf[used:], s.max.get())
			if err == wire.ErrShort {
				need = size
				break
			}
			if err != nil {
				return err
			}
			if err := frame(f); err != nil {
				return err
			}
			used += size
		}
		if err != nil {
			if errors.Is(err, io.EOF) && len(buf) > used {
				return io.ErrUnexpectedEOF
			}
			return err
		}
		buf = room(buf, used, need)
	}
}

// room moves what is left after used bytes to the front of a buffer that holds need
// bytes, or at least some more.
func room(buf []byte, used, need int) []byte {
	rest := buf[used:]
	need = max(need, len(rest)+1, 4<<10)
	if need > cap(buf) || cap(buf) > 64<<10 && need <= 4<<10 { // too small, or swollen by one large frame
		return append(make([]byte, 0, need), rest...)
	}
	return buf[:copy(buf[:cap(buf)], rest)]
}

// socket carries frames over a WebSocket.
type socket struct {
	gws.BuiltinEventHandler
	conn  *gws.Conn
	f     wire.Format
	max   *limit
	frame func(wire.Frame) error
	err   error // why read ended; used by the reading goroutine alone
}

// maxWebSocketMessage bounds one message: a server puts several frames into one.
const maxWebSocketMessage = 4 << 20

func dialWebSocket(conn net.Conn, e endpoint, json bool, max *limit) (*socket, error) {
	s := &socket{f: wire.Binary, max: max}
	if json {
		s.f = wire.JSON
	}
	header := http.Header{}
	header.Set("Sec-WebSocket-Protocol", s.f.Subprotocol())
	c, _, err := gws.NewClientFromConn(s, &gws.ClientOption{
		Addr:               e.url,
		RequestHeader:      header,
		HandshakeTimeout:   2 * dialLimit, // ours is shorter and closes the connection
		ReadMaxPayloadSize: maxWebSocketMessage,
		CheckUtf8Enabled:   true,
		Logger:             quiet{},
	}, conn)
	if err != nil {
		return nil, err
	}
	s.conn = c
	return s, nil
}

// quiet drops what gws would print: errors come back to us anyway.
type quiet struct{}

func (quiet) Error(...any) {}

func (s *socket) format() wire.Format { return s.f }
func (s *socket) fragments() bool     { return s.f == wire.Format(wire.Binary) }
func (s *socket) close()              { s.conn.NetConn().Close() }

func (s *socket) write(p []byte) error {
	op := gws.OpcodeBinary
	if s.f == wire.Format(wire.JSON) {
		op = gws.OpcodeText
	}
	return s.conn.WriteMessage(op, p)
}

func (s *socket) read(frame func(wire.Frame) error) error {
	s.frame = frame
	s.conn.ReadLoop()
	return s.err
}

// OnMessage takes one message; the first error ends the connection.
func (s *socket) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if s.err != nil {
		return
	}
	if err := s.f.Each(m.Bytes(), s.unit(), s.frame); err != nil {
		s.err = err
		c.NetConn().Close()
	}
}

// unit is the limit that Each takes: of a frame in Binary, of a message in JSON.
func (s *socket) unit() int {
	if s.f == wire.Format(wire.JSON) {
		return maxWebSocketMessage
	}
	return s.max.get()
}

// OnClose keeps why the connection ended.
func (s *socket) OnClose(_ *gws.Conn, err error) {
	if s.err != nil {
		return
	}
	s.err = err
	var ce *gws.CloseError
	if err == nil || errors.As(err, &ce) {
		s.err = io.EOF
	}
}

// OnPing answers, as RFC 6455 §5.5.2 asks.
func (s *socket) OnPing(c *gws.Conn, payload []byte) { c.WritePong(payload) }

// dialLimit is how long one endpoint has to come to WELCOME.
const dialLimit = 10 * time.Second
