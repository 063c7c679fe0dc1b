package auth

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/anser-im/anser/internal/im"
)

// payload is the middle part of a token. Names are matched exactly: encoding/json
// alone would take "SUB" for sub, and then two claims could say two things.
type payload struct {
	Claims
	exp, iat, nbf *jwt.NumericDate
	iss           string
	aud           []string
	hasAud        bool
}

var errClaim = errors.New("auth: a claim has the wrong type") // carries no value: it could reach a log

func (p *payload) UnmarshalJSON(b []byte) error {
	var m map[string]json.RawMessage
	if json.Unmarshal(b, &m) != nil || m == nil {
		return errClaim
	}
	var jti, sub, dev, class string
	for name, raw := range m {
		ok := true
		switch name {
		case "sub":
			ok = text(raw, &sub)
		case "dev":
			ok = text(raw, &dev)
		case "class":
			ok = text(raw, &class)
		case "jti":
			ok = text(raw, &jti)
		case "iss":
			ok = text(raw, &p.iss)
		case "exp":
			ok = date(raw, &p.exp)
		case "iat":
			ok = date(raw, &p.iat)
		case "nbf":
			ok = date(raw, &p.nbf)
		case "doors":
			ok = texts(raw, &p.Doors)
		case "aud":
			p.hasAud = true
			var one string
			if text(raw, &one) { // RFC 7519 §4.1.3: one string or an array of them
				p.aud = []string{one}
			} else {
				ok = texts(raw, &p.aud)
			}
		}
		if !ok {
			return errClaim
		}
	}
	p.User, p.Device, p.Class, p.JTI = im.UserID(sub), im.DeviceID(dev), im.Class(class), jti
	return nil
}

// text reads a JSON string; null is none.
func text(raw json.RawMessage, to *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, to) == nil
}

// texts reads an array of strings, which is never nil afterwards.
func texts(raw json.RawMessage, to *[]string) bool {
	var each []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &each) != nil {
		return false
	}
	*to = make([]string, len(each))
	for i := range each {
		if !text(each[i], &(*to)[i]) {
			return false
		}
	}
	return true
}

// lastSecond is the last second of the year 9999, beyond which time.Time cannot be
// written down and sums overflow.
const lastSecond = 253402300799

// date reads an RFC 7519 NumericDate, whole or with a fraction.
func date(raw json.RawMessage, to **jwt.NumericDate) bool {
	var f float64
	if len(raw) == 0 || raw[0] == 'n' || json.Unmarshal(raw, &f) != nil || !(f >= 0 && f <= lastSecond) {
		return false
	}
	*to = &jwt.NumericDate{Time: time.UnixMilli(int64(math.Round(f * 1000)))}
	return true
}

// The methods below make payload what the parser's validator reads.

func (p *payload) GetExpirationTime() (*jwt.NumericDate, error) { return p.exp, nil }
func (p *payload) GetIssuedAt() (*jwt.NumericDate, error)       { return p.iat, nil }
func (p *payload) GetNotBefore() (*jwt.NumericDate, error)      { return p.nbf, nil }
func (p *payload) GetIssuer() (string, error)                   { return p.iss, nil }
func (p *payload) GetSubject() (string, error)                  { return string(p.User), nil }
func (p *payload) GetAudience() (jwt.ClaimStrings, error)       { return p.aud, nil }
