package native

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// transport is what carries a connection.
type transport uint8

const (
	overTCP transport = iota
	overTLS
	overWS
	transports
)

var transportNames = [transports]string{"tcp", "tls", "ws"}

// conn is one client connection. One goroutine at a time takes what comes; what is
// written is asked for by the link's flusher (Fill); core calls sendDone, Wake and
// endedByCore from anywhere.
type conn struct {
	d   *Door       // fixed
	l   *gate.Link  // fixed
	tls *tls.Conn   // fixed; nil without TLS, and over WebSocket
	ws  *socket     // fixed; nil but over WebSocket
	f   wire.Format // fixed
	how transport   // fixed

	// Set by hello before anyone else can need them.
	sess      *core.Session // nil until then
	core      *core.Core
	credit    int32
	inMax     int  // bytes of the largest frame that the client may send
	maxFrame  int  // bytes of the largest frame that the client takes
	zstd      bool // it reads compressed frames
	fragments bool // it puts fragments together
	done      func(*core.Send)

	// Owned by whoever takes what comes.
	in        *gate.Reader
	confirmed bool
	first     []byte            // read together with HELLO
	asm       *wire.Reassembler // nil while no frame is cut or compressed
	addr      im.Address        // of the last SEND, to be used again
	pulled    []core.Pulled     // for Ack

	unacked atomic.Int32 // SENDs without their SENDACK

	mu       sync.Mutex
	ready    bool          // guarded by mu: the link is queued
	welcomed bool          // guarded by mu: events may be taken
	said     bool          // guarded by mu: the last words have been written
	gone     bool          // guarded by mu: the reader has ended
	cut      bool          // guarded by mu: the socket is closed
	left     bool          // guarded by mu: the client said goodbye
	out      []byte        // guarded by mu: answers, whole frames, at most maxAnswers and a few; nil while there are none
	frames   int           // guarded by mu: in out
	room     chan struct{} // guarded by mu: closed when out has been taken; nil = nobody waits
	ending   *ending       // guarded by mu: why it ends; nil = it goes on
	reqs     *requests     // guarded by mu: nil until the first
}

// errEnding ends a reading loop whose connection ends already.
var errEnding = errors.New("native: the connection is ending")

// open makes the link ready, signs the client in, and answers whether the connection
// goes on. If not, it is over.
func (c *conn) open() (ok bool) {
	defer c.recovered("signing in", func() {
		ok = false
		c.over()
	})
	if c.tls != nil && !c.handshake() {
		c.over()
		return false
	}
	if !c.queue() {
		c.over()
		return false
	}
	if c.d.draining.Load() {
		c.end(drained())
	}
	if !c.hello() {
		c.over()
		return false
	}
	var src io.Reader
	if c.tls != nil {
		src = c.tls
	}
	c.in = c.l.Reader(src, c.first, c.d.budget, c)
	c.first = nil
	return true
}

// queue gives writing to the flusher.
func (c *conn) queue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending != nil {
		return false
	}
	switch {
	case c.ws != nil:
		c.l.Queue(c, c.writeWS)
	case c.tls != nil:
		c.l.Queue(c, c.writeTLS)
	default:
		c.l.Queue(c, nil)
	}
	c.ready = true
	return true
}

// read reads until the connection ends, without this goroutine.
func (c *conn) read() {
	if !c.in.Start(c.finish) {
		// Signing in took a deep stack, waiting for frames takes a small one: see
		// gate.Reader.Run.
		go c.loop()
	}
}

// loop reads until the connection ends.
func (c *conn) loop() { c.finish(c.in.Run()) }

// finish is called when reading has ended.
func (c *conn) finish(err error) {
	c.stopped(err)
	c.over()
}

// stopped notes why reading ended.
func (c *conn) stopped(err error) {
	switch {
	case err == errEnding:
	case err == gate.ErrNoRoom:
		c.end(broken(&wire.Error{Code: wire.CodeBusy, Text: "too many unfinished frames on this node"}))
	case c.l.Cause() == gate.ErrStalled:
		c.note(ending{reason: wire.ReasonSlow, code: wire.CodeSlow, why: whySlow})
	case err == io.EOF, errors.Is(err, net.ErrClosed):
		c.note(ending{why: whyClient})
	default:
		c.note(ending{why: whyError})
	}
}

// over ends the connection for good: nothing of it runs afterwards.
func (c *conn) over() {
	c.mu.Lock()
	c.gone = true
	left := c.left
	c.letGo()
	c.closeRequests()
	c.mu.Unlock()
	if c.sess != nil {
		if left {
			c.sess.Close()
		} else {
			c.sess.Detach()
		}
	}
	if c.asm != nil {
		c.asm.Close()
	}
	if c.ws != nil {
		c.ws.hello.Stop()
		c.ws.drop()
	}
	c.farewell()
	c.l.Discard()
	if log := c.d.cfg.Log; log.Enabled(context.Background(), slog.LevelInfo) && c.sess != nil {
		c.log().Info("connection ended", "why", whyNames[c.cause()])
	}
	c.d.leave(c)
}

// farewell sees to it that what waits is still written when the peer has only ended
// its own side.
func (c *conn) farewell() {
	c.mu.Lock()
	if c.ending == nil {
		c.ending = &ending{why: whyClient}
	}
	quiet := c.ending.reason == "" && c.ending.raw == nil
	clean := c.ending.why == whyClient
	ready := c.ready
	c.mu.Unlock()
	switch {
	case !ready || quiet && !clean:
		c.l.Abort(nil)
	default:
		c.l.Wake()
	}
}

// end ends the connection with last words. The first reason counts. It does not wait.
func (c *conn) end(e ending) {
	c.note(e)
	c.l.Wake()
}

// note keeps why the connection ends; the first reason counts.
func (c *conn) note(e ending) {
	c.mu.Lock()
	if c.ending == nil {
		c.ending = &e
	}
	ready := c.ready
	c.letGo()
	c.mu.Unlock()
	if !ready {
		c.l.Abort(nil)
	}
}

// letGo wakes a reader that waits for its answers to be written; mu is held.
func (c *conn) letGo() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

// Cut is gate.Owner's: the socket is closed.
func (c *conn) Cut() {
	c.mu.Lock()
	c.cut = true
	c.letGo()
	c.mu.Unlock()
}

func (c *conn) cause() why {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending == nil {
		return whyClient
	}
	return c.ending.why
}

// recovered is deferred where frames are handled: a panic is a bug of ours and costs
// this connection.
func (c *conn) recovered(doing string, then func()) {
	p := recover()
	if p == nil {
		return
	}
	c.log().Error("panic: closing the connection", "doing", doing, "panic", p, "stack", string(debug.Stack()))
	c.end(ending{reason: wire.ReasonOverload, code: wire.CodeInternal, text: "something went wrong on the server; it has been logged",
		resumable: true, why: whyError})
	if then != nil {
		then()
	}
}

func (c *conn) log() *slog.Logger {
	log := c.d.cfg.Log.With("conn", c.l.Number(), "protocol", "native/"+transportNames[c.how], "addr", c.l.Addr().String())
	if c.sess != nil {
		log = log.With("user", c.sess.User(), "device", c.sess.Device())
	}
	return log
}

// Take handles the frames that are there; see gate.Taker.
func (c *conn) Take(b []byte) (used int, err error) {
	defer c.recovered("reading", func() { err = errEnding })
	n := uint64(0)
	defer func() { c.d.count.framesIn.Add(n) }()
	for used < len(b) {
		if err := c.wait(); err != nil {
			return used, err
		}
		f, size, err := wire.Next(b[used:], c.inMax)
		if err == wire.ErrShort {
			return used, nil
		}
		if err != nil {
			return used, c.broken(err)
		}
		used += size
		if f.Flags != 0 || c.asm != nil {
			var ok bool
			if f, ok, err = c.assemble(f); err != nil {
				return used, c.broken(err)
			} else if !ok {
				continue
			}
		}
		n++
		if err := c.frame(f); err != nil {
			return used, err
		}
	}
	return used, nil
}

// Answered is gate.Taker's: whether b begins with a whole frame that is answered.
func (c *conn) Answered(b []byte) bool {
	f, _, err := wire.Next(b, c.inMax)
	return err == nil && (f.Type == wire.TypePing || f.Type == wire.TypeSend || f.Type == wire.TypeReq) && f.Flags&wire.FlagMore == 0
}

// assemble puts fragments together and decompresses.
func (c *conn) assemble(f wire.Frame) (wire.Frame, bool, error) {
	if c.asm == nil {
		c.asm = &wire.Reassembler{Max: c.inMax, Budget: c.d.budget}
	}
	f, ok, err := c.asm.Add(f)
	if c.asm.Pending() == 0 {
		c.asm = nil
	}
	return f, ok, err
}

// broken ends the connection for bytes that are no frames.
func (c *conn) broken(err error) error {
	var e *wire.Error
	if !errors.As(err, &e) {
		e = &wire.Error{Code: wire.CodeMalformed, Text: err.Error()}
	}
	c.end(broken(e))
	return errEnding
}

// wait returns when more may be read: not while too many answers wait for the client.
func (c *conn) wait() error {
	c.mu.Lock()
	for len(c.out) > maxAnswers && c.ending == nil && !c.gone && !c.cut {
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.mu.Unlock()
		c.d.count.paused.Add(1)
		<-room
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	switch {
	case c.ending != nil:
		return errEnding
	case c.cut:
		return net.ErrClosed
	}
	return nil
}

// frame carries out one frame of a client that has signed in.
func (c *conn) frame(f wire.Frame) error {
	if !c.confirmed {
		c.confirmed = true
		c.sess.Confirm()
	}
	switch f.Type {
	case wire.TypePing:
		return c.ping(f)
	case wire.TypeSend:
		return c.send(f)
	case wire.TypeAck:
		return c.ackFrame(f)
	case wire.TypeReq:
		return c.req(f)
	case wire.TypeSignal:
		return c.signal(f)
	case wire.TypeState:
		return c.state(f)
	case wire.TypeCancel:
		return c.cancel(f)
	case wire.TypeExt, wire.TypePong:
		return nil // docs/PROTOCOL.md section 3: none is defined yet
	case wire.TypeGoAway: // its goodbye: it does not come back to this session
		c.mu.Lock()
		c.left = true
		c.mu.Unlock()
		c.end(ending{why: whyClient})
		return errEnding
	}
	c.end(malformed("a client sends no " + f.Type.String() + " frame here"))
	return errEnding
}

// answer appends a small frame to what is to be written. Any goroutine may call it.
func (c *conn) answer(m wire.Body) {
	c.mu.Lock()
	ok := c.append(m)
	c.mu.Unlock()
	if ok {
		c.l.Wake()
	}
}

// append needs mu. It answers whether the frame will be written.
func (c *conn) append(m wire.Body) bool {
	if c.gone || c.said {
		return false
	}
	c.grow()
	out, err := c.f.Append(c.out, m)
	if err != nil {
		c.log().Error("a frame cannot be encoded", "err", err)
		return false
	}
	c.out = c.seal(out)
	return true
}

// grow makes out ready for a frame; mu is held.
func (c *conn) grow() {
	if c.out == nil {
		c.out = gate.Buffer()
	}
}

// seal notes that a frame was appended to out; mu is held.
func (c *conn) seal(out []byte) []byte {
	c.frames++
	return c.between(out)
}

// between appends what stands behind each frame on its way out: frameSep in JSON.
func (c *conn) between(b []byte) []byte {
	if c.f == wire.JSON {
		b = append(b, frameSep)
	}
	return b
}

// answerWhole appends a frame that may be large, compressed and cut as the client
// likes it. frame is one whole binary frame, or a JSON object.
func (c *conn) answerWhole(frame []byte) {
	c.mu.Lock()
	ok := !c.gone && !c.said
	if ok {
		c.grow()
		c.out = c.seal(c.shape(c.out, frame))
	}
	c.mu.Unlock()
	if ok {
		c.l.Wake()
	}
}

// shape appends a whole frame as the client likes it.
func (c *conn) shape(dst, frame []byte) []byte {
	if c.f == wire.JSON {
		return append(dst, frame...)
	}
	if c.zstd && len(frame) > wire.CompressOver {
		b, err := wire.AppendCompressed(gate.Buffer(), frame)
		if err == nil {
			defer gate.Release(b)
			frame = b
		}
	}
	if c.fragments && len(frame) > wire.FragmentSize {
		if out, err := wire.AppendSplit(dst, frame, 0); err == nil {
			return out
		}
	}
	return append(dst, frame...)
}
