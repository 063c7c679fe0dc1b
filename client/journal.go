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
		rest := b[whole:]
		if len(rest) < journalHeader {
			return whole, nil
		}
		n := binary.LittleEndian.Uint32(rest)
		if n > maxRecord || uint64(n) > uint64(len(rest)-journalHeader) {
			return whole, nil
		}
		payload := rest[journalHeader : journalHeader+int(n)]
		if checksum(rest[:4], payload) != binary.LittleEndian.Uint32(rest[4:]) {
			return whole, nil
		}
		o, ok := readOps(payload)
		if !ok {
			return whole, nil
		}
		o.apply(m)
		whole += journalHeader + int(n)
	}
}

// readOps reads a payload; values are copies.
func readOps(b []byte) (o ops, ok bool) {
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
			return nil, false
		}
		switch kind {
		case 's':
			value, ok := text()
			if !ok {
				return nil, false
			}
			o.Set(string(key), value)
		case 'd':
			o.Delete(string(key))
		default:
			return nil, false
		}
	}
	return o, true
}
