package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// link is the byte stream of one connection. Its write never waits: what the socket
// does not take at once is written by a goroutine that lives until it has. That
// backlog is bounded by what is asked of the connection: its window of messages.
type link struct {
	tcp *net.TCPConn
	raw syscall.RawConn
	tls *tls.Conn // nil = plain

	wg sync.WaitGroup // the goroutine of drain

	mu       sync.Mutex
	backlog  []byte // guarded by mu: not written yet
	draining bool   // guarded by mu: drain is at it
	werr     error  // guarded by mu: the first error of a write; final

	try     func(fd uintptr) bool // fixed: one write, made once so that it is not allocated each time
	tryBuf  []byte                // guarded by mu: argument of try
	tryN    int                   // guarded by mu: result of try
	tryFail error                 // guarded by mu: result of try
}

// dialLink connects to addr, from an address of its own if from is not "", and makes
// the TLS handshake if conf is not nil.
func dialLink(ctx context.Context, addr, from string, conf *tls.Config) (*link, error) {
	var d net.Dialer
	d.KeepAlive = -1 // the protocol has its own beat
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &link{tcp: nc.(*net.TCPConn)}
	if l.raw, err = l.tcp.SyscallConn(); err != nil {
		nc.Close()
		return nil, err
	}
	l.init()
	if conf != nil {
		l.tls = tls.Client(below{l}, conf)
		stop := context.AfterFunc(ctx, func() { nc.Close() })
		err := l.tls.HandshakeContext(ctx)
		stop()
		if err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// below is what TLS stands on: the socket to read from, and the link's write that
// never waits.
type below struct{ *link }

func (b below) Read(p []byte) (int, error)  { return b.tcp.Read(p) }
func (b below) Write(p []byte) (int, error) { return b.send(p) }
func (b below) Close() error                { return b.tcp.Close() }

// The rest makes it a net.Conn. Deadlines are only asked for by what nobody calls here.
func (b below) LocalAddr() net.Addr                { return b.tcp.LocalAddr() }
func (b below) RemoteAddr() net.Addr               { return b.tcp.RemoteAddr() }
func (b below) SetDeadline(t time.Time) error      { return b.tcp.SetDeadline(t) }
func (b below) SetReadDeadline(t time.Time) error  { return b.tcp.SetReadDeadline(t) }
func (b below) SetWriteDeadline(t time.Time) error { return b.tcp.SetWriteDeadline(t) }

// Read is a plain blocking read: for what comes before readLoop.
func (l *link) Read(p []byte) (int, error) {
	if l.tls != nil {
		return l.tls.Read(p)
	}
	return l.tcp.Read(p)
}

// Write takes all of p or fails; it does not wait for the socket.
func (l *link) Write(p []byte) (int, error) {
	if l.tls != nil {
		return l.tls.Write(p)
	}
	return l.send(p)
}

// send puts p on the socket, as far as it goes at once, and the rest into the backlog.
func (l *link) send(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.werr != nil {
		return 0, l.werr
	}
	if l.draining {
		l.backlog = append(l.backlog, p...)
		return len(p), nil
	}
	n, err := l.writeOnce(p)
	if err != nil {
		l.werr = err
		return 0, err
	}
	if n < len(p) {
		l.backlog = append(l.backlog, p[n:]...)
		l.draining = true
		l.wg.Add(1)
		go l.drain()
	}
	return len(p), nil
}

// drain writes the backlog and ends.
func (l *link) drain() {
	defer l.wg.Done()
	for {
		l.mu.Lock()
		b := l.backlog
		l.backlog = nil
		if len(b) == 0 || l.werr != nil {
			l.draining = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		if _, err := l.tcp.Write(b); err != nil {
			l.mu.Lock()
			l.werr = err
			l.mu.Unlock()
		}
	}
}

// close ends the connection and waits for drain. A reader returns.
func (l *link) close() {
	l.tcp.Close()
	l.wg.Wait()
}

// readBuf is how much one read takes.
const readBuf = 32 << 10

var readBufs = sync.Pool{New: func() any { return new([readBuf]byte) }}

// readLoop hands what comes to handle, until that or the connection ends. handle must
// not keep its argument, and may alter it.
func (l *link) readLoop(handle func([]byte) error) error {
	if l.tls != nil {
		return l.readTLS(handle)
	}
	return l.readPlain(handle)
}

// readTLS keeps a buffer of its own: crypto/tls waits inside Read, and each connection
// has far more than this of its own anyway.
func (l *link) readTLS(handle func([]byte) error) error {
	buf := make([]byte, 8<<10)
	for {
		n, err := l.tls.Read(buf)
		if n > 0 {
			if err := handle(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

var errPeerClosed = errors.New("the server closed the connection")
