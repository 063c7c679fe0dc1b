package auth

import (
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/anser-im/anser/internal/im"
)

// A Signer makes tokens with a secret. It is fixed after NewSigner.
type Signer struct {
	secret []byte
	kid    string
	now    func() time.Time
}

// NewSigner makes a Signer of HS256 tokens. kid names the secret where the Verifier
// knows it by Config.Secrets; "" = it is Config.Secret. now nil = time.Now.
//
// Errors: those of CheckSecret.
func NewSigner(secret []byte, kid string, now func() time.Time) (*Signer, error) {
	if err := CheckSecret(secret); err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &Signer{secret: slices.Clone(secret), kid: kid, now: now}, nil
}

// Sign makes a token that says c. A zero IssuedAt is now; App "" leaves aud out.
//
// Errors: Invalid if User or another claim is not well-formed, or the token would
// end before it begins.
func (s *Signer) Sign(c Claims) (string, error) {
	if c.IssuedAt.IsZero() {
		c.IssuedAt = s.now()
	}
	if err := im.CheckName("user id", string(c.User)); err != nil {
		return "", err
	}
	if err := c.check(); err != nil {
		return "", im.Errorf(im.Invalid, "no token can be made of this: a device, class, jti or door is not allowed")
	}
	if !c.Expires.After(c.IssuedAt) || c.Expires.Unix() > lastSecond {
		return "", im.Errorf(im.Invalid, "the token would end before it begins, or after the year 9999: choose another lifetime")
	}
	m := jwt.MapClaims{"sub": string(c.User), "iat": seconds(c.IssuedAt), "exp": seconds(c.Expires)}
	if c.App != "" {
		m["aud"] = c.App
	}
	if c.Device != "" {
		m["dev"] = string(c.Device)
	}
	if c.Class != "" {
		m["class"] = string(c.Class)
	}
	if c.JTI != "" {
		m["jti"] = c.JTI
	}
	if c.Doors != nil {
		m["doors"] = c.Doors
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, m)
	if s.kid != "" {
		t.Header["kid"] = s.kid
	}
	out, err := t.SignedString(s.secret)
	if err != nil {
		return "", im.Wrap(im.Internal, err, "the token could not be signed")
	}
	if len(out) > MaxToken {
		return "", im.Errorf(im.TooLarge, "the token would be longer than %d bytes", MaxToken)
	}
	return out, nil
}

// seconds is t as a NumericDate: whole where it is, else to the millisecond.
func seconds(t time.Time) any {
	if ms := t.UnixMilli(); ms%1000 != 0 {
		return float64(ms) / 1000
	}
	return t.Unix()
}
