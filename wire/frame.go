package wire

import (
	"fmt"
	"slices"
)

// Type is the kind of a frame: the low four bits of its first byte.
type Type uint8

// The frames. 0 is none.
const (
	TypePing    Type = 1
	TypePong    Type = 2
	TypeHello   Type = 3
	TypeWelcome Type = 4
	TypeReq     Type = 5
	TypeRes     Type = 6
	TypeSend    Type = 7
	TypeSendAck Type = 8
	TypePush    Type = 9
	TypeAck     Type = 10
	TypeSignal  Type = 11
	TypeGoAway  Type = 12
	TypeState   Type = 13
	TypeCancel  Type = 14
	TypeExt     Type = 15 // a varint sub-type, then its own bytes; unknown ones are ignored
)

var typeNames = [16]string{
	"none", "ping", "pong", "hello", "welcome", "req", "res", "send", "sendack",
	"push", "ack", "signal", "goaway", "state", "cancel", "ext",
}

// String is the type's name as "t" has it in JSON: "send".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Flags are the high four bits of a frame's first byte, except on PING and PONG.
type Flags uint8

// The flags. The other two bits are reserved: a frame that has them is refused.
const (
	FlagZstd Flags = 1 // the body is compressed with zstd
	FlagMore Flags = 2 // another fragment of this frame follows
)

// Health is what a node says of itself in the high four bits of PONG.
type Health uint8

// The states of health. Higher ones are unknown yet: take them as HealthStuck.
const (
	HealthOK       Health = 0
	HealthSlow     Health = 1 // takes sends, but slowly
	HealthDraining Health = 2 // is about to end
	HealthStuck    Health = 3 // takes no sends now: go elsewhere if you can
)

// Frame is one frame, or one fragment of it.
type Frame struct {
	Type   Type
	Flags  Flags  // none on PING and PONG
	Health Health // of a binary PONG; in JSON it stands in the body
	Body   []byte // binary: as on the wire. JSON: the whole object. Aliases what it was read from
}

// maxLen is the longest body that four bytes of varint can tell.
const maxLen = 1<<28 - 1

// Next reads the first frame of buf, whose body may have at most max bytes (0 or
// less: MaxFrame). It answers the frame and its length n in buf; the next one begins
// at buf[n:].
//
// With ErrShort more bytes are needed: n is then the length of the whole frame if
// its header is there, else 0. Any other error is an *Error, is told as early as the
// bytes allow, and ends the link: CodeMalformed for a type or a flag that does not
// exist, flags on a frame that has none, and a length that does not end within four
// bytes; CodeFrameSize for a body above max. That the first frame of a connection is
// HELLO is for the caller to see to. Nothing is allocated.
func Next(buf []byte, max int) (f Frame, n int, err error) {
	if len(buf) == 0 {
		return Frame{}, 0, ErrShort
	}
	f.Type = Type(buf[0] & 0x0f)
	f.Flags = Flags(buf[0] >> 4)
	switch f.Type {
	case 0:
		return Frame{}, 0, malformed("no frame has type 0 (first byte 0x%02x)", buf[0])
	case TypePong:
		f.Health, f.Flags = Health(f.Flags), 0
	case TypePing, TypeHello:
		if f.Flags != 0 {
			return Frame{}, 0, malformed("a %v frame has no flags (first byte 0x%02x)", f.Type, buf[0])
		}
	case TypeAck, TypeGoAway:
		// They may stand between the fragments of another frame, so they cannot be
		// in fragments themselves.
		if f.Flags&FlagMore != 0 {
			return Frame{}, 0, malformed("a %v frame is never cut", f.Type)
		}
	}
	if f.Flags&^(FlagZstd|FlagMore) != 0 {
		return Frame{}, 0, malformed("reserved flags are set (first byte 0x%02x)", buf[0])
	}
	size, i := 0, 1
	for shift := 0; ; shift += 7 {
		if shift == 28 {
			return Frame{}, 0, malformed("the length of a %v frame does not end within four bytes", f.Type)
		}
		if i == len(buf) {
			return Frame{}, 0, ErrShort
		}
		c := buf[i]
		i++
		size |= int(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	if max <= 0 {
		max = MaxFrame
	}
	if size > max {
		return Frame{}, 0, tooLarge("a %v frame of %d bytes; the limit is %d", f.Type, size, max)
	}
	if len(buf)-i < size {
		return Frame{}, i + size, ErrShort
	}
	f.Body = buf[i : i+size : i+size]
	return f, i + size, nil
}

// AppendFrame appends a binary frame with m as its body, encoded in place: nothing
// is allocated when dst has room. A nil m is an empty body. A body of 256 MiB or
// more has no encoding and panics; keep to the receiver's max frame.
//
// For a Pong use Binary.Append or AppendPong, which put its health where it belongs.
func AppendFrame(dst []byte, t Type, flags Flags, m Body) []byte {
	if m == nil {
		return AppendRaw(dst, t, flags, nil)
	}
	size := m.SizeVT()
	dst = appendHeader(dst, t, flags, size)
	return appendSized(dst, size, m)
}

// AppendRaw appends a binary frame with the given body.
func AppendRaw(dst []byte, t Type, flags Flags, body []byte) []byte {
	return append(appendHeader(dst, t, flags, len(body)), body...)
}

// AppendPing appends the two-byte heartbeat.
func AppendPing(dst []byte) []byte { return append(dst, byte(TypePing), 0) }

// AppendPong appends the two-byte answer to it.
func AppendPong(dst []byte, h Health) []byte { return append(dst, byte(h)<<4|byte(TypePong), 0) }

// appendHeader appends the first byte and the length, and makes room for the body.
func appendHeader(dst []byte, t Type, flags Flags, size int) []byte {
	if size > maxLen {
		panic(fmt.Sprintf("wire: a frame body of %d bytes", size))
	}
	dst = slices.Grow(dst, 5+size)
	return appendUvarint(append(dst, byte(flags)<<4|byte(t)), uint64(size))
}

// appendSized appends m, whose SizeVT is size.
func appendSized(dst []byte, size int, m Body) []byte {
	n := len(dst)
	dst = slices.Grow(dst, size)[:n+size]
	if _, err := m.MarshalToSizedBufferVT(dst[n:]); err != nil {
		panic("wire: " + err.Error()) // the generated code has no error to give for this schema
	}
	return dst
}

func appendUvarint(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func sizeUvarint(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}
