package gate

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// polling is a Reader's part in a poller.
type polling struct {
	state atomic.Int32 // one of the states below
	hup   atomic.Bool  // the peer has ended its side: read on to see it
	kick  atomic.Bool  // the link is closing or closed: nothing more is to be read
	slot  int32        // owned by the poller; -1 = in none
	ended func(error)  // fixed by Start

	came uint32      // owned by who reads: tick at which something came last
	hot  int         // owned by who reads: how often something came soon after that
	cool atomic.Bool // a goroutine reads and is asked to go
	busy bool        // guarded by Link.mu: a goroutine reads
}

// A link on which something comes again and again is read by a goroutine of its own,
// which the runtime wakes with less ado than a poller can; one that has become quiet is
// polled again, and needs none.
const (
	hotTicks  = 5   // something came soon: within half a second
	hotTimes  = 3   // so often makes a link hot
	coolTicks = 100 // and so long without a byte makes it cool: 10 s
)

// A Reader that is polled waits for an event, or a worker has it, which looks once more
// if something happened meanwhile.
const (
	waiting int32 = iota
	working
	worksOn
	over
)

// Start reads like Run, without a goroutine while nothing comes, and calls ended, once,
// from a goroutine of the gate's, where Run would return. It answers false if that
// cannot be done here: call Run then.
func (r *Reader) Start(ended func(error)) bool {
	if r.src != nil {
		return false
	}
	p := r.l.g.poller(true)
	if p == nil {
		return false
	}
	r.ended = ended
	r.state.Store(over) // a link that closes just now leaves the end to poll's worker, or there would be two
	r.l.mu.Lock()
	r.l.reader = r
	closed := r.l.dead || r.l.done
	r.l.mu.Unlock()
	if closed {
		r.kick.Store(true)
	}
	r.poll()
	return true
}

// poll lets the poller tell of what comes.
func (r *Reader) poll() {
	r.hot = 0
	r.hup.Store(false)
	r.state.Store(working)
	if r.l.g.poll.add(r) != nil {
		r.kick.Store(true) // the socket is closed
	}
	r.l.g.workers.do((*polled)(r))
}

// heat gives the link to a goroutine; the Reader is the caller's.
func (r *Reader) heat() {
	r.state.Store(over)
	r.l.g.poll.remove(r)
	r.cool.Store(false)
	r.l.mu.Lock()
	r.busy = true
	r.l.mu.Unlock()
	r.l.g.wheel.heat(r.l)
	go r.read()
}

// read is the goroutine of a hot link. It is small: see Run.
func (r *Reader) read() {
	err := r.l.rc.Read(r.ready)
	r.cooled(r.end(err))
}

// cooled goes on without the goroutine, or ends.
//
//go:noinline
func (r *Reader) cooled(err error) {
	r.l.hot.Store(false)
	r.l.mu.Lock()
	r.busy = false // from here on nobody asks it to go
	r.l.mu.Unlock()
	r.l.freshDeadline()
	if isTimeout(err) && r.cool.Load() && !r.kick.Load() {
		r.poll()
		return
	}
	r.leave(err)
}

// chill asks the goroutine of a link that has become quiet to go.
func (l *Link) chill() {
	l.mu.Lock()
	defer l.mu.Unlock() // so that it does not undo the deadline of a link that is closing
	if r := l.reader; r != nil && r.busy && !l.closing {
		r.cool.Store(true)
		l.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// event says that the link has something to read, or that it ends.
func (r *Reader) event(hup bool) {
	if hup {
		r.hup.Store(true)
	}
	for {
		switch s := r.state.Load(); s {
		case waiting:
			if r.state.CompareAndSwap(waiting, working) {
				r.l.g.workers.do((*polled)(r))
				return
			}
		case working:
			if r.state.CompareAndSwap(working, worksOn) {
				return
			}
		default:
			return
		}
	}
}

// stop ends the reading of a link that is closing or closed.
func (r *Reader) stop() {
	r.kick.Store(true)
	r.event(false)
}

// polled is a Reader as a Job.
type polled Reader

// Do is the worker's part: it reads until the socket is empty, and takes what came.
func (p *polled) Do() {
	r := (*Reader)(p)
	if err := r.readAll(); err != nil {
		r.state.Store(over)
		r.l.g.poll.remove(r)
		r.leave(err)
	}
}

// leave is the end of the reading.
func (r *Reader) leave(err error) {
	r.drop()
	r.l.mu.Lock()
	r.l.reader = nil
	r.l.mu.Unlock()
	r.ended(err)
}

// readAll answers nil when the Reader waits again: it then belongs to the next event, or
// to a goroutine.
func (r *Reader) readAll() error {
	if first := r.first; len(first) > 0 {
		r.first = nil
		if err := r.got(first); err != nil {
			return err
		}
	}
	call := readCalls.Get().(*readCall)
	defer readCalls.Put(call)
	for {
		if r.kick.Load() {
			return net.ErrClosed
		}
		full, err := r.readSome(call)
		if err != nil {
			return err
		}
		if full || r.hup.Load() {
			continue
		}
		if r.hot >= hotTimes {
			r.heat()
			return nil
		}
		if r.state.CompareAndSwap(working, waiting) {
			return nil
		}
		r.state.Store(working) // something happened meanwhile
	}
}

// readSome reads once; full says that there may be more.
func (r *Reader) readSome(call *readCall) (full bool, err error) {
	have, room, pooled := r.room()
	defer giveBack(pooled)
	n, again, err := call.read(r.l.rc, room)
	if r.l.waiting.Load() {
		r.notSignedIn(n)
	}
	if n == 0 {
		if err == nil && !again {
			err = io.EOF
		}
		return false, err
	}
	r.l.heard(n)
	now := r.l.g.wheel.now.Load()
	if now-r.came > hotTicks {
		r.hot = 0
	}
	r.hot++
	r.came = now
	return n == len(room), r.got(have[:len(have)+n])
}

// readCall makes read calls; it is used again so that its closure is made once.
type readCall struct {
	b     []byte
	n     int
	again bool
	err   error
	f     func(fd uintptr) bool
}

var readCalls = sync.Pool{New: func() any {
	c := &readCall{}
	c.f = func(fd uintptr) bool {
		c.n, c.again, c.err = rawRead(fd, c.b)
		return true // never wait here
	}
	return c
}}

func (c *readCall) read(rc syscall.RawConn, b []byte) (n int, again bool, err error) {
	c.b, c.n, c.again, c.err = b, 0, false, nil
	err = rc.Read(c.f)
	c.b = nil
	if err == nil {
		err = c.err
	}
	return c.n, c.again, err
}
