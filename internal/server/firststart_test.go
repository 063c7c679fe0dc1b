package server_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// open is all that may answer 2xx without a token (DESIGN: first start).
var open = map[string]bool{
	"GET /": true, "HEAD /": true, "GET /anser.css": true, "HEAD /anser.css": true, "GET /favicon.svg": true, "HEAD /favicon.svg": true,
	"GET /healthz": true, "HEAD /healthz": true, "GET /readyz": true, "HEAD /readyz": true,
	"OPTIONS /v1/login": true, "OPTIONS /v1/refresh": true, "OPTIONS /v1/logout": true, // a preflight: says which methods there are
	"OPTIONS /anser.v1.MessageService/Send": true, "OPTIONS /anser.v1.AppService/TypePut": true, "OPTIONS /anser.v1.X/Y": true,
	"GET /v1/docs": true, "HEAD /v1/docs": true, "GET /v1/docs.css": true, "HEAD /v1/docs.css": true, // the reference: the same in every server
	"GET /v1/openapi.json": true, "HEAD /v1/openapi.json": true,
}

// paths are those that are there, on any listener, and those that people look for.
var paths = []string{
	"/", "/anser.css", "/favicon.svg", "/healthz", "/readyz", "/v1/login", "/v1/refresh", "/v1/logout", "/v1/ws",
	"/anser.v1.MessageService/Send", "/anser.v1.AppService/TypePut", "/anser.v1.X/Y", "/v1/docs", "/v1/docs.css", "/v1/openapi.json", "/v1/docs/", "/v1/docs.html",
	"/v1/keys", "/v1/keys/create", "/v1/keys/revoke",
	"/v1/status", "/v1/users", "/v1/users/password", "/v1/users/remove", "/v1/users/revoke", "/v1/users/kick", "/v1/users/sessions?user=alice", "/v1/users/devices?user=alice",
	"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1", "/debug/pprof/symbol", "/debug/vars",
	"/secret", "/admin-token", "/sync-key", "/anser-data/secret", "/static/", "/../secret", "/%2e%2e/secret", "//secret", "/admin", "/api", "/v1", "/v1/", "/.git/config", "/config", "/swagger", "/graphql", "/server-status", "/actuator/env", "/login", "/users", "/status",
}

// A first start, with nothing configured but free ports: nobody gets anything without a
// token, by any method, on any listener.
func TestFirstStartHasNoOpenDoor(t *testing.T) {
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) {
		d := c.Data
		*c = server.Config{Data: d, Admin: c.Admin, Listen: c.Listen} // no setting of the tests' own
		c.Shutdown.Drain = -1
	}})
	asked := 0
	for _, base := range []string{s.HTTP(), s.Admin()} {
		for _, p := range paths {
			for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
				for _, body := range []string{"", `{}`, `{"user":"alice","password":"password"}`, `{"refresh_token":"x"}`} {
					if body != "" && (m == "GET" || m == "HEAD") {
						continue
					}
					if p == "/v1/logout" && strings.Contains(body, "refresh_token") {
						continue // ends nothing, and says so: signing out of nothing is no error
					}
					asked++
					status, answer := request(t, m, base+p, body, "Content-Type", "application/json")
					mayAnswer := base == s.HTTP() && open[m+" "+p]
					if status/100 == 2 && !mayAnswer {
						t.Errorf("%s %s%s with %q answers %d without a token: %.200s", m, base, p, body, status, answer)
					}
					if status == 101 || status >= 500 && status != 501 {
						t.Errorf("%s %s%s with %q answers %d: %.200s", m, base, p, body, status, answer)
					}
				}
			}
		}
	}
	t.Logf("%d requests", asked)

	for _, door := range []string{"tcp", "ws", "ws json"} {
		l := dial(t, s, door)
		l.send(&wire.Send{Id: "1", Conv: "u/bob", Type: "an:text", Body: []byte(`{}`)})
		for { // whatever comes must be a refusal, and then the end
			f, ok := l.next()
			if !ok {
				break
			}
			if f.Type != wire.TypeGoAway {
				t.Errorf("%s: answers %v before HELLO", door, f.Type)
			}
		}
	}
	for _, command := range []string{"SEND bob hi", "HISTORY bob", "READ bob", "WHO g/x", "TO bob", "JOIN g/x", "ACK on", "LOGIN", "LOGIN x", "GET / HTTP/1.1", "EHLO mail"} {
		if got := dialLine(t, s).say("%s", command); strings.HasPrefix(got, "+OK") {
			t.Errorf("line door: %s: %s", command, got)
		}
	}

	for name, want := range map[string]os.FileMode{".": 0o700, "secret": 0o600, "admin-token": 0o600, "sync-key": 0o600, "admin.addr": 0o600, "store": 0o700} {
		fi, err := os.Stat(filepath.Join(s.Dir(), name))
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, fi.Mode().Perm(), want, err)
		}
	}
	for _, u := range append(s.Server().URLs(), s.Admin()) {
		if !strings.Contains(u, "://127.0.0.1:") {
			t.Errorf("%s listens beyond loopback", u)
		}
	}
	other := servertest.Start(t, servertest.Options{})
	for _, name := range []string{"secret", "admin-token", "sync-key"} {
		a, err := os.ReadFile(filepath.Join(s.Dir(), name))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(other.Dir(), name)); err != nil || string(a) == string(b) {
			t.Errorf("two installations have the same %s (%v)", name, err)
		}
	}
}

// The admin listener answers to this machine's names alone, whatever resolves to it.
func TestAdminChecksItsHost(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	token, err := os.ReadFile(filepath.Join(s.Dir(), "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + strings.TrimSpace(string(token))
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.Admin(), "http://"))
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "LOCALHOST": 200, "[::1]:9999": 200, "127.0.0.2": 200,
		"evil.example": 403, "evil.example:" + port: 403, "127.0.0.1.evil.example": 403, "localhost.evil.example": 403, "0.0.0.0": 403, "10.0.0.1": 403, "[::]": 403,
	} {
		if status, body := request(t, "GET", s.Admin()+"/v1/status", "", "Authorization", bearer, "Host", host); status != want {
			t.Errorf("Host %s: %d %s", host, status, body)
		}
	}
	for _, wrong := range []string{"", "Bearer", "Bearer ", "bearer " + bearer[7:], "Basic " + bearer[7:], bearer + "x", bearer[:len(bearer)-1], "Bearer " + s.Token("admin")} {
		if status, _ := request(t, "GET", s.Admin()+"/v1/status", "", "Authorization", wrong); status != 401 {
			t.Errorf("Authorization %q: %d", wrong, status)
		}
	}
	if strings.Contains(s.Log(), bearer[7:]) {
		t.Error("the log holds the admin token")
	}
}

// With open_metrics the metrics are open, and nothing else is.
func TestOpenMetrics(t *testing.T) {
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) { c.OpenMetrics = true }})
	status, body := request(t, "GET", s.Admin()+"/metrics", "")
	if status != 200 || !strings.Contains(body, "anser_ready 1") || !strings.Contains(body, "go_goroutines") {
		t.Errorf("%d %.300s", status, body)
	}
	for _, p := range []string{"/v1/status", "/debug/pprof/", "/metrics/"} {
		if status, _ := request(t, "GET", s.Admin()+p, ""); status == 200 {
			t.Errorf("%s is open too", p)
		}
	}
	if status, _ := request(t, "GET", s.Admin()+"/metrics", "", "Host", "evil.example"); status != 403 {
		t.Errorf("for a foreign host: %d", status)
	}
	if status, _ := request(t, "GET", s.HTTP()+"/metrics", ""); status != 404 {
		t.Errorf("on the public listener: %d", status)
	}
}

// What the page of metrics lists is what a server tells, no more and no less.
func TestMetricsAreThoseOfThePage(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	for i, door := range []string{"tcp", "ws"} { // what has labels shows once it has happened
		if code := dial(t, s, door).hello(s.Token("alice"), "phone"); code != 0 {
			t.Fatalf("login %d: %d", i, code)
		}
	}
	s.AdminDo("/v1/users/kick", `{"user":"alice"}`)
	status, body := s.AdminDo("/metrics", "")
	if status != 200 {
		t.Fatalf("%d", status)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "METRICS.md"))
	if err != nil {
		t.Fatal(err)
	}
	told, listed := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(body) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "TYPE" && strings.HasPrefix(f[2], "anser_") {
			told[f[2]] = true
		}
	}
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, "| `anser_"); ok {
			name, _, _ = strings.Cut(name, "`")
			listed["anser_"+name] = true
		}
	}
	for name := range told {
		if !listed[name] {
			t.Errorf("%s is told and not listed", name)
		}
	}
	for name := range listed {
		if !told[name] {
			t.Errorf("%s is listed and not told", name)
		}
	}
	if len(told) < 40 {
		t.Errorf("only %d metrics", len(told))
	}
}

// What ends a start, with a sentence and an exit status of its own.
func TestStartRefuses(t *testing.T) {
	running := servertest.Start(t, servertest.Options{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := func(mode os.FileMode) string {
		d := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, mode); err != nil {
			t.Fatal(err)
		}
		return d
	}
	withFile := func(name, text string, mode os.FileMode) string {
		d := dir(0o700)
		if err := os.WriteFile(filepath.Join(d, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(d, name), mode); err != nil {
			t.Fatal(err)
		}
		return d
	}
	free := []string{"tcp://127.0.0.1:0"}
	for name, c := range map[string]struct {
		cfg  server.Config
		exit int
		want string
	}{
		"taken port":        {server.Config{Listen: []string{"tcp://" + taken.Addr().String()}}, server.ExitPort, "is taken"},
		"taken admin":       {server.Config{Listen: free, Admin: "http://" + taken.Addr().String()}, server.ExitPort, "admin address"},
		"locked directory":  {server.Config{Listen: free, Data: running.Dir()}, server.ExitData, "in use by another process"},
		"plain and public":  {server.Config{Listen: []string{"tcp://0.0.0.0:0"}}, server.ExitPort, "allow"},
		"every address":     {server.Config{Listen: []string{"http://:0"}}, server.ExitPort, "allow"},
		"public admin":      {server.Config{Listen: free, Admin: "http://0.0.0.0:0"}, server.ExitConfig, "other machines"},
		"admin without url": {server.Config{Listen: free, Admin: "7309"}, server.ExitConfig, "admin"},
		"no such door":      {server.Config{Listen: []string{"gopher://127.0.0.1:0"}}, server.ExitConfig, "gopher"},
		"TLS without cert":  {server.Config{Listen: []string{"https://127.0.0.1:0"}}, server.ExitConfig, "tls.cert"},
		"cert is not there": {server.Config{Listen: []string{"https://127.0.0.1:0"}, TLS: server.TLSConfig{Cert: "no.pem", Key: "no.pem"}}, server.ExitConfig, "no.pem"},
		"others may look":   {server.Config{Listen: free, Data: dir(0o755)}, server.ExitData, "chmod 700"},
		"data is a file":    {server.Config{Listen: free, Data: filepath.Join(withFile("f", "", 0o600), "f")}, server.ExitData, "is a file"},
		"open secret":       {server.Config{Listen: free, Data: withFile("secret", strings.Repeat("abcdefgh12345678", 3), 0o644)}, server.ExitData, "chmod 600"},
		"short secret":      {server.Config{Listen: free, Data: withFile("secret", "openIM123", 0o600)}, server.ExitData, "32"},
		"known secret":      {server.Config{Listen: free, Data: withFile("secret", "a-string-secret-at-least-256-bits-long\n", 0o600)}, server.ExitData, "guessed"},
		"foreign store":     {server.Config{Listen: free, Data: withStore(t, dir(0o700))}, server.ExitData, "no store"},
		"jwks not there":    {server.Config{Listen: free, Auth: server.AuthConfig{JWKS: "none.json", Issuer: "x"}}, server.ExitConfig, "none.json"},
		"app secret":        {server.Config{Listen: free, Auth: server.AuthConfig{Secrets: map[string]string{"k": "none"}}}, server.ExitConfig, "none"},
		"wrong setting":     {server.Config{Listen: free, Log: server.LogConfig{Level: "loud"}}, server.ExitConfig, "log.level"},
	} {
		if c.cfg.Data == "" {
			c.cfg.Data = filepath.Join(t.TempDir(), "data")
		}
		if c.cfg.Admin == "" {
			c.cfg.Admin = "off"
		}
		c.cfg.Store.Small = true
		s, err := server.Start(c.cfg, server.Options{})
		if err == nil {
			t.Errorf("%s: starts", name)
			s.Abort()
			continue
		}
		if server.ExitStatus(err) != c.exit || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: exit %d, %q; want %d and %q", name, server.ExitStatus(err), err, c.exit, c.want)
		}
		if len(err.Error()) > 400 || strings.Contains(err.Error(), "goroutine") {
			t.Errorf("%s: that is no sentence: %q", name, err)
		}
	}
}

func withStore(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "store", "photos.zip"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Connections that say nothing, or half of something, are closed in time, and do not
// keep others out.
func TestSilentLinksAreClosed(t *testing.T) {
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) {
		c.Native.HelloTimeout = 300 * time.Millisecond
		c.Line.LoginTimeout = 300 * time.Millisecond
	}})
	for scheme, begin := range map[string]string{"tcp": "\x03\x40half", "line": "LOG", "http": "GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: anser.v1.bin\r\n\r\n"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(scheme), scheme+"://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(begin)); err != nil {
			t.Fatal(err)
		}
		testkit.Within(t, "the end of a silent link at "+scheme, func() {
			b := make([]byte, 4096)
			for {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
		})
	}
	if code := dial(t, s, "tcp").hello(s.Token("alice"), "phone"); code != 0 {
		t.Errorf("an honest login: %d", code)
	}
}
