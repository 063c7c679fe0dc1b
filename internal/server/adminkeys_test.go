package server_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// callAs makes a call of the API with an app key.
func callAs(t *testing.T, s *servertest.Server, key, user, verb, body string) (status int, answer string) {
	t.Helper()
	return request(t, "POST", s.HTTP()+"/anser.v1."+verb, body, "Content-Type", "application/json", "Authorization", "Bearer "+key, "Anser-As", user)
}

// A key from its making to its end, over restarts: it is shown once, it acts for users,
// and once it is revoked it is so at once and for good.
func TestP1_AppKeyLife(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	refused(t, s, "/v1/keys/create", `{"name":"a b"}`, 400)
	refused(t, s, "/v1/keys/create", `{"name":"a","services":"NoService"}`, 400)
	refused(t, s, "/v1/keys/create", `{"name":"a","expires_ms":1}`, 400)
	refused(t, s, "/v1/keys/revoke", `{"name":"a"}`, 404)
	k := ask[server.NewKey](t, s, "/v1/keys/create", `{"name":"backend","services":"MessageService,UserService"}`)
	if !strings.HasPrefix(k.Key, "ank_") || k.Name != "backend" || len(k.Services) != 2 {
		t.Fatalf("%+v", k)
	}
	refused(t, s, "/v1/keys/create", `{"name":"backend"}`, 409)
	if status, a := callAs(t, s, k.Key, "alice", "MessageService/Send", `{"conv":"u/bob","body":1}`); status != 200 {
		t.Fatalf("%d %s", status, a)
	}
	if status, _ := callAs(t, s, k.Key, "alice", "GroupService/GroupCreate", `{"name":"g"}`); status != 403 {
		t.Errorf("another service: %d", status)
	}
	l := ask[server.KeyList](t, s, "/v1/keys", "")
	if len(l.Keys) != 1 || l.Keys[0].LastUsed == 0 || time.Since(time.UnixMilli(l.Keys[0].LastUsed)) > time.Hour {
		t.Errorf("%+v", l)
	}
	s.Restart()
	if status, a := callAs(t, s, k.Key, "bob", "MessageService/Page", `{"conv":"u/alice"}`); status != 200 || !strings.Contains(a, `"body":1`) {
		t.Errorf("after a restart: %d %s", status, a)
	}
	ask[struct{}](t, s, "/v1/keys/revoke", `{"name":"backend"}`)
	if status, _ := callAs(t, s, k.Key, "alice", "MessageService/Page", `{"conv":"u/bob"}`); status != 401 {
		t.Errorf("once it is revoked: %d", status)
	}
	s.Kill()
	s.Run()
	if status, _ := callAs(t, s, k.Key, "alice", "MessageService/Page", `{"conv":"u/bob"}`); status != 401 {
		t.Errorf("after a restart: %d", status)
	}
}

// Over TLS the API speaks HTTP/2 and HTTP/1.1, as the client can, on the listener of the
// WebSocket; without, HTTP/2 by prior knowledge.
func TestP1_APIOverTLS(t *testing.T) {
	cert, key, pool := makeCert(t)
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) {
		c.Listen = []string{"https://127.0.0.1:0", "http://127.0.0.1:0"}
		c.TLS = server.TLSConfig{Cert: cert, Key: key}
	}})
	for name, c := range map[string]struct {
		scheme string
		h2     bool
		major  int
	}{"TLS": {"https", true, 2}, "TLS, old": {"https", false, 1}, "plain": {"http", false, 1}, "h2c": {"http", true, 2}} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP1(!c.h2)
		tr.Protocols.SetHTTP2(c.h2)
		tr.Protocols.SetUnencryptedHTTP2(c.h2)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(c.scheme)+"/anser.v1.ConversationService/Sync", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+s.Token("alice"))
		resp, err := (&http.Client{Transport: tr}).Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		tr.CloseIdleConnections()
		if resp.StatusCode != 200 || resp.ProtoMajor != c.major || !strings.Contains(string(b), `"epoch"`) {
			t.Errorf("%s: %s %d %s", name, resp.Proto, resp.StatusCode, b)
		}
	}
}

// What is sent over the API reaches devices that are connected, at once: the receiver's,
// and the sender's own.
func TestP1_APIReachesDevices(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	k := ask[server.NewKey](t, s, "/v1/keys/create", `{"name":"backend"}`)
	links := map[string]*link{}
	for _, user := range []string{"alice", "bob"} {
		links[user] = dial(t, s, "tcp")
		if code := links[user].hello(s.Token(user), "phone"); code != 0 {
			t.Fatalf("%s: %d", user, code)
		}
	}
	if status, a := callAs(t, s, k.Key, "alice", "MessageService/Send", `{"id":"order-1","conv":"u/bob","body":{"content":"it is on its way"}}`); status != 200 {
		t.Fatalf("%d %s", status, a)
	}
	for user, conv := range map[string]string{"alice": "u/bob", "bob": "u/alice"} {
		var p wire.Push
		for p.Number == 0 || p.Events[0].Message == nil {
			if !links[user].until(wire.TypePush, &p) {
				t.Fatalf("%s is told nothing", user)
			}
		}
		e := p.Events[0]
		if m := e.Message; e.Conv != conv || m.Id != "order-1" || m.Sender != "alice" || m.Device != "" || string(m.Body) != `{"content":"it is on its way"}` {
			t.Errorf("%s: %v", user, e)
		}
	}
}
