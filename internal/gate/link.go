package gate

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Causes for which gate itself ends a link; see Link.Cause.
var (
	ErrStalled  = errors.New("gate: the peer took no byte for too long")
	ErrOverflow = errors.New("gate: too many bytes wait for the peer")
)

// Owner is a door's connection behind a Link.
type Owner interface {
	// Fill appends to b what is to be written now, in clear, and answers it. It is
	// called at the link's turn, by one goroutine at a time, must not block, and keeps
	// nothing of b. It calls Link.Wake if there is more than it wants to write at once.
	Fill(b []byte) []byte

	// Silent says that no byte came for the time given to Link.Expect. It must not
	// block.
	Silent()

	// Cut says, once, that the socket has been closed: Link.Cause knows more. It must
	// not block.
	Cut()
}

// Link is one connection of a client: what Listener.Accept gives, at the bottom of
// TLS and WebSocket where there are any. Until Queue it is a net.Conn like any other.
//
// After Queue, Write and Close never wait: what is written is appended to the bytes
// that a flusher writes at the link's turn, and Close lets those still go out. Read
// works as before; deadlines for writing are ignored, as gate keeps its own.
type Link struct {
	g    *Gate           // fixed
	raw  net.Conn        // fixed
	rc   syscall.RawConn // fixed; nil: raw has none, all writes take a goroutine
	fl   *flusher        // fixed
	num  uint64          // fixed
	addr netip.AddrPort  // fixed but for SetClient: of the client
	head []byte          // owned by who reads: came before the first byte that Read gives

	// Set by Queue, before anyone else can need them.
	owner Owner
	top   func([]byte) error // nil: what Fill gives goes to the socket as it is

	spoke
	stay

	waiting atomic.Bool // has a place of the Gatekeeper
	queued  atomic.Bool // Queue was called

	mu      sync.Mutex
	out     []byte        // guarded by mu: to be written to the socket at the next turn
	state   state         // guarded by mu
	again   bool          // guarded by mu: woken during its turn
	closing bool          // guarded by mu: nothing more is taken; out is still written
	dead    bool          // guarded by mu: the socket is closed
	done    bool          // guarded by mu: closing, and all is written
	cause   error         // guarded by mu: why it died; nil = closed by its door or its peer
	written chan struct{} // guarded by mu: closed when done or dead; nil: nobody waits
	reader  *Reader       // guarded by mu: is told when the link is done or dead; nil: a goroutine reads
}

type state uint8

const (
	idle    state = iota
	queued        // the flusher will come
	running       // the flusher is here
	blocked       // a goroutine of its own writes
)

// link makes a Link of a connection that was just accepted.
func (g *Gate) link(raw net.Conn, addr netip.AddrPort, head []byte) *Link {
	l := &Link{g: g, raw: raw, num: g.number.Add(1), addr: addr, head: head}
	l.fl = g.fl[l.num%uint64(len(g.fl))]
	if sc, ok := raw.(syscall.Conn); ok && haveRaw {
		if rc, err := sc.SyscallConn(); err == nil {
			l.rc = rc
		}
	}
	g.links.Add(1)
	return l
}

// NewLink makes a Link over a connection that came from no Listener of this Gate: a
// pipe, a connection of a test server. The Gatekeeper is not asked.
func (g *Gate) NewLink(c net.Conn) *Link { return g.link(c, addrPort(c.RemoteAddr()), nil) }

// LinkOf finds the Link under a connection that a Listener gave: itself, or under a
// *tls.Conn. nil if there is none.
func LinkOf(c net.Conn) *Link {
	for {
		switch v := c.(type) {
		case *Link:
			return v
		case interface{ NetConn() net.Conn }:
			c = v.NetConn()
		default:
			return nil
		}
	}
}

// Number is the link's own among all of its Gate, for logs.
func (l *Link) Number() uint64 { return l.num }

// Addr is the client's address: the socket's, or what a trusted proxy said.
func (l *Link) Addr() netip.Addr { return l.addr.Addr() }

// SetClient corrects the client's address, by what the HTTP request of a trusted proxy
// said; before anyone else knows the link.
func (l *Link) SetClient(a netip.AddrPort) { l.addr = a }

// SignedIn gives the Gatekeeper's place back: the client has proved who it is.
func (l *Link) SignedIn() {
	if l.waiting.CompareAndSwap(true, false) {
		l.g.crowd.remove(l)
		l.g.cfg.Gatekeeper.Release(l.addr.Addr())
	}
}

// Queue hands all writing over to the flusher. top writes clear bytes through what
// lies above the link (TLS, WebSocket) and so comes back as Writes; nil if nothing
// does. Call it once, when nothing is being written.
func (l *Link) Queue(owner Owner, top func([]byte) error) {
	l.owner, l.top = owner, top
	// Left alone, Linux takes up to 4 MB for a peer that has stopped reading, and it
	// would take that much until it is noticed.
	if s, ok := l.raw.(interface{ SetWriteBuffer(int) error }); ok && l.g.cfg.SendBuffer > 0 {
		s.SetWriteBuffer(l.g.cfg.SendBuffer)
	}
	l.queued.Store(true)
}

// Expect makes the link call Owner.Silent when no byte comes for d from now, and then
// for d after every byte; 0 = never. It holds to about 0.2 s. After Queue only.
func (l *Link) Expect(d time.Duration) { l.g.wheel.expect(l, d) }

// Wake says that the owner has something to write. It never waits, and costs little
// when the link's turn is coming anyway.
func (l *Link) Wake() {
	if !l.queued.Load() {
		return
	}
	l.mu.Lock()
	switch {
	case l.dead:
	case l.state == idle:
		l.state = queued
		l.mu.Unlock()
		l.fl.add(l)
		return
	case l.state != queued:
		l.again = true
	}
	l.mu.Unlock()
}

// Waiting is how many bytes wait for the peer below the door.
func (l *Link) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.out)
}

// Write appends p to what is to be written, or before Queue writes it.
func (l *Link) Write(p []byte) (int, error) {
	if !l.queued.Load() {
		n, err := l.raw.Write(p)
		l.g.written.Add(uint64(n))
		return n, err
	}
	l.mu.Lock()
	if l.dead || l.closing {
		l.mu.Unlock()
		return 0, net.ErrClosed
	}
	if len(l.out)+len(p) > l.g.cfg.MaxWaiting {
		l.mu.Unlock()
		l.Abort(ErrOverflow)
		return 0, ErrOverflow
	}
	if l.out == nil {
		l.out = Buffer()
	}
	l.out = append(l.out, p...)
	wake := l.state == idle
	if wake {
		l.state = queued
	}
	l.mu.Unlock()
	if wake {
		l.fl.add(l)
	}
	return len(p), nil
}

// ReadFrom lets io.Copy use the socket's own way (sendfile) before Queue.
func (l *Link) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := l.raw.(io.ReaderFrom); ok && !l.queued.Load() {
		n, err := rf.ReadFrom(r)
		l.g.written.Add(uint64(n))
		return n, err
	}
	return io.Copy(struct{ io.Writer }{l}, r)
}

// Read reads from the socket.
func (l *Link) Read(p []byte) (int, error) {
	if len(l.head) > 0 {
		n := copy(p, l.head)
		if l.head = l.head[n:]; len(l.head) == 0 {
			l.head = nil
		}
		return n, nil
	}
	if l.waiting.Load() {
		l.g.crowd.await(l)
		defer l.g.crowd.came(l)
	}
	n, err := l.raw.Read(p)
	l.heard(n)
	return n, err
}

// heard notes that n bytes came.
func (l *Link) heard(n int) {
	if n > 0 {
		l.last.Store(l.g.wheel.now.Load())
		l.g.readIn.Add(uint64(n))
	}
}

// Close closes the connection; after Queue only when what waits has been written, or
// Config.Linger is over. The peer's end is then awaited by who reads: see Discard.
func (l *Link) Close() error {
	if !l.queued.Load() {
		l.Abort(nil)
		return nil
	}
	l.mu.Lock()
	if l.dead || l.closing {
		l.mu.Unlock()
		return nil
	}
	l.closing = true
	wake := l.state == idle
	if wake {
		l.state = queued
	}
	l.mu.Unlock()
	if wake {
		l.fl.add(l)
	}
	return nil
}

// Abort closes the socket at once. The first cause that is not nil stays. It does not
// wait, and may be called by anyone.
func (l *Link) Abort(cause error) {
	if !l.die(cause) {
		return
	}
	if !l.queued.Load() {
		l.raw.Close()
		return
	}
	l.owner.Cut()
	// Closing waits for whoever is reading from the socket to come back from what it
	// read, which may be waiting for the caller.
	l.g.blocked.Go(func() { l.raw.Close() })
	l.mu.Lock()
	r := l.reader
	l.mu.Unlock()
	if r != nil {
		r.stop()
	}
}

// die marks the link as closed; false: it was before.
func (l *Link) die(cause error) bool {
	l.mu.Lock()
	if l.dead {
		l.mu.Unlock()
		return false
	}
	l.cause = cause
	l.dead, l.closing = true, true
	l.tellWritten()
	if l.state == idle {
		Release(l.out)
		l.out = nil
	}
	l.mu.Unlock()
	l.g.wheel.forget(l)
	l.SignedIn()
	l.g.links.Add(-1)
	if cause == ErrStalled {
		l.g.stalled.Add(1)
	}
	return true
}

// Cause is why gate ended the link: ErrStalled, ErrOverflow, or what the socket said;
// nil if its door or its peer did.
func (l *Link) Cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// finished is called when the last byte of a closing link has been written: it tells
// the peer, and whoever reads ends by the peer's answer or soon after.
func (l *Link) finished() {
	l.raw.SetReadDeadline(time.Now().Add(l.g.cfg.Linger / 2))
	if cw, ok := l.raw.(interface{ CloseWrite() error }); !ok || cw.CloseWrite() != nil {
		l.raw.Close()
	}
	l.mu.Lock()
	l.done = true
	l.tellWritten()
	r := l.reader
	l.mu.Unlock()
	if r != nil {
		r.stop()
	}
}

// tellWritten needs mu.
func (l *Link) tellWritten() {
	if l.written != nil {
		close(l.written)
		l.written = nil
	}
}

// CloseWrite tells the peer that nothing more comes, before Queue only.
func (l *Link) CloseWrite() error {
	if cw, ok := l.raw.(interface{ CloseWrite() error }); ok && !l.queued.Load() {
		return cw.CloseWrite()
	}
	return l.Close()
}

// Discard is the last thing that the goroutine that reads does: it sees the last words
// out. Its door has called Close, or is about to in Fill. What the peer still says is
// read and thrown away, so that a reset does not take those words from it; the socket
// is closed when the peer has ended its side too, after Config.Linger and a half at
// the latest.
func (l *Link) Discard() {
	l.mu.Lock()
	if l.dead || !l.queued.Load() {
		l.mu.Unlock()
		l.Abort(nil)
		return
	}
	written := make(chan struct{})
	if l.done {
		close(written)
	} else {
		l.written = written
	}
	l.mu.Unlock()
	t := time.AfterFunc(l.g.cfg.Linger+l.g.cfg.Linger/2, func() { l.Abort(nil) })
	var b [512]byte
	for n := 0; n < 1<<20; {
		k, err := l.raw.Read(b[:])
		if n += k; err != nil {
			break
		}
	}
	<-written
	t.Stop()
	if l.die(nil) {
		l.raw.Close() // nobody reads any more
	}
}

// LocalAddr is the address of our end.
func (l *Link) LocalAddr() net.Addr { return l.raw.LocalAddr() }

// RemoteAddr is the client's address, as Addr.
func (l *Link) RemoteAddr() net.Addr {
	if l.addr.IsValid() {
		return net.TCPAddrFromAddrPort(l.addr)
	}
	return l.raw.RemoteAddr()
}

// SetDeadline sets both deadlines before Queue, and the one for reading after it.
func (l *Link) SetDeadline(t time.Time) error {
	if l.queued.Load() {
		return l.SetReadDeadline(t)
	}
	return l.raw.SetDeadline(t)
}

// SetReadDeadline sets the deadline for reading, unless the link is closing and has
// one of its own.
func (l *Link) SetReadDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock() // so that none comes between closing and finished
	if l.closing {
		return nil
	}
	return l.raw.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline for writing, before Queue only.
func (l *Link) SetWriteDeadline(t time.Time) error {
	if l.queued.Load() {
		return nil
	}
	return l.raw.SetWriteDeadline(t)
}

// addrPort reads a socket's address; the zero value if it is none of TCP.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// outBuffers are lent for bytes on their way out.
var outBuffers struct {
	mu   sync.Mutex
	free [][]byte // guarded by mu: at most maxOutBuffers
}

const (
	leastPooled   = 1 << 10
	mostPooled    = 64 << 10
	maxOutBuffers = 256
)

// Buffer lends an empty buffer with some room, for bytes that live for a turn.
func Buffer() (b []byte) {
	p := &outBuffers
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		b, p.free[n-1] = p.free[n-1], nil
		p.free = p.free[:n-1]
	}
	p.mu.Unlock()
	if b == nil {
		b = make([]byte, 0, 4<<10)
	}
	return b
}

// Release gives a buffer back; b must not be used any more. Small and large ones are
// left to the garbage collector.
func Release(b []byte) {
	if c := cap(b); c < leastPooled || c > mostPooled {
		return
	}
	p := &outBuffers
	p.mu.Lock()
	if len(p.free) < maxOutBuffers {
		p.free = append(p.free, b[:0])
	}
	p.mu.Unlock()
}
