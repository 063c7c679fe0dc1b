package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// Bounds of a key set.
const (
	maxJWKS    = 1 << 20 // bytes
	maxKeys    = 256
	minRSABits = 2048
	maxRSABits = 8192 // a greater one makes each check dear
)

// jwk is one key of a set (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
type jwk struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
	N   string `json:"n"`
	E   string `json:"e"`
}

// parseJWKS reads a JWKS: its public signing keys for EdDSA (Ed25519), ES256 and
// RS256, by kid. Keys of other kinds or uses, and those without kid, are left out:
// sets hold such for others. A key of a known kind that is broken, and two keys of
// one kid, refuse the whole set.
func parseJWKS(b []byte) (map[string]key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, errors.New("it is not JSON")
	}
	if set.Keys == nil {
		return nil, errors.New("it has no list \"keys\"")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has more than %d keys", maxKeys)
	}
	keys := make(map[string]key, len(set.Keys))
	for i, raw := range set.Keys {
		var j jwk
		if err := json.Unmarshal(raw, &j); err != nil {
			return nil, fmt.Errorf("key number %d is not a JWK", i+1)
		}
		if j.Kid == "" || j.Use != "" && j.Use != "sig" {
			continue
		}
		k, err := j.key()
		if errors.Is(err, errOtherKey) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("key number %d: %w", i+1, err)
		}
		if _, ok := keys[j.Kid]; ok {
			return nil, fmt.Errorf("key number %d has the kid of another", i+1)
		}
		keys[j.Kid] = k
	}
	return keys, nil
}

// errOtherKey marks a key that is not for us, such as a symmetric one: a secret is
// configured, never fetched.
var errOtherKey = errors.New("not a key for EdDSA, ES256 or RS256")

func (j *jwk) key() (key, error) {
	var k key
	var err error
	switch {
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		k.alg = "EdDSA"
	case j.Kty == "EC" && j.Crv == "P-256":
		k.alg = "ES256"
	case j.Kty == "RSA":
		k.alg = "RS256"
	default:
		return k, errOtherKey
	}
	if j.Alg != "" && j.Alg != k.alg {
		return k, errOtherKey
	}
	switch k.alg {
	case "EdDSA":
		k.public, err = j.ed25519()
	case "ES256":
		k.public, err = j.p256()
	case "RS256":
		k.public, err = j.rsa()
	}
	k.jwks = true
	return k, err
}

func (j *jwk) ed25519() (ed25519.PublicKey, error) {
	x, err := base64.RawURLEncoding.DecodeString(j.X)
	if err != nil || len(x) != ed25519.PublicKeySize {
		return nil, errors.New("x is not an Ed25519 key")
	}
	return x, nil
}

func (j *jwk) p256() (*ecdsa.PublicKey, error) {
	x, err1 := base64.RawURLEncoding.DecodeString(j.X)
	y, err2 := base64.RawURLEncoding.DecodeString(j.Y)
	if err1 != nil || err2 != nil || len(x) != 32 || len(y) != 32 { // RFC 7518 §6.2.1.2: full size
		return nil, errors.New("x and y are not a P-256 key")
	}
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil { // not on the curve
		return nil, errors.New("x and y are not a P-256 key")
	}
	return k, nil
}

func (j *jwk) rsa() (*rsa.PublicKey, error) {
	n, err1 := base64.RawURLEncoding.DecodeString(j.N)
	e, err2 := base64.RawURLEncoding.DecodeString(j.E)
	if err1 != nil || err2 != nil || len(n) > maxRSABits/8+1 || len(e) > 4 {
		return nil, errors.New("n and e are not an RSA key of 2048 to 8192 bits")
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits || k.N.Bit(0) == 0 || k.E < 3 || k.E&1 == 0 || k.E > 1<<31-1 {
		return nil, errors.New("n and e are not an RSA key of 2048 to 8192 bits")
	}
	return k, nil
}
