package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit/servertest"
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
