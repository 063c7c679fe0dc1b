package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/gate/httpapi"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// rows is a store for auth in memory.
type rows struct {
	mu   sync.Mutex
	rows map[string][]byte
	fail error // guarded by mu: told instead of answers
}

func (s *rows) Read(_ context.Context, u im.UserID, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[string(u)+"\x00"+key], s.fail
}

func (s *rows) Write(_ context.Context, was *auth.Row, list ...auth.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if was != nil {
		v, ok := s.rows[string(was.User)+"\x00"+was.Key]
		if ok != (was.Value != nil) || !bytes.Equal(v, was.Value) {
			return im.Errorf(im.Conflict, "moved")
		}
	}
	for _, r := range list {
		if r.Value == nil {
			delete(s.rows, string(r.User)+"\x00"+r.Key)
		} else {
			s.rows[string(r.User)+"\x00"+r.Key] = bytes.Clone(r.Value)
		}
	}
	return nil
}

func (s *rows) break_(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// door is a handler with accounts over memory.
type door struct {
	h        http.Handler
	store    *rows
	accounts *auth.Accounts
	verifier *auth.Verifier
	log      *bytes.Buffer
	health   httpapi.Health
}

const password = "correct horse battery staple"

func newDoor(t *testing.T, change func(*httpapi.Config)) *door {
	t.Helper()
	d := &door{store: &rows{rows: map[string][]byte{}}, log: &bytes.Buffer{}, health: httpapi.Health{Alive: true, Ready: true}}
	secret := []byte("0123456789abcdefghijklmnopqrstuv")
	signer, err := auth.NewSigner(secret, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.verifier, err = auth.NewVerifier(auth.Config{Secret: secret}); err != nil {
		t.Fatal(err)
	}
	d.accounts = auth.NewAccounts(auth.AccountsConfig{Store: d.store, Revoker: auth.NewRevoker(d.store, nil, nil), Signer: signer})
	if _, err := d.accounts.SetPassword(t.Context(), "alice", password); err != nil {
		t.Fatal(err)
	}
	c := httpapi.Config{
		Health: func() httpapi.Health { return d.health }, Accounts: d.accounts,
		Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&c)
	}
	d.h = httpapi.New(c)
	return d
}

func (d *door) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w
}

type grant struct {
	User             string `json:"user"`
	Token            string `json:"token"`
	ExpiresIn        int64  `json:"expires_in"`
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"`
}

func (d *door) grant(t *testing.T, w *httptest.ResponseRecorder) grant {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var g grant
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

func js(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestSignInRefreshSignOut(t *testing.T) {
	d := newDoor(t, nil)
	g := d.grant(t, d.do("POST", "/v1/login", js(map[string]string{"user": "alice", "password": password, "device": "laptop"})))
	if g.User != "alice" || g.ExpiresIn != 3600 || g.RefreshExpiresIn != 30*24*3600 {
		t.Errorf("%+v", g)
	}
	c, err := d.verifier.Verify(g.Token)
	if err != nil || c.User != "alice" || c.Device != "laptop" {
		t.Errorf("%+v %v", c, err)
	}
	next := d.grant(t, d.do("POST", "/v1/refresh", js(map[string]string{"refresh_token": g.RefreshToken})))
	if next.RefreshToken == g.RefreshToken { // the token may be the same: it says the same within a millisecond
		t.Error("a refresh gave the same again")
	}
	if w := d.do("POST", "/v1/logout", js(map[string]string{"refresh_token": next.RefreshToken})); w.Code != 200 || w.Body.String() != "{}\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := d.do("POST", "/v1/refresh", js(map[string]string{"refresh_token": next.RefreshToken})); w.Code != 401 {
		t.Errorf("after the logout: %d %s", w.Code, w.Body)
	}
	for _, secret := range []string{password, g.Token, g.RefreshToken, next.Token, next.RefreshToken} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log holds a secret: %s", d.log)
		}
	}
}

// What is refused, and that the answer is the same for an unknown user and a wrong password.
func TestLoginRefuses(t *testing.T) {
	d := newDoor(t, nil)
	unknown := d.do("POST", "/v1/login", `{"user":"nobody","password":"wrong password"}`)
	wrong := d.do("POST", "/v1/login", `{"user":"alice","password":"wrong password"}`)
	if unknown.Code != 401 || unknown.Body.String() != wrong.Body.String() || wrong.Code != 401 {
		t.Errorf("unknown user: %d %s; wrong password: %d %s", unknown.Code, unknown.Body, wrong.Code, wrong.Body)
	}
	for name, c := range map[string]struct {
		body   string
		status int
		code   im.Code
	}{
		"empty":           {``, 400, 3000},
		"no object":       {`[]`, 400, 3000},
		"null":            {`null`, 400, 3000},
		"cut off":         {`{"user":"alice"`, 400, 3000},
		"two":             {`{"user":"alice"}{}`, 400, 3000},
		"unknown field":   {`{"user":"alice","password":"x","admin":true}`, 400, 3000},
		"other case":      {`{"User":"alice","password":"x"}`, 400, 3000},
		"double":          {`{"user":"bob","user":"alice","password":"` + password + `"}`, 400, 3000},
		"wrong type":      {`{"user":7,"password":"x"}`, 400, 3000},
		"nested":          {`{"user":{"a":1},"password":"x"}`, 400, 3000},
		"no user":         {`{"password":"` + password + `"}`, 400, 3000},
		"bad device":      {`{"user":"alice","password":"` + password + `","device":"a b"}`, 400, 3000},
		"invalid utf-8":   {"{\"user\":\"al\xffice\",\"password\":\"x\"}", 400, 3000},
		"long password":   {js(map[string]string{"user": "alice", "password": strings.Repeat("x", 1025)}), 413, 3001},
		"over the limit":  {`{"user":"alice","password":"` + strings.Repeat("x", 9000) + `"}`, 413, 3001},
		"deep":            {strings.Repeat(`{"user":`, 500) + "1" + strings.Repeat("}", 500), 400, 3000},
		"long user":       {js(map[string]string{"user": strings.Repeat("u", 65), "password": "x"}), 413, 3001},
		"empty password":  {`{"user":"alice","password":""}`, 401, 2000},
		"SQL as user":     {`{"user":"'or''='","password":"x"}`, 401, 2000},
		"refresh's field": {`{"refresh_token":"x"}`, 400, 3000},
	} {
		w := d.do("POST", "/v1/login", c.body)
		var p struct {
			Code    im.Code
			Message string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != c.status || p.Code != c.code || p.Message == "" {
			t.Errorf("%s: %d %s %v", name, w.Code, w.Body, err)
		}
		if w.Header().Get("Content-Type") != "application/json; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", name, w.Header())
		}
	}
	for _, path := range []string{"/v1/refresh", "/v1/logout"} {
		if w := d.do("POST", path, `{}`); w.Code != 400 {
			t.Errorf("%s without a token: %d %s", path, w.Code, w.Body)
		}
	}
	for _, token := range []string{"x", strings.Repeat("A", 64), strings.Repeat("A", 5000)} {
		if w := d.do("POST", "/v1/refresh", js(map[string]string{"refresh_token": token})); w.Code != 401 {
			t.Errorf("refresh with %.10q: %d %s", token, w.Code, w.Body)
		}
		if w := d.do("POST", "/v1/logout", js(map[string]string{"refresh_token": token})); w.Code != 200 {
			t.Errorf("logout with %.10q: %d %s", token, w.Code, w.Body)
		}
	}
	if w := d.do("POST", "/v1/login", `{}`, "Content-Type", "text/plain"); w.Code != 400 {
		t.Errorf("text/plain, which any page may send: %d", w.Code)
	}
}

// After ten wrong passwords everybody waits, and is told how long.
func TestGuessingIsSlowedDown(t *testing.T) {
	d := newDoor(t, func(c *httpapi.Config) {})
	var w *httptest.ResponseRecorder
	for range 12 {
		w = d.do("POST", "/v1/login", `{"user":"alice","password":"guess"}`)
	}
	if w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := d.do("POST", "/v1/login", js(map[string]string{"user": "alice", "password": password})); w.Code != 429 {
		t.Errorf("the right password, while there is to wait: %d", w.Code)
	}
}

// A store that does not answer lets nobody in.
func TestBrokenStoreLetsNobodyIn(t *testing.T) {
	d := newDoor(t, nil)
	g := d.grant(t, d.do("POST", "/v1/login", js(map[string]string{"user": "alice", "password": password})))
	d.store.break_(io.ErrUnexpectedEOF)
	for path, body := range map[string]string{
		"/v1/login":   js(map[string]string{"user": "alice", "password": password}),
		"/v1/refresh": js(map[string]string{"refresh_token": g.RefreshToken}),
	} {
		w := d.do("POST", path, body)
		if w.Code != 503 || strings.Contains(w.Body.String(), "EOF") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestHealth(t *testing.T) {
	d := newDoor(t, nil)
	for _, c := range []struct {
		h            httpapi.Health
		alive, ready int
	}{
		{httpapi.Health{Alive: true, Ready: true}, 200, 200},
		{httpapi.Health{Alive: true, Why: "shutting down"}, 200, 503},
		{httpapi.Health{Why: "stuck"}, 503, 503},
		{httpapi.Health{Ready: true, Why: "cannot be"}, 503, 503},
	} {
		d.health = c.h
		a, r := d.do("GET", "/healthz", ""), d.do("GET", "/readyz", "")
		if a.Code != c.alive || r.Code != c.ready {
			t.Errorf("%+v: %d %d", c.h, a.Code, r.Code)
		}
		if c.ready != 200 && !strings.Contains(r.Body.String(), c.h.Why) {
			t.Errorf("does not say why: %s", r.Body)
		}
	}
}

func TestRoutes(t *testing.T) {
	d := newDoor(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 200}, {"HEAD", "/", 200}, {"GET", "/anser.css", 200}, {"GET", "/favicon.svg", 200},
		{"GET", "/v1/ws", 404}, // none was given
		{"GET", "/nothing", 404}, {"GET", "/v1/login/", 404}, {"GET", "/static/page.en.html", 404},
		{"GET", "/../etc/passwd", 404}, {"GET", "/anser.css/../page.en.html", 404}, {"GET", "/metrics", 404}, {"GET", "/debug/pprof/", 404},
		{"POST", "/nothing", 404}, {"PUT", "/", 405}, {"POST", "/", 405}, {"DELETE", "/v1/login", 405}, {"GET", "/v1/login", 405},
		{"OPTIONS", "/healthz", 405}, {"TRACE", "/", 405}, {"CONNECT", "/", 405},
	} {
		w := d.do(c.method, c.path, "")
		if w.Code != c.status {
			t.Errorf("%s %s: %d", c.method, c.path, w.Code)
		}
		if c.status >= 400 {
			var p struct {
				Code    int
				Message string
			}
			if json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Code == 0 || p.Message == "" {
				t.Errorf("%s %s: no JSON error: %s", c.method, c.path, w.Body)
			}
		}
		for _, h := range []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"} {
			if w.Header().Get(h) == "" {
				t.Errorf("%s %s: no %s", c.method, c.path, h)
			}
		}
	}
}

func TestPageSpeaksTheReadersLanguage(t *testing.T) {
	d := newDoor(t, nil)
	const zh, en = "这里运行着", "is running here"
	for accept, want := range map[string]string{
		"": en, "en-US,en;q=0.9,zh;q=0.8": en, "zh-CN,zh;q=0.9,en;q=0.8": zh, "de-DE, zh;q=0.5": zh, "ZH-TW": zh,
	} {
		if w := d.do("GET", "/", "", "Accept-Language", accept); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q gets the other language", accept)
		}
	}
	if w := d.do("GET", "/?lang=en", "", "Accept-Language", "zh"); !strings.Contains(w.Body.String(), en) {
		t.Error("?lang=en")
	}
	if w := d.do("GET", "/?lang=zh", ""); !strings.Contains(w.Body.String(), zh) {
		t.Error("?lang=zh")
	}
	for _, lang := range []string{"en", "zh"} {
		body := d.do("GET", "/?lang="+lang, "").Body.String()
		for _, foreign := range []string{"<script", "http:", "https:", "javascript:", "style=", "src="} {
			if strings.Contains(body, foreign) {
				t.Errorf("%s: the page has %q: nothing may run, or come from elsewhere", lang, foreign)
			}
		}
	}
}

// Pages of other sites may not sign people in, unless configured.
func TestOrigins(t *testing.T) {
	d := newDoor(t, nil)
	body := js(map[string]string{"user": "alice", "password": password})
	for origin, status := range map[string]int{
		"https://im.example.com":      200,
		"http://IM.example.com":       200,
		"https://evil.example":        403,
		"https://im.example.com.evil": 403,
		"null":                        403,
		"https://":                    403,
		"file://":                     403,
	} {
		w := d.do("POST", "/v1/login", body, "Origin", origin, "Host", "im.example.com")
		if w.Code != status {
			t.Errorf("%s: %d %s", origin, w.Code, w.Body)
		}
		if allowed := w.Header().Get("Access-Control-Allow-Origin"); (allowed == origin) != (status == 200) {
			t.Errorf("%s: allowed %q", origin, allowed)
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Error("credentials are allowed")
		}
	}
	if w := d.do("OPTIONS", "/v1/login", "", "Origin", "https://im.example.com", "Host", "im.example.com"); w.Code != 204 || w.Header().Get("Access-Control-Allow-Headers") != "Content-Type" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
	if w := d.do("OPTIONS", "/v1/login", "", "Origin", "https://evil.example", "Host", "im.example.com"); w.Code != 403 {
		t.Errorf("foreign preflight: %d", w.Code)
	}
}

func TestAccountsOff(t *testing.T) {
	d := newDoor(t, func(c *httpapi.Config) { c.Accounts = nil })
	for _, p := range []string{"/v1/login", "/v1/refresh", "/v1/logout"} {
		if w := d.do("POST", p, `{}`); w.Code != 404 {
			t.Errorf("%s: %d", p, w.Code)
		}
	}
}

// A panic costs the request, not the server, and tells the client nothing.
func TestPanicIsContained(t *testing.T) {
	d := newDoor(t, func(c *httpapi.Config) {
		c.WS = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })
	})
	w := d.do("GET", "/v1/ws", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "bug") || !strings.Contains(d.log.String(), "a bug") {
		t.Errorf("%d %s; log: %s", w.Code, w.Body, d.log)
	}
}

// Slow and idle requests have limits; who waits for them is the server's test.
func TestTunedServerHasLimits(t *testing.T) {
	var s http.Server
	httpapi.Tune(&s, nil)
	if s.ReadHeaderTimeout <= 0 || s.ReadHeaderTimeout > 10*time.Second || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("limits: %+v", &s)
	}
}
