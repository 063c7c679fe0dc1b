// Package examples_test runs the clients of this folder, which are written in another
// language and from docs/PROTOCOL.md alone, against a real server.
package examples_test

import (
	"bufio"
	"context"
	"io"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// process is one client: lines in, lines out.
type process struct {
	t   *testing.T
	in  io.WriteCloser
	out chan string
}

// run starts a client of the folder and gives it its first line, the token.
func run(t *testing.T, script, listener, token string) *process {
	t.Helper()
	u, err := url.Parse(listener)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-u", script, u.Hostname(), u.Port())
	cmd.Env = append(cmd.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	p := &process{t: t, out: make(chan string, 100)}
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.out <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		p.in.Close()
		testkit.Within(t, script+" ends with its input", func() {
			<-read
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s: %v\n%s", script, err, complaints.String())
			}
		})
	})
	p.say(token)
	return p
}

func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// hears waits for a line that holds all of words, and answers it.
func (p *process) hears(words ...string) string {
	p.t.Helper()
	for {
		line := testkit.Receive(p.t, "a line with "+strings.Join(words, ", "), p.out)
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return line
		}
	}
}

func TestExamples(t *testing.T) {
	cfg := server.Config{
		Data:   filepath.Join(t.TempDir(), "data"),
		Listen: []string{"http://127.0.0.1:0", "tcp://127.0.0.1:0"},
		Admin:  "off",
	}
	cfg.Shutdown.Drain = -1
	s, err := server.Start(cfg, server.Options{})
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
	urls := map[string]string{}
	for _, u := range s.URLs() {
		scheme, _, _ := strings.Cut(u, "://")
		urls[scheme] = u
	}
	token := func(user string) string {
		tok, err := server.SignToken(server.TokenRequest{User: server.UserID(user), DataDir: cfg.Data, Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}

	alice := run(t, "anser_tcp.py", urls["tcp"], token("alice"))
	alice.hears("signed in as alice")
	bob := run(t, "anser_json.py", urls["http"], token("bob"))
	bob.hears(`"t": "welcome"`, `"user": "bob"`)

	alice.say("u/bob hello, 用户")
	alice.hears("sent u/bob 1")
	bob.hears(`"t": "push"`, `"conv": "u/alice"`, `"seq": "1"`, `"sender": "alice"`, `{"content": "hello, 用户"}`)
	bob.say(`{"t":"send","id":"1","conv":"u/alice","type":"an:text","body":{"content":"yes?"}}`)
	bob.hears(`"t": "sendack"`, `"seq": "2"`)
	alice.hears("u/bob 2 bob yes?")

	bob.say(`{"t":"req","id":"7","method":"Page","body":{"conv":"u/alice","backward":true}}`)
	bob.hears(`"t": "res"`, `"id": "7"`, `"to": "2"`, "hello, 用户", "yes?")
	bob.say(`{"t":"req","id":"8","method":"Page","body":{"conv":"g/nowhere"}}`)
	bob.hears(`"t": "res"`, `"id": "8"`, `"code": 3004`)
	bob.say(`{"t":"ping"}`)
	bob.hears(`"t": "pong"`)

	// A second device has it all from Sync.
	again := run(t, "anser_json.py", urls["http"], token("alice"))
	again.say(`{"t":"req","id":"1","method":"Sync"}`)
	again.hears(`"t": "res"`, `"u/bob"`, "hello, 用户", "yes?")

	// A token that is none ends with the reason.
	stranger := run(t, "anser_json.py", urls["http"], "nonsense")
	stranger.hears(`"t": "goaway"`, `"reason": "token"`, `"code": 2000`)
}

// An app developer's afternoon, as its script says it.
func TestD10_Afternoon(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*testkit.Limit) // it builds two programs
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "card/afternoon.sh").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "Done.") {
		t.Fatalf("it stopped half way:\n%s", out)
	}
}
