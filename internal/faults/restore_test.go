package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/anser-im/anser/client"
)

// stop ends the server as an operator does.
func (p *program) stop(t *testing.T) {
	t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.status(t); code != 0 {
		t.Fatalf("status %d after SIGTERM\n%s", code, p.printed())
	}
}

func texts(from, to int) (out []string) {
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint("message ", i))
	}
	return out
}

// TestCursorsAheadOfTheStore puts an old copy of the data back, and then takes the
// data away altogether, under a client that has seen more than is there: it has to see
// everything that is said afterwards, although the numbers were used before.
func TestCursorsAheadOfTheStore(t *testing.T) {
	for _, kind := range []string{"restored", "wiped"} {
		t.Run(kind, func(t *testing.T) {
			home := t.TempDir()
			dir, copied := filepath.Join(home, "data"), filepath.Join(home, "copy")
			more := "shutdown: {drain: 100ms}\n"
			p := start(t, dir, more)
			var addr = func() string { return "tcp://" + p.tcp }
			var alice, bob *person
			stores := map[string]client.Store{}
			connect := func() {
				for _, u := range []string{"alice", "bob"} {
					if stores[u] == nil {
						stores[u] = client.NewMemStore()
					}
				}
				tok := func(u string) func() string { return func() string { return token(p.secret, u) } }
				alice = meet(t, "alice", tok("alice"), stores["alice"], addr())
				bob = meet(t, "bob", tok("bob"), stores["bob"], addr())
			}
			connect()
			for _, x := range texts(1, 10) {
				alice.say(t, "u/bob", x)
			}
			bob.has(t, texts(1, 10)...)
			alice.c.Close()
			bob.c.Close()
			p.stop(t)
			if out, err := exec.Command("cp", "-a", dir, copied).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}

			p = start(t, dir, more)
			connect()
			for _, x := range texts(11, 20) {
				alice.say(t, "u/bob", x)
			}
			bob.has(t, texts(11, 20)...)
			alice.c.Close()
			bob.c.Close()
			p.kill()

			if kind == "wiped" {
				if err := os.RemoveAll(filepath.Join(dir, "store")); err != nil {
					t.Fatal(err)
				}
			} else {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(copied, dir); err != nil {
					t.Fatal(err)
				}
			}
			p = start(t, dir, more)
			connect()
			for _, x := range texts(21, 25) {
				alice.say(t, "u/bob", x)
			}
			bob.has(t, texts(21, 25)...)
			bob.ascending(t)
		})
	}
}
