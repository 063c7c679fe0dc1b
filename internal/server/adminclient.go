package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// adminAt finds the running server of a data directory: where its admin listener is,
// and the token for it. What a server that was killed left is not followed: whoever
// listens there by now would be told the token.
//
// Errors: errNoServer if none runs.
func adminAt(dir string) (base, token string, err error) {
	if !pebblestore.InUse(filepath.Join(dir, storeDir)) {
		return "", "", errNoServer
	}
	b, err := os.ReadFile(filepath.Join(dir, AddressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", failf(ExitData, "a server runs on the data directory %s, but its admin listener is off or not yet there: switch it on (admin), or stop the server first", dir)
	}
	if err != nil {
		return "", "", err
	}
	base = strings.TrimSpace(string(b))
	if u, err := url.Parse(base); err != nil || u.Scheme != "http" || !isLocalHost(u.Host) {
		return "", "", failf(ExitData, "the file %s does not hold an address of this machine: remove it, and start the server again", filepath.Join(dir, AddressFile))
	}
	t, err := auth.LoadSecret(filepath.Join(dir, auth.AdminTokenFile))
	if err != nil {
		return "", "", err
	}
	return base, string(t), nil
}

// errNoServer says that no server runs on a data directory.
var errNoServer = errors.New("no server runs on this data directory")

// OpenAdmin gives the admin's verbs for a data directory: of the server that runs on
// it, else, after opening it, of its files. who says who asks, for the audit log.
//
// Errors: sentences for who runs the command.
func OpenAdmin(ctx context.Context, cfg Config, who string, o Options) (Admin, error) {
	cfg = cfg.Defaults()
	if fi, err := os.Stat(cfg.Data); err != nil || !fi.IsDir() {
		return nil, failf(ExitData, "there is no data directory %s: start the server once (\"anser serve\"), or name its directory with --data", cfg.Data)
	}
	base, token, err := adminAt(cfg.Data)
	if errors.Is(err, errNoServer) {
		return openOffline(cfg, who, o)
	}
	if err != nil {
		return nil, err
	}
	c := newAdminClient(base, token)
	if _, err := c.Status(ctx); err != nil {
		return nil, failf(ExitFailure, "the server at %s does not answer as it should: %w", base, err)
	}
	return c, nil
}

// adminClient speaks with a running server.
type adminClient struct {
	base, token string
	http        *http.Client
}

func newAdminClient(base, token string) *adminClient {
	// No proxy from the environment: the token is for this machine alone.
	return &adminClient{base: base, token: token, http: &http.Client{Timeout: adminPatience + 5*time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

func (c *adminClient) Running() bool { return true }
func (c *adminClient) Close() error  { return nil }

// do sends q, or asks if q is nil, and reads the answer into into.
func (c *adminClient) do(ctx context.Context, path string, q, into any) error {
	method, body := http.MethodGet, io.Reader(nil)
	if q != nil {
		b, err := json.Marshal(q)
		if err != nil {
			return err
		}
		method, body = http.MethodPost, bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if q != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var p struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(b, &p) != nil || p.Message == "" {
			p.Message = resp.Status
		}
		return errors.New(p.Message)
	}
	return json.Unmarshal(b, into)
}

func (c *adminClient) SetPassword(ctx context.Context, q PasswordRequest) error {
	return c.do(ctx, "/v1/users/password", q, &struct{}{})
}

func (c *adminClient) RemovePassword(ctx context.Context, u im.UserID) error {
	return c.do(ctx, "/v1/users/remove", UserRequest{u}, &struct{}{})
}

func (c *adminClient) Revoke(ctx context.Context, q RevokeRequest) error {
	return c.do(ctx, "/v1/users/revoke", q, &struct{}{})
}

func (c *adminClient) Kick(ctx context.Context, q KickRequest) (int, error) {
	var a KickAnswer
	err := c.do(ctx, "/v1/users/kick", q, &a)
	return a.Ended, err
}

func (c *adminClient) Users(ctx context.Context, after im.UserID, limit int) (l UserList, err error) {
	err = c.do(ctx, "/v1/users?after="+url.QueryEscape(string(after))+"&limit="+strconv.Itoa(limit), nil, &l)
	return l, err
}

func (c *adminClient) Sessions(ctx context.Context, u im.UserID) (l []SessionInfo, err error) {
	err = c.do(ctx, "/v1/users/sessions?user="+url.QueryEscape(string(u)), nil, &l)
	return l, err
}

func (c *adminClient) Devices(ctx context.Context, u im.UserID) (l []DeviceInfo, err error) {
	err = c.do(ctx, "/v1/users/devices?user="+url.QueryEscape(string(u)), nil, &l)
	return l, err
}

func (c *adminClient) CreateKey(ctx context.Context, q KeyRequest) (k NewKey, err error) {
	err = c.do(ctx, "/v1/keys/create", q, &k)
	return k, err
}

func (c *adminClient) Keys(ctx context.Context) (l KeyList, err error) {
	err = c.do(ctx, "/v1/keys", nil, &l)
	return l, err
}

func (c *adminClient) RevokeKey(ctx context.Context, name string) error {
	return c.do(ctx, "/v1/keys/revoke", KeyName{name}, &struct{}{})
}

func (c *adminClient) Status(ctx context.Context) (s Status, err error) {
	err = c.do(ctx, "/v1/status", nil, &s)
	return s, err
}
