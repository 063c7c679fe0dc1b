package wire

import (
	"slices"
	"sync/atomic"
)

// Budget bounds the bytes of unfinished frames over many connections.
type Budget interface {
	// Take asks for n bytes more; false says that there is no room.
	Take(n int) bool
	// Give gives n bytes back that were taken.
	Give(n int)
}

// NewBudget makes a Budget of limit bytes in all, for any number of goroutines. A
// node of ours takes 64 MiB.
func NewBudget(limit int64) Budget { return &budget{limit: limit} }

type budget struct {
	limit int64
	used  atomic.Int64
}

func (b *budget) Take(n int) bool {
	if b.used.Add(int64(n)) > b.limit {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

func (b *budget) Give(n int) { b.used.Add(-int64(n)) }

// Reassembler makes whole frames of what Next reads from one connection: it puts
// fragments together and decompresses. The zero value works. One goroutine uses it.
type Reassembler struct {
	Max    int    // bytes of a frame's body, put together and decompressed; 0 = MaxFrame. May change between frames
	Budget Budget // for unfinished frames; nil = only Max bounds them

	typ   Type // of the unfinished frame; 0 = there is none
	flags Flags
	buf   []byte
	taken int // from Budget, for buf
}

// Add takes the next frame of the connection. ok is false while a frame is
// unfinished. A whole frame has no flags; its body aliases f.Body if the frame was
// neither cut nor compressed, else it is the caller's own.
//
// Between the fragments of a frame only PING, PONG, ACK and GOAWAY may come, which
// Add answers at once. An error is an *Error and ends the link: CodeMalformed for
// another frame between fragments, an empty fragment or bytes that are no zstd;
// CodeFrameSize above Max, and for a fragment above FragmentSize; CodeBusy if Budget
// has no room.
func (r *Reassembler) Add(f Frame) (whole Frame, ok bool, err error) {
	if r.typ == 0 {
		if f.Flags&FlagMore == 0 {
			return r.finish(f)
		}
		r.typ, r.flags = f.Type, f.Flags&FlagZstd
	} else {
		switch f.Type {
		case TypePing, TypePong, TypeAck, TypeGoAway:
			return r.finish(f)
		}
		if f.Type != r.typ || f.Flags&FlagZstd != r.flags {
			err := malformed("a %v frame stands between the fragments of a %v frame", f.Type, r.typ)
			r.Close()
			return Frame{}, false, err
		}
	}
	if err := r.grow(f); err != nil {
		r.Close()
		return Frame{}, false, err
	}
	r.buf = append(r.buf, f.Body...)
	if f.Flags&FlagMore != 0 {
		return Frame{}, false, nil
	}
	f.Body = r.buf
	r.buf = nil
	r.Close()
	return r.finish(f)
}

// grow makes room for f's body in r.buf.
func (r *Reassembler) grow(f Frame) *Error {
	limit := r.limit()
	need := len(r.buf) + len(f.Body)
	switch {
	case len(f.Body) > FragmentSize:
		return tooLarge("a fragment of %d bytes; the limit is %d", len(f.Body), FragmentSize)
	case len(f.Body) == 0 && f.Flags&FlagMore != 0:
		return malformed("a fragment is empty")
	case need > limit:
		return tooLarge("a %v frame of more than %d bytes in fragments", f.Type, limit)
	case need <= cap(r.buf):
		return nil
	}
	size := min(max(need, 2*cap(r.buf)), limit)
	if r.Budget != nil {
		if !r.Budget.Take(size - r.taken) {
			return &Error{Code: CodeBusy, Text: "too many unfinished frames on this node"}
		}
		r.taken = size
	}
	buf := make([]byte, len(r.buf), size)
	copy(buf, r.buf)
	r.buf = buf
	return nil
}

func (r *Reassembler) limit() int {
	if r.Max <= 0 {
		return MaxFrame
	}
	return r.Max
}

// finish decompresses a frame that is whole.
func (r *Reassembler) finish(f Frame) (Frame, bool, error) {
	if f.Flags&FlagZstd != 0 {
		b, err := decompress(f.Body, r.limit())
		if err != nil {
			return Frame{}, false, err
		}
		f.Body = b
	}
	f.Flags = 0
	return f, true, nil
}

// Pending is how many bytes of an unfinished frame are held.
func (r *Reassembler) Pending() int { return len(r.buf) }

// Close forgets an unfinished frame and gives its bytes back to Budget. Call it when
// the connection ends.
func (r *Reassembler) Close() {
	if r.taken > 0 {
		r.Budget.Give(r.taken)
	}
	r.typ, r.flags, r.buf, r.taken = 0, 0, nil, 0
}

// AppendSplit appends frame, one whole binary frame, as fragments of at most size
// bytes of body (0 or less, or too much: FragmentSize). A frame that fits is appended
// as it is. Other frames may be written between the fragments only if they are PING,
// PONG, ACK or GOAWAY. It fails if frame is not exactly one frame, is a fragment
// already, or is of a type that is never cut (PING, PONG, HELLO, ACK, GOAWAY).
func AppendSplit(dst, frame []byte, size int) ([]byte, error) {
	if size <= 0 || size > FragmentSize {
		size = FragmentSize
	}
	f, err := one(frame)
	if err != nil {
		return dst, err
	}
	if len(f.Body) <= size {
		return append(dst, frame...), nil
	}
	switch f.Type {
	case TypePing, TypePong, TypeHello, TypeAck, TypeGoAway:
		return dst, tooLarge("a %v frame of %d bytes cannot be cut", f.Type, len(f.Body))
	}
	dst = slices.Grow(dst, len(frame)+5*(len(f.Body)/size+1))
	for body := f.Body; ; body = body[size:] {
		if len(body) <= size {
			return AppendRaw(dst, f.Type, f.Flags, body), nil
		}
		dst = AppendRaw(dst, f.Type, f.Flags|FlagMore, body[:size])
	}
}

// one reads bytes that should be one whole frame.
func one(frame []byte) (Frame, error) {
	f, n, err := Next(frame, maxLen)
	switch {
	case err != nil:
		return f, err
	case n != len(frame):
		return f, malformed("%d bytes follow the frame", len(frame)-n)
	case f.Flags&FlagMore != 0:
		return f, malformed("a %v frame is a fragment already", f.Type)
	}
	return f, nil
}
