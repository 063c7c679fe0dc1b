//go:build linux

package gate_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/testkit"
)

// lines is a Taker that hands out lines.
type lines chan string

func (c lines) Take(b []byte) (int, error) {
	used := 0
	for {
		i := bytes.IndexByte(b[used:], '\n')
		if i < 0 {
			return used, nil
		}
		c <- string(b[used : used+i])
		used += i + 1
	}
}

func (lines) Answered([]byte) bool { return false }

// polled starts a Reader on a link of its own.
func polled(t *testing.T, g *gate.Gate) (l *gate.Link, peer net.Conn, r *gate.Reader, got lines, ended chan error) {
	t.Helper()
	l, peer = pair(t, g, "tcp")
	newOwner(l, nil)
	l.Expect(time.Hour)
	got, ended = make(lines, 1000), make(chan error, 1)
	r = l.Reader(nil, []byte("first\nrest "), &budget{free: 1 << 20}, got)
	if !r.Start(func(err error) {
		l.Close() // as a door does
		l.Discard()
		ended <- err
	}) {
		t.Fatal("there is no poller")
	}
	if s := testkit.Receive(t, "what came before", got); s != "first" {
		t.Fatal(s)
	}
	return l, peer, r, got, ended
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(testkit.Limit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to pass: ", what)
		}
	}
}

// burst sends lines one by one, so that each is an event, and checks that they come.
func burst(t *testing.T, peer net.Conn, got lines, prefix *string, n int) {
	t.Helper()
	for i := range n {
		s := fmt.Sprintf("%d %s", i, strings.Repeat("x", i*i%5000))
		if _, err := io.WriteString(peer, s+"\n"); err != nil {
			t.Fatal(err)
		}
		if g := testkit.Receive(t, "a line", got); g != *prefix+s {
			t.Fatalf("%.50q, want %.50q", g, *prefix+s)
		}
		*prefix = ""
	}
}

// A link is polled while it is quiet and read by a goroutine while it is busy; nothing
// is lost or doubled on the way from one to the other and back.
func TestHeat(t *testing.T) {
	g := newGate(t, gate.Config{})
	l, peer, r, got, ended := polled(t, g)
	prefix := "rest "
	eventually(t, "it waits without a goroutine", r.Polled)
	for range 20 {
		burst(t, peer, got, &prefix, 30)
		eventually(t, "it is hot", r.Hot)
		l.Chill()
		burst(t, peer, got, &prefix, 1) // in the middle of it
		l.Chill()
		eventually(t, "it waits again", func() bool { l.Chill(); return r.Polled() })
	}
	io.WriteString(peer, "half a line")
	peer.Close()
	if err := testkit.Receive(t, "the end", ended); err != io.EOF {
		t.Error(err)
	}
}

// Whatever ends a link ends its Reader, polled or hot.
func TestPolledEnds(t *testing.T) {
	for _, hot := range []bool{false, true} {
		for name, end := range map[string]func(l *gate.Link, peer net.Conn){
			"the peer closes": func(_ *gate.Link, peer net.Conn) { peer.Close() },
			"the peer's last bytes come with its end": func(_ *gate.Link, peer net.Conn) {
				io.WriteString(peer, "bye\n")
				peer.Close()
			},
			"the peer resets": func(_ *gate.Link, peer net.Conn) {
				peer.(*net.TCPConn).SetLinger(0)
				peer.Close()
			},
			"it is aborted": func(l *gate.Link, _ net.Conn) { l.Abort(errors.New("why not")) },
			"it is closed": func(l *gate.Link, peer net.Conn) {
				l.Write([]byte("last words"))
				l.Close()
				read(t, peer, 10)
				peer.Close()
			},
			"it is closed and the peer does not mind": func(l *gate.Link, _ net.Conn) { l.Close() },
			"the Taker has enough":                    func(_ *gate.Link, peer net.Conn) { peer.Write(make([]byte, 2<<20)) },
		} {
			t.Run(fmt.Sprintf("%s, hot %v", name, hot), func(t *testing.T) {
				g := newGate(t, gate.Config{Linger: 200 * time.Millisecond})
				l, peer, r, got, ended := polled(t, g)
				prefix := "rest "
				if hot {
					burst(t, peer, got, &prefix, 30)
					eventually(t, "it is hot", r.Hot)
				}
				go end(l, peer)
				testkit.Receive(t, "the end", ended)
				eventually(t, "the link is gone", func() bool { return g.Stats().Links == 0 })
			})
		}
	}
}

// Quiet links need no goroutine.
func TestPolledGoroutines(t *testing.T) {
	g := newGate(t, gate.Config{})
	before := runtime.NumGoroutine()
	const n = 300
	var ends []chan error
	var peers []net.Conn
	for range n {
		_, peer, r, _, ended := polled(t, g)
		eventually(t, "it waits", r.Polled)
		ends, peers = append(ends, ended), append(peers, peer)
	}
	if more := runtime.NumGoroutine() - before; more > 100 {
		t.Errorf("%d links need %d goroutines", n, more)
	}
	for i, p := range peers {
		p.Close()
		testkit.Receive(t, "the end", ends[i])
	}
}

// A link that is closed in the moment in which its reading starts ends once.
func TestPollOfClosing(t *testing.T) {
	g := gate.New(gate.Config{})
	ends := make([]chan error, 500)
	for i := range ends {
		l, peer := pair(t, g, "tcp")
		newOwner(l, nil)
		ended := make(chan error, 2)
		ends[i] = ended
		r := l.Reader(nil, nil, &budget{free: 1 << 20}, make(lines, 1))
		aborted := make(chan struct{})
		go func() {
			defer close(aborted)
			l.Abort(nil)
		}()
		if !r.Start(func(err error) { ended <- err }) {
			t.Fatal("there is no poller")
		}
		<-aborted
		testkit.Receive(t, "the end", ended)
		peer.Close()
	}
	g.Close() // nothing more can come
	for _, ended := range ends {
		if len(ended) > 0 {
			t.Fatal("it ended twice")
		}
	}
}
