package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// clock is a clock that stands until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// mem is a Store in memory.
type mem struct {
	mu   sync.Mutex
	rows map[string]Row
	down bool
}

func newMem() *mem { return &mem{rows: map[string]Row{}} }

func (m *mem) Read(_ context.Context, u im.UserID, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errors.New("the disk is gone")
	}
	return m.rows[string(u)+"\x00"+key].Value, nil
}

func (m *mem) Write(_ context.Context, was *Row, rows ...Row) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errors.New("the disk is gone")
	}
	if was != nil {
		have := m.rows[string(was.User)+"\x00"+was.Key].Value
		if (have == nil) != (was.Value == nil) || !bytes.Equal(have, was.Value) {
			return im.Errorf(im.Conflict, "it holds something else")
		}
	}
	for _, r := range rows {
		if len(r.Key) > 256 || len(r.Value) > 2048 || strings.Contains(r.Key, "\x00") {
			return im.Errorf(im.Internal, "a row over its limits")
		}
		if r.Value == nil {
			delete(m.rows, string(r.User)+"\x00"+r.Key)
		} else {
			m.rows[string(r.User)+"\x00"+r.Key] = r
		}
	}
	return nil
}

var (
	secretA = []byte("the first secret, long enough, 123")
	secretB = []byte("the second secret, long enough, 45")
)

// rsaKey is made once: it takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

var edKey = sync.OnceValue(func() ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

type obj = map[string]any

func u64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// forge makes a token by hand, so that the library under test is not asked: key is
// []byte (HMAC), a private key, or nil for no signature at all.
func forge(t testing.TB, header, claims obj, key any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return forgeRaw(t, string(h), string(c), key)
}

func forgeRaw(t testing.TB, header, claims string, key any) string {
	t.Helper()
	in := u64([]byte(header)) + "." + u64([]byte(claims))
	sum := sha256.Sum256([]byte(in))
	var sig []byte
	var err error
	switch k := key.(type) {
	case nil:
	case []byte:
		m := hmac.New(sha256.New, k)
		m.Write([]byte(in))
		sig = m.Sum(nil)
	case ed25519.PrivateKey:
		sig = ed25519.Sign(k, []byte(in))
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, k, sum[:])
		err = e
		sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		sig, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	default:
		t.Fatalf("no such key: %T", key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return in + "." + u64(sig)
}

func jwkEd(kid string) obj {
	return obj{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": u64(edKey().Public().(ed25519.PublicKey))}
}

func jwkEC(kid string) obj {
	b, err := ecKey().PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return obj{"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "x": u64(b[1:33]), "y": u64(b[33:])}
}

func jwkRSA(kid string) obj {
	return obj{"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": u64(rsaKey().N.Bytes()), "e": u64(big.NewInt(int64(rsaKey().E)).Bytes())}
}

func jwks(keys ...obj) []byte {
	b, err := json.Marshal(obj{"keys": keys})
	if err != nil {
		panic(err)
	}
	return b
}

// wantErr checks kind and code of err, and that its text holds none of the secrets.
func wantErr(t testing.TB, err error, k im.Kind, c im.Code, secret ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want %v %d", k, c)
	}
	var e *im.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T %v is no im.Error", err, err)
	}
	if e.Kind != k || e.Code != c {
		t.Fatalf("%v %d %q; want %v %d", e.Kind, e.Code, e.Text, k, c)
	}
	for _, s := range secret {
		for cause := err; cause != nil; cause = errors.Unwrap(cause) {
			if s != "" && strings.Contains(cause.Error(), s) {
				t.Fatalf("%q holds a secret", cause)
			}
		}
	}
}
