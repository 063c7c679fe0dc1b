package pebblestore

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// Numbers order as their bytes, and come back.
func TestNumbersInKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	number := func() uint64 { return rng.Uint64() >> rng.IntN(64) }
	for range 100_000 {
		a, b := number(), number()
		if rng.IntN(4) == 0 {
			b = a + 1
		}
		ka, kb := appendNum(nil, a), appendNum(nil, b)
		if c := bytes.Compare(ka, kb); c < 0 != (a < b) || c == 0 != (a == b) {
			t.Fatalf("%d as %x, %d as %x", a, ka, b, kb)
		}
		n, rest, ok := takeNum(append(ka, 7, 7))
		if !ok || n != a || !bytes.Equal(rest, []byte{7, 7}) {
			t.Fatalf("%d came back as %d %x %v", a, n, rest, ok)
		}
		if end := after(ka); bytes.Compare(append(bytes.Clone(ka), 0xff, 0xff), end) >= 0 || a < b && bytes.Compare(kb, end) < 0 {
			t.Fatalf("after %x is %x, with %x", ka, end, kb)
		}
	}
	for _, bad := range [][]byte{nil, {1}, {9, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {255}} {
		if _, _, ok := takeNum(bad); ok {
			t.Errorf("%x was taken for a number", bad)
		}
	}
}

// Client ids come back from their keys, and no two have one key.
func TestClientIDsInKeys(t *testing.T) {
	ids := []im.ClientID{"a", "!", "0190f3a2-7c4b-7d11-8f00-0123456789ab", "0190F3A2-7c4b-7d11-8f00-0123456789ab", "0190f3a2-7c4b-7d11-8f00-0123456789a", "0190f3a2-7c4b-7d11-8f00-0123456789abc",
		"0190f3a2x7c4b-7d11-8f00-0123456789ab", "0190f3a2-7c4b-7d11-8f00-0123456789ag", "------------------------------------", "0190f3a27c4b-7d11-8f00-0123456789abcd",
		im.ClientID(bytes.Repeat([]byte("~"), 64))}
	users := []im.UserID{"u", "ua", "用户", "a.b@c"}
	seen := map[string]bool{}
	for _, id := range ids {
		for _, u := range users {
			for _, conv := range []im.ConvID{0, 1, 256, 1 << 33} {
				for _, app := range []uint32{1, 300} {
					key := keyID(nil, 5, app, conv, u, id)
					if seen[string(key)] {
						t.Fatalf("%q of %q shares a key", id, u)
					}
					seen[string(key)] = true
					a, c, s, got, ok := parseID(key[len(keyBucket(nil, 5)):])
					if !ok || a != app || c != conv || s != u || got != id {
						t.Fatalf("%q of %q in %d came back as %q of %q in %d", id, u, conv, got, s, c)
					}
				}
			}
		}
	}
}

func FuzzClientIDKey(f *testing.F) {
	f.Add(keyID(nil, 5, 1, 7, "u", "0190f3a2-7c4b-7d11-8f00-0123456789ab"))
	f.Add([]byte{1, 1, 0, 'u', 0, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		app, conv, sender, id, ok := parseID(b)
		if !ok {
			return
		}
		again := keyID(nil, 5, app, conv, sender, id)
		if a, c, s, i, ok := parseID(again[len(keyBucket(nil, 5)):]); !ok || a != app || c != conv || s != sender || i != id {
			t.Fatalf("%x: %q of %q in %d", b, id, sender, conv)
		}
	})
}
