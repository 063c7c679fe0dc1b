package client

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/anser-im/anser/wire"
)

// link is one connection that a server has welcomed. Any goroutine may send on it and
// end it.
type link struct {
	ca       carrier  // fixed
	at       endpoint // fixed
	max      limit    // of a frame's body that we take
	reasm    wire.Reassembler
	frame    func(*link, wire.Frame) error // what becomes of frames after Welcome; fixed before adopt
	welcome  *wire.Welcome                 // fixed before adopt
	resumed  bool                          // fixed before adopt
	network  string                        // fixed before adopt: the label it was made under
	ghosts   bool                          // fixed before adopt: other endpoints may still take our Hello
	born     time.Time                     // fixed before adopt
	first    chan firstFrame               // the server's answer to Hello; holds one
	begun    chan struct{}                 // closed when what follows from Welcome has been kept; fixed before adopt
	adopted  chan struct{}                 // closed when frames may flow
	done     chan struct{}                 // closed when the link is over
	gone     chan struct{}                 // closed when it is no longer the client's current one either
	wake     chan struct{}                 // holds one: the writer has something to do
	drained  chan struct{}                 // holds one: the queue has room again
	pulse    chan struct{}                 // holds one: the beat is to be worked out anew
	pongs    chan pong                     // to the beat; holds a few
	calls    callTable
	acks     ackState
	activity activity

	mu    sync.Mutex
	err   error        // guarded by mu: why it is over
	away  *wire.GoAway // guarded by mu: what the server said on ending it
	ctl   []byte       // guarded by mu: small frames that may stand between fragments
	other bool         // guarded by mu: ctl or JSON data hold more than beats
	bye   error        // guarded by mu: not nil = end for it when all is written
	data  [][]byte     // guarded by mu: frames and fragments, in order
	bytes int          // guarded by mu: of data
}

type firstFrame struct {
	welcome *wire.Welcome
	err     error
}

func newLink(ca carrier, at endpoint) *link {
	l := &link{
		ca: ca, at: at,
		first:   make(chan firstFrame, 1),
		adopted: make(chan struct{}),
		done:    make(chan struct{}),
		gone:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		drained: make(chan struct{}, 1),
		pulse:   make(chan struct{}, 1),
		pongs:   make(chan pong, 4),
	}
	l.calls.m = make(map[uint64]*call)
	l.reasm.Max = wire.MaxFirstFrame
	return l
}

// goAwayError is a link ended by the server with a reason.
type goAwayError struct{ *wire.GoAway }

func (e goAwayError) Error() string {
	return fmt.Sprintf("anser: the server ended the connection: %s: %s (code %d)", e.Reason, e.Message, e.Code)
}

// protocolError is a server that breaks the protocol.
type protocolError string

func (e protocolError) Error() string { return "anser: the server broke the protocol: " + string(e) }

// fail ends the link for err; the first one counts.
func (l *link) fail(err error) {
	l.mu.Lock()
	over := l.err != nil
	if !over {
		l.err = err
		if l.away != nil {
			l.err = goAwayError{l.away} // the bytes' end only follows from it
		}
	}
	l.mu.Unlock()
	if !over {
		close(l.done)
		l.ca.close()
	}
}

func (l *link) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// readLoop reads until the link is over.
func (l *link) readLoop() {
	err := l.ca.read(func(f wire.Frame) error {
		f, whole, err := l.reasm.Add(f)
		if err != nil || !whole {
			return err
		}
		return l.take(f)
	})
	l.reasm.Close()
	if err == nil {
		err = errors.New("anser: the connection ended")
	}
	l.fail(err)
	select {
	case l.first <- firstFrame{err: l.cause()}:
	default:
	}
}

// take handles one whole frame. The first one must be Welcome or GoAway.
func (l *link) take(f wire.Frame) error {
	if l.welcome != nil {
		l.activity.received(f.Type)
		return l.frame(l, f)
	}
	switch f.Type {
	case wire.TypeWelcome:
		w := new(wire.Welcome)
		if err := l.ca.format().Decode(wire.Frame{Type: f.Type, Body: slices.Clone(f.Body)}, w); err != nil {
			return err
		}
		l.welcome = w
		l.reasm.Max = l.max.get()
		l.first <- firstFrame{welcome: w}
		select {
		case <-l.adopted: // what follows waits until somebody is there for it
		case <-l.done:
		}
		return nil
	case wire.TypeGoAway:
		g := new(wire.GoAway)
		if err := l.ca.format().Decode(wire.Frame{Type: f.Type, Body: slices.Clone(f.Body)}, g); err != nil {
			return err
		}
		l.left(g)
		return goAwayError{g}
	case wire.TypePing, wire.TypePong, wire.TypeExt:
		return nil
	}
	return protocolError("a " + f.Type.String() + " frame comes before Welcome")
}

// left keeps what GoAway said. The server may still answer until it closes.
func (l *link) left(g *wire.GoAway) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away == nil {
		l.away = g
	}
}

// poke leaves a note in a channel that holds one.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
