package bench

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// tokenLife is how long the tokens are good: longer than any bench.
const tokenLife = 24 * time.Hour

// readSecret reads the key that tokens are signed with: the text of the file without
// the white space around it, taken as bytes.
func readSecret(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the secret file cannot be read: %w", err)
	}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return nil, fmt.Errorf("the secret file %s is empty", path)
	}
	return b, nil
}

// signToken makes a JSON Web Token for user (RFC 7519; HS256 of RFC 7518 §3.2).
func signToken(secret []byte, user string, now time.Time) string {
	claims, err := json.Marshal(struct {
		Sub string `json:"sub"`
		Iat int64  `json:"iat"`
		Exp int64  `json:"exp"`
	}{user, now.Unix(), now.Add(tokenLife).Unix()})
	if err != nil {
		panic(err) // strings and integers always have JSON
	}
	enc := base64.RawURLEncoding
	t := enc.AppendEncode(nil, []byte(`{"alg":"HS256","typ":"JWT"}`))
	t = enc.AppendEncode(append(t, '.'), claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write(t)
	return string(enc.AppendEncode(append(t, '.'), mac.Sum(nil)))
}
