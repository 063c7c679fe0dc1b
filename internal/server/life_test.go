package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// moody is a store that can be made to seem stuck, or to answer nothing.
type moody struct {
	store.Store
	pending atomic.Int64 // age of a commit under way, nanoseconds
	broken  atomic.Bool  // no record can be read
	full    atomic.Bool
}

func (m *moody) Health() store.Health {
	h := m.Store.Health()
	h.Pending = max(h.Pending, time.Duration(m.pending.Load()))
	h.ReadOnly = h.ReadOnly || m.full.Load()
	return h
}

func (m *moody) Get(k store.RecordKind, u im.UserID, key string) ([]byte, bool, error) {
	if m.broken.Load() {
		return nil, false, im.Errorf(im.Internal, "the disk is gone")
	}
	return m.Store.Get(k, u, key)
}

func startMoody(t *testing.T) (*servertest.Server, *moody) {
	m := &moody{}
	s := servertest.Start(t, servertest.Options{OpenStore: func(string) (store.Store, io.Closer, error) {
		db := memstore.New(memstore.Config{})
		m.Store = db
		return m, db, nil
	}})
	return s, m
}

func health(t *testing.T, s *servertest.Server) (alive, ready int, why string) {
	t.Helper()
	alive, _ = request(t, "GET", s.HTTP()+"/healthz", "")
	ready, why = request(t, "GET", s.HTTP()+"/readyz", "")
	return alive, ready, why
}

// Health says what the service path does, not that the process is there.
func TestHealthFollowsTheStore(t *testing.T) {
	s, m := startMoody(t)
	if a, r, why := health(t, s); a != 200 || r != 200 {
		t.Errorf("well: %d %d %s", a, r, why)
	}
	m.pending.Store(int64(5 * time.Second))
	if a, r, why := health(t, s); a != 503 || r != 503 || !strings.Contains(why, "disk") {
		t.Errorf("stuck: %d %d %s", a, r, why)
	}
	m.pending.Store(0)
	m.full.Store(true)
	if a, r, why := health(t, s); a != 200 || r != 503 || !strings.Contains(why, "full") {
		t.Errorf("full: %d %d %s", a, r, why)
	}
	m.full.Store(false)
	if a, r, why := health(t, s); a != 200 || r != 200 {
		t.Errorf("well again: %d %d %s", a, r, why)
	}
}

// Where it cannot be seen whether a token was revoked, nobody signs in.
func TestBrokenAccountsLetNobodyIn(t *testing.T) {
	s, m := startMoody(t)
	token := s.Token("alice")
	if code := dial(t, s, "tcp").hello(token, "phone"); code != 0 {
		t.Fatalf("well: %d", code)
	}
	m.broken.Store(true)
	for _, door := range []string{"tcp", "ws", "ws json"} {
		if code := dial(t, s, door).hello(token, "phone"); code < 6000 {
			t.Errorf("%s: %d", door, code)
		}
	}
	if got := dialLine(t, s).say("LOGIN %s", token); !strings.HasPrefix(got, "-ERR 6") {
		t.Errorf("line: %s", got)
	}
	if _, status := login(t, s, "alice", secretWord); status != 503 {
		t.Errorf("by password: %d", status)
	}
}

// until asks again until what is expected has come.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.Now().Add(testkit.Limit)
	for !ok() {
		if time.Now().After(limit) {
			t.Fatalf("%s: not within %v", what, testkit.Limit)
		}
		time.Sleep(5 * time.Millisecond) // between two questions, not for anything to happen
	}
}

// Shutdown sends every client away with a word, spread over the time that is set, and
// takes no new ones; while it lasts the server says that it is alive and not ready.
func TestDrain(t *testing.T) {
	const clients = 40
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) {
		c.Shutdown.Drain, c.Shutdown.Grace = 2*time.Second, 10*time.Second
	}})
	var links []*link
	for i := range clients {
		l := dial(t, s, []string{"tcp", "ws", "ws json"}[i%3])
		if code := l.hello(s.Token(fmt.Sprintf("user%d", i)), "phone"); code != 0 {
			t.Fatalf("%d", code)
		}
		links = append(links, l)
	}
	nc := dialLine(t, s)
	if got := nc.say("LOGIN %s", s.Token("alice")); !strings.HasPrefix(got, "+OK") {
		t.Fatalf("%s", got)
	}
	base := s.HTTP()
	var all sync.WaitGroup
	var mu sync.Mutex
	var when []time.Duration
	began := time.Now()
	for _, l := range links {
		all.Go(func() {
			for f := range l.frames {
				if f.Type == wire.TypeGoAway {
					var g wire.GoAway
					if err := l.f.Decode(f, &g); err != nil || g.Reason != wire.ReasonDrain || !g.Resumable {
						t.Errorf("%+v %v", &g, err)
					}
					mu.Lock()
					when = append(when, time.Since(began))
					mu.Unlock()
				}
			}
		})
	}
	all.Go(func() {
		for nc.in.Scan() {
		}
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Stop()
	}()
	status := 0
	for status != 503 { // readiness is withdrawn while the listener is still there
		r, err := http.NewRequest("GET", base+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Errorf("no answer while it drains: %v", err)
			break
		}
		status = resp.StatusCode
		resp.Body.Close()
	}
	<-ended
	all.Wait()
	if len(when) != clients {
		t.Fatalf("%d of %d were told", len(when), clients)
	}
	var most int
	for sec := range 4 { // no half second has more than half of them
		n := 0
		for _, w := range when {
			if int(w/(500*time.Millisecond)) == sec {
				n++
			}
		}
		most = max(most, n)
	}
	if most > clients/2 {
		t.Errorf("%d of %d left within half a second: %v", most, clients, when)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(base, "http://")); err == nil {
		t.Error("it still listens")
	}
}

// A hurried shutdown does not wait for the spreading.
func TestHurriedShutdown(t *testing.T) {
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) { c.Shutdown.Drain = time.Hour }})
	for i := range 10 {
		if code := dial(t, s, "tcp").hello(s.Token(fmt.Sprintf("user%d", i)), "phone"); code != 0 {
			t.Fatalf("%d", code)
		}
	}
	srv := s.Server()
	ctx, hurry := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Shutdown(ctx) }()
	hurry()
	if err := testkit.Receive(t, "the end", done); err != nil {
		t.Error(err)
	}
}
