package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/gate/native"
	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// user is a client of a real server.
type user struct {
	*app
	name string
}

// join signs a user in and waits until it is.
func join(t testing.TB, s *servertest.Server, name string, change ...func(*client.Options)) *user {
	t.Helper()
	u := enter(t, s, name, change...)
	u.wait("to be in step", func() bool { return u.c.State().Synced })
	return u
}

// enter is join without the wait.
func enter(t testing.TB, s *servertest.Server, name string, change ...func(*client.Options)) *user {
	t.Helper()
	base := func(o *client.Options) {
		o.Endpoints = []string{s.TCP()}
		o.Token = func(context.Context) (string, error) { return s.Token(name), nil }
	}
	return &user{start(t, nil, append([]func(*client.Options){base}, change...)...), name}
}

func (u *user) wait(what string, ok func() bool) {
	u.t.Helper()
	end := time.Now().Add(testkit.Limit)
	for !ok() {
		if time.Now().After(end) {
			u.t.Fatalf("%s waits in vain for %s; %+v\n%s", u.name, what, u.c.State(), u.log(told...))
		}
		time.Sleep(time.Millisecond)
	}
}

// hears waits until a line of the log says so.
func (u *user) hears(line string) {
	u.t.Helper()
	u.wait(line, func() bool { return strings.Contains(u.log(told...), line+"\n") })
}

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Limit)
	t.Cleanup(cancel)
	return ctx
}

func (u *user) says(conv, text string) client.Sent {
	u.t.Helper()
	p, err := u.c.Send(ctx, conv, client.Text(text))
	if err != nil {
		u.t.Fatal(err)
	}
	s, err := p.Wait(limited(u.t))
	if err != nil {
		u.t.Fatalf("%s cannot say %q to %s: %v", u.name, text, conv, err)
	}
	return s
}

func (u *user) messages(conv string) []uint64 {
	var out []uint64
	for _, e := range u.all() {
		if e.Kind == client.EventMessage && e.Conv == conv {
			out = append(out, e.Message.Seq)
		}
	}
	return out
}

func TestWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	for _, door := range []string{"tcp", "ws", "json"} {
		t.Run(door, func(t *testing.T) {
			with := func(o *client.Options) {
				if door != "tcp" {
					o.Endpoints = []string{s.HTTP()}
				}
				o.JSON = door == "json"
			}
			alice, bob := join(t, s, "alice-"+door, with), join(t, s, "鲍勃-"+door, with)
			a, b := "u/"+alice.name, "u/"+bob.name
			if got := alice.says(b, "hello"); got.Seq != 1 {
				t.Error(got)
			}
			bob.hears(a + " 1 hello")
			bob.says(a, "hi")
			alice.hears(b + " 2 hi")
			big := strings.Repeat("大", 30_000)
			alice.says(b, big)
			bob.hears(a + " 3 " + big)

			// Edits and recalls, live and with a hole; the editor's own number is settled.
			if _, err := alice.c.Edit(ctx, b, 1, client.Text("hello!")); err != nil {
				t.Fatal(err)
			}
			if _, err := bob.c.Recall(ctx, a, 2); err != nil {
				t.Fatal(err)
			}
			bob.hears("change " + a + " ver 1 of 1 hello!")
			alice.hears("change " + b + " ver 2 of 2 ")

			// Receipts.
			if m, err := bob.c.Read(ctx, a, 0); err != nil || m.Read != 3 || m.Unread != 0 {
				t.Errorf("%+v %v", m, err)
			}
			alice.wait("the read mark", func() bool {
				return slices.ContainsFunc(alice.all(), func(e client.Event) bool {
					return e.Kind == client.EventInfo && e.Info.Peer != nil && e.Info.Peer.Read == 3
				})
			})

			// A group, another device, and coming back.
			conv, _, err := alice.c.GroupCreate(ctx, client.NewGroup{Name: "News", Members: []string{bob.name}})
			if err != nil {
				t.Fatal(err)
			}
			bob.says(conv, "in the group")
			alice.hears(conv + " 2 in the group")
			laptop := join(t, s, alice.name, with, func(o *client.Options) { o.Device.ID = "laptop" })
			laptop.hears(conv + " 2 in the group")
			laptop.says(b, "from the laptop")
			alice.hears(b + " 4 from the laptop")
			bob.stop()
			for i := range 50 {
				alice.says(conv, fmt.Sprint("while you were away ", i))
			}
			bob.run()
			bob.hears(conv + " 52 while you were away 49")
			if got := bob.messages(conv); !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) || len(got) != 51 {
				t.Errorf("bob was given %v", got)
			}

			// Refusals.
			if err := alice.c.Block(ctx, bob.name); err != nil {
				t.Fatal(err)
			}
			p, err := bob.c.Send(ctx, a, client.Text("let me in"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Wait(limited(t)); !client.IsCode(err, wire.CodeNotAccepted) {
				t.Error(err)
			}
			if _, err := bob.c.Conversation(ctx, "g/nowhere"); !client.IsCode(err, wire.CodeNotFound) {
				t.Error(err)
			}
			if err := alice.c.GroupRemove(ctx, conv, bob.name); err != nil {
				t.Fatal(err)
			}
			bob.hears("left " + conv)
		})
	}
}

// cutter makes connections that a test can cut.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (k *cutter) dial(ctx context.Context, at string) (net.Conn, error) {
	addr := strings.TrimPrefix(strings.TrimPrefix(at, "tcp://"), "http://")
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err == nil {
		k.mu.Lock()
		k.conns = append(k.conns, c)
		k.mu.Unlock()
	}
	return c, err
}

func (k *cutter) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.conns {
		c.Close()
	}
	k.conns = nil
}

// Two talk while the server is killed and their links are cut: what was acknowledged is
// there, in one order, once, for both, and on disk for the next run.
func TestKilledWhileTalking(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	rounds, each := 4, 60
	if testkit.Soak(t) {
		rounds, each = 40, 200
	}
	var cuts cutter
	dir := t.TempDir()
	names := []string{"alice", "bob"}
	var users []*user
	var stores []*client.FileStore
	for _, n := range names {
		st := open(t, client.StoreDir(dir, n, "dev"))
		stores = append(stores, st)
		users = append(users, join(t, s, n, func(o *client.Options) { o.Store, o.Dial = st, cuts.dial }))
	}
	var mu sync.Mutex
	acked := map[string]uint64{} // by client id
	var wg sync.WaitGroup
	for round := range rounds {
		for i, u := range users {
			peer := "u/" + names[1-i]
			wg.Go(func() {
				var ps []*client.Pending
				for n := range each {
					p, err := u.c.Send(ctx, peer, client.Outgoing{ID: fmt.Sprintf("%s-%d-%d", u.name, round, n), Body: []byte(fmt.Sprint(n))})
					if err != nil {
						t.Error(err)
						return
					}
					ps = append(ps, p)
				}
				for _, p := range ps {
					sent, err := p.Wait(limited(t))
					if err != nil {
						t.Errorf("%s: %v", p.ID, err)
						return
					}
					mu.Lock()
					acked[p.ID] = sent.Seq
					mu.Unlock()
				}
			})
		}
		half := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) > (2*round+1)*each/2
		}
		switch round % 2 {
		case 0:
			users[0].wait("some acks", half)
			s.Kill()
			s.Run()
		case 1:
			users[0].wait("some acks", half)
			cuts.cut()
		}
		for _, u := range users { // the backoff is not what is tested
			u.c.NetworkChanged(fmt.Sprint("net", round), wire.NetworkWifi)
		}
		wg.Wait()
	}
	if len(acked) != 2*rounds*each {
		t.Fatalf("%d of %d acknowledged", len(acked), 2*rounds*each)
	}
	total := uint64(2 * rounds * each)
	for i, u := range users {
		peer := "u/" + names[1-i]
		u.wait("all messages", func() bool {
			return len(u.messages(peer)) >= rounds*each && strings.Count(u.log(client.EventSent), "\n") >= rounds*each
		})
		got := map[uint64]string{}
		last := uint64(0)
		for _, e := range u.all() {
			switch {
			case e.Kind == client.EventMessage && e.Conv == peer:
				if e.Message.Seq <= last {
					t.Fatalf("%s was given %d after %d", u.name, e.Message.Seq, last)
				}
				last = e.Message.Seq
				if got[e.Message.Seq] != "" {
					t.Fatalf("%s was given %d twice", u.name, e.Message.Seq)
				}
				got[e.Message.Seq] = e.Message.ID
			case e.Kind == client.EventSent:
				if got[e.Sent.Seq] != "" {
					t.Fatalf("%s was told of %d twice", u.name, e.Sent.Seq)
				}
				got[e.Sent.Seq] = e.Sent.ID
			}
		}
		for n := uint64(1); n <= total; n++ {
			if id := got[n]; id == "" || acked[id] != n {
				t.Fatalf("%s: number %d is %q, acknowledged as %d", u.name, n, id, acked[id])
			}
		}
		// The sender's order is the order of the calls.
		own := 0
		for n := uint64(1); n <= total; n++ {
			if strings.HasPrefix(got[n], u.name) {
				if want := fmt.Sprintf("%s-%d-%d", u.name, own/each, own%each); got[n] != want {
					t.Fatalf("number %d is %s, not %s", n, got[n], want)
				}
				own++
			}
		}
		u.stop()
		stores[i].Close()
		// Another run of the program has it all and is given nothing again.
		st := open(t, client.StoreDir(dir, u.name, "dev"))
		again := join(t, s, u.name, func(o *client.Options) { o.Store = st })
		if l := again.log(told...); l != "" {
			t.Errorf("%s was given again:\n%s", u.name, l)
		}
		again.stop()
		st.Close()
	}
}

// A server whose data was put back to an earlier copy, and one that lost it all: clients
// whose cursors are ahead miss nothing of what is said afterwards.
func TestRestoredStore(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	alice, bob := join(t, s, "alice"), join(t, s, "bob")
	for i := range 5 {
		alice.says("u/bob", fmt.Sprint("before ", i+1))
	}
	bob.hears("u/alice 5 before 5")
	s.Stop()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(s.Dir())); err != nil {
		t.Fatal(err)
	}
	s.Run()
	for i := range 30 {
		alice.says("u/bob", fmt.Sprint("forgotten ", i+1))
	}
	bob.hears("u/alice 35 forgotten 30")

	for _, lost := range []string{"put back", "all lost"} {
		s.Stop()
		st := filepath.Join(s.Dir(), "store")
		if err := os.RemoveAll(st); err != nil {
			t.Fatal(err)
		}
		if lost == "put back" {
			if err := os.CopyFS(st, os.DirFS(filepath.Join(copied, "store"))); err != nil {
				t.Fatal(err)
			}
		}
		s.Run()
		alice.says("u/bob", "after it was "+lost)
		bob.wait("what came after", func() bool { return strings.Contains(bob.log(told...), "after it was "+lost+"\n") })
		for range 25 {
			alice.says("u/bob", "more")
		}
		carol := join(t, s, "carol")
		carol.says("u/bob", "news")
		bob.hears("u/carol 1 news")
		log := bob.log(told...)
		if lost == "put back" {
			if n := strings.Count(log, "reset \n"); n != 1 {
				t.Errorf("%d resets", n)
			}
			if !strings.Contains(log[strings.Index(log, "reset \n"):], lines("u/alice 1 before 1", "u/alice 2 before 2")) {
				t.Errorf("not delivered anew:\n%s", log)
			}
		}
		// Everything that the server has, bob has, in order and without a hole.
		p, err := bob.c.Range(ctx, "u/alice", 1, 0, 200)
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for _, m := range p.Messages {
			fmt.Fprintf(&want, "u/alice %d %s\n", m.Seq, m.Text())
		}
		bob.wait("all of it", func() bool {
			log := bob.log(client.EventMessage, client.EventReset)
			log = log[strings.LastIndex(log, "reset \n"):]
			var got strings.Builder
			for _, l := range strings.SplitAfter(log, "\n") {
				if strings.HasPrefix(l, "u/alice") {
					got.WriteString(l)
				}
			}
			return got.String() == want.String()
		})
		carol.stop()
	}
}

// The same device twice: the first is told and stays away.
func TestReplaced(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	a := join(t, s, "alice")
	b := join(t, s, "alice")
	a.wait("to be replaced", func() bool { return a.c.State().Phase == client.Stopped })
	<-a.done
	var stop *client.StopError
	if !errors.As(a.err, &stop) || stop.Reason != wire.ReasonReplaced {
		t.Error(a.err)
	}
	if err := b.c.Kick(ctx, "dev", "bye", true); err != nil && !errors.Is(err, client.ErrUnknown) {
		t.Error(err)
	}
	b.wait("to be kicked", func() bool { return b.c.State().Phase == client.Stopped })
}

// A token that ends soon is renewed on the link; a bad one ends it.
func TestTokensWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	var mu sync.Mutex
	n := 0
	a := join(t, s, "alice", func(o *client.Options) {
		o.Token = func(context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return server.SignToken(server.TokenRequest{DataDir: s.Dir(), User: "alice", Life: 3 * time.Second})
		}
	})
	a.wait("a renewal", func() bool { mu.Lock(); defer mu.Unlock(); return n >= 3 })
	if st := a.c.State(); st.Phase != client.Online {
		t.Errorf("%+v", st)
	}
	b := enter(t, s, "bob", func(o *client.Options) {
		o.Token = func(context.Context) (string, error) { return "rubbish", nil }
	})
	<-b.done
	var stop *client.StopError
	if !errors.As(b.err, &stop) || stop.Reason != wire.ReasonToken {
		t.Error(b.err)
	}
}

// An application that stands still: the server holds back what is beyond the window, and
// afterwards everything comes, in order, once, on the same link; and the sender is told
// that it was delivered only when it was.
func TestStandingStill(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	release := make(chan struct{})
	bob := enter(t, s, "bob", func(o *client.Options) {
		note := o.OnEvent
		o.OnEvent = func(e client.Event) {
			if e.Kind == client.EventMessage {
				<-release
			}
			note(e)
		}
	})
	bob.wait("to be in step", func() bool { return bob.c.State().Synced })
	alice := join(t, s, "alice")
	conv, _, err := alice.c.GroupCreate(limited(t), client.NewGroup{Name: "News", Members: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	const each = 1200
	var last [2]*client.Pending
	for n := range each {
		for i, to := range []string{"u/bob", conv} {
			if last[i], err = alice.c.Send(ctx, to, client.Outgoing{ID: fmt.Sprint(i, "/", n), Body: []byte(fmt.Sprint(n))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, p := range last {
		if _, err := p.Wait(limited(t)); err != nil {
			t.Fatal(err)
		}
	}
	delivered := func() (n uint64) {
		for _, e := range alice.all() {
			if e.Conv == "u/bob" && e.Kind == client.EventInfo && e.Info.Peer != nil {
				n = max(n, e.Info.Peer.Delivered)
			}
		}
		return n
	}
	if n := delivered(); n != 0 {
		t.Errorf("%d are told to be delivered and nobody has taken them", n)
	}
	close(release)
	bob.wait("all of it", func() bool { return len(bob.messages("u/alice")) >= each && len(bob.messages(conv)) >= each+1 })
	for _, c := range []string{"u/alice", conv} {
		for i, n := range bob.messages(c) {
			if n != uint64(i+1) {
				t.Fatalf("%s: message %d has number %d", c, i, n)
			}
		}
	}
	alice.wait("the delivery", func() bool { return delivered() == each })
	bob.mu.Lock()
	defer bob.mu.Unlock()
	for _, st := range bob.states {
		if st.Phase == client.Waiting {
			t.Errorf("the link broke: %v", st.Err)
		}
	}
}

// The server waits for every beat as long as the client takes: a link on which nothing
// else passes lives, in the foreground, in the background, and from one to the other.
func TestBeatsWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) {
		c.Heartbeat = native.TestHeartbeat()
		c.Heartbeat.BackgroundFloor, c.Heartbeat.BackgroundStart = time.Second, 3*time.Second
		c.Heartbeat.BackgroundStep, c.Heartbeat.BackgroundMargin, c.Heartbeat.BackgroundMax = time.Second, time.Second, 9*time.Second
	}})
	a, b := join(t, s, "alice"), join(t, s, "bob", func(o *client.Options) { o.JSON = true; o.Endpoints = []string{s.HTTP()} })
	for _, background := range []bool{false, true, false} {
		a.c.SetBackground(background)
		b.c.SetBackground(background)
		wait := 2 * time.Second
		if background {
			wait = 7 * time.Second // three warm beats and one that is longer than the foreground's patience
		}
		time.Sleep(wait) // what is tested is that nothing happens in it
	}
	for _, u := range []*user{a, b} {
		u.mu.Lock()
		for _, st := range u.states {
			if st.Phase == client.Waiting {
				t.Errorf("%s was cut off: %v", u.name, st.Err)
			}
		}
		u.mu.Unlock()
	}
	a.says("u/bob", "still there")
	b.hears("u/alice 1 still there")
}

// No secret is written anywhere but into the store's outbox: not the token.
func TestStoreHoldsNoToken(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{})
	dir := t.TempDir()
	st := open(t, dir)
	a := join(t, s, "alice", func(o *client.Options) { o.Store = st })
	a.says("u/bob", "hello")
	a.stop()
	st.Close()
	token := []byte(s.Token("alice"))
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if bytes.Contains(b, token[:20]) {
			t.Errorf("%s holds the token", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
