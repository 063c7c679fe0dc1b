package server_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// At debug level, through every door and every refusal: no log line holds a token, a
// password, a secret or what was said.
func TestLogsHoldNoSecrets(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	var secrets []string
	secret := func(v string) string {
		if len(v) < 8 {
			t.Fatalf("%q would be found by accident", v)
		}
		secrets = append(secrets, v)
		return v
	}
	for _, name := range []string{"secret", "admin-token", "sync-key"} {
		b, err := os.ReadFile(filepath.Join(s.Dir(), name))
		if err != nil {
			t.Fatal(err)
		}
		secret(strings.TrimSpace(string(b)))
	}
	password := secret("pass-word-of-carol")
	s.AdminDo("/v1/users/password", toJSON(server.PasswordRequest{User: "carol", Password: password}))
	s.AdminDo("/v1/users/password", toJSON(map[string]string{"user": "carol", "passwrd": secret("misplaced-password")}))
	login(t, s, "carol", secret("wrong-password-of-carol"))
	login(t, s, "nobody", secret("password-of-nobody"))
	request(t, "POST", s.HTTP()+"/v1/login?password="+secret("password-in-the-url"), `{"user":"carol"}`, "Content-Type", "application/json")
	status, body := request(t, "POST", s.HTTP()+"/v1/login", toJSON(map[string]string{"user": "carol", "password": password}), "Content-Type", "application/json")
	var g struct {
		Token        string
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &g); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	secret(g.Token)
	secret(g.RefreshToken)
	for range 2 { // the second time it is an old one, which ends the login
		_, body := request(t, "POST", s.HTTP()+"/v1/refresh", toJSON(map[string]string{"refresh_token": g.RefreshToken}), "Content-Type", "application/json")
		var n struct {
			Token        string
			RefreshToken string `json:"refresh_token"`
		}
		if json.Unmarshal([]byte(body), &n); n.Token != "" {
			secret(n.Token)
			secret(n.RefreshToken)
		}
	}
	request(t, "GET", s.Admin()+"/v1/status", "", "Authorization", "Bearer "+secret("a-wrong-admin-token"))
	request(t, "GET", s.HTTP()+"/v1/ws?token="+secret("token-in-the-url"), "")

	key := ask[server.NewKey](t, s, "/v1/keys/create", `{"name":"backend"}`)
	secret(key.Key)
	gone := ask[server.NewKey](t, s, "/v1/keys/create", `{"name":"gone"}`)
	secret(gone.Key)
	ask[struct{}](t, s, "/v1/keys/revoke", `{"name":"gone"}`)
	for _, bearer := range []string{key.Key, gone.Key, secret("ank_a-key-that-is-none"), secret(s.Token("erin")), secret("a-wrong-token-over-http")} {
		for _, body := range []string{`{"conv":"u/bob","body":"` + secret("said over http") + `"}`, `{"conv":"u/","body":"` + secret("said to nobody") + `"}`, `{"` + secret("no json at all")} {
			request(t, "POST", s.HTTP()+"/anser.v1.MessageService/Send", body, "Content-Type", "application/json", "Authorization", "Bearer "+bearer, "Anser-As", "dave")
			request(t, "POST", s.HTTP()+"/anser.v1.MessageService/Send", body, "Content-Type", "application/json", "Authorization", "Bearer "+bearer)
		}
	}
	words := secret("what alice said")
	text := []byte(`{"content":"` + words + `"}`)
	for i, door := range []string{"tcp", "ws", "ws json"} {
		l := dial(t, s, door)
		if code := l.hello(secret(s.Token("alice")), "phone"); code != 0 {
			t.Fatalf("%d", code)
		}
		var a wire.SendAck
		for j, m := range []*wire.Send{
			{Id: fmt.Sprintf("a%d", i), Conv: "u/bob", Type: "an:text", Body: text},
			{Id: fmt.Sprintf("b%d", i), Conv: "u/", Type: "an:text", Body: text},
			{Id: fmt.Sprintf("c%d", i), Conv: "g/none", Type: "an:text", Body: text},
			{Id: fmt.Sprintf("d%d", i), Conv: "u/bob", Type: "", Body: text},
			{Id: fmt.Sprintf("a%d", i), Conv: "u/bob", Type: "an:text", Body: []byte(`{"content":"` + words + `, otherwise"}`)},
		} {
			l.send(m)
			if !l.until(wire.TypeSendAck, &a) || (a.Code == 0) != (j == 0) {
				t.Errorf("%s: message %d: code %d", door, j, a.Code)
			}
		}
		broken := dial(t, s, door)
		if code := broken.hello(secret(s.Token("mallory")), "phone"); code != 0 {
			t.Fatalf("%d", code)
		}
		broken.write([]byte("\xff\xff" + secret("garbage on the link")))
		for range broken.frames {
		}
		expired := s.TokenFor(server.TokenRequest{User: "alice", Life: 1})
		dial(t, s, door).hello(secret(expired), "phone")
		dial(t, s, door).hello(secret(s.Token("alice"))[:50], "phone")
	}
	nc := dialLine(t, s)
	nc.say("LOGIN %s", secret("a-wrong-token-at-the-line-door"))
	nc.say("LOGIN %s", secret(s.Token("bob")))
	nc.say("SEND alice %s", secret("what bob said"))
	nc.say("SEDN alice %s", secret("a slip of bob's finger"))
	s.Stop()

	log := s.Log()
	if len(log) < 2000 || !strings.Contains(log, "level=DEBUG") {
		t.Fatalf("that is no log at debug level:\n%s", log)
	}
	for _, v := range secrets {
		if strings.Contains(log, v) {
			i := strings.Index(log, v)
			t.Errorf("the log holds %q: ...%s...", v, log[max(0, i-150):min(len(log), i+len(v)+50)])
		}
	}
}

// makeCert makes a certificate for loopback, and the pool that trusts it.
func makeCert(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, b := range map[string][]byte{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return cert, key, pool
}

// With a certificate every door speaks TLS, on any address, and nothing older than 1.2.
func TestEveryDoorSpeaksTLS(t *testing.T) {
	cert, key, pool := makeCert(t)
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) {
		c.Listen = []string{"https://127.0.0.1:0", "tls://127.0.0.1:0", "line+tls://127.0.0.1:0"}
		c.TLS = server.TLSConfig{Cert: cert, Key: key}
	}})
	connect := func(scheme string, c *tls.Config) (*tls.Conn, error) {
		return tls.Dial("tcp", strings.TrimPrefix(s.URL(scheme), scheme+"://"), c)
	}
	for _, scheme := range []string{"https", "tls", "line+tls"} {
		if c, err := connect(scheme, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}); err == nil {
			c.Close()
			t.Errorf("%s speaks TLS 1.1", scheme)
		}
		c, err := connect(scheme, &tls.Config{RootCAs: pool})
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(testkit.Limit))
		var say, want string
		switch scheme {
		case "https":
			say, want = "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "200 OK"
		case "tls":
			b, err := wire.Binary.Append(nil, &wire.Hello{Version: 1, Token: s.Token("alice")})
			if err != nil {
				t.Fatal(err)
			}
			say, want = string(b), "\x04" // WELCOME
		case "line+tls":
			say, want = "LOGIN "+s.Token("alice")+"\n", "+OK alice/line"
		}
		if _, err := c.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for b := make([]byte, 4096); !strings.Contains(string(got), want); {
			n, err := c.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				t.Fatalf("%s: %q, %v", scheme, got, err)
			}
		}
		if scheme == "https" && !strings.Contains(string(got), "Strict-Transport-Security") {
			t.Errorf("%q", got)
		}
	}
}

// X-Forwarded-For is believed from trusted proxies and from nobody else.
func TestForwardedAddress(t *testing.T) {
	for trusted, want := range map[string]string{"127.0.0.0/8": "203.0.113.7", "192.0.2.0/24": "127.0.0.1"} {
		s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) { c.TrustedProxies = []string{trusted} }})
		s.AdminDo("/v1/users/password", toJSON(server.PasswordRequest{User: "carol", Password: secretWord}))
		if status, body := request(t, "POST", s.HTTP()+"/v1/login", toJSON(map[string]string{"user": "carol", "password": secretWord}), "Content-Type", "application/json", "X-Forwarded-For", "203.0.113.7"); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		if !strings.Contains(s.Log(), "addr="+want) {
			t.Errorf("trusted %s: the log lacks addr=%s", trusted, want)
		}
	}
}

// Tokens of an issuer (JWKS) and of named secrets open the doors; with no_data_secret
// those of the data directory no longer do.
func TestTokensOfOthers(t *testing.T) {
	dir := t.TempDir()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	jwks := filepath.Join(dir, "keys.json")
	if err := os.WriteFile(jwks, []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"one","x":"`+base64.RawURLEncoding.EncodeToString(public)+`"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	named := filepath.Join(dir, "old-secret")
	if err := os.WriteFile(named, []byte("0123456789abcdefghijklmnopqrstuvwxyz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{"sub": "alice", "iss": "https://id.example", "aud": "default", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	tok := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	tok.Header["kid"] = "one"
	foreign, err := tok.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	for _, without := range []bool{false, true} {
		s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) {
			c.Auth = server.AuthConfig{JWKS: jwks, Issuer: "https://id.example", Secrets: map[string]string{"old": named}, NoDataSecret: without}
		}})
		own := s.Token("alice")
		if code := dial(t, s, "tcp").hello(own, "phone"); (code != 0) != without {
			t.Errorf("without the data secret %v: its token: %d", without, code)
		}
		if code := dial(t, s, "ws").hello(foreign, "phone"); code != 0 {
			t.Errorf("the issuer's: %d", code)
		}
		if code := dial(t, s, "ws").hello(s.TokenFor(server.TokenRequest{User: "alice", KeyID: "old", Secret: named}), "phone"); code != 0 {
			t.Errorf("of a named secret: %d", code)
		}
		if _, status := login(t, s, "alice", secretWord); (status == 404) != without {
			t.Errorf("without the data secret %v: /v1/login: %d", without, status)
		}
		if without {
			if status, body := s.AdminDo("/v1/users/password", toJSON(server.PasswordRequest{User: "carol", Password: secretWord})); status != http.StatusNotImplemented {
				t.Errorf("%d %s", status, body)
			}
		}
	}
}
