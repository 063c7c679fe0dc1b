package bench

import (
	"encoding/binary"
	"errors"
)

// What the load needs of SENDACK and PUSH is read by hand: decoding them whole would
// cost the generator more than the rest of its work, and it shares its processors
// with the server it measures. A test holds this against the generated code.

var errBody = errors.New("a frame whose body is no protobuf message")

// sendAck is what is needed of a SENDACK. Its slices alias the frame.
type sendAck struct {
	id      []byte
	seq     uint64
	code    uint32
	message []byte
	retryMs uint32
}

// event is what is needed of an Event of a PUSH. Its slices alias the frame.
type event struct {
	conv    []byte
	seq     uint64
	hidden  bool
	sync    bool
	head    uint64 // of its state; 0 = none
	message bool   // there is one
	typ     []byte // of the message
	body    []byte // of the message
}

// fields walks the fields of a protobuf message.
type fields struct {
	b   []byte
	num int
	val uint64 // of a varint or fixed field
	sub []byte // of a field with a length; nil = it has none
	bad bool
}

// next moves to the next field; false at the end or when bad is set.
func (f *fields) next() bool {
	if len(f.b) == 0 {
		return false
	}
	tag, n := uvarint(f.b)
	if n == 0 {
		return f.fail()
	}
	f.b = f.b[n:]
	f.num = int(tag >> 3)
	f.sub = nil
	switch tag & 7 {
	case 0:
		f.val, n = uvarint(f.b)
		if n == 0 {
			return f.fail()
		}
		f.b = f.b[n:]
	case 1:
		if len(f.b) < 8 {
			return f.fail()
		}
		f.val, f.b = binary.LittleEndian.Uint64(f.b), f.b[8:]
	case 2:
		size, n := uvarint(f.b)
		if n == 0 || size > uint64(len(f.b)-n) {
			return f.fail()
		}
		end := n + int(size)
		f.sub = f.b[n:end:end]
		f.b = f.b[end:]
	case 5:
		if len(f.b) < 4 {
			return f.fail()
		}
		f.val, f.b = uint64(binary.LittleEndian.Uint32(f.b)), f.b[4:]
	default:
		return f.fail()
	}
	return true
}

func (f *fields) fail() bool {
	f.bad = true
	return false
}

// uvarint is binary.Uvarint with the one-byte case in front; n is 0 on any error.
func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	v, n = binary.Uvarint(b)
	return v, max(n, 0)
}

func (a *sendAck) read(body []byte) error {
	*a = sendAck{}
	f := fields{b: body}
	for f.next() {
		switch f.num {
		case 1:
			a.id = f.sub
		case 3:
			a.seq = f.val
		case 6:
			a.code = uint32(f.val)
		case 7:
			a.message = f.sub
		case 8:
			a.retryMs = uint32(f.val)
		}
	}
	if f.bad {
		return errBody
	}
	return nil
}

// eachEvent reads a PUSH and hands its events to do, which must not keep them, in e
// one after the other. It answers the push number and how many events there were.
func eachEvent(body []byte, e *event, do func(*event) error) (number uint64, n int, err error) {
	f := fields{b: body}
	for f.next() {
		switch f.num {
		case 1:
			number = f.val
		case 2:
			n++
			if err := e.read(f.sub); err != nil {
				return number, n, err
			}
			if err := do(e); err != nil {
				return number, n, err
			}
		}
	}
	if f.bad {
		return number, n, errBody
	}
	return number, n, nil
}

func (e *event) read(body []byte) error {
	*e = event{}
	f := fields{b: body}
	for f.next() {
		switch f.num {
		case 1:
			e.conv = f.sub
		case 2:
			e.seq = f.val
		case 3:
			e.message = true
			if err := e.readMessage(f.sub); err != nil {
				return err
			}
		case 4:
			e.hidden = f.val != 0
		case 7:
			if err := e.readState(f.sub); err != nil {
				return err
			}
		case 8:
			e.sync = f.val != 0
		}
	}
	if f.bad {
		return errBody
	}
	return nil
}

func (e *event) readMessage(body []byte) error {
	f := fields{b: body}
	for f.next() {
		switch f.num {
		case 9:
			e.typ = f.sub
		case 11:
			e.body = f.sub
		}
	}
	if f.bad {
		return errBody
	}
	return nil
}

// readState looks for state.head.seq.
func (e *event) readState(body []byte) error {
	f := fields{b: body}
	for f.next() {
		if f.num != 1 {
			continue
		}
		h := fields{b: f.sub}
		for h.next() {
			if h.num == 1 {
				e.head = h.val
			}
		}
		if h.bad {
			return errBody
		}
	}
	if f.bad {
		return errBody
	}
	return nil
}
