package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// app is an application that notes what it is told.
type app struct {
	t      testing.TB
	c      *client.Client
	mu     sync.Mutex
	events []client.Event
	states []client.State
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Run; good after done
}

// start makes a client of f and runs it; change may alter the options.
func start(t testing.TB, f *fake, change ...func(*client.Options)) *app {
	t.Helper()
	a := &app{t: t, done: make(chan struct{})}
	o := client.Options{
		Endpoints: []string{"tcp://one:1"},
		Token:     func(context.Context) (string, error) { return "token", nil },
		Device:    client.Device{ID: "dev", Class: wire.ClassPhone},
		OnEvent: func(e client.Event) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.events = append(a.events, e)
		},
		OnState: func(s client.State) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.states = append(a.states, s)
		},
	}
	if f != nil {
		o.Dial = f.dial
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if a.c, err = client.New(o); err != nil {
		t.Fatal(err)
	}
	a.run()
	t.Cleanup(a.stop)
	return a
}

func (a *app) run() {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	done := make(chan struct{})
	a.done = done
	go func() {
		defer close(done)
		a.err = a.c.Run(ctx)
	}()
}

func (a *app) stop() {
	a.cancel()
	<-a.done
}

func (a *app) all() []client.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.events)
}

// log is what happened, a word a line: "u/bob 1 hello", "sent u/bob 2", ...
func (a *app) log(kinds ...client.EventKind) string {
	var b strings.Builder
	for _, e := range a.all() {
		if len(kinds) > 0 && !slices.Contains(kinds, e.Kind) {
			continue
		}
		switch e.Kind {
		case client.EventMessage:
			fmt.Fprintf(&b, "%s %d %s\n", e.Conv, e.Message.Seq, e.Message.Text())
		case client.EventSent:
			fmt.Fprintf(&b, "sent %s %d\n", e.Conv, e.Sent.Seq)
		case client.EventFailed:
			fmt.Fprintf(&b, "failed %s %v\n", e.Conv, e.Err)
		case client.EventChange:
			fmt.Fprintf(&b, "change %s ver %d of %d %s\n", e.Conv, e.Change.Ver, e.Change.Seq, e.Change.Message.Text())
		case client.EventReset, client.EventLeft:
			fmt.Fprintf(&b, "%v %s\n", e.Kind, e.Conv)
		case client.EventStatus:
			fmt.Fprintf(&b, "status %s %s\n", e.Conv, e.Message.Text())
		}
	}
	return b.String()
}

var told = []client.EventKind{client.EventMessage, client.EventSent, client.EventFailed, client.EventChange, client.EventReset, client.EventLeft, client.EventStatus}

func lines(l ...string) string {
	if len(l) == 0 {
		return ""
	}
	return strings.Join(l, "\n") + "\n"
}

func (a *app) expect(want ...string) {
	a.t.Helper()
	if got := a.log(told...); got != lines(want...) {
		a.t.Errorf("told\n%s--- want\n%s", got, lines(want...))
	}
}

// settle lets everything happen that happens within d.
func settle(d time.Duration) {
	time.Sleep(d) // in a bubble: it passes when all are waiting
	synctest.Wait()
}

func bubble(t *testing.T, name string, do func(t *testing.T, f *fake)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { do(t, newFake(t)) })
	})
}

var ctx = context.Background()

func TestTalk(t *testing.T) {
	bubble(t, "receive, send, acknowledge", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		if s := a.c.State(); s.Phase != client.Online || !s.Synced || s.User != "alice" || s.Endpoint != "tcp://one:1" {
			t.Fatalf("%+v", s)
		}
		f.post("u/bob", "bob", "hi")
		p, err := a.c.Send(ctx, "u/bob", client.Text("hello"))
		if err != nil {
			t.Fatal(err)
		}
		sent, err := p.Wait(ctx)
		if err != nil || sent.Seq != 2 || sent.ID != p.ID {
			t.Fatal(sent, err)
		}
		f.post("u/bob", "bob", "how are you")
		settle(2 * time.Second)
		a.expect("u/bob 1 hi", "sent u/bob 2", "u/bob 3 how are you")
		f.locked(func() {
			if n := len(f.acks); n == 0 || f.acks[n-1].Push != 2 {
				t.Errorf("acks %v", f.acks)
			}
			for _, s := range f.sessions {
				if len(s.events) != 0 {
					t.Errorf("%d pushes unacknowledged", len(s.events))
				}
			}
		})
	})

	bubble(t, "what was missed before the first login", func(t *testing.T, f *fake) {
		for i := range 500 {
			f.post("u/bob", "bob", fmt.Sprint("m", i+1))
		}
		f.locked(func() { f.conv("u/carol"); f.convs["u/carol"].read = 0 })
		a := start(t, f)
		settle(10 * time.Second)
		all := strings.Count(a.log(client.EventMessage), "\n")
		if all != 500 {
			t.Errorf("%d messages", all)
		}
		for i, e := range slices.DeleteFunc(a.all(), func(e client.Event) bool { return e.Kind != client.EventMessage }) {
			if e.Message.Seq != uint64(i+1) {
				t.Fatalf("message %d has number %d", i, e.Message.Seq)
			}
		}
	})

	bubble(t, "read long ago: only the newest page", func(t *testing.T, f *fake) {
		for i := range 100 {
			f.post("g/x", "bob", fmt.Sprint("m", i+1), true)
		}
		f.locked(func() { f.convs["g/x"].read = 95 })
		a := start(t, f)
		settle(10 * time.Second)
		if got := a.log(client.EventMessage); !strings.HasPrefix(got, "g/x 81 m81\n") || strings.Count(got, "\n") != 20 {
			t.Errorf("told\n%s", got)
		}
		p, err := a.c.History(ctx, "g/x", 81, 30)
		if err != nil || p.From != 51 || p.To != 80 || len(p.Messages) != 30 || p.Messages[0].Seq != 51 {
			t.Errorf("%+v %v", p, err)
		}
	})
}

func TestComeBack(t *testing.T) {
	bubble(t, "resumed", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		settle(2 * time.Second)
		f.drop()
		synctest.Wait()
		f.post("u/bob", "bob", "two")
		settle(5 * time.Second)
		f.post("u/bob", "bob", "three")
		settle(5 * time.Second)
		a.expect("u/bob 1 one", "u/bob 2 two", "u/bob 3 three")
		f.locked(func() {
			if len(f.hellos) != 2 || f.hellos[1].Resume.GetLastPush() != 1 || f.hellos[1].Resume.GetSession() != "s1" {
				t.Errorf("%v", f.hellos)
			}
			if n := count(f.reqs, wire.MethodSync); n != 1 {
				t.Errorf("%d syncs", n)
			}
		})
		if s := a.c.State(); !s.Synced {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "not resumed: sync from the token", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		settle(2 * time.Second)
		f.forget()
		f.drop()
		synctest.Wait()
		for i := range 300 {
			f.post("u/bob", "bob", fmt.Sprint("m", i+2))
		}
		settle(20 * time.Second)
		got := strings.Split(strings.TrimSpace(a.log(client.EventMessage)), "\n")
		if len(got) != 301 || got[300] != "u/bob 301 m301" || got[1] != "u/bob 2 m2" {
			t.Errorf("%d: %v", len(got), got[max(0, len(got)-3):])
		}
		f.locked(func() {
			if len(f.acks) == 0 || !slices.ContainsFunc(f.acks, func(a *wire.Ack) bool {
				return slices.ContainsFunc(a.Pulled, func(p *wire.Pulled) bool { return p.Conv == "u/bob" && p.Seq == 301 })
			}) {
				t.Errorf("what was pulled is not acknowledged: %v", f.acks)
			}
		})
	})

	bubble(t, "a new run of the program", func(t *testing.T, f *fake) {
		store := client.NewMemStore()
		with := func(o *client.Options) { o.Store = store }
		a := start(t, f, with)
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		f.post("g/x", "carol", "first")
		settle(2 * time.Second)
		a.stop()
		synctest.Wait()
		f.locked(func() {
			if f.byes != 1 || len(f.sessions) != 0 {
				t.Errorf("%d goodbyes, %d sessions left", f.byes, len(f.sessions))
			}
		})
		f.post("u/bob", "bob", "two")
		a2 := start(t, f, with)
		settle(5 * time.Second)
		a2.expect("u/bob 2 two")
	})

	bubble(t, "ended between Sync and what it told of", func(t *testing.T, f *fake) {
		store := client.NewMemStore()
		with := func(o *client.Options) { o.Store = store }
		a := start(t, f, with)
		settle(time.Second)
		f.post("u/bob", "bob", "m1")
		settle(2 * time.Second)
		a.stop()
		for i := range 100 {
			f.post("u/bob", "bob", fmt.Sprint("m", i+2))
		}
		f.locked(func() {
			f.req = func(r *wire.Req) *wire.Res {
				if r.Method == wire.MethodPage {
					return &wire.Res{Code: wire.CodeBusy}
				}
				return nil
			}
		})
		a2 := start(t, f, with) // is told that there are 101, and cannot have them
		settle(5 * time.Second)
		a2.stop()
		a2.expect()
		f.locked(func() { f.req = nil })
		a3 := start(t, f, with) // Sync has nothing new to tell now
		settle(5 * time.Second)
		if got := a3.log(client.EventMessage); strings.Count(got, "\n") != 100 || !strings.HasPrefix(got, "u/bob 2 m2\n") {
			t.Errorf("told\n%s", got)
		}
	})

	bubble(t, "the same client again", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("u/bob", "bob", "one")
		settle(2 * time.Second)
		a.stop()
		f.post("u/bob", "bob", "two")
		a.run()
		settle(5 * time.Second)
		a.expect("u/bob 1 one", "u/bob 2 two")
	})

	bubble(t, "a store that was wiped: numbers begin again", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		for i := range 5 {
			f.post("u/bob", "bob", fmt.Sprint("old", i+1))
		}
		settle(2 * time.Second)
		f.forget() // so that there is a token that is ahead of what comes
		f.drop()
		settle(5 * time.Second)
		f.locked(func() {
			f.epoch, f.convs, f.sessions, f.position = "e2", map[string]*fakeConv{}, map[string]*fakeSession{}, 0
			f.send = func(*wire.Send) *wire.SendAck { return &wire.SendAck{} } // no answer
		})
		p, err := a.c.Send(ctx, "u/bob", client.Text("in the outbox"))
		if err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		f.post("u/bob", "bob", "new1", true)
		f.post("u/bob", "bob", "new2", true)
		f.post("u/carol", "carol", "only Sync tells of this", true)
		f.locked(func() { f.send = nil })
		f.drop()
		settle(10 * time.Second)
		f.post("u/bob", "bob", "new4")
		settle(2 * time.Second)
		if s, err := p.Wait(ctx); err != nil || s.Seq != 3 {
			t.Error(s, err)
		}
		got := a.log(told...)
		if !strings.HasPrefix(got, lines("u/bob 1 old1", "u/bob 2 old2", "u/bob 3 old3", "u/bob 4 old4", "u/bob 5 old5", "reset ")) {
			t.Errorf("told\n%s", got)
		}
		if got := strings.Replace(a.log(client.EventMessage), "u/carol 1 only Sync tells of this\n", "", 1); !strings.HasSuffix(got, lines("u/bob 1 new1", "u/bob 2 new2", "u/bob 4 new4")) {
			t.Errorf("told\n%s", got)
		}
		if !strings.Contains(a.log(client.EventMessage), "u/carol 1 only") {
			t.Error("what only Sync tells of is missing")
		}
	})

	bubble(t, "left while away", func(t *testing.T, f *fake) {
		a := start(t, f)
		settle(time.Second)
		f.post("g/x", "carol", "one")
		settle(2 * time.Second)
		f.forget()
		f.locked(func() { f.conv("g/x").left = true })
		f.drop()
		settle(5 * time.Second)
		a.expect("g/x 1 one", "left g/x")
	})
}

func count[T comparable](list []T, v T) int {
	n := 0
	for _, x := range list {
		if x == v {
			n++
		}
	}
	return n
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
