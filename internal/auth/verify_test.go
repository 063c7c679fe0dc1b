package auth

import (
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

const issuer = "https://issuer.example"

// newTestVerifier knows secretA without kid, secretB as "b", and ed, ec, rsa from a file.
func newTestVerifier(t testing.TB, c *clock) *Verifier {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, jwks(jwkEd("ed"), jwkEC("ec"), jwkRSA("rsa")), 0o644); err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(Config{App: "shop", Secret: secretA, Secrets: map[string][]byte{"b": secretB}, JWKS: path, Issuer: issuer, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// base are claims that every key is good for; with returns them altered (nil = left out).
func base(c *clock) obj {
	return obj{"sub": "alice", "iat": c.Now().Unix(), "exp": c.Now().Unix() + 60, "iss": issuer, "aud": "shop"}
}

func with(o obj, kv ...any) obj {
	o = maps.Clone(o)
	for i := 0; i < len(kv); i += 2 {
		if kv[i+1] == nil {
			delete(o, kv[i].(string))
		} else {
			o[kv[i].(string)] = kv[i+1]
		}
	}
	return o
}

func TestVerifyTakes(t *testing.T) {
	c := newClock()
	v := newTestVerifier(t, c)
	now := c.Now().Unix()
	full := with(base(c), "jti", "j1", "dev", "phone-1", "class", "phone", "doors", []string{"native", "line"}, "aud", []string{"other", "shop"}, "nbf", now+5, "more", obj{"deep": []int{1}})
	for name, tok := range map[string]string{
		"HS256":                forge(t, obj{"alg": "HS256", "typ": "JWT"}, base(c), secretA),
		"HS256 by kid":         forge(t, obj{"alg": "HS256", "kid": "b"}, base(c), secretB),
		"EdDSA":                forge(t, obj{"alg": "EdDSA", "kid": "ed"}, base(c), edKey()),
		"ES256":                forge(t, obj{"alg": "ES256", "kid": "ec"}, base(c), ecKey()),
		"RS256":                forge(t, obj{"alg": "RS256", "kid": "rsa"}, base(c), rsaKey()),
		"ours without aud":     forge(t, obj{"alg": "HS256"}, with(base(c), "aud", nil, "iss", nil), secretA),
		"exp within leeway":    forge(t, obj{"alg": "HS256"}, with(base(c), "iat", now-60, "exp", now-4), secretA),
		"iat within leeway":    forge(t, obj{"alg": "HS256"}, with(base(c), "iat", now+5), secretA),
		"fractional exp":       forge(t, obj{"alg": "HS256"}, with(base(c), "exp", float64(now)+0.5), secretA),
		"a name in other case": forge(t, obj{"alg": "HS256"}, with(base(c), "SUB", "mallory"), secretA),
	} {
		cl, err := v.Verify(tok)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if cl.User != "alice" || cl.App != "shop" {
			t.Errorf("%s: %+v", name, cl)
		}
	}
	got, err := v.Verify(forge(t, obj{"alg": "EdDSA", "kid": "ed"}, full, edKey()))
	if err != nil {
		t.Fatal(err)
	}
	got.IssuedAt, got.Expires = got.IssuedAt.UTC(), got.Expires.UTC()
	want := Claims{App: "shop", User: "alice", Device: "phone-1", Class: im.Phone, Doors: []string{"native", "line"}, JTI: "j1", IssuedAt: c.Now(), Expires: c.Now().Add(time.Minute)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestVerifyRefuses(t *testing.T) {
	c := newClock()
	v := newTestVerifier(t, c)
	now := c.Now().Unix()
	b := base(c)
	hs, ed, rs := obj{"alg": "HS256"}, obj{"alg": "EdDSA", "kid": "ed"}, obj{"alg": "RS256", "kid": "rsa"}
	good := forge(t, hs, b, secretA)
	parts := strings.Split(good, ".")
	pub, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})
	const plain, expired = im.CodeUnauthenticated, im.CodeExpired
	for _, tt := range []struct {
		name string
		tok  string
		code im.Code
	}{
		{"empty", "", plain},
		{"garbage", "hello", plain},
		{"two parts", parts[0] + "." + parts[1], plain},
		{"four parts", good + ".AAAA", plain},
		{"trailing data", good + "\n", plain},
		{"leading space", " " + good, plain},
		{"line end inside", parts[0] + ".\n" + parts[1] + "." + parts[2], plain},
		{"padding", parts[0] + "." + parts[1] + "." + parts[2] + "=", plain},
		{"loose last bits", good[:len(good)-1] + loosen(good[len(good)-1]), plain},
		{"no signature", parts[0] + "." + parts[1] + ".", plain},
		{"signature of another", strings.Join(append(parts[:2:2], strings.Split(forge(t, hs, with(b, "sub", "bob"), secretA), ".")[2]), "."), plain},
		{"claims changed", parts[0] + "." + u64([]byte(`{"sub":"bob"}`)) + "." + parts[2], plain},
		{"alg none", forge(t, obj{"alg": "none"}, b, nil), plain},
		{"alg None", forge(t, obj{"alg": "None"}, b, nil), plain},
		{"alg none with a kid", forge(t, obj{"alg": "none", "kid": "ed"}, b, nil), plain},
		{"no alg", forge(t, obj{"typ": "JWT"}, b, secretA), plain},
		{"HS512", forge(t, obj{"alg": "HS512"}, b, secretA), plain},
		{"HS256 with the RSA key in PEM", forge(t, obj{"alg": "HS256", "kid": "rsa"}, b, pemKey), plain},
		{"HS256 with the RSA key in DER", forge(t, obj{"alg": "HS256", "kid": "rsa"}, b, pub), plain},
		{"HS256 with the RSA modulus", forge(t, obj{"alg": "HS256", "kid": "rsa"}, b, rsaKey().N.Bytes()), plain},
		{"HS256 with the RSA key, no kid", forge(t, hs, b, pemKey), plain},
		{"another secret", forge(t, hs, b, secretB), plain},
		{"empty secret", forge(t, hs, b, []byte{}), plain},
		{"wrong kid", forge(t, obj{"alg": "HS256", "kid": "a"}, b, secretA), plain},
		{"kid of another key", forge(t, obj{"alg": "EdDSA", "kid": "ec"}, b, edKey()), plain},
		{"kid is a path", forge(t, obj{"alg": "HS256", "kid": "../../dev/null"}, b, []byte{}), plain},
		{"kid is a number", forge(t, obj{"alg": "HS256", "kid": 1}, b, secretA), plain},
		{"kid is empty", forge(t, obj{"alg": "HS256", "kid": ""}, b, secretA), plain},
		{"alg is not the key's", forge(t, obj{"alg": "RS256", "kid": "ed"}, b, rsaKey()), plain},
		{"public key without kid", forge(t, obj{"alg": "EdDSA"}, b, edKey()), plain},
		{"its own key in the header", forge(t, obj{"alg": "EdDSA", "kid": "x", "jwk": jwkEd("x")}, b, edKey()), plain},
		{"critical header", forge(t, obj{"alg": "HS256", "crit": []string{"exp"}}, b, secretA), plain},
		{"no exp", forge(t, hs, with(b, "exp", nil), secretA), plain},
		{"no iat", forge(t, hs, with(b, "iat", nil), secretA), plain},
		{"no sub", forge(t, hs, with(b, "sub", nil), secretA), plain},
		{"only SUB", forge(t, hs, with(b, "sub", nil, "SUB", "alice"), secretA), plain},
		{"exp null", forgeRaw(t, `{"alg":"HS256"}`, `{"sub":"alice","iat":1,"exp":null}`, secretA), plain},
		{"exp as text", forge(t, hs, with(b, "exp", "9999999999"), secretA), plain},
		{"exp beyond time", forge(t, hs, with(b, "exp", 1e300), secretA), plain},
		{"exp negative", forge(t, hs, with(b, "exp", -1), secretA), plain},
		{"expired", forge(t, hs, with(b, "iat", now-60, "exp", now-5), secretA), expired},
		{"expired, public key", forge(t, ed, with(b, "iat", now-60, "exp", now-5), edKey()), expired},
		{"expired and forged", forge(t, hs, with(b, "iat", now-60, "exp", now-5), secretB), plain},
		{"future iat", forge(t, hs, with(b, "iat", now+6), secretA), plain},
		{"future nbf", forge(t, hs, with(b, "nbf", now+6), secretA), plain},
		{"wrong aud", forge(t, hs, with(b, "aud", "bank"), secretA), plain},
		{"empty aud", forge(t, hs, with(b, "aud", ""), secretA), plain},
		{"empty auds", forge(t, hs, with(b, "aud", []string{}), secretA), plain},
		{"public key, no aud", forge(t, rs, with(b, "aud", nil), rsaKey()), plain},
		{"public key, wrong aud", forge(t, rs, with(b, "aud", []string{"bank"}), rsaKey()), plain},
		{"public key, no iss", forge(t, ed, with(b, "iss", nil), edKey()), plain},
		{"public key, wrong iss", forge(t, ed, with(b, "iss", "https://evil.example"), edKey()), plain},
		{"sub with a slash", forge(t, hs, with(b, "sub", "a/b"), secretA), plain},
		{"sub too long", forge(t, hs, with(b, "sub", strings.Repeat("a", 65)), secretA), plain},
		{"sub a number", forge(t, hs, with(b, "sub", 49), secretA), plain},
		{"bad dev", forge(t, hs, with(b, "dev", "a b"), secretA), plain},
		{"bad class", forge(t, hs, with(b, "class", "fridge"), secretA), plain},
		{"long jti", forge(t, hs, with(b, "jti", strings.Repeat("j", MaxJTI+1)), secretA), plain},
		{"doors as text", forge(t, hs, with(b, "doors", "line"), secretA), plain},
		{"too many doors", forge(t, hs, with(b, "doors", make([]string, MaxDoors+1)), secretA), plain},
		{"claims are a list", forgeRaw(t, `{"alg":"HS256"}`, `[]`, secretA), plain},
		{"claims are null", forgeRaw(t, `{"alg":"HS256"}`, `null`, secretA), plain},
		{"claims with a tail", forgeRaw(t, `{"alg":"HS256"}`, `{"sub":"alice","iat":1,"exp":9999999999}{}`, secretA), plain},
		{"claims too deep", forgeRaw(t, `{"alg":"HS256"}`, strings.Repeat("[", 5000), secretA), plain},
		{"too long", forge(t, hs, with(b, "x", strings.Repeat("x", MaxToken)), secretA), plain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cl, err := v.Verify(tt.tok)
			if err == nil {
				t.Fatalf("taken: %+v", cl)
			}
			secrets := []string{}
			if len(tt.tok) > 40 {
				secrets = strings.Split(tt.tok, ".")
			}
			wantErr(t, err, im.Unauthenticated, tt.code, secrets...)
			if !reflect.DeepEqual(cl, Claims{}) {
				t.Errorf("claims with an error: %+v", cl)
			}
		})
	}
}

// loosen gives the base64url character that differs only in bits that do not count.
func loosen(b byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, b)|1])
}

func TestVerifyHugeTokenAllocatesNothing(t *testing.T) {
	v := newTestVerifier(t, newClock())
	for _, s := range []string{strings.Repeat(".", 8<<20), strings.Repeat("A", 8<<20), strings.Repeat(".", MaxToken)} {
		var a, b runtime.MemStats
		runtime.ReadMemStats(&a)
		_, err := v.Verify(s)
		runtime.ReadMemStats(&b)
		wantErr(t, err, im.Unauthenticated, im.CodeUnauthenticated)
		if got := b.TotalAlloc - a.TotalAlloc; got > 64<<10 {
			t.Errorf("%d bytes of %q: %d bytes allocated", len(s), s[0], got)
		}
	}
}

func TestCheckUse(t *testing.T) {
	for _, tt := range []struct {
		c      Claims
		device im.DeviceID
		door   string
		code   im.Code // 0 = may
	}{
		{Claims{}, "d", "native", 0},
		{Claims{}, "", "mqtt", 0},
		{Claims{Device: "d"}, "d", "native", 0},
		{Claims{Device: "d"}, "D", "native", im.CodeOtherDevice},
		{Claims{Device: "d"}, "", "native", im.CodeOtherDevice},
		{Claims{Doors: []string{"line"}}, "d", "line", 0},
		{Claims{Doors: []string{"line"}}, "d", "native", im.CodeDoor},
		{Claims{Doors: []string{}}, "d", "native", im.CodeDoor},
	} {
		err := tt.c.CheckUse(tt.device, tt.door)
		if tt.code == 0 {
			if err != nil {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		wantErr(t, err, im.Unauthenticated, tt.code)
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(file, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"nothing":             {},
		"short secret":        {Secret: []byte("openIM123")},
		"empty secret":        {Secret: []byte{}},
		"secret of one byte":  {Secret: make([]byte, 64)},
		"short second secret": {Secret: secretA, Secrets: map[string][]byte{"b": secretB[:31]}},
		"secret without kid":  {Secrets: map[string][]byte{"": secretB}},
		"jwks without issuer": {JWKS: file},
		"jwks absent":         {JWKS: filepath.Join(dir, "none"), Issuer: issuer},
		"jwks is no jwks":     {JWKS: file, Issuer: issuer},
		"jwks a directory":    {JWKS: dir, Issuer: issuer},
		"jwks over http":      {JWKS: "http://issuer.example/jwks", Issuer: issuer},
		"jwks over http 2":    {JWKS: "http://127.0.0.1.issuer.example/jwks", Issuer: issuer},
		"jwks over file URL":  {JWKS: "file:///etc/passwd", Issuer: issuer},
	} {
		if _, err := NewVerifier(c); !im.IsKind(err, im.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSign(t *testing.T) {
	c := newClock()
	v := newTestVerifier(t, c)
	for kid, secret := range map[string][]byte{"": secretA, "b": secretB} {
		s, err := NewSigner(secret, kid, c.Now)
		if err != nil {
			t.Fatal(err)
		}
		want := Claims{App: "shop", User: "ålice", Device: "d", Class: im.Web, Doors: []string{"line"}, JTI: "j", IssuedAt: c.Now().Add(1 * time.Millisecond), Expires: c.Now().Add(time.Hour)}
		tok, err := s.Sign(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Verify(tok)
		if err != nil {
			t.Fatal(err)
		}
		got.IssuedAt, got.Expires = got.IssuedAt.UTC(), got.Expires.UTC()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
		for _, bad := range []Claims{
			{User: "a/b", Expires: c.Now().Add(time.Hour)},
			{User: "alice"},
			{User: "alice", Expires: c.Now()},
			{User: "alice", Expires: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)},
			{User: "alice", Device: " ", Expires: c.Now().Add(time.Hour)},
		} {
			if tok, err := s.Sign(bad); err == nil {
				t.Errorf("signed %+v: %s", bad, tok)
			}
		}
	}
	if _, err := NewSigner(secretA[:31], "", nil); err == nil {
		t.Error("a short secret was taken")
	}
}
