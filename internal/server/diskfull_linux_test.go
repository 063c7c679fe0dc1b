package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// A disk that fills up: sends are refused with a code of their own, logins and history
// work, readiness is withdrawn; with room again all goes on by itself, and nothing that
// was acknowledged is missing.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m,mode=700"); err != nil {
		t.Fatalf("a small disk cannot be mounted (the tests run as root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s := servertest.Start(t, servertest.Options{Dir: filepath.Join(dir, "data"), Config: func(c *server.Config) { c.Store.MinFree = 24 << 20 }})
	token := s.Token("alice")
	l := dial(t, s, "tcp")
	if code := l.hello(token, "phone"); code != 0 {
		t.Fatalf("%d", code)
	}
	n := 0
	send := func(l *link) uint32 { // one message: its code
		t.Helper()
		n++
		l.send(&wire.Send{Id: fmt.Sprintf("m%d", n), Conv: "u/bob", Type: "an:text", Body: []byte(`{"content":"hello"}`)})
		var a wire.SendAck
		if !l.until(wire.TypeSendAck, &a) {
			t.Fatal("the link ended")
		}
		return a.Code
	}
	acked := 0
	for range 20 {
		if code := send(l); code != 0 {
			t.Fatalf("%d", code)
		}
		acked++
	}
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, int64(st.Bavail)*st.Bsize-(16<<20))); err != nil {
		t.Fatal(err)
	}
	f.Close()
	filled := time.Now()
	until(t, "readiness is withdrawn", func() bool { _, ready, _ := health(t, s); return ready == 503 })
	t.Logf("not ready %v after the disk filled up", time.Since(filled).Round(time.Millisecond))
	if alive, _, why := health(t, s); alive != 200 || !strings.Contains(why, "full") {
		t.Errorf("%d %s", alive, why)
	}
	if code := send(l); code != 6002 {
		t.Errorf("a send: %d", code)
	}
	again := dialLine(t, s)
	if got := again.say("LOGIN %s", token); !strings.HasPrefix(got, "+OK") {
		t.Errorf("a login: %s", got)
	}
	if got := again.say("HISTORY bob 100"); !strings.Contains(got, "hello") {
		t.Errorf("history: %s", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	until(t, "readiness comes back", func() bool { _, ready, _ := health(t, s); return ready == 200 })
	n-- // the refused one, again
	if code := send(l); code != 0 {
		t.Errorf("a send, with room again: %d", code)
	}
	acked++
	s.Restart()
	l = dial(t, s, "tcp")
	if code := l.hello(token, "phone"); code != 0 {
		t.Fatalf("%d", code)
	}
	l.send(&wire.Send{Id: "last", Conv: "u/bob", Type: "an:text", Body: []byte(`{"content":"hello"}`)})
	var a wire.SendAck
	if !l.until(wire.TypeSendAck, &a) || a.Seq != uint64(acked+1) {
		t.Errorf("the next number is %d; %d were acknowledged", a.Seq, acked)
	}
}
