package chat

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/anser-im/anser/client"
)

// subject is the user that a token names; the server checks it, not we.
func subject(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Sub string `json:"sub"`
	}
	if json.Unmarshal(b, &claims) != nil {
		return ""
	}
	return claims.Sub
}

// account signs in by password and keeps the token fresh.
type account struct {
	http               *http.Client
	base, user, device string
	password           string // until the first login
	refresh            string
	first              string // the token that enter got, until it is asked for
}

// enter signs in once, so that a wrong password is told before anything else.
func (a *account) enter(ctx context.Context) (err error) {
	a.first, err = a.token(ctx)
	return err
}

// grant is what /v1/login and /v1/refresh answer.
type grant struct {
	Token   string `json:"token"`
	Refresh string `json:"refresh_token"`
}

// token is a client's Options.Token.
func (a *account) token(ctx context.Context) (string, error) {
	if t := a.first; t != "" {
		a.first = ""
		return t, nil
	}
	var g grant
	err := errors.New("no refresh token")
	if a.refresh != "" {
		g, err = a.post(ctx, "/v1/refresh", map[string]string{"refresh_token": a.refresh})
	}
	if err != nil {
		g, err = a.post(ctx, "/v1/login", map[string]string{"user": a.user, "password": a.password, "device": a.device})
	}
	if err != nil {
		return "", err
	}
	a.refresh = g.Refresh
	return g.Token, nil
}

func (a *account) post(ctx context.Context, path string, in any) (g grant, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return g, err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(a.base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return g, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := a.http.Do(req)
	if err != nil {
		return g, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return g, err
	}
	if res.StatusCode != http.StatusOK {
		var e struct {
			Code    uint32 `json:"code"`
			Message string `json:"message"`
		}
		if json.Unmarshal(b, &e) == nil && e.Code != 0 {
			return g, &client.Error{Code: e.Code, Message: e.Message}
		}
		return g, fmt.Errorf("%s answered %s", path, res.Status)
	}
	return g, json.Unmarshal(b, &g)
}

// askPassword reads a password without showing it, or a line where there is no
// terminal.
func askPassword(prompt string) (string, error) {
	if pw := os.Getenv("ANSER_PASSWORD"); pw != "" {
		return pw, nil
	}
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return "", errors.New("there is no terminal to ask for a password: set ANSER_PASSWORD, or give --token")
	}
	fmt.Fprint(os.Stderr, prompt)
	b, err := term.ReadPassword(fd)
	fmt.Fprintln(os.Stderr)
	return string(b), err
}
