package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
)

// fast are the heartbeat figures of the test profile.
const fast = "heartbeat: {foreground: 1s, pong: 1s, second_pong: 500ms, grace: 500ms}\n"

// TestFrozenServerIsLeft stops a server as SIGSTOP does: TCP lives on, even takes new
// connections, and nothing answers. The client notices, goes to its other endpoint,
// and what it wanted to send arrives there.
func TestFrozenServerIsLeft(t *testing.T) {
	a := start(t, filepath.Join(t.TempDir(), "a"), fast)
	secret, err := os.ReadFile(filepath.Join(a.dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "b") // the other node takes the same tokens
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), secret, 0o600); err != nil {
		t.Fatal(err)
	}
	b := start(t, dir, fast)

	var times []time.Duration
	rounds := 3
	for round := range rounds {
		alice := meet(t, "alice", func() string { return token(a.secret, "alice") }, nil, "tcp://"+a.tcp, "tcp://"+b.tcp)
		alice.until(t, "online at the first", func() bool {
			return alice.state.Phase == client.Online && alice.state.Endpoint == "tcp://"+a.tcp
		})
		alice.say(t, "u/bob", fmt.Sprint("before ", round))
		began := time.Now()
		a.signal(syscall.SIGSTOP)
		sent := make(chan client.Sent, 1)
		go func() { sent <- alice.say(t, "u/bob", fmt.Sprint("while frozen ", round)) }()
		alice.until(t, "online at the second", func() bool {
			return alice.state.Phase == client.Online && alice.state.Endpoint == "tcp://"+b.tcp
		})
		times = append(times, time.Since(began))
		select {
		case <-sent:
		case <-time.After(limit):
			t.Fatal("what was sent while the server was frozen never arrived")
		}
		alice.c.Close()
		a.signal(syscall.SIGCONT)
	}
	t.Logf("left a frozen server after %v at the median, %v at most; the table says beat 1 s + 1 s + 0.5 s + dial",
		quantile(times, 0.5), quantile(times, 1))

	bob := meet(t, "bob", func() string { return token(a.secret, "bob") }, nil, "tcp://"+b.tcp)
	for round := range rounds {
		bob.has(t, fmt.Sprint("while frozen ", round))
	}
}
