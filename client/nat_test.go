package client_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// nat is a box between client and server that forgets a connection nothing has passed
// for limit: from then on it swallows what comes, and says nothing.
type nat struct {
	mu      sync.Mutex
	limit   time.Duration
	lost    int           // connections that something was sent on after they were forgotten
	dead    time.Duration // how long such connections were forgotten and not yet given up
	forgot  map[*natConn]time.Time
	longest time.Duration // silence that was survived
}

func newNAT(limit time.Duration) *nat { return &nat{limit: limit, forgot: map[*natConn]time.Time{}} }

func (n *nat) dial(dial func(context.Context, string) (net.Conn, error)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, at string) (net.Conn, error) {
		c, err := dial(ctx, at)
		if err != nil {
			return nil, err
		}
		return &natConn{Conn: c, n: n, last: time.Now()}, nil
	}
}

type natConn struct {
	net.Conn
	n    *nat
	last time.Time // guarded by n.mu: when something passed
}

// pass says whether bytes pass now.
func (c *natConn) pass() bool {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if _, ok := c.n.forgot[c]; ok {
		return false
	}
	now := time.Now()
	silent := now.Sub(c.last)
	if silent >= c.n.limit {
		c.n.forgot[c] = c.last.Add(c.n.limit)
		c.n.lost++
		return false
	}
	c.n.longest = max(c.n.longest, silent)
	c.last = now
	return true
}

func (c *natConn) Write(b []byte) (int, error) {
	if !c.pass() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *natConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || c.pass() {
			return n, err
		}
	}
}

func (c *natConn) Close() error {
	c.n.mu.Lock()
	if at, ok := c.n.forgot[c]; ok {
		c.n.dead += time.Since(at)
		delete(c.n.forgot, c)
	}
	c.n.mu.Unlock()
	return c.Conn.Close()
}

// A client in the background behind NATs of every kind: the real heartbeat on a link, in
// virtual time.
func TestHeartbeatBehindNAT(t *testing.T) {
	for _, limit := range []time.Duration{60, 61, 75, 90, 110, 120, 131, 150, 180, 210, 211, 240, 270, 299, 300, 330, 360, 420, 480, 511, 540, 569, 571, 589, 590, 600, 900, 1200, 1800} {
		limit *= time.Second
		t.Run(limit.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				box := newNAT(limit)
				store := client.NewMemStore()
				with := func(o *client.Options) {
					o.Dial = box.dial(f.dial)
					o.Background = true
					o.Network = "cell:46000"
					o.Store = store
				}
				a := start(t, f, with)
				settle(4 * time.Hour)
				box.mu.Lock()
				lost, dead := box.lost, box.dead
				box.longest = 0
				box.mu.Unlock()
				if lost > 3 {
					t.Errorf("%d beats lost", lost)
				}
				if dead > 6*time.Minute {
					t.Errorf("dead for %v in all", dead)
				}
				settle(24 * time.Hour) // nothing changes while the limit stands
				box.mu.Lock()
				if box.lost != lost {
					t.Errorf("%d more beats lost when it should have settled", box.lost-lost)
				}
				settled := box.longest
				box.mu.Unlock()
				best := min(limit, 590*time.Second)
				if settled >= limit || best-settled > 80*time.Second {
					t.Errorf("settled at %v", settled)
				}
				// What arrives after a long silence arrives.
				f.post("u/bob", "bob", "still there?")
				settle(time.Second)
				a.expect("u/bob 1 still there?")

				// A new run of the program remembers.
				a.stop()
				box.mu.Lock()
				box.longest = 0
				box.mu.Unlock()
				start(t, f, with)
				settle(time.Hour)
				box.mu.Lock()
				defer box.mu.Unlock()
				if box.longest != settled || box.lost != lost {
					t.Errorf("began again: %v instead of %v, %d more beats lost", box.longest, settled, box.lost-lost)
				}
			})
		})
	}
}

// The server hears of every longer interval before it waits that long.
func TestHeartbeatAnnounces(t *testing.T) {
	bubble(t, "background", func(t *testing.T, f *fake) {
		a := start(t, f, func(o *client.Options) { o.Background = true })
		settle(10 * time.Minute)
		f.locked(func() {
			if !f.hellos[0].Background {
				t.Error("Hello does not say background")
			}
			var said []uint32
			for _, p := range f.pings {
				said = append(said, p.NextS)
			}
			if got := fmt.Sprint(said[:5]); got != "[30 0 210 0 0]" {
				t.Errorf("announced %v", got)
			}
			f.pings = nil
		})
		a.c.SetBackground(false)
		settle(100 * time.Second)
		f.locked(func() {
			if len(f.states) != 1 || *f.states[0].Background || f.states[0].NextS != 30 {
				t.Errorf("%v", f.states)
			}
			if len(f.pings) < 3 || len(f.pings) > 4 {
				t.Errorf("%d beats in 100 s of foreground", len(f.pings))
			}
		})
	})
}

// What passes besides the beats keeps the network's memory fresh: such a beat proves
// nothing, and the interval is not lengthened by it.
func TestHeartbeatLearnsFromSilenceOnly(t *testing.T) {
	bubble(t, "signals", func(t *testing.T, f *fake) {
		start(t, f, func(o *client.Options) { o.Background = true })
		for range 5 * 3600 / 50 {
			settle(50 * time.Second)
			f.locked(func() {
				for c := range f.conns {
					c.put(&wire.Signal{Conv: "u/bob", Kind: "typing", Sender: "bob"})
				}
			})
		}
		f.locked(func() {
			for _, p := range f.pings {
				if p.NextS > 210 {
					t.Fatalf("announced %d s after beats that proved nothing", p.NextS)
				}
			}
			f.pings = nil
		})
		settle(5 * time.Hour)
		f.locked(func() {
			if len(f.pings) == 0 || f.pings[len(f.pings)-1].NextS != 0 || len(f.pings) > 60 {
				t.Errorf("in silence it went on with %d beats", len(f.pings))
			}
		})
	})
}

func TestDeadService(t *testing.T) {
	two := func(o *client.Options) { o.Endpoints = []string{"tcp://one:1", "tcp://two:2"} }

	bubble(t, "stopped: left within 45 s", func(t *testing.T, f *fake) {
		a := start(t, f, two)
		settle(95 * time.Second) // five seconds after a beat
		f.locked(func() { f.frozen["tcp://one:1"] = true })
		began := time.Now()
		for a.c.State().Endpoint != "tcp://two:2" {
			time.Sleep(time.Second)
			if time.Since(began) > time.Minute {
				t.Fatalf("%+v", a.c.State())
			}
		}
		if d := time.Since(began); d > 46*time.Second {
			t.Errorf("took %v", d)
		}
		// Remembered for a minute: the next connection does not try it first.
		f.locked(func() { f.ats = nil })
		f.drop()
		settle(8 * time.Second)
		f.locked(func() {
			if len(f.ats) != 1 || f.ats[0] != "tcp://two:2" {
				t.Errorf("dialled %v", f.ats)
			}
		})
	})

	bubble(t, "and tried again after a minute", func(t *testing.T, f *fake) {
		f.frozen["tcp://one:1"] = true
		a := start(t, f, two)
		settle(20 * time.Second) // the race was lost there, but the endpoint was not left
		f.locked(func() { f.frozen = map[string]bool{"tcp://two:2": true} })
		settle(50 * time.Second)
		if s := a.c.State(); s.Endpoint != "tcp://one:1" {
			t.Fatalf("%+v", s)
		}
		f.locked(func() { f.frozen["tcp://one:1"], f.frozen["tcp://two:2"] = true, false })
		settle(50 * time.Second) // left as well, and the other one not a minute ago
		if s := a.c.State(); s.Endpoint != "tcp://two:2" {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "one miss is forgiven", func(t *testing.T, f *fake) {
		n := 0
		f.pong = func(string) (wire.Health, bool) { n++; return 0, n%2 == 1 }
		start(t, f)
		settle(10 * time.Minute)
		f.locked(func() {
			if len(f.hellos) != 1 {
				t.Errorf("%d logins", len(f.hellos))
			}
		})
	})

	bubble(t, "any frame is an answer", func(t *testing.T, f *fake) {
		f.pong = func(string) (wire.Health, bool) { return 0, true }
		start(t, f)
		for i := range 60 {
			settle(4 * time.Second)
			f.post("u/bob", "bob", fmt.Sprint(i))
		}
		f.locked(func() {
			if len(f.hellos) != 1 {
				t.Errorf("%d logins", len(f.hellos))
			}
		})
	})

	bubble(t, "takes no sends: left at the second PONG that says so", func(t *testing.T, f *fake) {
		f.pong = func(at string) (wire.Health, bool) {
			if at == "tcp://one:1" {
				return wire.HealthStuck, false
			}
			return 0, false
		}
		a := start(t, f, two)
		settle(34 * time.Second)
		if s := a.c.State(); s.Endpoint != "tcp://one:1" {
			t.Errorf("%+v", s)
		}
		settle(3 * time.Second)
		if s := a.c.State(); s.Endpoint != "tcp://two:2" {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "takes no sends, and there is no other: it stays and says so", func(t *testing.T, f *fake) {
		h := wire.HealthStuck
		f.pong = func(string) (wire.Health, bool) { return h, false }
		a := start(t, f)
		settle(40 * time.Second)
		if s := a.c.State(); s.Phase != client.Online || !s.Stuck {
			t.Errorf("%+v", s)
		}
		f.locked(func() { h = wire.HealthOK })
		settle(31 * time.Second)
		if s := a.c.State(); s.Stuck {
			t.Errorf("%+v", s)
		}
		f.locked(func() {
			if len(f.hellos) != 1 {
				t.Errorf("%d logins", len(f.hellos))
			}
		})
	})

	bubble(t, "says it is well and does not answer a send", func(t *testing.T, f *fake) {
		f.send = func(*wire.Send) *wire.SendAck {
			if f.ats[len(f.ats)-1] == "tcp://one:1" {
				return &wire.SendAck{}
			}
			return nil
		}
		a := start(t, f, two, func(o *client.Options) { o.Background = true })
		settle(time.Hour) // in the background the next beat is minutes away
		p, err := a.c.Send(ctx, "u/bob", client.Text("hello"))
		if err != nil {
			t.Fatal(err)
		}
		settle(20 * time.Second)
		if s := a.c.State(); s.Endpoint != "tcp://two:2" {
			t.Errorf("%+v", s)
		}
		select {
		case <-p.Done():
		default:
			t.Error("not sent")
		}
		a.expect("sent u/bob 1")
	})

	bubble(t, "a probe", func(t *testing.T, f *fake) {
		box := newNAT(1 << 60)
		a := start(t, f, func(o *client.Options) { o.Dial = box.dial(f.dial) })
		settle(10 * time.Second)
		a.c.Probe() // a probe finds a living link alive
		settle(3 * time.Second)
		f.locked(func() {
			if len(f.hellos) != 1 || len(f.pings) != 1 {
				t.Errorf("%d logins, %d beats", len(f.hellos), len(f.pings))
			}
			f.frozen["tcp://one:1"] = true
		})
		settle(time.Second)
		a.c.Probe() // and a dead one dead within two seconds
		settle(2500 * time.Millisecond)
		if s := a.c.State(); s.Phase == client.Online {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "a probe while a beat is under way", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(20 * time.Second)
		f.locked(func() { f.frozen["tcp://one:1"] = true })
		settle(11 * time.Second)
		a.c.Probe()
		settle(2500 * time.Millisecond)
		if s := a.c.State(); s.Phase == client.Online {
			t.Errorf("%+v", s)
		}
	})
}
