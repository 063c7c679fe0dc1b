package native_test

import (
	"testing"

	"github.com/anser-im/anser/wire"
)

// Two people talk, over each transport: the whole conversation of the protocol's
// example.
func TestConversation(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	for name, dial := range map[string]func() *client{
		"pipe": w.pipe,
		"tcp":  func() *client { return w.dial(addr) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{TB: t, signer: w.signer}
			alice := dial().login(w, "alice-"+name, "phone")
			bob := dial().login(w, "bob-"+name, "phone")
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
