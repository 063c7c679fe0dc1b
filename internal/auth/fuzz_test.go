package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// FuzzVerify: no input panics, every refusal is an im.Error that does not quote the
// input, and what is taken is well-formed.
func FuzzVerify(f *testing.F) {
	c := newClock()
	v := newTestVerifier(f, c)
	good := forge(f, obj{"alg": "HS256"}, base(c), secretA)
	f.Add(good)
	f.Add(forge(f, obj{"alg": "EdDSA", "kid": "ed"}, base(c), edKey()))
	f.Add(forge(f, obj{"alg": "RS256", "kid": "rsa"}, base(c), rsaKey()))
	f.Add(forge(f, obj{"alg": "none"}, base(c), nil))
	f.Add(forge(f, obj{"alg": "HS256", "crit": []string{"b64"}, "b64": false}, base(c), secretA))
	f.Add("..")
	f.Add("eyJ9.e30.")
	f.Add(strings.Repeat(".", 100))
	f.Fuzz(func(t *testing.T, s string) {
		cl, err := v.Verify(s)
		if err == nil {
			if im.CheckName("user id", string(cl.User)) != nil || cl.Expires.IsZero() || cl.IssuedAt.IsZero() {
				t.Fatalf("%+v", cl)
			}
			return
		}
		var e *im.Error
		if !errors.As(err, &e) || e.Kind != im.Unauthenticated || e.Unwrap() != nil {
			t.Fatalf("%#v", err)
		}
		if len(s) > 60 && strings.Contains(e.Text, s) {
			t.Fatal("the text holds the token")
		}
	})
}

// FuzzPayload: what any claims say, signed with a good key.
func FuzzPayload(f *testing.F) {
	c := newClock()
	v := newTestVerifier(f, c)
	for _, s := range []string{
		`{"sub":"alice","iat":1936000000,"exp":2000000000}`,
		`{"sub":"alice","iat":1936000000.5,"exp":2e9,"aud":["shop"],"doors":[],"dev":"d","class":"web","jti":"j"}`,
		`{"sub":"a","sub":"b","iat":1e400,"exp":null,"nbf":-1}`,
		`[]`, `{`, `{"aud":[null]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cl, err := v.Verify(forgeRaw(t, `{"alg":"HS256"}`, s, secretA))
		if err != nil {
			if !im.IsKind(err, im.Unauthenticated) {
				t.Fatalf("%#v", err)
			}
			return
		}
		now := c.Now()
		if im.CheckName("user id", string(cl.User)) != nil || cl.check() != nil ||
			!now.Before(cl.Expires.Add(Leeway)) || cl.IssuedAt.After(now.Add(Leeway)) {
			t.Fatalf("%+v", cl)
		}
	})
}

// FuzzJWKS: no set panics, and every key that is taken can be asked.
func FuzzJWKS(f *testing.F) {
	f.Add(jwks(jwkEd("a"), jwkEC("b"), jwkRSA("c")))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"","e":""}]}`))
	f.Add([]byte(`{"keys":[null,1,{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseJWKS(b)
		if err != nil {
			return
		}
		c := newClock()
		for kid, k := range keys {
			v, err := NewVerifier(Config{Secret: secretA, Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			v.secrets[kid] = k
			if _, err := v.Verify(u64([]byte(`{"alg":"`+k.alg+`"}`)) + ".e30." + u64(make([]byte, 64))); err == nil {
				t.Fatal("taken")
			}
		}
	})
}

// FuzzRefresh: no text panics or is taken.
func FuzzRefresh(f *testing.F) {
	d := newDesk(f)
	d.user(f, "alice", pw)
	g, err := d.login("alice", pw, home)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(g.Token)
	f.Add(strings.Repeat("A", refreshChars))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := d.Refresh(context.Background(), s); !im.IsKind(err, im.Unauthenticated) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

// FuzzPHC: no stored hash panics or costs more than the bounds.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43))
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, s string) {
		c, salt, sum, err := parsePHC(s)
		if err == nil && (phc(c, salt, sum) != s || c.kib > 256<<10 || c.passes > 16 || c.lanes > 8) {
			t.Fatalf("%q: %+v", s, c)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	c := newClock()
	v := newTestVerifier(b, c)
	for _, tt := range []struct {
		name string
		tok  string
	}{
		{"HS256", forge(b, obj{"alg": "HS256"}, base(c), secretA)},
		{"EdDSA", forge(b, obj{"alg": "EdDSA", "kid": "ed"}, base(c), edKey())},
		{"ES256", forge(b, obj{"alg": "ES256", "kid": "ec"}, base(c), ecKey())},
		{"RS256", forge(b, obj{"alg": "RS256", "kid": "rsa"}, base(c), rsaKey())},
		{"forged", forge(b, obj{"alg": "HS256"}, base(c), secretB)},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(tt.tok); (err == nil) != (tt.name != "forged") {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPassword(b *testing.B) {
	h := newHasher(standardCost)
	for b.Loop() {
		if ok, err := h.verify(context.Background(), "", pw); ok || err != nil {
			b.Fatal(err)
		}
	}
}
