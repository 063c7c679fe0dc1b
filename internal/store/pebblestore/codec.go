package pebblestore

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Rows begin with the version of their encoding. Numbers are varints, strings have
// their length before them. A decoder takes a row to its last byte or refuses it.
const rowVersion = 1

// errRow is the error of a row that is not what its key says. It names the key.
func errRow(key []byte, what string) error {
	return im.Wrap(im.Internal, fmt.Errorf("pebblestore: the row under key %q is no %s", key, what),
		"a stored row cannot be read; it has been logged")
}

// dec reads a row. Once something was wrong, bad stays set and all reads answer
// zero. Strings and bytes it returns are parts of the row.
type dec struct {
	b   []byte
	bad bool
}

func (d *dec) fail() { d.b, d.bad = nil, true }

// begin takes the version.
func (d *dec) begin() {
	if d.u8() != rowVersion {
		d.fail()
	}
}

// ok says whether the row was good and is at its end.
func (d *dec) ok() bool { return !d.bad && len(d.b) == 0 }

func (d *dec) u8() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *dec) num() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 { // most
		c := d.b[0]
		d.b = d.b[1:]
		return uint64(c)
	}
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *dec) signed() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *dec) fixed64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	n := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return n
}

// bytes is n bytes of the row.
func (d *dec) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// str is a string that shares the row's memory, which must not change any more.
func (d *dec) str() string { return text(d.bytes(d.num())) }

func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// below is a number that was written as how far it is below another.
func (d *dec) below(n uint64) uint64 {
	by := d.num()
	if by > n {
		d.fail()
		return 0
	}
	return n - by
}

// count is how many items follow, each of at least size bytes.
func (d *dec) count(size int) int {
	n := d.num()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

// clientID reads what appendClientID wrote at the end of a key, or with a length
// before it in a row.
func (d *dec) clientID(n uint64) im.ClientID {
	b := d.bytes(n)
	if len(b) == 0 || b[0] != packedUUID {
		return im.ClientID(text(b))
	}
	if len(b) != 17 {
		d.fail()
		return ""
	}
	return im.ClientID(formatUUID(b[1:]))
}

// ranges reads ascending disjoint ranges.
func (d *dec) ranges(most int) []store.Range {
	n := d.count(2)
	if n > most {
		d.fail()
	}
	if d.bad || n == 0 {
		return nil
	}
	out := make([]store.Range, n)
	last := uint64(0)
	for i := range out {
		from := last + d.num()
		to := from + d.num()
		if from < last || to < from {
			d.fail()
			return nil
		}
		out[i] = store.Range{From: from, To: to}
		last = to
	}
	return out
}

func appendUint(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

func appendText[S ~string](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendRanges(b []byte, ranges []store.Range) []byte {
	b = appendUint(b, uint64(len(ranges)))
	last := uint64(0)
	for _, r := range ranges {
		b = appendUint(appendUint(b, r.From-last), r.To-r.From)
		last = r.To
	}
	return b
}

// packedUUID stands before the 16 bytes of a UUID; no client id begins with it.
const packedUUID = 1

// appendClientID writes an id, one that is a UUID in its canonical form as 17 bytes.
func appendClientID(b []byte, id im.ClientID) []byte {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		at := len(b)
		b = append(b, packedUUID)
		for i := 0; i < 36; i += 2 {
			if id[i] == '-' {
				i++
			}
			hi, lo := unhex[id[i]], unhex[id[i+1]]
			if hi|lo > 15 {
				return append(b[:at], id...)
			}
			b = append(b, hi<<4|lo)
		}
		return b
	}
	return append(b, id...)
}

// appendPacked is appendClientID with the length before it.
func appendPacked(b []byte, id im.ClientID) []byte {
	at := len(b)
	b = append(b, 0) // ids are at most 64 bytes, so the length is one
	b = appendClientID(b, id)
	if n := len(b) - at - 1; n < 0x80 {
		b[at] = byte(n)
		return b
	}
	return appendText(b[:at], id)
}

// unhex is the value of a lower-case hexadecimal digit, 255 for any other byte.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	return t
}()

func formatUUID(b []byte) string {
	const hex = "0123456789abcdef"
	var out [36]byte
	at := 0
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out[at] = '-'
			at++
		}
		out[at], out[at+1] = hex[c>>4], hex[c&15]
		at += 2
	}
	return string(out[:])
}
