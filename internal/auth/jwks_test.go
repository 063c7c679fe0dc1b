package auth

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestJWKSFileIsReadAgain(t *testing.T) {
	c := newClock()
	path := filepath.Join(t.TempDir(), "jwks.json")
	put := func(b []byte) {
		t.Helper()
		tmp := path + ".new"
		if err := os.WriteFile(tmp, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, path); err != nil {
			t.Fatal(err)
		}
	}
	put(jwks(jwkEd("one")))
	v, err := NewVerifier(Config{App: "shop", JWKS: path, Issuer: issuer, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	one := forge(t, obj{"alg": "EdDSA", "kid": "one"}, base(c), edKey())
	two := forge(t, obj{"alg": "ES256", "kid": "two"}, base(c), ecKey())
	ours := forge(t, obj{"alg": "HS256"}, base(c), secretA)
	check := func(step string, wantOne, wantTwo bool) {
		t.Helper()
		_, err1 := v.Verify(one)
		_, err2 := v.Verify(two)
		if (err1 == nil) != wantOne || (err2 == nil) != wantTwo {
			t.Fatalf("%s: one %v, two %v", step, err1, err2)
		}
		if _, err := v.Verify(ours); err == nil {
			t.Fatalf("%s: a token without kid was taken though there is no secret", step)
		}
	}
	check("at first", true, false)
	put(jwks(jwkEd("one"), jwkEC("two")))
	check("an unknown kid asks at once", true, true)
	put([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"three","x":"AAAA"}]}`))
	c.Step(2 * fileLook)
	check("a broken file changes nothing", true, true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c.Step(2 * fileLook)
	check("nor does one that is gone", true, true)
	put(jwks(jwkEC("two")))
	c.Step(2 * fileLook)
	check("a key taken out is no longer good", false, true)
}

// jwksServer serves what it is told, and counts.
type jwksServer struct {
	*httptest.Server
	mu   sync.Mutex
	body []byte // nil = 500
	hits atomic.Int64
}

func newJWKSServer(t *testing.T, body []byte) *jwksServer {
	s := &jwksServer{body: body}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.hits.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.body == nil {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		w.Write(s.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *jwksServer) set(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body = b
}

func TestJWKSURL(t *testing.T) {
	c := newClock()
	s := newJWKSServer(t, nil)
	v, err := NewVerifier(Config{App: "shop", JWKS: s.URL, Issuer: issuer, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	ed := forge(t, obj{"alg": "EdDSA", "kid": "k"}, with(base(c), "exp", c.Now().Unix()+7200), edKey())
	rs := forge(t, obj{"alg": "RS256", "kid": "k2"}, with(base(c), "exp", c.Now().Unix()+7200), rsaKey())
	step := func(name string, tok string, ok bool, hits int64) {
		t.Helper()
		_, err := v.Verify(tok)
		if (err == nil) != ok {
			t.Fatalf("%s: %v", name, err)
		}
		if !ok {
			wantErr(t, err, im.Unauthenticated, im.CodeUnauthenticated)
		}
		if got := s.hits.Load(); got != hits {
			t.Fatalf("%s: %d fetches, want %d", name, got, hits)
		}
	}
	if s.hits.Load() != 0 {
		t.Fatal("fetched before it was asked for")
	}
	step("the issuer is down: nobody signs in", ed, false, 1)
	s.set(jwks(jwkEd("k")))
	step("within a minute it is not asked again", ed, false, 1)
	c.Step(urlPause)
	step("then it is", ed, true, 2)
	step("a known key needs no fetch", ed, true, 2)
	step("an unknown one waits for the minute", rs, false, 2)
	c.Step(urlPause)
	step("an unknown one asks, in vain", rs, false, 3)
	s.set(jwks(jwkEd("k"), jwkRSA("k2")))
	for range 50 {
		step("many unknown ones ask once a minute", rs, false, 3)
	}
	c.Step(urlPause)
	step("rotation", rs, true, 4)
	s.set(nil)
	c.Step(urlAge)
	step("old keys stay when the issuer is down", ed, true, 5)
	step("and it is not asked for each token", rs, true, 5)
	s.set([]byte(strings.Repeat(" ", maxJWKS) + string(jwks(jwkRSA("k2")))))
	c.Step(urlPause)
	step("nor does a huge set change anything", ed, true, 6)
	s.set(jwks(jwkRSA("k2")))
	c.Step(urlPause)
	step("a key withdrawn is no longer good", ed, false, 7)
	step("the other is", rs, true, 7)
}

// TestJWKSURLManyAtOnce: all who come with a new key at once are taken, after one fetch.
func TestJWKSURLManyAtOnce(t *testing.T) {
	c := newClock()
	s := newJWKSServer(t, jwks(jwkEd("k")))
	v, err := NewVerifier(Config{App: "shop", JWKS: s.URL, Issuer: issuer, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	tok := forge(t, obj{"alg": "EdDSA", "kid": "k"}, base(c), edKey())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := v.Verify(tok); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestJWKSRedirectToPlainHTTPIsRefused(t *testing.T) {
	c := newClock()
	s := httptest.NewServer(http.RedirectHandler("http://issuer.example/jwks", http.StatusFound))
	defer s.Close()
	v, err := NewVerifier(Config{App: "shop", JWKS: s.URL, Issuer: issuer, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(forge(t, obj{"alg": "EdDSA", "kid": "k"}, base(c), edKey()))
	wantErr(t, err, im.Unauthenticated, im.CodeUnauthenticated)
}

func TestJWKSOverTLS(t *testing.T) {
	c := newClock()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(jwks(jwkEC("k"))) }))
	defer s.Close()
	tok := forge(t, obj{"alg": "ES256", "kid": "k"}, base(c), ecKey())
	for _, tt := range []struct {
		client *http.Client
		ok     bool
	}{{s.Client(), true}, {nil, false}} { // nil: the certificate is nobody's
		v, err := NewVerifier(Config{App: "shop", JWKS: s.URL, Issuer: issuer, Now: c.Now, Client: tt.client})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(tok); (err == nil) != tt.ok {
			t.Errorf("ok %v: %v", tt.ok, err)
		}
	}
	s.Client().CloseIdleConnections()
}

func TestParseJWKS(t *testing.T) {
	small := obj{"kty": "RSA", "kid": "small", "n": u64(rsaKey().N.Bytes()[:128]), "e": "AQAB"}
	offCurve := with(jwkEC("ec"), "y", u64(make([]byte, 32)))
	for _, tt := range []struct {
		name string
		in   string
		want int // keys; -1 = refused
	}{
		{"three", string(jwks(jwkEd("a"), jwkEC("b"), jwkRSA("c"))), 3},
		{"none", `{"keys":[]}`, 0},
		{"no list", `{}`, -1},
		{"not JSON", `keys`, -1},
		{"empty", ``, -1},
		{"a tail", `{"keys":[]}{}`, -1},
		{"symmetric keys are left out", string(jwks(obj{"kty": "oct", "kid": "s", "k": u64(secretA)})), 0},
		{"so are keys for encryption", string(jwks(with(jwkRSA("a"), "use", "enc"))), 0},
		{"and for other algorithms", string(jwks(with(jwkRSA("a"), "alg", "PS256"), with(jwkEC("b"), "crv", "P-384", "alg", "ES384"), with(jwkEd("c"), "crv", "X25519"))), 0},
		{"and without kid", string(jwks(with(jwkEd("x"), "kid", nil))), 0},
		{"one kid twice", string(jwks(jwkEd("a"), jwkEC("a"))), -1},
		{"short RSA key", string(jwks(small)), -1},
		{"even modulus", string(jwks(with(jwkRSA("a"), "n", u64(append(rsaKey().N.Bytes()[:255], 2))))), -1},
		{"exponent 1", string(jwks(with(jwkRSA("a"), "e", "AQ"))), -1},
		{"exponent huge", string(jwks(with(jwkRSA("a"), "e", "_____w"))), -1},
		{"off the curve", string(jwks(offCurve)), -1},
		{"short x", string(jwks(with(jwkEC("a"), "x", "AA"))), -1},
		{"short Ed25519", string(jwks(with(jwkEd("a"), "x", "AA"))), -1},
		{"too many", string(jwks(make([]obj, maxKeys+1)...)), -1},
		{"a key that is a number", `{"keys":[1]}`, -1},
	} {
		keys, err := parseJWKS([]byte(tt.in))
		if tt.want < 0 && err == nil || tt.want >= 0 && (err != nil || len(keys) != tt.want) {
			t.Errorf("%s: %d keys, %v", tt.name, len(keys), err)
		}
		for kid, k := range keys {
			if !k.jwks || k.alg == "" || k.public == nil {
				t.Errorf("%s: key %q %+v", tt.name, kid, k)
			}
		}
	}
}

// TestLogHoldsNoSecret: what is logged about a key set names neither the token that
// asked nor the password in its address.
func TestLogHoldsNoSecret(t *testing.T) {
	c := newClock()
	s := newJWKSServer(t, nil)
	var log bytes.Buffer
	for _, addr := range []string{s.URL, "http://127.0.0.1:1"} { // 500, and nobody there
		addr = strings.Replace(addr, "http://", "http://me:hunter2@", 1)
		v, err := NewVerifier(Config{App: "shop", JWKS: addr, Issuer: issuer, Now: c.Now, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if err != nil {
			t.Fatal(err)
		}
		tok := forge(t, obj{"alg": "EdDSA", "kid": "k"}, base(c), edKey())
		_, err = v.Verify(tok)
		wantErr(t, err, im.Unauthenticated, im.CodeUnauthenticated, append(strings.Split(tok, "."), "hunter2")...)
		for _, secret := range append(strings.Split(tok, "."), "hunter2") {
			if strings.Contains(log.String(), secret) {
				t.Errorf("logged: %s", log.String())
			}
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("%d warnings: %s", n, log.String())
	}
}
