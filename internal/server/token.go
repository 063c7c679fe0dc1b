package server

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
)

// TokenRequest says what a token is to say. User is required.
type TokenRequest struct {
	User    im.UserID
	App     string // "" = no aud: any app of this server's secret
	Device  im.DeviceID
	Class   im.Class
	Doors   []string      // nil = all
	Name    string        // jti, by which it alone can be revoked; "" = none
	Life    time.Duration // 0 = 24 h
	KeyID   string        // kid of the secret; "" = the data directory's own
	Secret  string        // its file; "" = the one in data
	DataDir string        // "" = the default
}

// SignToken makes a token with the secret of the data directory. It needs no running
// server.
//
// Errors: sentences for who runs the program.
func SignToken(r TokenRequest) (string, error) {
	path := r.Secret
	if path == "" {
		dir := r.DataDir
		if dir == "" {
			dir = defaultData
		}
		path = filepath.Join(dir, auth.SecretFile)
	}
	secret, err := auth.LoadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &StartError{Exit: ExitFailure, err: err, Text: fmt.Sprintf("there is no secret at %s: start the server once (\"anser serve\"), or name its data directory with --data", path)}
	}
	if err != nil {
		return "", err
	}
	s, err := auth.NewSigner(secret, r.KeyID, nil)
	if err != nil {
		return "", err
	}
	if r.Life == 0 {
		r.Life = 24 * time.Hour
	}
	now := time.Now().Truncate(time.Second) // a whole second: shorter, and the same for all readers
	return s.Sign(auth.Claims{
		App: r.App, User: r.User, Device: r.Device, Class: r.Class, Doors: r.Doors, JTI: r.Name,
		IssuedAt: now, Expires: now.Add(r.Life),
	})
}
