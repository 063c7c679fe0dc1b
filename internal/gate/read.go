package gate

import (
	"errors"
	"io"
	"sync"
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

// Taker is given what was read. It answers how many bytes it has used; the rest comes
// again with more behind it, so it must know by itself when a frame is too long. quiet
// says that nothing will be written because of these bytes, now or later.
//
// b is valid until it returns. An error ends the reading.
type Taker func(b []byte) (used int, quiet bool, err error)

// Each reads until the connection ends, and gives everything to take. Memory is held
// only while bytes are there: a pooled buffer, or, while a frame is unfinished, what
// has come of it, which budget (nil = none) must have room for.
//
// src is what lies above the link, such as a *tls.Conn; nil for the link itself, which
// is then read in one system call for all that is there. first comes before what is
// read; it is not kept. The error is io.EOF when the peer ended its side in order,
// take's own, ErrNoRoom, or the connection's.
func (l *Link) Each(src io.Reader, first []byte, budget Budget, take Taker) error {
	r := reader{l: l, budget: budget, take: take}
	defer r.drop()
	if len(l.head) > 0 && src == nil {
		first = append(l.head, first...)
		l.head = nil
	}
	if len(first) > 0 {
		if _, err := r.got(first); err != nil {
			return err
		}
	}
	switch {
	case src == nil && l.rc != nil:
		return r.raw()
	case src == nil:
		src = l
	}
	return r.layered(src)
}

// reader is the state of Each. rest is empty while nothing is unfinished.
type reader struct {
	l      *Link
	budget Budget
	take   Taker
	rest   []byte // of an unfinished frame
	taken  int    // from budget, for rest
}

// raw is one RawConn.Read for the connection's life: its callback returns true only
// at the end, so that the buffer can be given back before the goroutine is parked.
//
// After a read that did not fill the buffer the socket is empty, and a second read
// would only say so. It is made all the same when nothing is going to be written: the
// peer's FIN may have come together with its last bytes, which is one wake-up, and a
// write would find that out.
func (r *reader) raw() error {
	var err error
	werr := r.l.rc.Read(func(fd uintptr) bool {
		err = r.drain(fd)
		return err != nil
	})
	if err == nil {
		err = werr
	}
	return err
}

//go:noinline
func (r *reader) drain(fd uintptr) error {
	for {
		more, err := r.once(fd)
		if err != nil || !more {
			return err
		}
	}
}

func (r *reader) once(fd uintptr) (more bool, err error) {
	b, room, pooled := r.room()
	n, again, err := rawRead(fd, room)
	switch {
	case err != nil, again:
		giveBack(pooled)
		return false, err
	case n == 0:
		giveBack(pooled)
		return false, io.EOF
	}
	r.l.heard(n)
	quiet, err := r.got(b[:len(b)+n])
	giveBack(pooled)
	return quiet || n == len(room), err
}

// layered reads through src, which has a buffer of its own.
func (r *reader) layered(src io.Reader) error {
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
		if _, err := r.got(have[:len(have)+n]); err != nil {
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

// got gives b to take and keeps what is left of it.
func (r *reader) got(b []byte) (quiet bool, err error) {
	used, quiet, err := r.take(b)
	if err != nil {
		return quiet, err
	}
	left := b[used:]
	if len(left) == 0 {
		r.drop()
		return quiet, nil
	}
	return quiet, r.keep(left)
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
