package server_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit/servertest"
)

// tokens makes tokens of every bad kind for alice.
func badTokens(t *testing.T, s, other *servertest.Server) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte(strings.TrimSpace(string(b)))
	now := time.Now()
	sign := func(key any, m jwt.SigningMethod, claims jwt.MapClaims) string {
		out, err := jwt.NewWithClaims(m, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	good := jwt.MapClaims{"sub": "alice", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	without := func(name string) jwt.MapClaims {
		m := jwt.MapClaims{}
		for k, v := range good {
			if k != name {
				m[k] = v
			}
		}
		return m
	}
	with := func(name string, v any) jwt.MapClaims {
		m := without(name)
		m[name] = v
		return m
	}
	right := sign(secret, jwt.SigningMethodHS256, good)
	header, payload, _ := strings.Cut(right, ".")
	payload, signature, _ := strings.Cut(payload, ".")
	enc := base64.RawURLEncoding
	forged, _ := json.Marshal(with("sub", "root"))
	return map[string]string{
		"empty":           "",
		"a word":          "alice",
		"expired":         sign(secret, jwt.SigningMethodHS256, jwt.MapClaims{"sub": "alice", "iat": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(-time.Hour).Unix()}),
		"of the future":   sign(secret, jwt.SigningMethodHS256, with("iat", now.Add(time.Minute).Unix())),
		"not yet":         sign(secret, jwt.SigningMethodHS256, with("nbf", now.Add(time.Minute).Unix())),
		"another server":  other.Token("alice"),
		"another app":     s.TokenFor(server.TokenRequest{User: "alice", App: "another"}),
		"no algorithm":    sign(jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, good),
		"other algorithm": sign(secret, jwt.SigningMethodHS512, good),
		"no end":          sign(secret, jwt.SigningMethodHS256, without("exp")),
		"no beginning":    sign(secret, jwt.SigningMethodHS256, without("iat")),
		"no user":         sign(secret, jwt.SigningMethodHS256, without("sub")),
		"empty user":      sign(secret, jwt.SigningMethodHS256, with("sub", "")),
		"bad user":        sign(secret, jwt.SigningMethodHS256, with("sub", "a/b")),
		"magic suffix":    header + "." + payload + "." + signature + "____vstr",
		"no signature":    header + "." + payload + ".",
		"cut":             right[:len(right)-4],
		"other payload":   header + "." + enc.EncodeToString(forged) + "." + signature,
		"admin token":     adminToken(t, s),
		"the secret":      string(secret),
		"dots":            strings.Repeat(".", 5000),
		"very long":       strings.Repeat("a", 30<<10),
		"with a blank":    right + " x",
	}
}

func adminToken(t *testing.T, s *servertest.Server) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir(), "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// Every bad token, at every door: nobody gets in. A good one gets in at each, so the
// test can fail.
func TestBadTokensOpenNoDoor(t *testing.T) {
	s, other := servertest.Start(t, servertest.Options{Config: unlimited}), servertest.Start(t, servertest.Options{})
	bad := badTokens(t, s, other)
	doors := map[string]func(token string) bool{
		"tcp":     func(token string) bool { return dial(t, s, "tcp").hello(token, "phone") == 0 },
		"ws":      func(token string) bool { return dial(t, s, "ws").hello(token, "phone") == 0 },
		"ws json": func(token string) bool { return dial(t, s, "ws json").hello(token, "phone") == 0 },
		"line":    func(token string) bool { return strings.HasPrefix(dialLine(t, s).say("LOGIN %s", token), "+OK") },
	}
	for door, in := range doors {
		if !in(s.Token("alice")) {
			t.Errorf("%s: a good token is refused", door)
		}
		for name, token := range bad {
			if name == "with a blank" && door == "line" {
				continue // there the blank begins the device's name
			}
			if in(token) {
				t.Errorf("%s lets in: %s", door, name)
			}
		}
	}
	for name, token := range bad {
		if name == "admin token" {
			continue
		}
		if strings.ContainsAny(token, " ") || token == "" {
			continue
		}
		if status, _ := request(t, "GET", s.Admin()+"/v1/status", "", "Authorization", "Bearer "+token); status == 200 {
			t.Errorf("admin lets in: %s", name)
		}
	}
	// What was tried, and what was right, is in no log line.
	log := s.Log()
	for name, token := range bad {
		if len(token) > 20 && name != "dots" && name != "very long" && strings.Contains(log, token) {
			t.Errorf("the log holds the token that is %s", name)
		}
	}
}

func unlimited(c *server.Config) {
	c.Unauthenticated = server.UnauthenticatedConfig{PerAddress: -1, Total: -1}
}

// A token is good at the doors that it names, and on the device that it names.
func TestTokenIsBoundToDoorAndDevice(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	line := s.TokenFor(server.TokenRequest{User: "alice", Doors: []string{"line"}})
	if code := dial(t, s, "tcp").hello(line, "phone"); code != 2004 {
		t.Errorf("a token for the line door at the native one: %d", code)
	}
	if got := dialLine(t, s).say("LOGIN %s", line); !strings.HasPrefix(got, "+OK") {
		t.Errorf("%s", got)
	}
	bound := s.TokenFor(server.TokenRequest{User: "alice", Device: "phone1"})
	if code := dial(t, s, "ws").hello(bound, "phone2"); code != 2003 {
		t.Errorf("a token of another device: %d", code)
	}
	if code := dial(t, s, "ws").hello(bound, "phone1"); code != 0 {
		t.Errorf("its own: %d", code)
	}
}
