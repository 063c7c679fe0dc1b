package native_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// alarm is a log that notes what must never be logged: a panic, which the door
// survives, and a token.
type alarm struct {
	slog.Handler
	rang atomic.Pointer[string]
}

func newAlarm() *alarm { return &alarm{Handler: slog.NewTextHandler(io.Discard, nil)} }

func (a *alarm) Enabled(context.Context, slog.Level) bool { return true }
func (a *alarm) WithAttrs([]slog.Attr) slog.Handler       { return a }
func (a *alarm) WithGroup(string) slog.Handler            { return a }

func (a *alarm) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(at slog.Attr) bool { line += " " + at.String(); return true })
	if strings.Contains(line, "panic") || strings.Contains(line, "eyJ") || strings.Contains(line, "secret words") {
		a.rang.CompareAndSwap(nil, &line)
	}
	return nil
}

func (a *alarm) check(t *testing.T) {
	t.Helper()
	if p := a.rang.Load(); p != nil {
		t.Fatal(*p)
	}
}

// feed gives b to a connection of the door and reads what it answers until it ends.
func feed(t *testing.T, nc net.Conn, b []byte) {
	t.Helper()
	nc.SetDeadline(time.Now().Add(testkit.Limit))
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(io.Discard, nc)
	}()
	nc.Write(b)
	if h, ok := nc.(interface{ CloseWrite() error }); ok {
		h.CloseWrite()
		<-read
	}
	nc.Close()
	<-read
}

// FuzzConn gives bytes to a connection, signed in or not. Whatever they are, the
// connection ends when the client does, and nothing panics.
func FuzzConn(f *testing.F) {
	a := newAlarm()
	w := newWorld(f, func(o *options) { o.door.Log = slog.New(a) })
	greeting := frameOf(f, hello(w.token("alice"), "phone"))
	f.Add(false, greeting)
	f.Add(false, []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(false, []byte{0x16, 3, 1})
	for _, m := range []wire.Body{
		&wire.Ping{NextS: 5, Time: 1}, text("1", "u/bob", "hi"), &wire.Ack{Push: 1, Pulled: []*wire.Pulled{{Conv: "u/bob", Seq: 1}}},
		&wire.Signal{Conv: "u/bob", Kind: "typing"}, &wire.ClientState{Background: ptr(true), HoldSignals: ptr(true), Network: "x", NextS: 1}, &wire.Cancel{Id: 1}, &wire.GoAway{},
		&wire.Req{Id: 1, Method: wire.MethodSync}, &wire.Req{Id: 1, Method: wire.MethodGroupCreate, Body: must(wire.Binary.MarshalBody(&wire.GroupCreateRequest{Id: "g", Name: "g", Members: []string{"bob"}}))},
		&wire.Send{Id: "x", Conv: "g/x", Type: "t", Flags: ptr(uint32(3)), Body: []byte("1"), Skip: "y", Ack: &wire.Ack{}, Options: &wire.SendOptions{Digest: "d", Mentions: &wire.Mentions{All: true, Users: []string{"bob"}}, To: []string{"bob"}, Push: "p"}},
	} {
		f.Add(true, frameOf(f, m))
	}
	for _, v := range wire.Verbs() {
		f.Add(true, frameOf(f, &wire.Req{Id: 7, Method: v.Name, Body: must(wire.Binary.MarshalBody(v.NewRequest()))}))
	}
	big := frameOf(f, text("2", "u/bob", strings.Repeat("x", 3000)))
	f.Add(true, must(wire.AppendSplit(nil, big, 700)))
	f.Add(true, must(wire.AppendCompressed(nil, big)))
	f.Fuzz(func(t *testing.T, in bool, b []byte) {
		if in {
			b = append(bytes.Clone(greeting), b...)
		}
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() { defer close(done); w.door.ServeConn(theirs) }()
		feed(t, ours, b)
		select {
		case <-done:
		case <-time.After(testkit.Limit):
			t.Fatal("the connection does not end")
		}
		a.check(t)
	})
}

// FuzzWebSocket gives bytes to a WebSocket, behind HELLO or not.
func FuzzWebSocket(f *testing.F) {
	a := newAlarm()
	w := newWorld(f, func(o *options) { o.door.Log = slog.New(a) })
	addr := w.web("http://127.0.0.1:0", nil)
	h := hello(w.token("alice"), "phone")
	greeting := maskedFrame(0x81, must(wire.JSON.Append(nil, h)))
	f.Add(false, greeting)
	f.Add(true, maskedFrame(0x81, []byte(`[{"t":"ping"},{"t":"send","id":"1","conv":"u/bob","type":"an:text","body":{"content":"hi"}}]`)))
	f.Add(true, maskedFrame(0xc1, deflated([]byte(`{"t":"req","id":"1","method":"Sync","body":{}}`))))
	f.Add(true, append(maskedFrame(0x01, []byte(`{"t":"p`)), maskedFrame(0x80, []byte(`ing"}`))...))
	f.Add(true, maskedFrame(0x89, []byte("ping")))
	f.Add(true, maskedFrame(0x88, []byte{3, 232}))
	f.Add(true, []byte{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, in bool, b []byte) {
		nc, err := net.Dial("tcp", addr)
		check(t, err)
		defer nc.Close()
		s, err := upgrade(nc, http.Header{"Sec-Websocket-Protocol": {wire.SubprotocolJSON}, "Sec-Websocket-Extensions": {"permessage-deflate"}})
		check(t, err)
		if s.response.StatusCode != 101 {
			t.Fatal(s.response.Status)
		}
		if in {
			b = append(bytes.Clone(greeting), b...)
		}
		feed(t, nc, b)
		a.check(t)
	})
}

// Neither tokens nor bodies reach the log, at any level.
func TestLog(t *testing.T) {
	a := newAlarm()
	w := newWorld(t, func(o *options) { o.door.Log = slog.New(a); o.gate.Log = slog.New(a); o.core.Log = slog.New(a) })
	c := w.pipe().login(w, "alice", "phone")
	c.send("1", "u/bob", "secret words")
	c.call(wire.MethodRenew, &wire.RenewRequest{Token: w.token("mallory")}, nil)
	c.say(&wire.Signal{Conv: "u/nobody", Kind: "x", Body: []byte("secret words")})
	c.nc.Close()
	bad := w.pipe()
	bad.say(hello(w.token("alice")+"x", "phone"))
	bad.over()
	worse := w.pipe()
	worse.say(&wire.Hello{Version: 3, Token: w.token("alice")})
	worse.over()
	a.check(t)
}
