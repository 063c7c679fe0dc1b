package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// What a `u` row begins with, after its version.
const (
	rowDirect  = 0 // a direct conversation: the rest stands in the head
	rowMembers = 1
)

func appendDirectRow(b []byte) []byte { return append(b, rowVersion, rowDirect) }

// appendRow encodes one user's row of a conversation that is not direct.
func appendRow(b []byte, r *store.Row) []byte {
	b = append(b, rowVersion, rowMembers, byte(r.Role))
	b = appendUint(b, uint64(r.MVer))
	b = appendUint(b, uint64(r.From))
	b = appendUint(b, r.FromN)
	b = appendUint(b, r.FromNA)
	b = appendUint(b, uint64(r.Read))
	b = appendUint(b, r.ReadN)
	b = appendUint(b, r.ReadNA)
	return appendUint(b, uint64(r.Position))
}

// decodeRow decodes a row; direct says that the rest stands in the head.
func decodeRow(key []byte, conv im.ConvID, u im.UserID, row []byte) (r store.Row, direct bool, err error) {
	d := dec{b: row}
	d.begin()
	switch d.u8() {
	case rowDirect:
		direct = true
	case rowMembers:
		r = store.Row{Conv: conv, User: u}
		r.Role = im.Role(d.u8())
		r.MVer = im.MVer(d.num())
		r.From = im.Seq(d.num())
		r.FromN = d.num()
		r.FromNA = d.num()
		r.Read = im.Seq(d.num())
		r.ReadN = d.num()
		r.ReadNA = d.num()
		r.Position = im.Position(d.num())
	default:
		d.fail()
	}
	if !d.ok() || r.Role > im.Owner {
		return store.Row{}, false, errRow(key, "row of a user")
	}
	return r, direct, nil
}

// appendMember encodes a `g` row: a present member, without what only he needs.
func appendMember(b []byte, r *store.Row) []byte {
	b = append(b, rowVersion, byte(r.Role))
	b = appendUint(b, uint64(r.MVer))
	b = appendUint(b, uint64(r.From))
	return appendUint(b, uint64(r.Position))
}

func decodeMember(key []byte, conv im.ConvID, u im.UserID, row []byte) (store.Row, error) {
	d := dec{b: row}
	d.begin()
	r := store.Row{Conv: conv, User: u}
	r.Role = im.Role(d.u8())
	r.MVer = im.MVer(d.num())
	r.From = im.Seq(d.num())
	r.Position = im.Position(d.num())
	if !d.ok() || r.Role == im.NoRole || r.Role > im.Owner {
		return store.Row{}, errRow(key, "member")
	}
	return r, nil
}
