package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// A link is a native connection of a test, over TCP or WebSocket. Frames come in order.
type link struct {
	t      testing.TB
	f      wire.Format
	write  func([]byte) error
	frames chan wire.Frame // closed when the link has ended
	close  func()
}

// dial connects to the native door: "tcp", "ws" or "ws json".
func dial(t testing.TB, s *servertest.Server, door string) *link {
	t.Helper()
	l, err := tryDial(t, s, door)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// tryDial is dial where the door may refuse.
func tryDial(t testing.TB, s *servertest.Server, door string) (*link, error) {
	t.Helper()
	l := &link{t: t, f: wire.Binary, frames: make(chan wire.Frame, 64)}
	if door == "tcp" {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.TCP(), "tcp://"))
		if err != nil {
			return nil, err
		}
		l.write = func(b []byte) error { _, err := c.Write(b); return err }
		l.close = func() { c.Close() }
		go func() {
			defer close(l.frames)
			var buf []byte
			in := make([]byte, 32<<10)
			for {
				n, err := c.Read(in)
				buf = append(buf, in[:n]...)
				for {
					f, size, err := wire.Next(buf, wire.MaxFrame)
					if err != nil {
						break
					}
					f.Body = append([]byte(nil), f.Body...)
					l.frames <- f
					buf = buf[size:]
				}
				if err != nil {
					return
				}
			}
		}()
	} else {
		if door == "ws json" {
			l.f = wire.JSON
		}
		c, _, err := gws.NewClient(&events{l}, &gws.ClientOption{Addr: s.WS() + wire.Path,
			RequestHeader: http.Header{"Sec-Websocket-Protocol": {l.f.Subprotocol()}}})
		if err != nil {
			return nil, err
		}
		op := gws.OpcodeBinary
		if door == "ws json" {
			op = gws.OpcodeText
		}
		l.write = func(b []byte) error { return c.WriteMessage(op, b) }
		l.close = func() { c.NetConn().Close() }
		go func() {
			defer close(l.frames)
			c.ReadLoop()
		}()
	}
	t.Cleanup(func() {
		l.close()
		for range l.frames { // until the reader has ended
		}
	})
	return l, nil
}

type events struct{ l *link }

func (*events) OnOpen(*gws.Conn)             {}
func (*events) OnClose(*gws.Conn, error)     {}
func (*events) OnPing(c *gws.Conn, b []byte) { c.WritePong(b) }
func (*events) OnPong(*gws.Conn, []byte)     {}
func (e *events) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	e.l.f.Each(m.Bytes(), wire.MaxFrame, func(f wire.Frame) error {
		f.Body = append([]byte(nil), f.Body...)
		e.l.frames <- f
		return nil
	})
}

// send writes one frame.
func (l *link) send(m wire.Body) {
	l.t.Helper()
	b, err := l.f.Append(nil, m)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(b) // a link that has ended is seen by what comes, or does not
}

// next is the next frame; false if the link ended instead.
func (l *link) next() (wire.Frame, bool) {
	l.t.Helper()
	timer := time.NewTimer(testkit.Limit)
	defer timer.Stop()
	select {
	case f, ok := <-l.frames:
		return f, ok
	case <-timer.C:
		l.t.Fatal("no frame comes")
		return wire.Frame{}, false
	}
}

// until skips frames up to one of a type, and decodes it into m; false if the link
// ended before.
func (l *link) until(typ wire.Type, m wire.Body) bool {
	l.t.Helper()
	for {
		f, ok := l.next()
		if !ok {
			return false
		}
		if f.Type == typ {
			if err := l.f.Decode(f, m); err != nil {
				l.t.Fatal(err)
			}
			return true
		}
	}
}

// hello signs in: the code of the refusal, 0 if there is a session.
func (l *link) hello(token, device string) uint32 {
	l.t.Helper()
	l.send(&wire.Hello{Version: 1, Token: token, Device: &wire.Device{Id: device, Class: "phone"}})
	for {
		f, ok := l.next()
		if !ok {
			return 1
		}
		switch f.Type {
		case wire.TypeWelcome:
			return 0
		case wire.TypeGoAway:
			var g wire.GoAway
			if err := l.f.Decode(f, &g); err != nil {
				l.t.Fatal(err)
			}
			return g.Code
		}
	}
}

// lines is a link to the line door.
type lines struct {
	t  testing.TB
	c  net.Conn
	in *bufio.Scanner
}

func dialLine(t testing.TB, s *servertest.Server) *lines {
	t.Helper()
	c, err := net.Dial("tcp", s.Line())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(testkit.Limit))
	l := &lines{t, c, bufio.NewScanner(c)}
	l.in.Scan()
	return l
}

// say writes a line and gives the answer; "" if the link ended.
func (l *lines) say(format string, args ...any) string {
	fmt.Fprintf(l.c, format+"\n", args...)
	if !l.in.Scan() {
		return ""
	}
	return l.in.Text()
}

// request makes an HTTP request: status and body.
func request(t testing.TB, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return servertest.Do(t, r)
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
