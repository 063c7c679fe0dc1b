package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit/servertest"
)

// typesServer is a server with an app key.
type typesServer struct {
	*servertest.Server
	t    *testing.T
	key  string
	sent int
}

func startTypes(t *testing.T, config func(*server.Config)) *typesServer {
	t.Helper()
	s := &typesServer{Server: servertest.Start(t, servertest.Options{Config: config}), t: t}
	s.key = ask[server.NewKey](t, s.Server, "/v1/keys/create", `{"name":"types"}`).Key
	return s
}

// app calls a verb as the app, or as a user if one is named.
func (s *typesServer) app(user, verb, body string) (int, string) {
	s.t.Helper()
	headers := []string{"Content-Type", "application/json", "Authorization", "Bearer " + s.key}
	if user != "" {
		headers = append(headers, "Anser-As", user)
	}
	return request(s.t, "POST", s.HTTP()+"/anser.v1."+verb, body, headers...)
}

// send sends from alice to bob with alice's own token, and gives the message as bob
// reads it; an error's text if it was refused.
func (s *typesServer) send(typ, body string) (m map[string]any, refused string) {
	s.t.Helper()
	s.sent++
	status, a := request(s.t, "POST", s.HTTP()+"/anser.v1.MessageService/Send",
		fmt.Sprintf(`{"id":"m%d","conv":"u/bob","type":%q,%s}`, s.sent, typ, body),
		"Content-Type", "application/json", "Authorization", "Bearer "+s.Token("alice"))
	if status != 200 {
		return nil, a
	}
	status, a = s.app("bob", "MessageService/Page", `{"conv":"u/alice","limit":1,"backward":true}`)
	var page struct {
		Range struct{ Messages []map[string]any }
	}
	if err := json.Unmarshal([]byte(a), &page); err != nil || status != 200 || len(page.Range.Messages) != 1 {
		s.t.Fatalf("the page: %d %s %v", status, a, err)
	}
	return page.Range.Messages[0], ""
}

// Types over the API: what is registered holds at once, for the next message, and after
// a restart and a kill; its version does not fall.
func TestD1_TypesOverTheAPI(t *testing.T) {
	s := startTypes(t, nil)
	const card = `{"type":{"name":"acme:card","flags":1,"schema":{"type":"object","required":["title"],"properties":{"title":{"type":"string"}}},"digest":[{"key":"en","value":"[Card] {title}"},{"key":"zh-CN","value":"[卡片] {title}"}]}}`
	if m, refused := s.send("acme:card", `"body":{"title":5}`); refused != "" || m["flags"] != 3.0 {
		t.Errorf("before it is registered: %v %s", m, refused)
	}
	status, a := s.app("", "AppService/TypePut", card)
	if status != 200 || !strings.Contains(a, `"version":"`) {
		t.Fatalf("%d %s", status, a)
	}
	check := func(when string) {
		t.Helper()
		if _, refused := s.send("acme:card", `"body":{"title":5}`); !strings.Contains(refused, "the body of acme:card: /title must be a string, not a number") {
			t.Errorf("%s: %q", when, refused)
		}
		if m, refused := s.send("acme:card", `"body":{"title":"Bike"}`); refused != "" || m["flags"] != 1.0 || m["digest"] != "[Card] Bike" {
			t.Errorf("%s: %v %s", when, m, refused)
		}
		if status, now := s.app("", "AppService/Type", `{"name":"acme:card"}`); status != 200 || now != a {
			t.Errorf("%s it is %d %s, was %s", when, status, now, a)
		}
	}
	check("registered")
	s.Restart()
	check("after a restart")
	s.Kill()
	s.Run()
	check("after a kill")

	if status, a := request(t, "POST", s.HTTP()+"/anser.v1.AppService/TypePut", card, "Content-Type", "application/json", "Authorization", "Bearer "+s.Token("alice")); status < 400 {
		t.Errorf("a user registers types: %d %s", status, a)
	}
	if status, a := s.app("", "AppService/TypePut", `{"type":{"name":"an:mine"}}`); status != 400 || !strings.Contains(a, "server's own") {
		t.Errorf("a name of the server's: %d %s", status, a)
	}
	if status, a := s.app("", "AppService/TypePut", `{"type":{"name":"acme:bad","schema":{"type":"strong"}}}`); status != 400 || !strings.Contains(a, "/type must be one of") {
		t.Errorf("a wrong schema: %d %s", status, a)
	}
	if status, a := s.app("", "AppService/TypeRemove", `{"name":"acme:card"}`); status != 200 {
		t.Fatalf("%d %s", status, a)
	}
	if m, refused := s.send("acme:card", `"body":{"title":5}`); refused != "" || m["flags"] != 3.0 {
		t.Errorf("removed: %v %s", m, refused)
	}
}

// What a type's flags make of a send that gives none, and what it gives itself.
func TestC8_C10_FlagsOfTheServersTypes(t *testing.T) {
	s := startTypes(t, nil)
	for _, c := range []struct {
		typ, body string
		flags     any // nil = 0, which JSON leaves out
		digest    any
	}{
		{"an:text", `"body":{"content":"x"}`, 3.0, nil}, // it needs none
		{"an:notice", `"body":{"content":"Bob is away"}`, 1.0, "Bob is away"},
		{"an:image", `"body":{"url":"x"}`, 3.0, "[Image]"},
		{"an:notice", `"flags":3,"body":{"content":"counted"}`, 3.0, "counted"},
	} {
		m, refused := s.send(c.typ, c.body)
		if refused != "" || m["flags"] != c.flags || m["digest"] != c.digest {
			t.Errorf("%s %s: %v %s", c.typ, c.body, m, refused)
		}
	}
	if _, refused := s.send("an:image", `"body":{}`); !strings.Contains(refused, "/url is missing") {
		t.Errorf("an image without a URL: %s", refused)
	}
	if _, refused := s.send("an:group", `"body":{"op":"add","by":"alice"}`); refused == "" {
		t.Error("a client sends what the server says")
	}
}

// A type that nobody knows passes byte for byte, JSON or not, unless types are closed.
func TestD7_UnknownTypesThroughTheServer(t *testing.T) {
	s := startTypes(t, nil)
	if m, refused := s.send("acme:new", `"body_base64":"AP8B"`); refused != "" || m["body_base64"] != "AP8B" || m["flags"] != 3.0 || m["digest"] != nil {
		t.Errorf("%v %s", m, refused)
	}
	if m, refused := s.send("acme:new", `"body":{"b":1,"a":[1.50]},"options":{"digest":"mine"}`); refused != "" || fmt.Sprint(m["body"]) != "map[a:[1.5] b:1]" || m["digest"] != "mine" {
		t.Errorf("%v %s", m, refused)
	}
	closed := startTypes(t, func(c *server.Config) { c.Types.Closed = true })
	if _, refused := closed.send("acme:new", `"body":{}`); !strings.Contains(refused, "the type acme:new is not registered here") {
		t.Errorf("closed: %s", refused)
	}
	if _, refused := closed.send("an:text", `"body":{"content":"x"}`); refused != "" {
		t.Errorf("closed, a text: %s", refused)
	}
}

// What is wrong with the directory of types ends the start, with what to do.
func TestTypesDirectoryIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "card.yaml")
	start := func(c server.TypesConfig) error {
		srv, err := server.Start(server.Config{Listen: []string{"tcp://127.0.0.1:0"}, Admin: "off", Data: filepath.Join(t.TempDir(), "data"), Types: c}, server.Options{})
		if err == nil {
			srv.Abort()
		}
		return err
	}
	for text, says := range map[string]string{
		"name: acme:card\nschema: {type: strong}\n": "card.yaml:2: schema: the schema at /type must be one of",
		"name: acme:card\n\nfoo: 1\n":               "card.yaml:3: the key \"foo\" is not known",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var se *server.StartError
		if err := start(server.TypesConfig{Dir: dir}); !errors.As(err, &se) || se.Exit != server.ExitConfig || !strings.Contains(se.Text, says) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := start(server.TypesConfig{Dir: filepath.Join(dir, "none")}); server.ExitStatus(err) != server.ExitConfig {
		t.Errorf("no such directory: %v", err)
	}
	if err := start(server.TypesConfig{Locale: "not a language"}); server.ExitStatus(err) != server.ExitConfig {
		t.Errorf("no language: %v", err)
	}
}
