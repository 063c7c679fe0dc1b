package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// admin asks the admin listener.
func (p *program) admin(t *testing.T, path string) []byte {
	t.Helper()
	addr, err := os.ReadFile(filepath.Join(p.dir, "admin.addr"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := os.ReadFile(filepath.Join(p.dir, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSpace(string(addr))
	if !strings.HasPrefix(base, "http") {
		base = "http://" + base
	}
	req, err := http.NewRequest(http.MethodGet, base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(tok)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v\n%s", path, res.Status, err, b)
	}
	return b
}

// session is one live session as the admin listener tells it.
type session struct {
	Device string `json:"device"`
	Outbox int64  `json:"outbox_bytes"`
}

func (p *program) sessions(t *testing.T, user string) []session {
	t.Helper()
	var list struct {
		Sessions []session `json:"sessions"`
	}
	b := p.admin(t, "/v1/users/sessions?user="+url.QueryEscape(user))
	if err := json.Unmarshal(b, &list); err != nil {
		var plain []session
		if json.Unmarshal(b, &plain) != nil {
			t.Fatalf("%v: %s", err, b)
		}
		return plain
	}
	return list.Sessions
}
