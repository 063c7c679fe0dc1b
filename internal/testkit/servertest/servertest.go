// Package servertest runs whole servers in the process of a test: Pebble on disk, every
// door, the admin listener, each on a free port of loopback. Only tests import it.
//
//	s := servertest.Start(t, servertest.Options{})
//	c, err := client.New(client.Options{Endpoints: []string{s.TCP()}, Token: s.TokenSource("alice")})
package servertest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/testkit"
)

// Options say what kind of server a test wants. The zero value works.
type Options struct {
	// Config alters the configuration before each start. What it finds are the defaults
	// of tests: free ports, no send limit, no drain, little memory.
	Config func(*server.Config)

	Dir   string           // data directory; "" = a fresh one, removed at the end of the test
	Clock func() time.Time // nil = time.Now
	Fatal func(error)      // the store failed for good; nil = the test fails

	// OpenStore brings a store of the test's own, as in server.Options; nil = Pebble.
	OpenStore func(dir string) (store.Store, io.Closer, error)
}

// Server is a server and where it is. It ends with the test. Its methods are called by
// the test's own goroutine, but for the addresses, Token and Log.
type Server struct {
	t   testing.TB
	o   Options
	dir string
	log logBuffer

	mu     sync.Mutex
	cfg    server.Config  // guarded by mu: with the real ports once it has run
	server *server.Server // guarded by mu; nil = it does not run
}

// Start starts a server and fails the test if it cannot.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, o: o, dir: o.Dir}
	if s.dir == "" {
		s.dir = filepath.Join(t.TempDir(), "data")
	}
	s.cfg = server.Config{
		Listen: []string{"http://127.0.0.1:0", "tcp://127.0.0.1:0", "line://127.0.0.1:0"},
		Admin:  "http://127.0.0.1:0", Data: s.dir,
	}
	s.cfg.Limits.SendRate = -1
	s.cfg.Shutdown.Drain = -1
	s.cfg.Store.Small = true
	if o.Config != nil {
		o.Config(&s.cfg)
	}
	s.run()
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.Log())
		}
	})
	return s
}

func (s *Server) run() {
	s.t.Helper()
	fatal := s.o.Fatal
	if fatal == nil {
		fatal = func(err error) { s.t.Errorf("the store failed: %v", err) }
	}
	srv, err := server.Start(s.cfg, server.Options{
		Log:   slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock: s.o.Clock, Fatal: fatal, OpenStore: s.o.OpenStore,
	})
	if err != nil {
		s.t.Fatalf("the server does not start: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server = srv
	s.cfg.Listen = srv.URLs() // a restart takes the same ports
	if u := srv.AdminURL(); u != "" {
		s.cfg.Admin = u
	}
}

// Stop ends it in order, with the configured drain. It may be started again.
func (s *Server) Stop() {
	s.t.Helper()
	s.mu.Lock()
	srv := s.server
	s.server = nil
	s.mu.Unlock()
	if srv == nil {
		return
	}
	testkit.Within(s.t, "the server's shutdown", func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			s.t.Errorf("shutdown: %v", err)
		}
	})
}

// Kill ends it as suddenly as can be within a process: links break without a word.
// What was acknowledged is on disk; so may be what was not.
func (s *Server) Kill() {
	s.t.Helper()
	s.mu.Lock()
	srv := s.server
	s.server = nil
	s.mu.Unlock()
	if srv == nil {
		return
	}
	testkit.Within(s.t, "the server's end", func() { srv.Abort() })
}

// Run starts it again after Stop or Kill, on the same addresses and data.
func (s *Server) Run() { s.t.Helper(); s.run() }

// Restart is Stop and Run.
func (s *Server) Restart() { s.t.Helper(); s.Stop(); s.run() }

// Server is the running server.
func (s *Server) Server() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// URL finds the first listener with this scheme: "tcp", "http", "line", "tls"...
func (s *Server) URL(scheme string) string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.cfg.Listen {
		if strings.HasPrefix(u, scheme+"://") {
			return u
		}
	}
	s.t.Errorf("this server has no listener %s://", scheme)
	return ""
}

// TCP is the native door: tcp://127.0.0.1:port.
func (s *Server) TCP() string { s.t.Helper(); return s.URL("tcp") }

// HTTP is the HTTP door: http://127.0.0.1:port.
func (s *Server) HTTP() string { s.t.Helper(); return s.URL("http") }

// WS is the native door over WebSocket, as the SDK takes it: ws://127.0.0.1:port.
func (s *Server) WS() string { s.t.Helper(); return "ws" + strings.TrimPrefix(s.HTTP(), "http") }

// Line is the line door's host:port.
func (s *Server) Line() string { s.t.Helper(); return strings.TrimPrefix(s.URL("line"), "line://") }

// Admin is the admin listener: http://127.0.0.1:port.
func (s *Server) Admin() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Admin
}

// Dir is the data directory.
func (s *Server) Dir() string { return s.dir }

// Token is a token for user, good for a day.
func (s *Server) Token(user string) string {
	return s.TokenFor(server.TokenRequest{User: server.UserID(user)})
}

// TokenFor is a token that says r.
func (s *Server) TokenFor(r server.TokenRequest) string {
	r.DataDir = s.dir
	t, err := server.SignToken(r)
	if err != nil {
		s.t.Errorf("token: %v", err)
	}
	return t
}

// TokenSource is what the SDK asks for tokens.
func (s *Server) TokenSource(user string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s.Token(user), nil }
}

// AdminDo sends a request to the admin listener with the admin token. body "" = GET.
func (s *Server) AdminDo(path, body string) (status int, answer string) {
	s.t.Helper()
	token, err := os.ReadFile(filepath.Join(s.dir, "admin-token"))
	if err != nil {
		s.t.Fatal(err)
	}
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, s.Admin()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	r.Header.Set("Content-Type", "application/json")
	return Do(s.t, r)
}

// Do makes a request on a connection of its own.
func Do(t testing.TB, r *http.Request) (status int, answer string) {
	t.Helper()
	c := http.Client{Timeout: testkit.Limit, Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return resp.StatusCode, string(b)
}

// Log is all that it has logged so far, at debug level.
func (s *Server) Log() string { return s.log.String() }

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
