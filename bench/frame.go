package main

import "encoding/binary"

// A frame of the relay is its length (4 bytes, of what follows), a type and its
// fields; integers are little-endian.
//
//	hello  user uint32                       client: who I am; answered by an ack of 0
//	send   to uint32, id uint64, body        client; to everyone = toAll
//	ack    id uint64                         relay: it is on disk
//	push   from uint32, id uint64, body      relay
const (
	typeHello = 1
	typeSend  = 2
	typeAck   = 3
	typePush  = 4

	frameHead = 5 // length and type
	sendHead  = frameHead + 12
	toAll     = 1<<32 - 1
	maxFrame  = 1 << 20
)

func appendHead(b []byte, typ byte, fields int) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(1+fields))
	return append(b, typ)
}

func appendHello(b []byte, user uint32) []byte {
	return binary.LittleEndian.AppendUint32(appendHead(b, typeHello, 4), user)
}

// appendMessage appends a send or a push: they differ by their type and by whom the
// first field names.
func appendMessage(b []byte, typ byte, who uint32, id uint64, body []byte) []byte {
	b = appendHead(b, typ, 12+len(body))
	b = binary.LittleEndian.AppendUint32(b, who)
	b = binary.LittleEndian.AppendUint64(b, id)
	return append(b, body...)
}

func appendAck(b []byte, id uint64) []byte {
	return binary.LittleEndian.AppendUint64(appendHead(b, typeAck, 8), id)
}

// next cuts the first frame off b: its type and fields. n is 0 if it is not whole, and
// below 0 if it cannot be one.
func next(b []byte) (typ byte, fields []byte, n int) {
	if len(b) < frameHead {
		return 0, nil, 0
	}
	size := int(binary.LittleEndian.Uint32(b))
	if size < 1 || size > maxFrame {
		return 0, nil, -1
	}
	if len(b) < 4+size {
		return 0, nil, 0
	}
	return b[4], b[frameHead : 4+size], 4 + size
}

// message takes the fields of a send or push apart.
func message(fields []byte) (who uint32, id uint64, body []byte, ok bool) {
	if len(fields) < 12 {
		return 0, 0, nil, false
	}
	return binary.LittleEndian.Uint32(fields), binary.LittleEndian.Uint64(fields[4:]), fields[12:], true
}
