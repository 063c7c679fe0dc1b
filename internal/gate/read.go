package gate

import (
	"errors"
	"io"
	"sync"
	"time"
)

const (
	readBuffer = 16 << 10 // bytes of a read
	keepSmall  = 4 << 10  // an unfinished rest up to here moves into memory of its own size
	parked     = 256      // bytes of the buffer with which a goroutine waits under TLS
)

// readBuffers are lent to who reads. It is no sync.Pool because that allocates when it
// is empty, for which the stack of a goroutine that reads has no room.
var readBuffers bufferList

type bufferList struct {
	mu   sync.Mutex
	free []*[readBuffer]byte // guarded by mu: at most maxFree
}

const maxFree = 64

// get answers a buffer that was given back; nil if there is none.
func (l *bufferList) get() (b *[readBuffer]byte) {
	l.mu.Lock()
	if n := len(l.free); n > 0 {
		b, l.free[n-1] = l.free[n-1], nil
		l.free = l.free[:n-1]
	}
	l.mu.Unlock()
	return b
}

func (l *bufferList) put(b *[readBuffer]byte) {
	l.mu.Lock()
	if len(l.free) < maxFree {
		l.free = append(l.free, b)
	}
	l.mu.Unlock()
}

// ErrNoRoom says that too many bytes of unfinished frames wait on this node.
var ErrNoRoom = errors.New("gate: no room for unfinished frames")

// Budget bounds bytes over many links: a wire.Budget.
type Budget interface {
	Take(n int) bool
	Give(n int)
}

// Taker takes what was read. One of its methods is called at a time.
type Taker interface {
	// Take is given what has come and answers how many bytes it has used; the rest
	// comes again with more behind it, so it must know by itself when a frame is too
	// long. b is valid until it returns. An error ends the reading.
	Take(b []byte) (used int, err error)

	// Answered says whether something will be written because of b, with which a read
	// began. It must be simple, as it is called on a small stack; false is always right.
	Answered(b []byte) bool
}

// Reader reads a link for its door.
type Reader struct {
	l      *Link
	src    io.Reader // nil: the link itself, by raw calls
	first  []byte
	budget Budget
	t      Taker

	// What follows belongs to who holds mu: the goroutine that reads, or from give to
	// the end of Do a worker. Where there is a src no lock is needed.
	mu     sync.Mutex
	rest   []byte // of an unfinished frame; empty while there is none
	taken  int    // from budget, for rest
	given  []byte // to the worker
	pooled *[readBuffer]byte
	err    error // why it ends

	fetched sync.Mutex // held until a worker has made a buffer

	polling
}

// Reader makes a Reader that gives all that comes to t. Memory is held only while bytes
// are there: a pooled buffer, or, while a frame is unfinished, what has come of it,
// which budget (nil = none) must have room for.
//
// src is what lies above the link, such as a *tls.Conn; nil for the link itself, which
// is then read in one system call for all that is there, and t is called by one of the
// gate's workers. first comes before what is read.
func (l *Link) Reader(src io.Reader, first []byte, budget Budget, t Taker) *Reader {
	if len(l.head) > 0 && src == nil {
		first = append(l.head, first...)
		l.head = nil
	}
	if src == nil && l.rc == nil {
		src = l
	}
	return &Reader{l: l, src: src, first: first, budget: budget, t: t}
}

// Run reads until the connection ends. The error is io.EOF when the peer ended its
// side in order, the Taker's own, ErrNoRoom, or the connection's.
//
// Over TCP its goroutine keeps the 2 KB of stack that it was born with, if its caller's
// frames are small: a stack that once was larger takes 4 KB at least for ever.
func (r *Reader) Run() error {
	if r.src != nil {
		return r.layered()
	}
	r.begin()
	err := r.l.rc.Read(r.ready)
	return r.end(err)
}

// begin gives a worker what was read before.
//
//go:noinline
func (r *Reader) begin() {
	if first := r.first; len(first) > 0 {
		r.first = nil
		r.mu.Lock()
		r.give(first, nil)
	}
}

// end waits for the worker and says why it is over.
//
//go:noinline
func (r *Reader) end(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
	if r.err != nil {
		err = r.err
	}
	r.l.freshDeadline()
	return err
}

// ready reads from a socket that has something to read, and answers whether that was
// the end. It is the callback of one RawConn.Read for the connection's life: it reads
// what is there into a pooled buffer, gives that to a worker, and has the goroutine
// wait for more at once; when that comes before the worker is done, it waits for the
// worker.
//
// After a read that did not fill the buffer the socket is empty, and a second read
// would only say so. It is made all the same when nothing is going to be written: the
// peer's FIN may have come together with its last bytes, which is one wake-up, and a
// write would find that out.
func (r *Reader) ready(fd uintptr) bool {
	for {
		r.mu.Lock()
		if r.err != nil {
			r.mu.Unlock()
			return true
		}
		have, pooled := len(r.rest), (*[readBuffer]byte)(nil)
		room := r.rest[have:cap(r.rest)]
		if have <= keepSmall {
			if pooled = readBuffers.get(); pooled == nil {
				pooled = r.fetch()
			}
			room = pooled[copy(pooled[:], r.rest):]
		}
		n, again, err := rawRead(fd, room)
		if r.l.waiting.Load() {
			r.notSignedIn(n)
		}
		if n == 0 {
			giveBack(pooled)
			if err == nil && !again {
				err = io.EOF
			}
			r.err = err
			r.mu.Unlock()
			return err != nil
		}
		r.l.heard(n)
		more := n == len(room) || have > 0 || !r.t.Answered(room[:n])
		if pooled != nil {
			r.give(pooled[:have+n], pooled)
		} else {
			r.give(r.rest[:have+n], nil)
		}
		if !more {
			return false
		}
	}
}

// notSignedIn tells the crowd whether we wait for the client.
//
//go:noinline
func (r *Reader) notSignedIn(n int) {
	if n > 0 {
		r.l.g.crowd.came(r.l)
	} else {
		r.l.g.crowd.await(r.l)
	}
}

// fetch has a worker make a buffer, and waits for it.
func (r *Reader) fetch() *[readBuffer]byte {
	r.fetched.Lock()
	r.l.g.workers.do((*fetch)(r))
	r.fetched.Lock()
	b := r.pooled
	r.pooled = nil
	r.fetched.Unlock()
	return b
}

type fetch Reader

// Do is the worker's part of Reader.fetch.
func (f *fetch) Do() {
	f.pooled = new([readBuffer]byte)
	f.fetched.Unlock()
}

// give hands b, which lies in pooled or is r.rest's own, to a worker, and mu with it.
func (r *Reader) give(b []byte, pooled *[readBuffer]byte) {
	r.given, r.pooled = b, pooled
	r.l.g.workers.do(r)
}

// Do is the worker's part.
func (r *Reader) Do() {
	err := r.got(r.given)
	giveBack(r.pooled)
	r.given, r.pooled = nil, nil
	if err != nil {
		r.err = err
		r.l.raw.SetReadDeadline(time.Unix(1, 0)) // wakes who reads
	}
	r.mu.Unlock()
}

// freshDeadline undoes what Do did to end the reading, so that Discard can read on.
func (l *Link) freshDeadline() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var t time.Time
	if l.done {
		t = time.Now().Add(l.g.cfg.Linger / 2)
	}
	l.raw.SetReadDeadline(t)
}

// layered reads through src, which has a buffer of its own.
func (r *Reader) layered() error {
	defer r.drop()
	src, first := r.src, r.first
	if r.first = nil; len(first) > 0 {
		if err := r.got(first); err != nil {
			return err
		}
	}
	var small [parked]byte
	for {
		n, err := src.Read(small[:])
		if n > 0 {
			if e := r.more(src, small[:n]); e != nil {
				return e
			}
		}
		if err != nil {
			return err
		}
	}
}

// more takes b, and if src has more at once, that too. With a buffer that was filled
// it cannot know, and may wait with a large one once.
//
//go:noinline
func (r *Reader) more(src io.Reader, b []byte) error {
	full := len(b) == parked
	have, room, pooled := r.room()
	defer func() { giveBack(pooled) }()
	n := copy(room, b)
	for {
		if err := r.got(have[:len(have)+n]); err != nil {
			return err
		}
		if !full {
			return nil
		}
		giveBack(pooled)
		have, room, pooled = r.room()
		var err error
		if n, err = src.Read(room); n == 0 && err != nil {
			return err
		}
		full = n == len(room)
	}
}

// room answers what is unfinished, and the room behind it in the same memory; pooled
// is what has to be given back.
func (r *Reader) room() (have, room []byte, pooled *[readBuffer]byte) {
	if len(r.rest) <= keepSmall {
		if pooled = readBuffers.get(); pooled == nil {
			pooled = new([readBuffer]byte)
		}
		n := copy(pooled[:], r.rest)
		return pooled[:n], pooled[n:], pooled
	}
	return r.rest, r.rest[len(r.rest):cap(r.rest)], nil
}

func giveBack(pooled *[readBuffer]byte) {
	if pooled != nil {
		readBuffers.put(pooled)
	}
}

// got gives b to t and keeps what is left of it.
func (r *Reader) got(b []byte) error {
	used, err := r.t.Take(b)
	if err != nil {
		return err
	}
	left := b[used:]
	if len(left) == 0 {
		r.drop()
		return nil
	}
	return r.keep(left)
}

// keep copies left into memory of its own, with room for as much again if it is
// large, so that a frame is copied a few times and no memory is taken for bytes that
// have not come.
func (r *Reader) keep(left []byte) error {
	size := 512
	for size < len(left) {
		size *= 2
	}
	if len(left) > keepSmall && size < len(left)+readBuffer/2 {
		size *= 2
	}
	if size == cap(r.rest) {
		r.rest = r.rest[:copy(r.rest[:cap(r.rest)], left)] // may overlap: copy is a memmove
		return nil
	}
	if r.budget != nil && !r.budget.Take(size) {
		return ErrNoRoom
	}
	rest := make([]byte, len(left), size)
	copy(rest, left)
	r.drop()
	r.rest, r.taken = rest, size
	return nil
}

func (r *Reader) drop() {
	if r.taken > 0 && r.budget != nil {
		r.budget.Give(r.taken)
	}
	r.rest, r.taken = nil, 0
}
