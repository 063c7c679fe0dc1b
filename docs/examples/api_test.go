package examples_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit"
)

// The commands of docs/API.md, as they stand there and in their order, get the answers
// that stand below them; "…" stands for anything.
func TestP1_CommandsOfTheDocument(t *testing.T) {
	doc, err := os.ReadFile("../API.md")
	if err != nil {
		t.Fatal(err)
	}
	s, key, token := start(t)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```\n```answer\n(.*?)```\n").FindAllStringSubmatch(string(doc), -1)
	if n := strings.Count(string(doc), "```sh\n"); n < 8 || n != len(blocks) {
		t.Fatalf("%d commands, %d with an answer", n, len(blocks))
	}
	for _, b := range blocks {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b[1])
		cmd.Env = append(cmd.Environ(), "ANSER="+s.URLs()[0], "KEY="+key, "TOKEN="+token, "no_proxy=127.0.0.1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s\n%v\n%s", b[1], err, out)
			continue
		}
		got := strings.TrimSpace(strings.ReplaceAll(string(out), "\r\n", "\n"))
		parts := strings.Split(strings.TrimSpace(b[2]), "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		if !regexp.MustCompile(`(?s)^` + strings.Join(parts, `.*`) + `$`).MatchString(got) {
			t.Errorf("%s\nanswers\n%s\nand not\n%s", b[1], got, b[2])
		}
	}
}

// gRPC by its own library, in another language.
func TestP1_GRPCFromPython(t *testing.T) {
	s, key, _ := start(t)
	cmd := exec.CommandContext(t.Context(), debianPython, "-B", "anser_grpc.py")
	cmd.Env = append(cmd.Environ(), "ANSER="+strings.TrimPrefix(s.URLs()[0], "http://"), "KEY="+key, "no_proxy=127.0.0.1", "PYTHONIOENCODING=utf-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "sent as number 1\nread 1 alice {\"content\":\"your order\"}\nrefused NOT_FOUND 3004 no such conversation, or you are not in it\n"
	if string(out) != want {
		t.Errorf("it says\n%s\nand not\n%s", out, want)
	}
}

// debianPython is the one that has Debian's python3-grpcio.
const debianPython = "/usr/bin/python3"

// start starts a server, and gives an app key and a token of alice's.
func start(t *testing.T) (s *server.Server, key, token string) {
	t.Helper()
	cfg := server.Config{Data: filepath.Join(t.TempDir(), "data"), Listen: []string{"http://127.0.0.1:0"}, Admin: "http://127.0.0.1:0"}
	cfg.Shutdown.Drain = -1
	cfg.Store.Small = true
	var err error
	s, err = server.Start(cfg, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Limit)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	admin, err := server.OpenAdmin(t.Context(), cfg, "test", server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	k, err := admin.CreateKey(t.Context(), server.KeyRequest{Name: "backend"})
	if err != nil {
		t.Fatal(err)
	}
	token, err = server.SignToken(server.TokenRequest{User: "alice", DataDir: cfg.Data, Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return s, k.Key, token
}
