package gate_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/testkit"
)

var kinds = []string{"pipe", "tcp"}

// Before Queue a link is the socket itself.
func TestPlain(t *testing.T) {
	for _, kind := range kinds {
		g := newGate(t, gate.Config{})
		l, peer := pair(t, g, kind)
		go l.Write([]byte("hello"))
		if s := read(t, peer, 5); s != "hello" {
			t.Errorf("%s: %q", kind, s)
		}
		go peer.Write([]byte("there"))
		if s := read(t, l, 5); s != "there" {
			t.Errorf("%s: %q", kind, s)
		}
		l.SetReadDeadline(time.Now().Add(-time.Second))
		if _, err := l.Read(make([]byte, 1)); !errors.Is(err, errTimeout(err)) {
			t.Errorf("%s: a read after its deadline: %v", kind, err)
		}
		l.Close()
		if _, err := peer.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: open after Close", kind)
		}
		if n := g.Stats().Links; n != 0 {
			t.Errorf("%s: %d links", kind, n)
		}
	}
}

// errTimeout is err if it is a timeout.
func errTimeout(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return err
	}
	return errors.New("a timeout")
}

// What is said in many turns, and written beside, arrives in order.
func TestQueue(t *testing.T) {
	for _, kind := range kinds {
		g := newGate(t, gate.Config{})
		l, peer := pair(t, g, kind)
		o := newOwner(l, nil)
		o.say("one ", "two ", "three ")
		if s := read(t, peer, 14); s != "one two three " {
			t.Errorf("%s: %q", kind, s)
		}
		for range 100 {
			l.Wake()
		}
		l.Write([]byte("four"))
		if s := read(t, peer, 4); s != "four" {
			t.Errorf("%s: %q", kind, s)
		}
		l.Abort(nil)
		<-o.cut
		if _, err := l.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: written to a closed link: %v", kind, err)
		}
		o.say("nobody hears it")
	}
}

// Through a top, such as TLS, the same bytes come back as writes.
func TestTop(t *testing.T) {
	for _, kind := range kinds {
		g := newGate(t, gate.Config{})
		l, peer := pair(t, g, kind)
		o := newOwner(l, func(b []byte) error {
			_, err := l.Write(bytes.ToUpper(b))
			return err
		})
		o.say("one ", "two ")
		if s := read(t, peer, 8); s != "ONE TWO " {
			t.Errorf("%s: %q", kind, s)
		}
		l.Abort(nil)
	}
}

// A peer that reads slowly gets everything, in order, while others go on.
func TestSlowPeer(t *testing.T) {
	for _, kind := range kinds {
		g := newGate(t, gate.Config{Flushers: 1, MaxWaiting: 64 << 20})
		l, peer := pair(t, g, kind)
		o := newOwner(l, nil)
		var want strings.Builder
		for i := range 2000 {
			part := strings.Repeat(string(rune('a'+i%26)), 10_000)
			want.WriteString(part)
			o.say(part)
		}
		other, otherPeer := pair(t, g, kind)
		newOwner(other, nil).say("hello")
		if s := read(t, otherPeer, 5); s != "hello" {
			t.Error(s)
		}
		if got := read(t, peer, want.Len()); got != want.String() {
			t.Errorf("%s: the slow peer got something else", kind)
		}
		l.Abort(nil)
		other.Abort(nil)
	}
}

// A peer that takes nothing is closed after WriteStall; one that takes a little is not.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, gate.Config{WriteStall: 10 * time.Second})
		stuck, _ := pair(t, g, "pipe")
		so := newOwner(stuck, nil)
		slow, peer := pair(t, g, "pipe")
		lo := newOwner(slow, nil)
		began := time.Now()
		so.say("x")
		lo.say(strings.Repeat("y", 10))
		go func() {
			for range 10 {
				time.Sleep(9 * time.Second)
				peer.Read(make([]byte, 1))
			}
		}()
		<-so.cut
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("closed after %v", took)
		}
		if !errors.Is(stuck.Cause(), gate.ErrStalled) {
			t.Errorf("cause: %v", stuck.Cause())
		}
		time.Sleep(90 * time.Second)
		if slow.Cause() != nil || g.Stats().Links != 1 {
			t.Errorf("who takes a byte in 9 s was closed: %v", slow.Cause())
		}
		slow.Abort(nil)
	})
}

// The same over TCP, where the socket's buffers have to be full first.
func TestStallTCP(t *testing.T) {
	g := newGate(t, gate.Config{WriteStall: 200 * time.Millisecond, MaxWaiting: 64 << 20})
	l, _ := pair(t, g, "tcp")
	o := newOwner(l, nil)
	o.say(strings.Repeat("x", 32<<20))
	testkit.Within(t, "the end of a stalled link", func() { <-o.cut })
	if l.Cause() != gate.ErrStalled || g.Stats().Stalled != 1 || g.Stats().Partial != 1 {
		t.Errorf("%v %+v", l.Cause(), g.Stats())
	}
}

// More than MaxWaiting does not wait for one peer.
func TestOverflow(t *testing.T) {
	g := newGate(t, gate.Config{MaxWaiting: 1000})
	l, _ := pair(t, g, "pipe")
	o := newOwner(l, nil)
	var err error
	for range 10 {
		if _, err = l.Write(make([]byte, 300)); err != nil {
			break
		}
	}
	if err != gate.ErrOverflow || l.Cause() != gate.ErrOverflow {
		t.Errorf("%v, cause %v", err, l.Cause())
	}
	<-o.cut
}

// Close lets out what waits, then ends; whoever reads learns it, and the last words
// are not lost although the peer goes on talking.
func TestClose(t *testing.T) {
	for _, kind := range kinds {
		g := newGate(t, gate.Config{Linger: 400 * time.Millisecond})
		l, peer := pair(t, g, kind)
		o := newOwner(l, nil)
		done := make(chan error, 1)
		go func() {
			err := l.Reader(nil, nil, nil, taker(func(b []byte) (int, error) { return len(b), nil })).Run()
			l.Discard()
			done <- err
		}()
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := peer.Write([]byte("talk talk talk")); err != nil {
					return
				}
			}
		}()
		o.say("last words")
		l.Close()
		if _, err := l.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: written after Close: %v", kind, err)
		}
		peer.SetReadDeadline(time.Now().Add(testkit.Limit))
		got, err := io.ReadAll(peer)
		if string(got) != "last words" || err != nil {
			t.Errorf("%s: %q, %v", kind, got, err)
		}
		testkit.Within(t, "the reader's end", func() { <-done })
		close(stop)
		if n := g.Stats().Links; n != 0 {
			t.Errorf("%s: %d links", kind, n)
		}
	}
}

// A panic in Fill costs its link alone.
func TestPanic(t *testing.T) {
	g := newGate(t, gate.Config{Flushers: 1})
	l, _ := pair(t, g, "tcp")
	o := newOwner(l, func([]byte) error { panic("a bug") })
	o.say("x")
	<-o.cut
	other, peer := pair(t, g, "tcp")
	newOwner(other, nil).say("hello")
	read(t, peer, 5)
	other.Abort(nil)
}

// Whoever is silent for too long is found, in any order of times, and a byte counts.
func TestExpect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, gate.Config{})
		l, peer := pair(t, g, "pipe")
		o := newOwner(l, nil)
		go l.Reader(nil, nil, nil, taker(func(b []byte) (int, error) { return len(b), nil })).Run()
		wait := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			<-o.silent
			if took := time.Since(began); took < want || took > want+200*time.Millisecond {
				t.Errorf("silent after %v, want %v", took, want)
			}
		}
		l.Expect(2 * time.Second)
		wait(2 * time.Second)
		l.Expect(10 * time.Minute) // beyond the wheel's turn
		wait(10 * time.Minute)
		l.Expect(time.Hour)
		l.Expect(time.Second) // sooner than before
		wait(time.Second)
		l.Expect(5 * time.Second)
		for range 10 {
			time.Sleep(4 * time.Second)
			peer.Write([]byte("."))
		}
		wait(5 * time.Second)
		l.Expect(0)
		time.Sleep(time.Hour)
		select {
		case <-o.silent:
			t.Error("silent without a limit")
		default:
		}
		l.Expect(time.Second)
		l.Abort(nil)
		time.Sleep(time.Hour)
		select {
		case <-o.silent:
			t.Error("a closed link is silent")
		default:
		}
	})
}

// taker is a Taker that answers nothing.
type taker func([]byte) (int, error)

func (f taker) Take(b []byte) (int, error) { return f(b) }
func (f taker) Answered([]byte) bool       { return false }

// budget counts.
type budget struct {
	mu   sync.Mutex
	free int
}

func (b *budget) Take(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free {
		return false
	}
	b.free -= n
	return true
}

func (b *budget) Give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
}

// Units of any size come whole, however they are cut on the way, and what is not
// finished is charged to the budget.
func TestReader(t *testing.T) {
	for _, kind := range []string{"pipe", "tcp", "layered"} {
		g := newGate(t, gate.Config{})
		of := kind
		if kind == "layered" {
			of = "tcp"
		}
		l, peer := pair(t, g, of)
		var src io.Reader
		if kind == "layered" {
			src = struct{ io.Reader }{l}
		}
		b := &budget{free: 1 << 20}
		var want []string
		for i := range 60 {
			want = append(want, strings.Repeat(string(rune('a'+i%26)), 1+i*i*60)+"\n")
		}
		go func() {
			all := strings.Join(want[1:], "")
			for n := 1; len(all) > 0; n = n*3%70_001 + 1 {
				n = min(n, len(all))
				if _, err := peer.Write([]byte(all[:n])); err != nil {
					return
				}
				all = all[n:]
			}
			peer.Close()
		}()
		var got []string
		err := l.Reader(src, []byte(want[0]), b, taker(func(p []byte) (int, error) {
			used := 0
			for {
				i := bytes.IndexByte(p[used:], '\n')
				if i < 0 {
					return used, nil
				}
				got = append(got, string(p[used:used+i+1]))
				used += i + 1
			}
		})).Run()
		if err != io.EOF {
			t.Errorf("%s: %v", kind, err)
		}
		if strings.Join(got, "") != strings.Join(want, "") || len(got) != len(want) {
			t.Errorf("%s: %d units, want %d", kind, len(got), len(want))
		}
		if b.free != 1<<20 {
			t.Errorf("%s: %d bytes of the budget are gone", kind, 1<<20-b.free)
		}
		l.Abort(nil)

		l, other := pair(t, g, of)
		if kind == "layered" {
			src = struct{ io.Reader }{l}
		}
		go other.Write(make([]byte, 300_000))
		b = &budget{free: 100_000}
		if err := l.Reader(src, nil, b, taker(func([]byte) (int, error) { return 0, nil })).Run(); err != gate.ErrNoRoom || b.free != 100_000 {
			t.Errorf("%s: %v, %d left", kind, err, b.free)
		}
		l.Abort(nil)
	}
}

// A FIN that comes together with the last bytes is seen at once, not at the next
// deadline.
func TestLastBytes(t *testing.T) {
	g := newGate(t, gate.Config{})
	for range 200 {
		l, peer := pair(t, g, "tcp")
		peer.Write([]byte("bye"))
		peer.Close()
		testkit.Within(t, "the end", func() {
			if err := l.Reader(nil, nil, nil, taker(func(b []byte) (int, error) { return len(b), nil })).Run(); err != io.EOF {
				t.Error(err)
			}
		})
		l.Abort(nil)
	}
}
