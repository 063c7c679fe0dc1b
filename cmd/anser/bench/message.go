package bench

import (
	"bytes"
	"encoding/base32"
	"encoding/binary"
	"math/rand/v2"

	"github.com/anser-im/anser/wire"
)

// Every message of a bench says in its body whose it is, which of his it is and when
// it was due, so that what arrives can be counted and timed without a shared table:
//
//	sender uint32 | number uint32 | due int64 (ns since the run began) | filler
//
// all little-endian. The filler is printable, does not compress and depends on sender
// and number, so that a mangled body is noticed.
const (
	bodyHeader = 16
	bodyType   = "bench:message" // no built-in type: the server passes it as it is
	maxSenders = 1 << 20         // what senderDigits can say
	maxNumber  = 1 << 30         // what numberDigits can say
)

// Client ids are 16 characters: the run's random name, then sender and number in
// base 32.
const (
	runDigits    = 6
	senderDigits = 4
	numberDigits = 6
	idSize       = runDigits + senderDigits + numberDigits
)

const digits = "abcdefghijklmnopqrstuvwxyz234567"

// newRunName makes the name of a run. User and client ids begin with it, so a run
// finds neither users nor messages of another.
func newRunName() string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64())
	return base32.NewEncoding(digits).EncodeToString(b[:])[:runDigits]
}

// appendID appends the client id of a message.
func appendID(b []byte, run string, sender, number uint32) []byte {
	b = append(b, run...)
	for s := (senderDigits - 1) * 5; s >= 0; s -= 5 {
		b = append(b, digits[sender>>s&31])
	}
	for s := (numberDigits - 1) * 5; s >= 0; s -= 5 {
		b = append(b, digits[number>>s&31])
	}
	return b
}

// idNumber is the number in a client id of this run and sender; false if it is not one.
func idNumber(id []byte, prefix string) (uint32, bool) {
	if len(id) != idSize || string(id[:len(prefix)]) != prefix {
		return 0, false
	}
	var n uint32
	for _, c := range id[len(prefix):] {
		switch {
		case c >= 'a' && c <= 'z':
			n = n<<5 | uint32(c-'a')
		case c >= '2' && c <= '7':
			n = n<<5 | uint32(c-'2'+26)
		default:
			return 0, false
		}
	}
	return n, true
}

// filler makes the bodies of one run.
type filler struct {
	size int    // of a whole body
	pool []byte // printable bytes; fixed
}

const fillerPool = 64 << 10

func newFiller(size int) filler {
	f := filler{size: size, pool: make([]byte, fillerPool+size)}
	r := rand.New(rand.NewPCG(1, 2)) // the same in every run: only its entropy matters
	for i := range f.pool {
		f.pool[i] = digits[r.Uint32()&31]
	}
	return f
}

func (f *filler) of(sender, number uint32) []byte {
	at := (sender*2654435761 + number*40503) % fillerPool
	return f.pool[at : int(at)+f.size-bodyHeader]
}

// append appends the body of a message.
func (f *filler) append(b []byte, sender, number uint32, due int64) []byte {
	b = binary.LittleEndian.AppendUint32(b, sender)
	b = binary.LittleEndian.AppendUint32(b, number)
	b = binary.LittleEndian.AppendUint64(b, uint64(due))
	return append(b, f.of(sender, number)...)
}

// read takes a body apart; false if it is none of ours, or mangled.
func (f *filler) read(b []byte) (sender, number uint32, due int64, ok bool) {
	if len(b) != f.size {
		return 0, 0, 0, false
	}
	sender = binary.LittleEndian.Uint32(b)
	number = binary.LittleEndian.Uint32(b[4:])
	due = int64(binary.LittleEndian.Uint64(b[8:]))
	return sender, number, due, bytes.Equal(b[bodyHeader:], f.of(sender, number))
}

// Tags of the fields of Send and Ack that are written by hand.
const (
	tagSendID   = 1<<3 | 2
	tagSendConv = 2<<3 | 2
	tagSendType = 3<<3 | 2
	tagSendBody = 5<<3 | 2
	tagSendAck  = 8<<3 | 2
	tagAckPush  = 1 << 3
)

// appendSend appends a SEND frame. ack is the push number that rides along, 0 = none.
func (f *filler) appendSend(b []byte, run, conv string, sender, number uint32, due int64, ack uint64) []byte {
	var ackBody int
	if ack != 0 {
		ackBody = 1 + sizeUvarint(ack)
	}
	size := 2 + idSize +
		1 + sizeUvarint(uint64(len(conv))) + len(conv) +
		2 + len(bodyType) +
		1 + sizeUvarint(uint64(f.size)) + f.size
	if ack != 0 {
		size += 2 + ackBody
	}
	b = binary.AppendUvarint(append(b, byte(wire.TypeSend)), uint64(size))
	b = appendID(append(b, tagSendID, idSize), run, sender, number)
	b = binary.AppendUvarint(append(b, tagSendConv), uint64(len(conv)))
	b = append(b, conv...)
	b = append(b, tagSendType, byte(len(bodyType)))
	b = append(b, bodyType...)
	b = binary.AppendUvarint(append(b, tagSendBody), uint64(f.size))
	b = f.append(b, sender, number, due)
	if ack != 0 {
		b = binary.AppendUvarint(append(b, tagSendAck, byte(ackBody), tagAckPush), ack)
	}
	return b
}

// appendAck appends an ACK frame for every push up to number.
func appendAck(b []byte, number uint64) []byte {
	b = append(b, byte(wire.TypeAck), byte(1+sizeUvarint(number)), tagAckPush)
	return binary.AppendUvarint(b, number)
}

func sizeUvarint(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
