package client

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A journal is a file of transactions, each appended when it is committed:
//
//	file   = magic { record }
//	record = length checksum payload        two 32-bit little-endian numbers; CRC-32C of length and payload
//	payload = { 's' key value | 'd' key }   keys and values with their lengths before them, as uvarints
//
// The end of the file may be torn: reading stops at the first record that is not whole.
// If whole records follow it, it was not torn but damaged later: they are salvaged.
const (
	journalMagic  = "ANSERJ1\n"
	journalHeader = 8 // length and checksum of a record
	maxRecord     = 256 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errJournal = errors.New("anser: the file is no journal of this program, or of a newer one")

// appendRecord appends the record of one transaction.
func appendRecord(b []byte, o ops) []byte {
	start := len(b)
	b = append(b, make([]byte, journalHeader)...)
	for _, p := range o {
		kind := byte('s')
		if p.value == nil {
			kind = 'd'
		}
		b = append(b, kind)
		b = binary.AppendUvarint(b, uint64(len(p.key)))
		b = append(b, p.key...)
		if p.value != nil {
			b = binary.AppendUvarint(b, uint64(len(p.value)))
			b = append(b, p.value...)
		}
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-journalHeader))
	binary.LittleEndian.PutUint32(b[start+4:], checksum(b[start:start+4], b[start+journalHeader:]))
	return b
}

// checksum covers the length too, so that a stretch of zeros is no record.
func checksum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, length), castagnoli, payload)
}

// readJournal applies the transactions of a journal to m and answers how many bytes of
// it are whole. The error is errJournal if it does not begin as one; an empty file and
// one whose beginning is torn are empty journals.
func readJournal(b []byte, m map[string][]byte) (whole int, err error) {
	if len(b) < len(journalMagic) {
		if string(b) != journalMagic[:len(b)] {
			return 0, errJournal
		}
		return 0, nil
	}
	if string(b[:len(journalMagic)]) != journalMagic {
		return 0, errJournal
	}
	whole = len(journalMagic)
	for {
		o, n := readRecord(b[whole:])
		if n == 0 {
			return whole, nil
		}
		o.apply(m)
		whole += n
	}
}

// readRecord reads the record that b begins with; n is 0 if it is not whole.
func readRecord(b []byte) (o ops, n int) {
	if len(b) < journalHeader {
		return nil, 0
	}
	size := binary.LittleEndian.Uint32(b)
	if size > maxRecord || uint64(size) > uint64(len(b)-journalHeader) {
		return nil, 0
	}
	payload := b[journalHeader : journalHeader+int(size)]
	if !walkOps(payload, func(_ byte, _, _, _ []byte) {}) { // before the checksum: holdsRecord tries at every byte
		return nil, 0
	}
	if checksum(b[:4], payload) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, 0
	}
	walkOps(payload, func(kind byte, key, value, _ []byte) {
		if kind == 'd' {
			o.Delete(string(key))
		} else {
			o.Set(string(key), value)
		}
	})
	return o, journalHeader + int(size)
}

// salvage applies to m the whole records of b, which begins with a bad one. damaged says
// that there are whole records behind a bad one, whether they could be applied or not;
// lost is how many bytes were not.
//
// Where the record behind a bad one begins is told by the bad one: by its length, or by
// where its parts end. What lies within a value is never taken for a record: others may
// have written it.
func salvage(b []byte, m map[string][]byte) (damaged bool, lost int) {
	for len(b) > 0 {
		if o, n := readRecord(b); n > 0 {
			o.apply(m)
			damaged = true
			b = b[n:]
			continue
		}
		n := behind(b)
		if n == 0 {
			return damaged || holdsRecord(b), lost + len(b)
		}
		lost += n
		b = b[n:]
	}
	return damaged, lost
}

// behind is where the record after the bad one that b begins with begins; 0 if that
// cannot be told.
func behind(b []byte) (at int) {
	if len(b) < journalHeader {
		return 0
	}
	if end := uint64(binary.LittleEndian.Uint32(b)) + journalHeader; end < uint64(len(b)) {
		if _, n := readRecord(b[end:]); n > 0 {
			return int(end)
		}
	}
	payload := b[journalHeader:]
	walkOps(payload, func(_ byte, _, _, rest []byte) {
		if _, n := readRecord(rest); n > 0 && at == 0 {
			at = len(b) - len(rest)
		}
	})
	return at
}

// holdsRecord says whether a whole record stands anywhere in b.
func holdsRecord(b []byte) bool {
	for ; len(b) > 0; b = b[1:] {
		if o, _ := readRecord(b); len(o) > 0 {
			return true
		}
	}
	return false
}

// walkOps calls each for what a payload holds, in order, and with what is left of it;
// false if it is malformed. Keys and values point into b.
func walkOps(b []byte, each func(kind byte, key, value, rest []byte)) bool {
	text := func() ([]byte, bool) {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return nil, false
		}
		t := b[k : k+int(n)]
		b = b[k+int(n):]
		return t, true
	}
	for len(b) > 0 {
		kind := b[0]
		b = b[1:]
		key, ok := text()
		if !ok {
			return false
		}
		var value []byte
		switch kind {
		case 's':
			if value, ok = text(); !ok {
				return false
			}
		case 'd':
		default:
			return false
		}
		each(kind, key, value, b)
	}
	return true
}
