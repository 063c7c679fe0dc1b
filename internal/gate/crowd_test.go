package gate_test

import (
	"net"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/testkit"
)

// With every place taken, a new connection gets that of one that keeps us waiting, once
// it has for a second; one that has signed in is left alone, and one whose bytes have
// come has time until its owner asks for more.
func TestSlowLinkGivesItsPlaceUp(t *testing.T) {
	keeper := auth.NewGatekeeper(-1, 2)
	g := gate.New(gate.Config{Gatekeeper: keeper})
	defer g.Close()
	u, err := gate.ParseURL("tcp://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := g.Listen(u, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan *gate.Link, 16)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- gate.LinkOf(c)
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	read := func(l *gate.Link) chan error {
		end := make(chan error, 1)
		go func() {
			_, err := l.Read(make([]byte, 10))
			end <- err
		}()
		return end
	}
	dial()
	signedIn := testkit.Receive(t, "the first", accepted)
	signedIn.SignedIn()
	signedInEnd := read(signedIn)
	dial()
	busy := testkit.Receive(t, "one that its owner does not read", accepted)
	dial()
	slow := testkit.Receive(t, "one that says nothing", accepted)
	slowEnd := read(slow)
	if n := keeper.Waiting(); n != 2 {
		t.Fatalf("%d places are taken", n)
	}
	began := time.Now()
	var next *gate.Link
	for next == nil {
		c := dial()
		select {
		case next = <-accepted:
		case err := <-closed(c):
			if time.Since(began) > testkit.Limit {
				t.Fatalf("nobody is let in: %v", err)
			}
		}
	}
	if took := time.Since(began); took < 800*time.Millisecond {
		t.Errorf("a link lost its place after %v", took)
	}
	if err := testkit.Receive(t, "the slow one's end", slowEnd); err == nil || slow.Cause() != gate.ErrCrowded {
		t.Errorf("%v, %v", err, slow.Cause())
	}
	if n := keeper.Waiting(); n != 2 || g.Stats().Crowded != 1 {
		t.Errorf("%d places are taken, %d links were ended", n, g.Stats().Crowded)
	}
	select {
	case err := <-signedInEnd:
		t.Errorf("one that has signed in was ended: %v", err)
	default:
	}
	if busy.Cause() != nil {
		t.Errorf("one that we do not wait for was ended: %v", busy.Cause())
	}
	for _, l := range []*gate.Link{signedIn, busy, next} {
		l.Abort(nil)
	}
	testkit.Receive(t, "the end of the read", signedInEnd)
	if n := keeper.Waiting(); n != 0 {
		t.Errorf("%d places are left taken", n)
	}
}

// closed tells when the peer has closed c.
func closed(c net.Conn) chan error {
	end := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		end <- err
	}()
	return end
}
