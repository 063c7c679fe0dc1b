package faults

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "anser-faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "anser")
	build := exec.Command("go", "build", "-o", binary, "github.com/anser-im/anser/cmd/anser")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// program is a running server.
type program struct {
	cmd    *exec.Cmd
	dir    string        // its data
	tcp    string        // host:port of the native door
	http   string        // http://host:port
	secret string        // what signs its tokens
	exited chan struct{} // closed when it has ended
	err    error         // how; read it after exited

	mu  sync.Mutex
	log bytes.Buffer // guarded by mu: what it printed
}

// config is what every server of these tests is told; more is appended.
const config = `listen: ["http://127.0.0.1:0", "tcp://127.0.0.1:0"]
admin: "http://127.0.0.1:0"
limits: {send_rate: -1}
`

var ready = regexp.MustCompile(`\b(tcp|http)://127\.0\.0\.1:\d+`)

// start runs a server on dir and waits until it is ready. before, if not empty, is a
// command that runs it (strace ...).
func start(t testing.TB, dir, more string, before ...string) *program {
	t.Helper()
	file := filepath.Join(t.TempDir(), "anser.yaml")
	if err := os.WriteFile(file, []byte(config+more), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(before, binary, "serve", "--config", file, "--data", dir)
	p := &program{cmd: exec.Command(args[0], args[1:]...), dir: dir, exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "LC_ALL=C")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = writer{p}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.signal(syscall.SIGCONT); p.kill() })
	isReady, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		sc := bufio.NewScanner(out)
		told := false
		for sc.Scan() {
			writer{p}.Write(append(sc.Bytes(), '\n'))
			for _, url := range ready.FindAllString(sc.Text(), -1) {
				if addr, ok := strings.CutPrefix(url, "tcp://"); ok && p.tcp == "" {
					p.tcp = addr
				} else if !ok && p.http == "" {
					p.http = url
				}
			}
			if !told && strings.Contains(sc.Text(), "anser token") {
				told = true
				close(isReady)
			}
		}
	}()
	go func() {
		<-done
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	select {
	case <-isReady:
	case <-p.exited:
		t.Fatalf("the server ended: %v\n%s", p.err, p.printed())
	case <-time.After(limit):
		t.Fatalf("the server is not ready after %v\n%s", limit, p.printed())
	}
	b, err := os.ReadFile(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	p.secret = strings.TrimSpace(string(b))
	return p
}

type writer struct{ p *program }

func (w writer) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if w.p.log.Len() < 1<<20 {
		w.p.log.Write(b)
	}
	return len(b), nil
}

// printed is what the server has said so far.
func (p *program) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// signal sends s to the server and to what runs it.
func (p *program) signal(s syscall.Signal) { syscall.Kill(-p.cmd.Process.Pid, s) }

// kill ends the server as kill -9 does and waits until it is gone.
func (p *program) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// status waits for the server's end and gives its exit status.
func (p *program) status(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(limit):
		t.Fatalf("the server has not ended after %v\n%s", limit, p.printed())
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}
