package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/anser-im/anser/wire"
)

// client is one connection of a run. Its reader, the pacer and the keeper come to it;
// what is below mu is guarded by it.
type client struct {
	run   *run   // fixed
	index int    // fixed: the user's number in the run
	user  string // fixed
	link  *link  // fixed

	welcome welcome // fixed after login

	mu      sync.Mutex
	ws      *wsReader // nil = no WebSocket
	rest    []byte    // a frame that has not come whole
	frags   wire.Reassembler
	out     []byte  // what is to be written at the end of this turn, after room bytes; nil = nothing
	outFrom *[]byte // where out is borrowed from

	pushSeen  uint64 // number of the last push
	pushAcked uint64 // number of the last push that was acknowledged
	unacked   int    // bytes of the pushes in between
	oldest    int64  // when the first of them came; 0 = there is none

	reqID   uint64
	waiting map[uint64]func(*wire.Res) // by request id

	send *sender // nil = sends nothing
	in   *inbox  // its conversation; nil = it has none
	all  func(e *event, now int64)

	ev           event // of push: here so that it is not allocated
	pings, pongs uint64
	lastAt       int64 // when the last new message came
	closed       bool
	turnCount    struct{ sent, accepted, answered, delivered uint64 } // since the last report
}

// welcome is what is needed of WELCOME.
type welcome struct {
	window, windowBytes int
	credit              int
	outstanding         int
}

// beatSeconds is the beat that clients announce.
const beatSeconds = 30

// ackAfter is how long a push may stay unacknowledged.
const ackAfter = time.Second

// dial connects the run's i-th user and logs it in. Its reader is started by read.
func (r *run) dial(ctx context.Context, t *target, i int) (*client, error) {
	c := &client{run: r, index: i, user: r.user(i)}
	l, err := dialLink(ctx, t.host, t.source(i), t.tls)
	if err != nil {
		return nil, err
	}
	c.link = l
	if t.path != "" {
		rest, err := upgrade(ctx, l, t.name, t.path)
		if err != nil {
			l.close()
			return nil, err
		}
		c.ws = new(wsReader)
		if c.rest, err = c.ws.strip(rest, c.control); err != nil {
			l.close()
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, func() { l.tcp.Close() })
	err = c.login(signToken(t.secret, c.user, time.Now()))
	stop()
	if err != nil {
		l.close()
		return nil, err
	}
	r.live.Add(1)
	return c, nil
}

// login sends HELLO and waits for WELCOME.
func (c *client) login(token string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.put(&wire.Hello{
		Version: wire.Version,
		Token:   token,
		Device:  &wire.Device{Id: "bench", Class: wire.ClassBot, Sdk: "anser bench"},
		NextS:   beatSeconds,
		Caps:    &wire.Caps{Fragments: true},
	})
	if err == nil {
		err = c.flush()
	}
	if err != nil {
		return err
	}
	buf := make([]byte, 4<<10)
	for {
		f, n, err := wire.Next(c.rest, wire.MaxFrame)
		if err == nil {
			defer func() { c.rest = append([]byte(nil), c.rest[n:]...) }()
			return c.welcomed(f)
		}
		if err != wire.ErrShort {
			return err
		}
		n, err = c.link.Read(buf)
		if n > 0 {
			in := buf[:n]
			if c.ws != nil {
				var e error
				if in, e = c.ws.strip(in, c.control); e != nil {
					return e
				}
			}
			c.rest = append(c.rest, in...)
			continue
		}
		if err != nil {
			return fmt.Errorf("no answer to HELLO: %w", err)
		}
	}
}

func (c *client) welcomed(f wire.Frame) error {
	switch f.Type {
	case wire.TypeGoAway:
		var g wire.GoAway
		if err := wire.Binary.Decode(f, &g); err != nil {
			return err
		}
		return fmt.Errorf("the login was refused: %d %s %s", g.Code, g.Reason, g.Message)
	case wire.TypeWelcome:
	default:
		return fmt.Errorf("HELLO was answered with %v", f.Type)
	}
	var w wire.Welcome
	if err := wire.Binary.Decode(f, &w); err != nil {
		return err
	}
	c.welcome = welcome{
		window:      int(w.WindowEvents),
		windowBytes: int(w.WindowBytes),
		credit:      int(w.SendCredit),
		outstanding: int(w.GetLimits().GetOutstanding()),
	}
	return nil
}

// read starts the client's reader.
func (c *client) read() {
	c.run.readers.Add(1)
	go func() {
		defer c.run.readers.Done()
		err := c.feed(nil) // what came with WELCOME
		if err == nil {
			err = c.link.readLoop(c.feed)
		}
		c.run.live.Add(-1)
		if !c.run.closing.Load() {
			c.run.faults.add("a connection ended: %v", err)
		}
		c.close()
	}()
}

// close ends the connection, from whatever goroutine.
func (c *client) close() {
	c.mu.Lock()
	c.closed = true
	if c.send != nil {
		c.send.stopTimer(c.run)
	}
	c.mu.Unlock()
	c.link.close()
}

// feed takes what came: all whole frames in it are handled, then what is to be said
// is written at once.
func (c *client) feed(b []byte) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		if b, err = c.ws.strip(b, c.control); err != nil {
			return err
		}
	}
	if len(c.rest) > 0 {
		c.rest = append(c.rest, b...)
		b = c.rest
	}
	now := c.run.now()
	for len(b) > 0 {
		f, n, err := wire.Next(b, wire.MaxFrame)
		if err == wire.ErrShort {
			break
		}
		if err == nil {
			b = b[n:]
			err = c.frame(f, now)
		}
		if err != nil {
			return err
		}
	}
	c.rest = append(c.rest[:0], b...)
	if len(c.rest) == 0 && cap(c.rest) > readBuf {
		c.rest = nil
	}
	return c.turn(now)
}

// kick is for those who are not the reader: do, then a turn as after a read. do may
// be nil.
func (c *client) kick(do func(now int64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	now := c.run.now()
	if do != nil {
		do(now)
	}
	if err := c.turn(now); err != nil {
		c.fault(err)
	}
}

// fault is for an error that the reader does not see by itself: it is made to.
func (c *client) fault(err error) {
	if !c.closed && !c.run.closing.Load() {
		c.run.faults.add("a write failed: %v", err)
	}
	c.link.tcp.Close()
}

// turn says what is to be said now.
func (c *client) turn(now int64) error {
	if c.send != nil {
		c.send.fill(c, now)
	}
	c.ackIfDue(now)
	c.report()
	return c.flush()
}

// report adds what this turn counted to the run's counts.
func (c *client) report() {
	t := &c.turnCount
	s := &c.run.counts[c.index%countShards]
	if t.sent > 0 {
		s.sent.Add(t.sent)
	}
	if t.delivered > 0 {
		s.delivered.Add(t.delivered)
	}
	if t.accepted > 0 {
		s.accepted.Add(t.accepted)
	}
	if t.answered > 0 {
		s.answered.Add(t.answered)
	}
	t.sent, t.accepted, t.answered, t.delivered = 0, 0, 0, 0
	if c.send != nil {
		c.send.checkFinished(c) // after the counts: who sees it finished sees them
	}
}

// ackIfDue acknowledges what was pushed, at half the window.
func (c *client) ackIfDue(now int64) {
	if c.pushSeen == c.pushAcked {
		return
	}
	w := &c.welcome
	if int(c.pushSeen-c.pushAcked)*2 >= w.window || c.unacked*2 >= w.windowBytes || now-c.oldest >= int64(ackAfter) {
		c.begin()
		c.out = appendAck(c.out, c.takeAck())
	}
}

// takeAck is the push number that is acknowledged with what is written now; 0 = there
// is none.
func (c *client) takeAck() uint64 {
	if c.pushSeen == c.pushAcked {
		return 0
	}
	c.pushAcked, c.unacked, c.oldest = c.pushSeen, 0, 0
	return c.pushSeen
}

var outBufs = sync.Pool{New: func() any { return new([]byte) }}

// maxOutBuf is the largest buffer that is kept for others.
const maxOutBuf = 1 << 20

// begin makes c.out ready to be appended to.
func (c *client) begin() {
	if c.out == nil {
		c.outFrom = outBufs.Get().(*[]byte)
		if *c.outFrom == nil {
			*c.outFrom = make([]byte, wsRoom, 1<<10)
		}
		c.out = (*c.outFrom)[:wsRoom]
	}
}

// put appends a whole frame to what is written at the end of the turn.
func (c *client) put(m wire.Body) (err error) {
	c.begin()
	c.out, err = wire.Binary.Append(c.out, m)
	return err
}

// flush writes c.out.
func (c *client) flush() error {
	if c.out == nil {
		return nil
	}
	var err error
	if len(c.out) > wsRoom {
		b := c.out[wsRoom:]
		if c.ws != nil {
			b = wsWrap(c.out, wsBinary)
		}
		_, err = c.link.Write(b)
	}
	if cap(c.out) <= maxOutBuf {
		*c.outFrom = c.out[:wsRoom]
		outBufs.Put(c.outFrom)
	}
	c.out, c.outFrom = nil, nil
	return err
}

// control answers a WebSocket control frame.
func (c *client) control(op byte, payload []byte) error {
	switch op {
	case wsPing:
		b := append(make([]byte, wsRoom, wsRoom+len(payload)), payload...)
		_, err := c.link.Write(wsWrap(b, wsPong))
		return err
	case wsClose:
		return fmt.Errorf("the server closed the WebSocket: %q", payload)
	}
	return nil
}

// frame handles one frame, or a fragment of one.
func (c *client) frame(f wire.Frame, now int64) error {
	if f.Flags != 0 || c.frags.Pending() > 0 {
		var ok bool
		var err error
		if f, ok, err = c.frags.Add(f); err != nil || !ok {
			return err
		}
	}
	switch f.Type {
	case wire.TypeSendAck:
		var a sendAck
		if err := a.read(f.Body); err != nil {
			return err
		}
		if c.send == nil {
			return errors.New("a SENDACK to who sent nothing")
		}
		c.send.answer(c, &a, now)
	case wire.TypePush:
		return c.push(f.Body, now)
	case wire.TypePong:
		c.pongs++
	case wire.TypeRes:
		return c.response(f)
	case wire.TypeGoAway:
		var g wire.GoAway
		if err := wire.Binary.Decode(f, &g); err != nil {
			return err
		}
		return fmt.Errorf("GOAWAY %d %s: %s", g.Code, g.Reason, g.Message)
	}
	return nil
}

func (c *client) push(body []byte, now int64) error {
	number, n, err := eachEvent(body, &c.ev, func(e *event) error {
		switch {
		case c.all != nil:
			c.all(e, now)
		case c.in != nil:
			c.in.event(c, e, now)
		case string(e.typ) == bodyType:
			c.run.faults.add("a message to who is in no conversation")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if number != c.pushSeen+uint64(n) {
		c.run.faults.add("push number %d after %d, with %d events", number, c.pushSeen, n)
	}
	if c.pushSeen == c.pushAcked {
		c.oldest = now
	}
	c.pushSeen = number
	c.unacked += len(body)
	return nil
}

// request sends a REQ at the end of the turn; done gets the answer, whose memory is
// only borrowed. The caller holds c.mu.
func (c *client) request(method string, req wire.Body, done func(*wire.Res)) error {
	b, err := wire.Binary.MarshalBody(req)
	if err != nil {
		return err
	}
	c.reqID++
	if c.waiting == nil {
		c.waiting = make(map[uint64]func(*wire.Res))
	}
	c.waiting[c.reqID] = done
	return c.put(&wire.Req{Id: c.reqID, Method: method, Body: b})
}

func (c *client) response(f wire.Frame) error {
	var res wire.Res
	if err := wire.Binary.Decode(f, &res); err != nil {
		return err
	}
	done := c.waiting[res.Id]
	if done == nil {
		return fmt.Errorf("a RES to request %d, which is not waiting", res.Id)
	}
	delete(c.waiting, res.Id)
	done(&res)
	return nil
}

// call is request for who can wait: it gives the answer's body, decoded into res.
func (c *client) call(ctx context.Context, method string, req, res wire.Body) error {
	answer := make(chan error, 1)
	c.kick(func(int64) {
		err := c.request(method, req, func(r *wire.Res) {
			if r.Code != 0 {
				answer <- fmt.Errorf("%s was refused: %d %s", method, r.Code, r.Message)
				return
			}
			body := append([]byte(nil), r.Body...) // res aliases it
			answer <- wire.Binary.UnmarshalBody(body, res)
		})
		if err != nil {
			answer <- err
		}
	})
	ctx, cancel := context.WithTimeout(ctx, defaultPatience)
	defer cancel()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer to %s: %w", method, ctx.Err())
	}
}
