package native_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/anser-im/anser/wire"
)

// Two people talk, over each transport: the whole conversation of the protocol's
// example.
func TestConversation(t *testing.T) {
	w := newWorld(t)
	server, trust := certificate(t)
	tcp, secure := w.serve("tcp://127.0.0.1:0", nil), w.serve("tls://127.0.0.1:0", server)
	web, secureWeb := w.web("http://127.0.0.1:0", nil), w.web("https://127.0.0.1:0", server)
	plain := httptest.NewServer(w.door.WebSocket()) // its connections have no Link of ours
	t.Cleanup(plain.Close)
	ws := func(nc net.Conn, f wire.Format, lines ...string) *client {
		h := http.Header{}
		for i := 0; i < len(lines); i += 2 {
			h.Set(lines[i], lines[i+1])
		}
		c, _ := w.socket(nc, f, h)
		return c
	}
	for name, dial := range map[string]func() *client{
		"pipe":       w.pipe,
		"tcp":        func() *client { return w.dial(tcp) },
		"tls":        func() *client { return newClient(w, w.secure(secure, trust, "anser/1")) },
		"ws":         func() *client { return ws(w.tcp(web), wire.Binary) },
		"ws-json":    func() *client { return ws(w.tcp(web), wire.JSON) },
		"ws-deflate": func() *client { return ws(w.tcp(web), wire.JSON, "Sec-WebSocket-Extensions", "permessage-deflate") },
		"wss":        func() *client { return ws(w.secure(secureWeb, trust, "http/1.1"), wire.Binary) },
		"wss-json":   func() *client { return ws(w.secure(secureWeb, trust), wire.JSON) },
		"ws-foreign": func() *client { return ws(w.tcp(plain.Listener.Addr().String()), wire.Binary) },
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := dial(), dial()
			alice.TB, bob.TB = t, t
			alice.login(w, "alice-"+name, "phone")
			bob.login(w, "bob-"+name, "phone")
			if alice.welcome.User != "alice-"+name || alice.welcome.Device != "phone" || alice.welcome.Session == "" || alice.welcome.Resumed {
				t.Fatalf("welcome: %v", alice.welcome)
			}
			a := alice.send("m1", "u/bob-"+name, "hello")
			if a.Seq != 1 || a.N != 1 || a.Conv != "u/bob-"+name || a.Time == 0 || a.Duplicate {
				t.Fatalf("ack: %v", a)
			}
			p, e := bob.event()
			if p.Number != 1 || e.Conv != "u/alice-"+name || e.Seq != 1 || e.Message == nil || string(e.Message.Body) != `{"content":"hello"}` ||
				e.Message.Sender != "alice-"+name || e.Message.Id != "m1" || e.Message.Type != "an:text" || e.Message.Flags != 3 {
				t.Fatalf("push: %v", p)
			}
			bob.say(&wire.Ack{Push: p.Number})
			if a = alice.send("m1", "u/bob-"+name, "hello"); a.Seq != 1 || !a.Duplicate {
				t.Fatalf("the same again: %v", a)
			}
			alice.say(text("m1", "u/bob-"+name, "other"))
			if a := until[wire.SendAck](alice); a.Code != wire.CodeConflict {
				t.Fatalf("the same id with another body: %v", a)
			}
			bob.say(&wire.Ping{})
			if p := until[wire.Pong](bob); p.Health != 0 {
				t.Fatalf("pong: %v", p)
			}
			bob.say(&wire.Ping{Time: 77, NextS: 60})
			if p := until[wire.Pong](bob); p.Time != 77 || p.ServerTime == 0 {
				t.Fatalf("long pong: %v", p)
			}
			var r wire.ReadResponse
			if res := bob.call(wire.MethodRead, &wire.ReadRequest{Conv: "u/alice-" + name}, &r); res.Code != 0 || r.Mine.Read != 1 {
				t.Fatalf("read: %v %v", res, &r)
			}
			for { // delivered and read are told in one or two states
				_, e := alice.event()
				if e.State.GetPeer().GetRead() == 1 {
					break
				}
			}
			if res := bob.call("Nonsense", &wire.Empty{}, nil); res.Code != wire.CodeUnsupported {
				t.Fatalf("unknown verb: %v", res)
			}
		})
	}
}
