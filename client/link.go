package client

import (
	"context"
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

// The outgoing queue. Sends wait in the outbox and not here, so that what is urgent
// comes through.
const (
	queueSends   = 128 << 10 // above it no more sends are added
	queueSignals = 64 << 10  // above it signals are dropped
	writeAtOnce  = wire.FragmentSize + 64
)

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

// send queues m as one frame, cut if it is long. False means that the link is over,
// or that m does not fit into a frame.
func (l *link) send(m wire.Body) bool {
	b, err := l.encode(m)
	return err == nil && l.queue(b)
}

// control queues a small frame that goes ahead of the others: PING and ACK.
func (l *link) control(m wire.Body) bool {
	b, err := l.ca.format().Append(nil, m)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	if _, beat := m.(*wire.Ping); !beat {
		l.other = true
	}
	if l.ca.format() == wire.Format(wire.JSON) { // one object a message
		l.data = append(l.data, b)
		l.bytes += len(b)
	} else {
		l.ctl = append(l.ctl, b...)
	}
	poke(l.wake)
	return true
}

// encode makes the chunks of a frame: one, or its fragments.
func (l *link) encode(m wire.Body) ([][]byte, error) {
	b, err := l.ca.format().Append(nil, m)
	if err != nil {
		return nil, err
	}
	if len(b) > l.maxOut() {
		return nil, &Error{Code: wire.CodeTooLarge, Message: fmt.Sprintf("the frame has %d bytes; the server takes %d", len(b), l.maxOut())}
	}
	if !l.ca.fragments() {
		return [][]byte{b}, nil
	}
	if slices.Contains(l.welcome.Features, wire.FeatureZstd) {
		if b, err = wire.AppendCompressed(nil, b); err != nil {
			return nil, err
		}
	}
	if len(b) <= wire.FragmentSize {
		return [][]byte{b}, nil
	}
	if b, err = wire.AppendSplit(nil, b, 0); err != nil {
		return nil, err
	}
	var chunks [][]byte
	for len(b) > 0 {
		_, n, err := wire.Next(b, 0)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, b[:n])
		b = b[n:]
	}
	return chunks, nil
}

// maxOut is the longest frame the server takes, header included.
func (l *link) maxOut() int {
	if n := int(l.welcome.MaxFrame); n > 0 {
		return n
	}
	return wire.MaxFrame
}

// queue adds the chunks of one frame; false when the link is over.
func (l *link) queue(chunks [][]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	for _, b := range chunks {
		l.data = append(l.data, b)
		l.bytes += len(b)
	}
	l.other = true
	poke(l.wake)
	return true
}

// waiting is how many bytes wait to be written.
func (l *link) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// writeLoop writes until the link is over: what is urgent first, then about a fragment
// of the rest.
func (l *link) writeLoop() {
	for {
		p, json, other := l.next()
		var err error
		switch {
		case len(json) > 0:
			for _, b := range json {
				if err = l.ca.write(b); err != nil {
					break
				}
			}
		case len(p) > 0:
			err = l.ca.write(p)
		default:
			if bye := l.leaving(); bye != nil {
				l.fail(bye)
				return
			}
			select {
			case <-l.wake:
			case <-l.done:
				return
			}
			continue
		}
		if err != nil {
			l.fail(err)
			return
		}
		l.activity.sent(other)
	}
}

// farewell is how long the last words may take.
const farewell = time.Second

// leave ends the link for cause, after saying what was taken and that nobody comes back
// to this session: the device is away at once.
func (l *link) leave(cause error) {
	l.acks.flush()
	l.control(&wire.GoAway{Reason: "bye"})
	l.mu.Lock()
	l.bye = cause
	l.mu.Unlock()
	poke(l.wake)
	t := time.NewTimer(farewell)
	defer t.Stop()
	select {
	case <-t.C:
		l.fail(cause)
	case <-l.done:
	}
}

func (l *link) leaving() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bye
}

// next takes what is to be written in one go; other says that it is more than beats.
func (l *link) next() (p []byte, each [][]byte, other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, nil, false
	}
	before := l.bytes
	other, l.other = l.other, false
	if l.ca.format() == wire.Format(wire.JSON) {
		each, l.data, l.bytes = l.data, nil, 0
	} else {
		p, l.ctl = l.ctl, nil
		n := 0
		for n < len(l.data) && (n == 0 || len(p)+len(l.data[n]) <= writeAtOnce) {
			p = append(p, l.data[n]...)
			l.bytes -= len(l.data[n])
			n++
		}
		if l.data = l.data[n:]; len(l.data) == 0 {
			l.data = nil
		}
	}
	if before >= queueSends && l.bytes < queueSends {
		poke(l.drained)
	}
	l.other = len(l.data) > 0
	return p, each, other
}

// poke leaves a note in a channel that holds one.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// activity is when frames passed. Times are of the wall clock: a machine that slept
// must see it.
type activity struct {
	mu       sync.Mutex
	lastSent time.Time // guarded by mu
	lastRecv time.Time // guarded by mu
	other    bool      // guarded by mu: something but beats passed since the last beat
}

func (a *activity) received(t wire.Type) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastRecv = wall()
	if t != wire.TypePong {
		a.other = true
	}
}

func (a *activity) sent(other bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastSent = wall()
	a.other = a.other || other
}

// wall is the time of the wall clock, without the monotonic reading that may stand
// still while a machine sleeps.
func wall() time.Time { return time.Now().Round(0) }

// call is a REQ that waits for its RES.
type call struct {
	done chan *wire.Res // holds one
}

// callTable are the outstanding requests of a link.
type callTable struct {
	mu   sync.Mutex
	last uint64           // guarded by mu
	m    map[uint64]*call // guarded by mu
	room chan struct{}    // as many as may be outstanding; fixed at adopt
}

// request makes one REQ and waits. The error is the context's, ErrUnknown when the
// link ended first, or a refusal.
func (l *link) request(ctx context.Context, method string, req, res wire.Body) error {
	select {
	case l.calls.room <- struct{}{}:
		defer func() { <-l.calls.room }()
	case <-l.done:
		return ErrUnknown
	case <-ctx.Done():
		return ctx.Err()
	}
	body, err := l.ca.format().MarshalBody(req)
	if err != nil {
		return &Error{Code: wire.CodeInvalid, Message: err.Error()}
	}
	k := &call{done: make(chan *wire.Res, 1)}
	l.calls.mu.Lock()
	l.calls.last++
	id := l.calls.last
	l.calls.m[id] = k
	l.calls.mu.Unlock()
	defer func() {
		l.calls.mu.Lock()
		delete(l.calls.m, id)
		l.calls.mu.Unlock()
	}()
	ack := l.acks.take()
	chunks, err := l.encode(&wire.Req{Id: id, Method: method, Body: body, Ack: ack})
	if err != nil {
		if ack != nil {
			l.control(ack)
		}
		return err
	}
	if !l.queue(chunks) {
		return ErrUnknown
	}
	select {
	case r := <-k.done:
		if r.Code != wire.CodeOK {
			return refusal(r.Code, r.Message, r.RetryMs)
		}
		if err := l.ca.format().UnmarshalBody(r.Body, res); err != nil {
			l.fail(err)
			return ErrUnknown
		}
		return nil
	case <-l.done:
		return ErrUnknown
	case <-ctx.Done():
		l.send(&wire.Cancel{Id: id})
		return ctx.Err()
	}
}

// answered hands r, whose memory is its own, to whoever waits for it.
func (l *link) answered(r *wire.Res) {
	l.calls.mu.Lock()
	k := l.calls.m[r.Id]
	delete(l.calls.m, r.Id)
	l.calls.mu.Unlock()
	if k != nil {
		k.done <- r
	}
}
