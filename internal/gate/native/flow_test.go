package native_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/internal/gate/native"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// receive takes pushes until it has n events, and checks that push numbers follow one
// another from next.
func (c *client) receive(n int, next uint64) []*wire.Event {
	c.Helper()
	var list []*wire.Event
	for len(list) < n {
		p := until[wire.Push](c)
		if first := p.Number - uint64(len(p.Events)) + 1; first != next {
			c.Fatalf("a push begins at %d, want %d", first, next)
		}
		next = p.Number + 1
		list = append(list, p.Events...)
	}
	return list
}

// Sends that are pipelined keep their order, and so do their pushes, whatever is
// batched on the way.
func TestOrder(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	alice, bob := w.dial(addr).login(w, "alice", "phone"), w.dial(addr).login(w, "bob", "phone")
	const n, credit = 2000, 64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for next := uint64(1); next <= n; {
			for range bob.receive(1, next) {
				next++
			}
			for _, m := range bob.got {
				next += uint64(len(m.(*wire.Push).Events))
			}
			bob.got = nil
			bob.say(&wire.Ack{Push: next - 1})
		}
	}()
	sent, acked := 0, 0
	for acked < n {
		var batch []wire.Body
		for sent < n && sent-acked < credit {
			sent++
			batch = append(batch, text("m"+strconv.Itoa(sent), "u/bob", "x"))
		}
		if len(batch) > 0 {
			alice.say(batch...)
		}
		a := until[wire.SendAck](alice)
		acked++
		if a.Code != 0 || a.Seq != uint64(acked) || a.Id != "m"+strconv.Itoa(acked) {
			t.Fatalf("ack %d: %v", acked, a)
		}
	}
	<-done
	s := w.door.Stats()
	if s.Sends != n || s.Refused != 0 {
		t.Errorf("stats: %+v", s)
	}
	if g := w.gate.Stats(); g.Writes == 0 || g.Written == 0 || g.ReadIn == 0 {
		t.Errorf("gate stats: %+v", g)
	}
}

// Without acknowledgements no more than the window is pushed; with them the rest
// follows, once and in order.
func TestWindow(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.pipe().login(w, "alice", "phone"), w.pipe().login(w, "bob", "phone")
	const n = 600
	for i := range n {
		alice.send("m"+strconv.Itoa(i), "u/bob", "x")
	}
	events := bob.receive(256, 1)
	if len(events) != 256 {
		t.Fatalf("%d events without an acknowledgement, the window is 256", len(events))
	}
	bob.say(&wire.Ping{})
	expect[wire.Pong](bob) // and no push before it
	for len(events) < n {
		bob.say(&wire.Ack{Push: uint64(len(events))})
		events = append(events, bob.receive(1, uint64(len(events))+1)...)
	}
	for i, e := range events {
		if e.Seq != uint64(i)+1 || e.Message == nil {
			t.Fatalf("event %d is %v", i, e)
		}
	}
}

// Sends above the credit are refused in their order, and nothing is lost when they
// are repeated.
func TestCredit(t *testing.T) {
	w := newWorld(t, func(o *options) { o.core.Limits.SendCredit = 4 })
	alice, bob := w.pipe().login(w, "alice", "phone"), w.pipe().login(w, "bob", "phone")
	if alice.welcome.SendCredit != 4 {
		t.Fatalf("welcome: %v", alice.welcome)
	}
	w.st.Hold()
	var all []wire.Body
	for i := range 7 {
		all = append(all, text("m"+strconv.Itoa(i), "u/bob", "x"))
	}
	alice.say(all...)
	alice.say(&wire.Ping{})
	expect[wire.Pong](alice)
	w.st.Release()
	refused := 0
	for range all {
		a := until[wire.SendAck](alice)
		switch {
		case a.Id < "m4" && a.Code != 0, a.Id >= "m4" && (a.Code != wire.CodeBusy || a.RetryMs == 0):
			t.Fatalf("%v", a)
		case a.Code != 0:
			refused++
		}
	}
	alice.say(all[5]) // not the refused one: it waits for that
	if a := until[wire.SendAck](alice); a.Code != wire.CodeBusy {
		t.Fatalf("out of order: %v", a)
	}
	alice.say(all[4:]...)
	for i := 4; i < 7; i++ {
		if a := until[wire.SendAck](alice); a.Code != 0 || a.Id != "m"+strconv.Itoa(i) || a.Seq != uint64(i)+1 {
			t.Fatalf("%v", a)
		}
	}
	for i, e := range bob.receive(7, 1) {
		if e.Seq != uint64(i)+1 || e.Message.Id != "m"+strconv.Itoa(i) {
			t.Fatalf("event %d: %v", i, e)
		}
	}
}

// A session goes on over another link: what was not taken comes again, once.
func TestResume(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	alice, bob := w.dial(addr).login(w, "alice", "phone"), w.dial(addr).login(w, "bob", "phone")
	for i := range 3 {
		alice.send("a"+strconv.Itoa(i), "u/bob", "x")
	}
	bob.receive(3, 1)
	bob.say(&wire.Ping{}) // the session is confirmed
	expect[wire.Pong](bob)
	bob.nc.Close()
	w.until("bob is gone", func() bool { return w.door.Stats().Connections.TCP == 1 })
	for i := range 3 {
		alice.send("b"+strconv.Itoa(i), "u/bob", "x")
	}
	resume := func(h *wire.Hello) { h.Resume = &wire.Resume{Session: bob.welcome.Session, LastPush: 2} }
	again := w.dial(addr).login(w, "bob", "phone", resume)
	if !again.welcome.Resumed {
		t.Fatal("not resumed")
	}
	for i, e := range again.receive(4, 3) {
		if e.Seq != uint64(i)+3 {
			t.Fatalf("event %d: %v", i, e)
		}
	}
	// Nothing came yet on the new link: the old id is still good, and takes its place.
	third := w.dial(addr).login(w, "bob", "phone", resume)
	if !third.welcome.Resumed {
		t.Fatal("the old id is void before anything came on the new link")
	}
	again.away(wire.ReasonReplaced, wire.CodeReplaced)
	third.say(&wire.Ping{})
	// Who said goodbye does not come back.
	third.say(&wire.GoAway{})
	if g := third.over(); g != nil {
		t.Errorf("an answer to a goodbye: %v", g)
	}
	fourth := w.dial(addr).login(w, "bob", "phone", func(h *wire.Hello) { h.Resume = &wire.Resume{Session: third.welcome.Session} })
	if fourth.welcome.Resumed {
		t.Error("resumed after a goodbye")
	}
	w.until("the counts", func() bool { // a link is counted when all of it has ended
		s := w.door.Stats()
		return s.Resumed == 2 && s.Ended["replaced"] == 1
	})
}

// until waits for what somebody else does.
func (w *world) until(what string, ok func() bool) {
	w.Helper()
	for end := time.Now().Add(testkit.Limit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatal("it does not come to pass: ", what)
		}
	}
}

// Ends that core asks for are told with their reason.
func TestEndings(t *testing.T) {
	w := newWorld(t)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	login := func(device string) *client { return w.dial(addr).login(w, "alice", device) }

	a := login("phone")
	login("phone")
	a.away(wire.ReasonReplaced, wire.CodeReplaced)

	a, b := login("laptop"), login("tablet")
	if r := b.call(wire.MethodKick, &wire.KickRequest{Device: "laptop", Reason: "lost"}, &wire.Empty{}); r.Code != 0 {
		t.Fatal(r)
	}
	a.away(wire.ReasonKicked, wire.CodeKicked)

	a = login("watch")
	_, err := w.rev.RevokeUser(context.Background(), "alice")
	check(t, err)
	if g := a.away(wire.ReasonToken, wire.CodeRevoked); g.Resumable {
		t.Error("a revoked session is resumable")
	}

	w.core.Drain(context.Background(), 0)
	c := w.dial(addr)
	c.say(hello(w.token("carol"), "phone"))
	if g := c.away(wire.ReasonDrain, wire.CodeDraining); g.RetryAfterMs == 0 {
		t.Errorf("%v", g)
	}
}

// A client that says nothing any more is closed after 1.5 beats and the grace; one
// that beats is not.
func TestSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *options) { o.door.Heartbeat = native.TestHeartbeat() })
		long := func(h *wire.Hello) { h.NextS = 60 }
		one := func(h *wire.Hello) { h.NextS = 1 }
		quiet, beating, patient := w.pipe().login(w, "quiet", "d", one), w.pipe().login(w, "beating", "d", one), w.pipe().login(w, "patient", "d", long)
		began := time.Now()
		go func() {
			for range 20 {
				time.Sleep(time.Second)
				beating.say(&wire.Ping{})
				expect[wire.Pong](beating)
			}
			beating.nc.Close()
		}()
		g := quiet.away(wire.ReasonSilent, wire.CodeSilent)
		if took := time.Since(began); took < 2*time.Second || took > 2*time.Second+500*time.Millisecond {
			t.Errorf("a silent client was closed after %v; 1.5 beats of 1 s and 0.5 s of grace are 2 s", took)
		}
		if !g.Resumable {
			t.Error("not resumable")
		}
		time.Sleep(15 * time.Second)
		patient.say(&wire.Ping{NextS: 2}) // from now on
		expect[wire.Pong](patient)
		began = time.Now()
		patient.away(wire.ReasonSilent, wire.CodeSilent)
		if took := time.Since(began); took < 3500*time.Millisecond || took > 4*time.Second {
			t.Errorf("after a beat that announced 2 s it was closed after %v", took)
		}
		time.Sleep(10 * time.Second)
		w.door.Close()
		w.core.Close()
		w.gate.Close()
		if s := w.door.Stats(); s.Ended["silent"] != 2 || s.Ended["client"] != 1 {
			t.Errorf("stats: %v", s.Ended)
		}
	})
}

// Ten thousand half-open connections would be freed the same way; a hundred are, and
// nothing of them stays.
func TestHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *options) { o.door.Heartbeat = native.TestHeartbeat() })
		for i := range 100 {
			c := w.pipe()
			c.login(w, "u"+strconv.Itoa(i), "d", func(h *wire.Hello) { h.NextS = 1 + uint32(i%3) })
			// nobody reads or writes from here on: a cut cable
		}
		time.Sleep(3*1500*time.Millisecond + 500*time.Millisecond + time.Second + 3*time.Second) // the last words wait 3 s at most
		s := w.door.Stats()
		if n := s.Connections.TCP; n != 0 {
			t.Errorf("%d half-open connections are left", n)
		}
		if s.Ended["silent"] != 100 {
			t.Errorf("ended: %v", s.Ended)
		}
		if n := w.gate.Stats().Links; n != 0 {
			t.Errorf("%d links are left", n)
		}
	})
}

// A client that stops reading is not read either once its answers pile up, holds a
// bounded amount of memory, and is closed when it has taken nothing for the stall time.
func TestStalled(t *testing.T) {
	w := newWorld(t, func(o *options) { o.gate.WriteStall = 500 * time.Millisecond })
	addr := w.serve("tcp://127.0.0.1:0", nil)
	other := w.dial(addr).login(w, "other", "d")
	nc := w.tcp(addr)
	nc.(*net.TCPConn).SetReadBuffer(4 << 10)
	c := newClient(w, nc).login(w, "stalled", "d")
	body := strings.Repeat("x", 100<<10)
	for i := range 5 {
		c.send("m"+strconv.Itoa(i), "u/stalled", body)
	}
	q, err := c.f.MarshalBody(&wire.PageRequest{Conv: "u/stalled", Limit: 5})
	check(t, err)
	go func() { // until the server closes
		for id := uint64(1 << 32); ; id++ {
			if c.write(frameOf(t, &wire.Req{Id: id, Method: wire.MethodPage, Body: q})) != nil {
				return
			}
		}
	}()
	w.until("the stalled client is closed", func() bool { return w.door.Stats().Ended["slow"] == 1 })
	s := w.door.Stats()
	if s.Paused == 0 {
		t.Error("the connection was read all the time")
	}
	if g := w.gate.Stats(); g.Stalled != 1 || g.Partial == 0 {
		t.Errorf("gate stats: %+v", g)
	}
	other.say(&wire.Ping{})
	expect[wire.Pong](other)
}

// The server ends: everybody is told, spread over a time, and comes back elsewhere.
func TestDrain(t *testing.T) {
	w := newWorld(t, func(o *options) { o.door.Nodes = []string{"tcp://127.0.0.1:1"} })
	addr := w.serve("tcp://127.0.0.1:0", nil)
	var all []*client
	for i := range 20 {
		all = append(all, w.dial(addr).login(w, "u"+strconv.Itoa(i), "d"))
	}
	waiting := w.dial(addr) // has not said anything yet
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.door.Drain(context.Background(), 300*time.Millisecond)
	}()
	var last time.Time
	for _, c := range all {
		g := c.away(wire.ReasonDrain, wire.CodeDraining)
		if !g.Resumable || g.RetryAfterMs < 1000 || len(g.Nodes) != 1 {
			t.Fatalf("%v", g)
		}
		last = time.Now()
	}
	waiting.away(wire.ReasonDrain, wire.CodeDraining)
	testkit.Within(t, "Drain", func() { <-done })
	if took := last.Sub(began); took < 100*time.Millisecond {
		t.Errorf("all 20 were sent away within %v, spread over 300 ms", took)
	}
	if nc, err := net.Dial("tcp", addr); err == nil {
		nc.Close()
		t.Error("the door still listens")
	}
}

// A node whose store hangs does not say that it is well.
func TestHealth(t *testing.T) {
	w := newWorld(t)
	c := w.pipe().login(w, "alice", "d")
	health := func() uint32 {
		c.say(&wire.Ping{})
		return until[wire.Pong](c).Health
	}
	if h := health(); h != 0 {
		t.Errorf("health %d", h)
	}
	w.st.Hold()
	c.say(text("1", "u/bob", "x"))
	w.until("a beat says that sends are not taken", func() bool { return health() == uint32(wire.HealthStuck) })
	w.st.Release()
	w.until("a beat says that all is well again", func() bool { return health() == 0 })
}

// A signal reaches the other side and takes no push number: 300 of them do not fill
// the window.
func TestSignals(t *testing.T) {
	w := newWorld(t, func(o *options) { o.core.Limits.SignalRate = -1 })
	alice, bob := w.pipe().login(w, "alice", "d"), w.pipe().login(w, "bob", "d")
	alice.send("1", "u/bob", "hello")
	bob.event()
	for i := range 300 {
		alice.say(&wire.Signal{Conv: "u/bob", Kind: "typing", Body: []byte(`{"n":1}`), TtlMs: 5000})
		s := until[wire.Signal](bob)
		if s.Conv != "u/alice" || s.Kind != "typing" || s.Sender != "alice" || s.Device != "d" || s.TtlMs != 5000 || string(s.Body) != `{"n":1}` {
			t.Fatalf("signal %d: %v", i, s)
		}
	}
	alice.send("2", "u/bob", "there")
	if p, _ := bob.event(); p.Number != 2 {
		t.Errorf("the push after the signals has number %d", p.Number)
	}
	bob.say(&wire.ClientState{HoldSignals: ptr(true), Background: ptr(true), Network: "cell:1", NextS: 200})
	bob.say(&wire.Ping{})
	expect[wire.Pong](bob)
	alice.say(&wire.Signal{Conv: "u/bob", Kind: "typing"})
	alice.send("3", "u/bob", "held")
	if _, e := bob.event(); e.Seq != 3 {
		t.Errorf("%v", e)
	}
}

// One member of a group stops reading. It holds no more than a window, is closed with
// an end it can come back from, and the others get everything meanwhile.
func TestStoppedMember(t *testing.T) {
	w := newWorld(t, func(o *options) { o.gate.WriteStall = time.Second })
	addr := w.serve("tcp://127.0.0.1:0", nil)
	alice := w.dial(addr).login(w, "alice", "d")
	const members, messages = 20, 300
	names := []string{"stopped"}
	for i := range members {
		names = append(names, "m"+strconv.Itoa(i))
	}
	var g wire.GroupResponse
	if r := alice.call(wire.MethodGroupCreate, &wire.GroupCreateRequest{Id: "g", Name: "g", Members: names}, &g); r.Code != 0 {
		t.Fatal(r)
	}
	nc := w.tcp(addr)
	nc.(*net.TCPConn).SetReadBuffer(4 << 10) // less than a window: its kernel cannot take all of that for it
	stopped := newClient(w, nc).login(w, "stopped", "d")
	done := make(chan int, members)
	for _, name := range names[1:] {
		c := w.dial(addr).login(w, name, "d")
		go func() {
			seen := 0
			for seen < messages {
				p := until[wire.Push](c)
				for _, e := range p.Events {
					if e.Message.GetType() == "an:text" {
						if seen++; e.Message.Id != "x"+strconv.Itoa(seen) {
							c.Errorf("message %d is %v", seen, e.Message.Id)
						}
					}
				}
				c.say(&wire.Ack{Push: p.Number})
			}
			done <- seen
		}()
	}
	body := strings.Repeat("x", 4<<10)
	for i := 1; i <= messages; i++ {
		alice.send("x"+strconv.Itoa(i), g.Conv, body)
	}
	for range members {
		testkit.Receive(t, "a member has everything", done)
	}
	for _, s := range w.core.Sessions("stopped") {
		if s.OutboxBytes > 1<<20 {
			t.Errorf("the stopped member holds %d bytes", s.OutboxBytes)
		}
	}
	w.until("the stopped member is closed", func() bool { return w.door.Stats().Ended["slow"] == 1 })
	stopped.nc.Close()
	again := w.dial(addr).login(w, "stopped", "d", func(h *wire.Hello) {
		h.Resume = &wire.Resume{Session: stopped.welcome.Session}
	})
	if !again.welcome.Resumed {
		t.Error("who was slow cannot resume")
	}
	next, seen := uint64(1), 0
	for seen < messages {
		p := until[wire.Push](again)
		for _, e := range p.Events {
			if e.Message.GetType() == "an:text" {
				if seen++; e.Message.Id != "x"+strconv.Itoa(seen) {
					t.Fatalf("message %d is %v", seen, e.Message.Id)
				}
			}
		}
		next = p.Number
		again.say(&wire.Ack{Push: next})
	}
}
