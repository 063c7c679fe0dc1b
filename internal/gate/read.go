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

var readBuffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

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

// Each reads until the connection ends, and gives everything to t. Memory is held only
// while bytes are there: a pooled buffer, or, while a frame is unfinished, what has
// come of it, which budget (nil = none) must have room for.
//
// src is what lies above the link, such as a *tls.Conn; nil for the link itself, which
// is then read in one system call for all that is there, and t is called by one of the
// gate's workers. first comes before what is read. The error is io.EOF when the peer
// ended its side in order, t's own, ErrNoRoom, or the connection's.
func (l *Link) Each(src io.Reader, first []byte, budget Budget, t Taker) error {
	if len(l.head) > 0 && src == nil {
		first = append(l.head, first...)
		l.head = nil
	}
	r := &reader{l: l, budget: budget, t: t}
	if src == nil && l.rc != nil {
		return r.raw(first)
	}
	if src == nil {
		src = l
	}
	return r.layered(src, first)
}

// reader is the state of Each. rest is empty while nothing is unfinished.
type reader struct {
	l      *Link
	budget Budget
	t      Taker

	// What follows belongs to who holds mu: the goroutine that reads, or from give to
	// the end of Do a worker. layered needs no lock.
	mu     sync.Mutex
	rest   []byte // of an unfinished frame
	taken  int    // from budget, for rest
	given  []byte // to the worker
	pooled *[readBuffer]byte
	err    error // why it ends
}

// raw is one RawConn.Read for the connection's life: its callback returns true only
// at the end. It reads what is there into a pooled buffer, gives that to a worker, and
// waits for more at once; when that comes before the worker is done, it waits for the
// worker.
//
// After a read that did not fill the buffer the socket is empty, and a second read
// would only say so. It is made all the same when nothing is going to be written: the
// peer's FIN may have come together with its last bytes, which is one wake-up, and a
// write would find that out.
func (r *reader) raw(first []byte) error {
	if len(first) > 0 {
		r.mu.Lock()
		r.give(first, nil)
	}
	err := r.l.rc.Read(r.ready)
	r.mu.Lock() // the worker is done
	defer r.mu.Unlock()
	r.drop()
	if r.err != nil {
		err = r.err
	}
	r.l.freshDeadline()
	return err
}

// ready reads from a socket that has something to read, and answers whether that was
// the end.
func (r *reader) ready(fd uintptr) bool {
	for {
		r.mu.Lock()
		if r.err != nil {
			r.mu.Unlock()
			return true
		}
		b, room, pooled := r.room()
		n, again, err := rawRead(fd, room)
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
		more := n == len(room) || len(b) > 0 || !r.t.Answered(room[:n])
		r.give(b[:len(b)+n], pooled)
		if !more {
			return false
		}
	}
}

// give hands b, which lies in pooled or is r.rest's own, to a worker, and mu with it.
func (r *reader) give(b []byte, pooled *[readBuffer]byte) {
	r.given, r.pooled = b, pooled
	r.l.g.workers.do(r)
}

// Do is the worker's part.
func (r *reader) Do() {
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
func (r *reader) layered(src io.Reader, first []byte) error {
	defer r.drop()
	if len(first) > 0 {
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
func (r *reader) more(src io.Reader, b []byte) error {
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
func (r *reader) room() (have, room []byte, pooled *[readBuffer]byte) {
	if len(r.rest) <= keepSmall {
		pooled = readBuffers.Get().(*[readBuffer]byte)
		n := copy(pooled[:], r.rest)
		return pooled[:n], pooled[n:], pooled
	}
	return r.rest, r.rest[len(r.rest):cap(r.rest)], nil
}

func giveBack(pooled *[readBuffer]byte) {
	if pooled != nil {
		readBuffers.Put(pooled)
	}
}

// got gives b to t and keeps what is left of it.
func (r *reader) got(b []byte) error {
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
func (r *reader) keep(left []byte) error {
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

func (r *reader) drop() {
	if r.taken > 0 && r.budget != nil {
		r.budget.Give(r.taken)
	}
	r.rest, r.taken = nil, 0
}
