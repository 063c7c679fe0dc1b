package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// ask makes an admin request and reads the answer.
func ask[T any](t *testing.T, s *servertest.Server, path, body string) T {
	t.Helper()
	status, answer := s.AdminDo(path, body)
	var v T
	if err := json.Unmarshal([]byte(answer), &v); err != nil || status != 200 {
		t.Fatalf("%s: %d %s %v", path, status, answer, err)
	}
	return v
}

func refused(t *testing.T, s *servertest.Server, path, body string, want int) {
	t.Helper()
	if status, answer := s.AdminDo(path, body); status != want {
		t.Errorf("%s %s: %d %s; want %d", path, body, status, answer, want)
	}
}

const secretWord = "correct horse battery staple"

func login(t *testing.T, s *servertest.Server, user, password string) (token string, status int) {
	t.Helper()
	status, body := request(t, "POST", s.HTTP()+"/v1/login", toJSON(map[string]string{"user": user, "password": password}), "Content-Type", "application/json")
	var g struct{ Token string }
	json.Unmarshal([]byte(body), &g)
	return g.Token, status
}

// An account from its making to its end, and that each step holds at once on live links.
func TestAccounts(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	refused(t, s, "/v1/users/password", toJSON(server.PasswordRequest{User: "carol", Password: secretWord, Mode: server.Change}), 404)
	refused(t, s, "/v1/users/password", `{"user":"carol","password":"short","mode":"add"}`, 400)
	refused(t, s, "/v1/users/password", `{"user":"a/b","password":"`+secretWord+`"}`, 400)
	refused(t, s, "/v1/users/password", `{"user":"carol","password":"`+secretWord+`","mode":"perhaps"}`, 400)
	refused(t, s, "/v1/users/password", `{"user":"carol","pass":"`+secretWord+`"}`, 400)
	ask[struct{}](t, s, "/v1/users/password", toJSON(server.PasswordRequest{User: "carol", Password: secretWord, Mode: server.Add}))
	refused(t, s, "/v1/users/password", toJSON(server.PasswordRequest{User: "carol", Password: secretWord, Mode: server.Add}), 409)

	token, status := login(t, s, "carol", secretWord)
	if status != 200 {
		t.Fatalf("login: %d", status)
	}
	live := map[string]*link{}
	for i, door := range []string{"tcp", "ws", "ws json"} {
		live[door] = dial(t, s, door)
		if code := live[door].hello(token, fmt.Sprintf("d%d", i)); code != 0 {
			t.Fatalf("%s: %d", door, code)
		}
	}
	nc := dialLine(t, s)
	if got := nc.say("LOGIN %s", token); !strings.HasPrefix(got, "+OK") {
		t.Fatalf("%s", got)
	}
	sessions := ask[[]server.SessionInfo](t, s, "/v1/users/sessions?user=carol", "")
	if len(sessions) != 4 {
		t.Errorf("%+v", sessions)
	}
	if l := ask[server.UserList](t, s, "/v1/users", ""); len(l.Users) != 1 || l.Users[0] != (server.UserInfo{User: "carol", Password: true, Online: 4}) || l.More {
		t.Errorf("%+v", l)
	}
	if d := ask[[]server.DeviceInfo](t, s, "/v1/users/devices?user=carol", ""); len(d) != 4 {
		t.Errorf("%+v", d)
	}

	// A new password ends every session, on every door, within a second.
	began := time.Now()
	ask[struct{}](t, s, "/v1/users/password", toJSON(server.PasswordRequest{User: "carol", Password: secretWord + "!", Mode: server.Change}))
	for door, l := range live {
		var g wire.GoAway
		if !l.until(wire.TypeGoAway, &g) || g.Code != wire.CodeRevoked || g.Resumable {
			t.Errorf("%s: %+v", door, &g)
		}
	}
	for nc.in.Scan() { // until the link ends
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the sessions ended after %v", took)
	}
	if code := dial(t, s, "tcp").hello(token, "d0"); code != wire.CodeRevoked {
		t.Errorf("the old token: %d", code)
	}
	if _, status := login(t, s, "carol", secretWord); status != 401 {
		t.Errorf("the old password: %d", status)
	}
	token, status = login(t, s, "carol", secretWord+"!")
	if status != 200 {
		t.Fatalf("the new password: %d", status)
	}
	if code := dial(t, s, "tcp").hello(token, "d0"); code != 0 {
		t.Errorf("a token made just after a revocation: %d", code)
	}
	ask[struct{}](t, s, "/v1/users/remove", `{"user":"carol"}`)
	refused(t, s, "/v1/users/remove", `{"user":"carol"}`, 404)
	if _, status := login(t, s, "carol", secretWord+"!"); status != 401 {
		t.Errorf("after the removal: %d", status)
	}
	if l := ask[server.UserList](t, s, "/v1/users", ""); len(l.Users) != 1 || l.Users[0].Password {
		t.Errorf("%+v", l)
	}
}

// Kick ends sessions and leaves tokens good; revoke ends tokens, of a device, a name or all.
func TestKickAndRevoke(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	gone := func(l *link, code uint32) {
		t.Helper()
		var g wire.GoAway
		if !l.until(wire.TypeGoAway, &g) || g.Code != code {
			t.Errorf("%v; want code %d", &g, code)
		}
	}
	token := s.Token("alice")
	phone, laptop := dial(t, s, "tcp"), dial(t, s, "ws")
	if phone.hello(token, "phone") != 0 || laptop.hello(token, "laptop") != 0 {
		t.Fatal("no login")
	}
	if n := ask[server.KickAnswer](t, s, "/v1/users/kick", `{"user":"alice","device":"phone","reason":"go home"}`); n.Ended != 1 {
		t.Errorf("%+v", n)
	}
	var g wire.GoAway
	if !phone.until(wire.TypeGoAway, &g) || g.Code != wire.CodeKicked || !strings.Contains(g.Message, "go home") {
		t.Errorf("%v", &g)
	}
	if n := ask[server.KickAnswer](t, s, "/v1/users/kick", `{"user":"nobody"}`); n.Ended != 0 {
		t.Errorf("%+v", n)
	}
	refused(t, s, "/v1/users/kick", `{"user":""}`, 400)
	refused(t, s, "/v1/users/kick", `{"user":"alice","reason":"`+strings.Repeat("x", 201)+`"}`, 413)
	phone = dial(t, s, "tcp")
	if code := phone.hello(token, "phone"); code != 0 {
		t.Errorf("after the kick: %d", code)
	}

	ask[struct{}](t, s, "/v1/users/revoke", `{"user":"alice","device":"phone"}`)
	gone(phone, wire.CodeRevoked)
	if code := dial(t, s, "tcp").hello(token, "phone"); code != wire.CodeRevoked {
		t.Errorf("on the revoked device: %d", code)
	}
	named := s.TokenFor(server.TokenRequest{User: "alice", Name: "t1"})
	tablet := dial(t, s, "ws json")
	if code := tablet.hello(named, "tablet"); code != 0 {
		t.Fatalf("%d", code)
	}
	ask[struct{}](t, s, "/v1/users/revoke", `{"user":"alice","jti":"t1"}`)
	gone(tablet, wire.CodeRevoked)
	refused(t, s, "/v1/users/revoke", `{"user":"alice","jti":"t1","device":"phone"}`, 400)
	ask[struct{}](t, s, "/v1/users/revoke", `{"user":"alice"}`)
	gone(laptop, wire.CodeRevoked)
	s.Restart() // what was revoked stays so
	if code := dial(t, s, "ws").hello(token, "laptop"); code != wire.CodeRevoked {
		t.Errorf("after a restart: %d", code)
	}

	lines := audit(t, s)
	for i, want := range []string{"kick alice phone ok", "kick nobody  ok", "kick   the user id is empty", "kick alice  the reason", "revoke alice phone ok", "revoke alice  ok", "revoke alice phone name a device", "revoke alice  ok"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("audit line %d: %q; want %q", i, lines, want)
		}
	}
	if n, err := server.CheckAudit(filepath.Join(s.Dir(), server.AuditFile)); err != nil || n != len(lines) {
		t.Errorf("%d lines, %v", n, err)
	}
}

// audit gives "action user device outcome" of each line.
func audit(t *testing.T, s *servertest.Server) (out []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir(), server.AuditFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var e struct{ By, Time, Action, User, Device, Outcome string }
		if err := json.Unmarshal(line, &e); err != nil || e.By == "" || e.Time == "" {
			t.Fatalf("%s %v", line, err)
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", e.Action, e.User, e.Device, e.Outcome))
	}
	return out
}

// The admin's verbs work on a running server, on the files of one that was stopped, and
// on those of one that was killed and left its address behind.
func TestAdminWithoutAServer(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	cfg := server.Config{Data: s.Dir()}
	cfg.Store.Small = true
	open := func(running bool) server.Admin {
		t.Helper()
		a, err := server.OpenAdmin(t.Context(), cfg, "test", server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if a.Running() != running {
			t.Errorf("running: %v", a.Running())
		}
		return a
	}
	a := open(true)
	if err := a.SetPassword(t.Context(), server.PasswordRequest{User: "alice", Password: secretWord}); err != nil {
		t.Error(err)
	}
	if st, err := a.Status(t.Context()); err != nil || !st.Ready || len(st.Listeners) != 3 {
		t.Errorf("%+v %v", st, err)
	}
	a.Close()
	for i, end := range []func(){s.Stop, s.Kill} {
		end()
		a := open(false)
		u := server.UserID(fmt.Sprintf("user%d", i))
		if err := a.SetPassword(t.Context(), server.PasswordRequest{User: u, Password: secretWord, Mode: server.Add}); err != nil {
			t.Error(err)
		}
		if _, err := a.Kick(t.Context(), server.KickRequest{User: u}); err == nil {
			t.Error("kicked somebody without a server")
		}
		if _, err := a.Status(t.Context()); err == nil {
			t.Error("a server that does not run has a status")
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		s.Run()
		if _, status := login(t, s, string(u), secretWord); status != 200 {
			t.Errorf("%s cannot sign in: %d", u, status)
		}
	}
	if l := ask[server.UserList](t, s, "/v1/users", ""); len(l.Users) != 3 {
		t.Errorf("%+v", l)
	}
	if _, err := server.OpenAdmin(t.Context(), server.Config{Data: filepath.Join(t.TempDir(), "none")}, "test", server.Options{}); err == nil || !strings.Contains(err.Error(), "anser serve") {
		t.Errorf("%v", err)
	}
	// Where the admin listener is off, the running server has the files.
	off := servertest.Start(t, servertest.Options{Config: func(c *server.Config) { c.Admin = "off" }})
	cfg.Data = off.Dir()
	if _, err := server.OpenAdmin(t.Context(), cfg, "test", server.Options{}); err == nil || server.ExitStatus(err) != server.ExitData {
		t.Errorf("%v", err)
	}
}

// Where the last server was killed and another program listens at its address by now,
// that program is not told the admin token.
func TestAdminTokenGoesToOurServerAlone(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	at := strings.TrimPrefix(s.Admin(), "http://")
	s.Kill()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 8)
	stranger := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Authorization") })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		stranger.Serve(l)
	}()
	cfg := server.Config{Data: s.Dir(), Admin: s.Admin()}
	cfg.Store.Small = true
	a, err := server.OpenAdmin(t.Context(), cfg, "test", server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Running() {
		t.Error("it thinks that the stranger is the server")
	}
	a.Close()
	for range server.Diagnose(t.Context(), cfg) {
	}
	if err := server.CheckReady(t.Context(), cfg); err == nil {
		t.Error("it takes the stranger for a server that is well")
	}
	stranger.Close()
	<-done
	select {
	case token := <-asked:
		t.Errorf("the stranger was asked with %q", token)
	default:
	}
}

// The list of users comes in parts.
func TestUserListInParts(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	a, err := server.OpenAdmin(t.Context(), server.Config{Data: s.Dir()}, "test", server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		if err := a.Revoke(t.Context(), server.RevokeRequest{User: server.UserID(fmt.Sprintf("u%d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	after := server.UserID("")
	for {
		l, err := a.Users(context.Background(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range l.Users {
			got = append(got, string(u.User))
			after = u.User
		}
		if !l.More {
			break
		}
	}
	if strings.Join(got, " ") != "u0 u1 u2 u3 u4 u5 u6" {
		t.Errorf("%v", got)
	}
}
