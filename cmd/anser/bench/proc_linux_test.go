package bench

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// A name may hold brackets and spaces.
	b := []byte("42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 8 0 100 1000 200 18446744073709551615")
	if d, ok := parseStat(b); !ok || d != 1750*time.Millisecond {
		t.Errorf("%v %v", d, ok)
	}
	for _, bad := range []string{"", "42 (a", "42 (a) S 1 2"} {
		if _, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestOwnProcess(t *testing.T) {
	before, ok := cpuOf(os.Getpid())
	if !ok {
		t.Fatal("the CPU cannot be read")
	}
	for end := before + 30*time.Millisecond; ; {
		now, _ := cpuOf(os.Getpid())
		if now >= end {
			break // it grew with the work done here
		}
	}
	if rss, ok := rssOf(os.Getpid()); !ok || rss < 1<<20 {
		t.Errorf("RSS %d %v", rss, ok)
	}
	if _, ok := cpuOf(0); ok {
		t.Error("process 0 was read")
	}
}

func TestListenerPID(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if pid := listenerPID(ln.Addr().String()); pid != os.Getpid() {
		t.Errorf("process %d listens, this is %d", pid, os.Getpid())
	}
	if pid := listenerPID("192.0.2.1:80"); pid != 0 {
		t.Errorf("process %d", pid)
	}
}
