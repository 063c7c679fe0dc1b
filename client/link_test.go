package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

func endpoints(s ...string) func(*client.Options) {
	return func(o *client.Options) { o.Endpoints = s }
}

func (f *fake) dialledAt(since time.Time) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, d := range f.dials {
		out = append(out, fmt.Sprintf("%s %v", d.at, d.t.Sub(since)))
	}
	return out
}

// gated is a connection that brings nothing before a moment.
type gated struct {
	net.Conn
	until time.Time
}

func (g gated) Read(b []byte) (int, error) {
	time.Sleep(time.Until(g.until))
	return g.Conn.Read(b)
}

func TestRace(t *testing.T) {
	bubble(t, "the next one after 2.5 s, three at once, 10 s each", func(t *testing.T, f *fake) {
		for _, e := range []string{"tcp://a:1", "tcp://b:1", "tcp://c:1", "tcp://d:1"} {
			f.frozen[e] = true
		}
		began := time.Now()
		a := start(t, f, endpoints("tcp://a:1", "tcp://b:1", "tcp://c:1", "tcp://d:1", "tcp://e:1"))
		settle(11 * time.Second)
		want := []string{"tcp://a:1 0s", "tcp://b:1 2.5s", "tcp://c:1 5s", "tcp://d:1 10s"}
		if got := f.dialledAt(began); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		settle(2 * time.Second)
		if s := a.c.State(); s.Endpoint != "tcp://e:1" {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "a refusal makes room at once", func(t *testing.T, f *fake) {
		f.refuse["tcp://a:1"], f.refuse["tcp://b:1"] = true, true
		a := start(t, f, endpoints("tcp://a:1", "tcp://b:1", "tcp://c:1"))
		settle(100 * time.Millisecond)
		if s := a.c.State(); s.Endpoint != "tcp://c:1" {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "two winners at the same moment", func(t *testing.T, f *fake) {
		gate := time.Now().Add(4 * time.Second)
		a := start(t, f, endpoints("tcp://a:1", "tcp://b:1"), func(o *client.Options) {
			o.Dial = func(ctx context.Context, at string) (net.Conn, error) {
				c, err := f.dial(ctx, at)
				return gated{c, gate}, err
			}
		})
		settle(6 * time.Second)
		if s := a.c.State(); s.Phase != client.Online {
			t.Errorf("%+v", s)
		}
		f.locked(func() {
			if len(f.hellos) != 2 || len(f.conns) != 1 {
				t.Errorf("%d logins, %d connections left", len(f.hellos), len(f.conns))
			}
		})
		a.stop() // and nothing holds it up
	})

	bubble(t, "backoff with jitter, cut short by the network", func(t *testing.T, f *fake) {
		f.refuse["tcp://one:1"] = true
		a := start(t, f)
		settle(20 * time.Minute)
		f.mu.Lock()
		n := len(f.dials)
		longest := time.Duration(0)
		for i := 1; i < n; i++ {
			longest = max(longest, f.dials[i].t.Sub(f.dials[i-1].t))
		}
		f.mu.Unlock()
		if n < 25 || n > 150 || longest > time.Minute {
			t.Errorf("%d attempts in 20 minutes, at most %v apart", n, longest)
		}
		if s := a.c.State(); s.Phase != client.Waiting || s.Err == nil || s.RetryAt.IsZero() {
			t.Errorf("%+v", s)
		}
		f.locked(func() { f.refuse = map[string]bool{} })
		a.c.NetworkChanged("wifi:home", wire.NetworkWifi)
		synctest.Wait()
		if s := a.c.State(); s.Phase != client.Online {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "a frozen endpoint that wakes up takes our old Hello for a newer login", func(t *testing.T, f *fake) {
		f.frozen["tcp://a:1"] = true
		a := start(t, f, endpoints("tcp://a:1", "tcp://b:1"))
		settle(5 * time.Second)
		f.away(&wire.GoAway{Reason: wire.ReasonReplaced, Code: wire.CodeReplaced})
		settle(10 * time.Second)
		if s := a.c.State(); s.Phase != client.Online {
			t.Errorf("%+v", s)
		}
		settle(5 * time.Minute)
		f.away(&wire.GoAway{Reason: wire.ReasonReplaced, Code: wire.CodeReplaced})
		settle(10 * time.Second)
		if s := a.c.State(); s.Phase != client.Stopped {
			t.Errorf("%+v", s)
		}
	})
}

func TestGoAway(t *testing.T) {
	for _, g := range []*wire.GoAway{
		{Reason: wire.ReasonReplaced, Code: wire.CodeReplaced, Message: "signed in elsewhere"},
		{Reason: wire.ReasonKicked, Code: wire.CodeKicked},
		{Reason: wire.ReasonToken, Code: wire.CodeRevoked},
		{Reason: wire.ReasonToken, Code: wire.CodeUnauthenticated},
		{Reason: wire.ReasonToken, Code: wire.CodeOtherDevice},
	} {
		bubble(t, fmt.Sprint(g.Reason, " ", g.Code, ": told, and not back by itself"), func(t *testing.T, f *fake) {
			a := start(t, f)
			settle(time.Second)
			f.away(g)
			settle(time.Hour)
			<-a.done
			var stop *client.StopError
			if !errors.As(a.err, &stop) || stop.Reason != g.Reason || stop.Code != g.Code || stop.Message != g.Message {
				t.Fatal(a.err)
			}
			a.mu.Lock()
			last := a.states[len(a.states)-1]
			a.mu.Unlock()
			if last.Phase != client.Stopped || !errors.As(last.Err, &stop) {
				t.Errorf("%+v", last)
			}
			if n := len(f.dialledAt(time.Now())); n != 1 {
				t.Errorf("dialled %d times", n)
			}
			if _, err := a.c.History(ctx, "u/bob", 0, 1); !errors.As(err, &stop) {
				t.Error(err)
			}
			a.run() // the application has seen to it
			settle(time.Second)
			if s := a.c.State(); s.Phase != client.Online {
				t.Errorf("%+v", s)
			}
		})
	}

	bubble(t, "the token is refused at login", func(t *testing.T, f *fake) {
		f.hello = func(string, *wire.Hello) *wire.GoAway {
			return &wire.GoAway{Reason: wire.ReasonToken, Code: wire.CodeUnauthenticated, Message: "no"}
		}
		a := start(t, f, endpoints("tcp://a:1", "tcp://b:1"))
		settle(time.Minute)
		<-a.done
		var stop *client.StopError
		if !errors.As(a.err, &stop) || len(f.hellos) != 1 {
			t.Error(a.err, len(f.hellos))
		}
	})

	bubble(t, "an expired token: another is asked for, once", func(t *testing.T, f *fake) {
		f.hello = func(_ string, h *wire.Hello) *wire.GoAway {
			if h.Token == "old" {
				return &wire.GoAway{Reason: wire.ReasonToken, Code: wire.CodeExpired}
			}
			return nil
		}
		asked := 0
		a := start(t, f, func(o *client.Options) {
			o.Token = func(context.Context) (string, error) {
				if asked++; asked == 1 {
					return "old", nil
				}
				return "new", nil
			}
		})
		settle(time.Second)
		if s := a.c.State(); s.Phase != client.Online || asked != 2 {
			t.Errorf("%+v, asked %d times", s, asked)
		}
		a.stop()
		asked = -1000 // now it always gives the old one
		a2 := start(t, f, func(o *client.Options) {
			o.Token = func(context.Context) (string, error) { return "old", nil }
		})
		settle(time.Minute)
		<-a2.done
		var stop *client.StopError
		if !errors.As(a2.err, &stop) {
			t.Error(a2.err)
		}
	})

	bubble(t, "every token is expired: no endless asking", func(t *testing.T, f *fake) {
		f.hello = func(string, *wire.Hello) *wire.GoAway {
			return &wire.GoAway{Reason: wire.ReasonToken, Code: wire.CodeExpired}
		}
		n := 0
		a := start(t, f, func(o *client.Options) {
			o.Token = func(context.Context) (string, error) { n++; return fmt.Sprint("token", n), nil }
		})
		settle(time.Minute)
		<-a.done
		var stop *client.StopError
		if !errors.As(a.err, &stop) || stop.Code != wire.CodeExpired || n != 2 {
			t.Error(a.err, n)
		}
	})

	bubble(t, "drain: back after the wait that was asked for, and not where it drains", func(t *testing.T, f *fake) {
		a := start(t, f, endpoints("tcp://a:1", "tcp://b:1"))
		settle(time.Second)
		began := time.Now()
		f.locked(func() { f.dials = nil })
		f.away(&wire.GoAway{Reason: wire.ReasonDrain, Resumable: true, RetryAfterMs: 10_000})
		settle(16 * time.Second)
		if s := a.c.State(); s.Endpoint != "tcp://b:1" {
			t.Errorf("%+v", s)
		}
		f.locked(func() {
			if len(f.dials) != 1 || f.dials[0].t.Sub(began) < 10*time.Second || f.hellos[1].Resume == nil {
				t.Errorf("%v %v", f.dials, f.hellos[1])
			}
		})
	})

	bubble(t, "nodes are followed over TLS with a checked name, or if configured", func(t *testing.T, f *fake) {
		a := start(t, f, endpoints("tcp://a:1", "tcp://b:1", "tcp://c:1"))
		settle(time.Second)
		f.locked(func() { f.dials = nil })
		f.away(&wire.GoAway{Reason: wire.ReasonRedirect, Nodes: []string{"tcp://evil:1", "ws://evil:1", "tcp://c:1"}})
		settle(10 * time.Second)
		if s := a.c.State(); s.Endpoint != "tcp://c:1" {
			t.Errorf("%+v", s)
		}
		f.locked(func() {
			for c := range f.conns {
				c.close()
			}
			for _, e := range []string{"tcp://a:1", "tcp://b:1", "tcp://c:1"} {
				f.refuse[e] = true
			}
		})
		settle(time.Minute)
		for _, d := range f.dialledAt(time.Now()) {
			if d[:10] == "tcp://evil" || d[:9] == "ws://evil" {
				t.Fatalf("dialled %s", d)
			}
		}
	})

	bubble(t, "overload at login: the next endpoint", func(t *testing.T, f *fake) {
		f.hello = func(at string, _ *wire.Hello) *wire.GoAway {
			if at == "tcp://a:1" {
				return &wire.GoAway{Reason: wire.ReasonOverload, RetryAfterMs: 60_000}
			}
			return nil
		}
		a := start(t, f, endpoints("tcp://a:1", "tcp://b:1"))
		settle(time.Second)
		if s := a.c.State(); s.Endpoint != "tcp://b:1" {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "sent elsewhere at login", func(t *testing.T, f *fake) {
		f.hello = func(string, *wire.Hello) *wire.GoAway {
			return &wire.GoAway{Reason: wire.ReasonRedirect, Nodes: []string{"tls://b:1", "tcp://evil:1"}}
		}
		f.refuse["tls://b:1"] = true
		start(t, f, endpoints("tcp://a:1"))
		settle(5 * time.Second)
		f.locked(func() {
			n := map[string]int{}
			for _, d := range f.dials {
				n[d.at]++
			}
			if n["tls://b:1"] == 0 || n["tcp://evil:1"] > 0 || len(f.dials) > 20 {
				t.Errorf("dialled %v", n)
			}
		})
	})

	bubble(t, "overload everywhere: the wait is obeyed", func(t *testing.T, f *fake) {
		f.hello = func(string, *wire.Hello) *wire.GoAway {
			return &wire.GoAway{Reason: wire.ReasonOverload, RetryAfterMs: 60_000}
		}
		start(t, f)
		settle(59 * time.Second)
		if n := len(f.dialledAt(time.Now())); n != 1 {
			t.Errorf("dialled %d times", n)
		}
		settle(35 * time.Second)
		if n := len(f.dialledAt(time.Now())); n != 2 {
			t.Errorf("dialled %d times", n)
		}
	})

	bubble(t, "a store of another user", func(t *testing.T, f *fake) {
		store := client.NewMemStore()
		with := func(o *client.Options) { o.Store = store }
		a := start(t, f, with)
		settle(time.Second)
		a.stop()
		f.locked(func() { f.welcome = func(_ *wire.Hello, w *wire.Welcome) { w.User = "bob" } })
		a2 := start(t, f, with)
		settle(time.Minute)
		<-a2.done
		var stop *client.StopError
		if !errors.As(a2.err, &stop) || stop.Reason != "user" {
			t.Error(a2.err)
		}
	})
}

func TestToken(t *testing.T) {
	bubble(t, "renewed on the live link", func(t *testing.T, f *fake) {
		f.welcome = func(_ *wire.Hello, w *wire.Welcome) {
			w.TokenExpires = time.Now().Add(time.Hour).UnixMilli()
		}
		n := 0
		a := start(t, f, func(o *client.Options) {
			o.Token = func(context.Context) (string, error) {
				if n++; n == 2 {
					return "", errors.New("the application's server is away")
				}
				return fmt.Sprint("token", n), nil
			}
		})
		settle(3*time.Hour + 10*time.Minute)
		f.locked(func() {
			if len(f.hellos) != 1 || count(f.reqs, wire.MethodRenew) != 3 {
				t.Errorf("%d logins, %d renewals", len(f.hellos), count(f.reqs, wire.MethodRenew))
			}
		})
		if s := a.c.State(); s.Phase != client.Online {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "a source that fails is asked again", func(t *testing.T, f *fake) {
		n := 0
		a := start(t, f, func(o *client.Options) {
			o.Token = func(context.Context) (string, error) {
				if n++; n < 4 {
					return "", errors.New("not now")
				}
				return "token", nil
			}
		})
		settle(time.Minute)
		if s := a.c.State(); s.Phase != client.Online {
			t.Errorf("%+v", s)
		}
	})

	bubble(t, "a device id that the server gives is kept", func(t *testing.T, f *fake) {
		store := client.NewMemStore()
		with := func(o *client.Options) { o.Store = store; o.Device.ID = "" }
		a := start(t, f, with)
		settle(time.Second)
		a.stop()
		start(t, f, with)
		settle(time.Second)
		f.locked(func() {
			if f.hellos[0].Device.Id != "" || f.hellos[1].Device.Id != "given" {
				t.Errorf("%v", f.hellos)
			}
		})
	})
}

func TestNetworks(t *testing.T) {
	bubble(t, "another network: the old link is left, the session resumed", func(t *testing.T, f *fake) {
		a := start(t, f, func(o *client.Options) { o.Network, o.NetworkKind = "wifi:home", wire.NetworkWifi })
		settle(time.Second)
		a.c.NetworkChanged("cell:46000", wire.NetworkCell)
		synctest.Wait()
		f.locked(func() {
			if len(f.hellos) != 2 || f.hellos[1].Network != "cell:46000" || f.hellos[1].Resume == nil || f.hellos[0].Network != "wifi:home" {
				t.Errorf("%v", f.hellos)
			}
		})
		a.c.NetworkChanged("", client.NetworkNone)
		settle(time.Hour)
		f.locked(func() {
			if len(f.dials) != 2 {
				t.Errorf("dialled %d times without a network", len(f.dials)-2)
			}
		})
		if s := a.c.State(); s.Phase != client.Waiting {
			t.Errorf("%+v", s)
		}
		a.c.NetworkChanged("wifi:home", wire.NetworkWifi)
		synctest.Wait()
		if s := a.c.State(); s.Phase != client.Online {
			t.Errorf("%+v", s)
		}
	})
}

func TestNetworkChangesWhileConnecting(t *testing.T) {
	bubble(t, "the attempt over the old one is given up", func(t *testing.T, f *fake) {
		f.frozen["tcp://one:1"] = true
		a := start(t, f)
		settle(2 * time.Second)
		f.locked(func() { f.frozen = map[string]bool{} })
		began := time.Now()
		a.c.NetworkChanged(strings.Repeat("用户", 20), wire.NetworkCell)
		synctest.Wait()
		f.locked(func() {
			if l := f.hellos[len(f.hellos)-1].Network; len(l) != 63 || !utf8.ValidString(l) {
				t.Errorf("label %q", l)
			}
		})
		if err := a.c.Typing("u/\xff"); !client.IsCode(err, wire.CodeInvalid) {
			t.Error(err)
		}
		if s := a.c.State(); s.Phase != client.Online || time.Since(began) != 0 {
			t.Errorf("%+v after %v", s, time.Since(began))
		}
	})

	bubble(t, "foreground while an attempt fails: the next without a pause", func(t *testing.T, f *fake) {
		f.frozen["tcp://one:1"] = true
		a := start(t, f, func(o *client.Options) { o.Background = true })
		settle(5 * time.Second)
		a.c.SetBackground(false)
		settle(5 * time.Second) // ten in all: the attempt has failed
		synctest.Wait()
		if n := len(f.dialledAt(time.Now())); n != 2 {
			t.Errorf("dialled %d times", n)
		}
	})
}

func TestHoldSignals(t *testing.T) {
	bubble(t, "a handler that hangs does not hang the link", func(t *testing.T, f *fake) {
		release := make(chan struct{})
		n := 0
		a := start(t, f, func(o *client.Options) { o.OnSignal = func(client.Signal) { <-release; n++ } })
		settle(time.Second)
		f.locked(func() {
			for c := range f.conns {
				for range 500 {
					c.put(&wire.Signal{Conv: "u/bob", Kind: "typing", Sender: "bob"})
				}
			}
		})
		settle(time.Hour)
		f.post("u/bob", "bob", "hi")
		settle(time.Second)
		a.expect("u/bob 1 hi")
		close(release)
		settle(time.Second)
		f.locked(func() {
			if len(f.hellos) != 1 || n < 64 || n > 66 {
				t.Errorf("%d logins, %d signals", len(f.hellos), n)
			}
		})
	})

	bubble(t, "said again on every link", func(t *testing.T, f *fake) {
		var got []client.Signal
		a := start(t, f, func(o *client.Options) { o.OnSignal = func(s client.Signal) { got = append(got, s) } })
		settle(time.Second)
		a.c.HoldSignals(true)
		settle(time.Second)
		f.drop()
		settle(5 * time.Second)
		f.locked(func() {
			if len(f.states) != 2 || !*f.states[0].HoldSignals || !*f.states[1].HoldSignals {
				t.Errorf("%v", f.states)
			}
			for c := range f.conns {
				c.put(&wire.Signal{Conv: "u/bob", Kind: "typing", Sender: "bob", Device: "d"})
			}
		})
		settle(time.Second)
		if len(got) != 1 || got[0].Kind != "typing" || got[0].Sender != "bob" || got[0].TTL != 10*time.Second {
			t.Errorf("%+v", got)
		}
	})
}

// oddError is an error that cannot be compared.
type oddError []string

func (oddError) Error() string { return "odd" }

func TestOddErrors(t *testing.T) {
	bubble(t, "of the token source", func(t *testing.T, f *fake) {
		n := 0
		a := start(t, f, func(o *client.Options) {
			o.Token = func(context.Context) (string, error) {
				if n++; n < 5 {
					return "", oddError{"x"}
				}
				return "token", nil
			}
		})
		settle(time.Minute)
		if s := a.c.State(); s.Phase != client.Online {
			t.Errorf("%+v", s)
		}
	})
}

func TestVerbs(t *testing.T) {
	bubble(t, "wait for a link, repeat, and give up with the context", func(t *testing.T, f *fake) {
		f.post("u/bob", "bob", "hi", true)
		f.refuse["tcp://one:1"] = true
		a := start(t, f)
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if _, err := a.c.Conversation(short, "u/bob"); !errors.Is(err, client.ErrOffline) || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		f.locked(func() { f.refuse = map[string]bool{} })
		n := 0
		f.locked(func() {
			f.req = func(r *wire.Req) *wire.Res {
				if r.Method != wire.MethodRead {
					return nil
				}
				switch n++; n {
				case 1:
					return &wire.Res{Code: wire.CodeLimited, RetryMs: 500}
				case 2:
					for c := range f.conns {
						c.close()
					}
				}
				return nil
			}
		})
		if m, err := a.c.Read(ctx, "u/bob", 1); err != nil || m.Read != 1 || n != 3 {
			t.Error(m, err, n)
		}
		if _, err := a.c.Conversation(ctx, "u/nobody"); !client.IsCode(err, wire.CodeNotFound) {
			t.Error(err)
		}
		f.locked(func() { f.req = func(*wire.Req) *wire.Res { return &wire.Res{Code: wire.CodeInternal} } })
		if _, err := a.c.Conversation(ctx, "u/bob"); !client.IsCode(err, wire.CodeInternal) {
			t.Error(err)
		}
		f.locked(func() { f.req = nil })
		all, err := a.c.Conversations(ctx)
		if err != nil || len(all) != 1 || all[0].Last.Text() != "hi" {
			t.Errorf("%v %v", all, err)
		}
	})

	bubble(t, "each of them", func(t *testing.T, f *fake) {
		var reqs []string
		f.post("u/bob", "bob", "hi", true)
		a := start(t, f)
		settle(time.Second)
		f.locked(func() {
			f.req = func(r *wire.Req) *wire.Res {
				v, _ := wire.VerbOf(r.Method)
				m := v.NewRequest()
				if err := wire.Binary.UnmarshalBody(r.Body, m); err != nil {
					t.Error(err)
				}
				b, _ := wire.JSON.MarshalBody(m)
				reqs = append(reqs, r.Method+" "+string(b))
				return nil
			}
		})
		name := "News"
		c := a.c
		for _, err := range []error{
			first(c.Range(ctx, "u/bob", 1, 5, 2)),
			first(c.History(ctx, "u/bob", 5, 2)),
			first(c.Changes(ctx, "u/bob", 3, 4)),
			first(c.Recall(ctx, "u/bob", 1, client.Silently)),
			first(c.Edit(ctx, "u/bob", 1, client.Outgoing{ID: "e", Body: []byte(`{}`), Digest: "d", MentionsAll: true})),
			first(c.Mentions(ctx, "u/bob", 9)),
			first(c.Devices(ctx)),
			c.Kick(ctx, "phone", "lost", true),
			c.Block(ctx, "mallory"),
			c.Unblock(ctx, "mallory"),
			first2(c.Blocks(ctx, "a", 3)),
			first2(c.GroupCreate(ctx, client.NewGroup{ID: "g", Name: "N", Members: []string{"bob"}, Join: wire.JoinOpen, History: wire.HistoryAll})),
			first2(c.GroupMembers(ctx, "g/x", "a", 3)),
			first(c.GroupAdd(ctx, "g/x", "bob", "carol")),
			c.GroupRemove(ctx, "g/x", "bob"),
			c.GroupRole(ctx, "g/x", "bob", wire.RoleAdmin),
			first(c.GroupUpdate(ctx, "g/x", client.GroupUpdate{Name: &name})),
			c.Join(ctx, "g/x"),
			c.Leave(ctx, "g/x"),
			c.Typing("u/bob"),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(reqs) != 19 {
			t.Fatalf("%d requests", len(reqs))
		}
		for i, want := range []string{
			`Page {"conv":"u/bob","from":"1","to":"5","limit":2}`,
			`Page {"conv":"u/bob","from":"4","backward":true,"limit":2}`,
			`Changes {"conv":"u/bob","from_ver":"3","limit":4}`,
			``, // Recall, with a random id
			`Edit {"conv":"u/bob","seq":"1","id":"e","body":{},"digest":"d","mentions":{"all":true}}`,
			`Mentions {"conv":"u/bob","limit":9}`,
			`Devices {}`,
			`Kick {"device":"phone","reason":"lost","revoke":true}`,
			`Block {"user":"mallory"}`, `Unblock {"user":"mallory"}`, `Blocks {"after":"a","limit":3}`,
			`GroupCreate {"id":"g","name":"N","members":["bob"],"join":"open","history":"all"}`,
			`GroupMembers {"conv":"g/x","after":"a","limit":3}`,
			`GroupAdd {"conv":"g/x","users":["bob","carol"]}`, `GroupRemove {"conv":"g/x","users":["bob"]}`,
			`GroupRole {"conv":"g/x","user":"bob","role":"admin"}`, `GroupUpdate {"conv":"g/x","name":"News"}`,
			`Join {"conv":"g/x"}`, `Leave {"conv":"g/x"}`,
		} {
			if want != "" && reqs[i] != want {
				t.Errorf("%s\nwant %s", reqs[i], want)
			}
		}
	})
}

func first[T any](_ T, err error) error          { return err }
func first2[T, U any](_ T, _ U, err error) error { return err }

// What a server may send that is wrong ends the link and nothing else.
func TestOddServer(t *testing.T) {
	frames := map[string][]byte{
		"garbage":           []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"type 0":            {0x00, 0x00},
		"reserved flags":    {0x89, 0x00},
		"length too large":  {0x09, 0xff, 0xff, 0xff, 0x7f},
		"a hello":           wire.AppendRaw(nil, wire.TypeHello, 0, nil),
		"no protobuf":       wire.AppendRaw(nil, wire.TypePush, 0, []byte("\xff\xff\xff")),
		"no zstd":           wire.AppendRaw(nil, wire.TypePush, wire.FlagZstd, []byte("not zstd")),
		"fragments mixed":   append(wire.AppendRaw(nil, wire.TypePush, wire.FlagMore, []byte("a")), wire.AppendRaw(nil, wire.TypeRes, 0, nil)...),
		"a second welcome":  wire.AppendFrame(nil, wire.TypeWelcome, 0, new(wire.Welcome)),
		"numbers too large": wire.AppendFrame(nil, wire.TypePush, 0, &wire.Push{Number: 1 << 63, Events: []*wire.Event{{Conv: "u/bob", Seq: 1<<64 - 1, Hidden: true}, {Conv: "u/bob", Ver: 1<<64 - 1}, {Conv: "u/bob", Seq: 1<<64 - 1, Message: &wire.Message{Seq: 1<<64 - 1}}}}),
		"empty events":      wire.AppendFrame(nil, wire.TypePush, 0, &wire.Push{Number: 1, Events: []*wire.Event{{}, {Conv: "u/bob"}}}),
	}
	for name, b := range frames {
		bubble(t, name, func(t *testing.T, f *fake) {
			a := start(t, f)
			settle(time.Second)
			f.locked(func() {
				for c := range f.conns {
					c.putRaw(b)
				}
			})
			settle(time.Minute)
			f.forget()
			f.drop()
			settle(time.Minute)
			f.post("u/bob", "bob", "hello")
			settle(time.Minute)
			a.expect("u/bob 1 hello")
		})
		bubble(t, name+" instead of Welcome", func(t *testing.T, f *fake) {
			wrong := true
			a := start(t, nil, endpoints("tcp://a:1", "tcp://b:1"), func(o *client.Options) {
				o.Dial = func(ctx context.Context, at string) (net.Conn, error) {
					if !wrong || at == "tcp://b:1" && name != "empty events" && name != "numbers too large" {
						return f.dial(ctx, at)
					}
					wrong = false
					x, y := net.Pipe()
					f.wg.Go(func() {
						buf := make([]byte, 4096)
						y.Read(buf)
						y.Write(b)
						y.Close()
					})
					return x, nil
				}
			})
			settle(time.Minute)
			if s := a.c.State(); s.Phase != client.Online {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestClose(t *testing.T) {
	bubble(t, "while it dials", func(t *testing.T, f *fake) {
		f.frozen["tcp://one:1"] = true
		c, err := client.New(client.Options{Endpoints: []string{"tcp://one:1"}, Dial: f.dial,
			Token: func(context.Context) (string, error) { return "token", nil }})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil { // twice is once
			t.Fatal(err)
		}
		settle(time.Second)
		c.Close()
		c.Close()
		if err := c.Start(); !errors.Is(err, client.ErrClosed) {
			t.Error(err)
		}
		if err := c.Run(ctx); !errors.Is(err, client.ErrClosed) {
			t.Error(err)
		}
	})

	bubble(t, "from many goroutines at work", func(t *testing.T, f *fake) {
		a := start(t, f)
		var wg sync.WaitGroup
		short, cancel := context.WithCancel(ctx)
		for g := range 8 {
			wg.Go(func() {
				for i := range 30 {
					a.c.Send(short, "u/bob", client.Outgoing{ID: fmt.Sprint(g, "-", i)})
					a.c.History(short, "u/bob", 0, 5)
					a.c.SetBackground(i%2 == 0)
					a.c.Typing("u/bob")
					a.c.NetworkChanged(fmt.Sprint("n", i/10), wire.NetworkWifi)
					a.c.Probe()
					a.c.HoldSignals(i%2 == 0)
					a.c.State()
					a.c.Outbox()
				}
			})
		}
		settle(time.Minute)
		cancel()
		wg.Wait()
		settle(time.Minute)
		if n := len(f.stored("u/bob")); n != 240 {
			t.Errorf("%d stored", n)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	token := func(context.Context) (string, error) { return "", nil }
	for name, o := range map[string]client.Options{
		"no endpoint":       {Token: token},
		"no token":          {Endpoints: []string{"tcp://127.0.0.1:1"}},
		"plain text abroad": {Token: token, Endpoints: []string{"tcp://im.example.com:7301"}},
		"plain ws abroad":   {Token: token, Endpoints: []string{"ws://10.0.0.1"}},
		"no port":           {Token: token, Endpoints: []string{"tls://im.example.com"}},
		"scheme":            {Token: token, Endpoints: []string{"quic://im.example.com:1"}},
		"no URL":            {Token: token, Endpoints: []string{"im.example.com:7301"}},
		"a path on tcp":     {Token: token, Endpoints: []string{"tcp://127.0.0.1:1/x"}},
		"a token in it":     {Token: token, Endpoints: []string{"wss://u:p@im.example.com"}},
		"two handlers": {Token: token, Endpoints: []string{"tcp://127.0.0.1:1"}, OnEvent: func(client.Event) {},
			OnEvents: func(client.Tx, []client.Event) error { return nil }},
	} {
		if _, err := client.New(o); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, e := range []string{"tcp://127.0.0.1:7301", "tcp://[::1]:7301", "tcp://localhost:1", "ws://localhost", "tls://im.example.com:7301",
		"tcp+tls://im.example.com:7301", "wss://im.example.com", "https://im.example.com/path", "http://127.0.0.1:7300"} {
		if _, err := client.New(client.Options{Token: token, Endpoints: []string{e}}); err != nil {
			t.Errorf("%s: %v", e, err)
		}
	}
}
