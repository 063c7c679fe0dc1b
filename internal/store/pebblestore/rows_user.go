package pebblestore

import (
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// What a `u` row begins with, after its version.
const (
	rowDirect     = 0 // a direct conversation: the rest stands in the head
	rowMembers    = 1
	rowDirectOwn  = 2 // with what is his alone
	rowMembersOwn = 3
)

func appendDirectRow(b []byte) []byte { return append(b, rowVersion, rowDirect) }

// appendDirectOwn encodes what a direct conversation is to one of the two alone.
func appendDirectOwn(b []byte, r *store.Row) []byte {
	b = appendUint(append(b, rowVersion, rowDirectOwn), uint64(r.Position))
	return appendOwn(b, r, ownParts(r))
}

// appendRow encodes one user's row of a conversation that is not direct.
func appendRow(b []byte, r *store.Row) []byte {
	kind, has := byte(rowMembers), ownParts(r)
	if has != 0 {
		kind = rowMembersOwn
	}
	b = append(b, rowVersion, kind, byte(r.Role))
	b = appendUint(b, uint64(r.MVer))
	b = appendUint(b, uint64(r.From))
	b = appendUint(b, r.FromN)
	b = appendUint(b, r.FromNA)
	b = appendUint(b, uint64(r.Read))
	b = appendUint(b, r.ReadN)
	b = appendUint(b, r.ReadNA)
	b = appendUint(b, uint64(r.Position))
	if has != 0 {
		b = appendOwn(b, r, has)
	}
	return b
}

// decodeRow decodes a row; direct says that the rest stands in the head.
func decodeRow(key []byte, conv im.ConvID, u im.UserID, row []byte) (r store.Row, direct bool, err error) {
	d := dec{b: row}
	d.begin()
	kind := d.u8()
	switch kind {
	case rowDirect:
		direct = true
	case rowDirectOwn:
		direct = true
		if r.Position = im.Position(d.num()); r.Position == 0 {
			d.fail()
		}
		d.own(&r)
	case rowMembers, rowMembersOwn:
		r.Role = im.Role(d.u8())
		r.MVer = im.MVer(d.num())
		r.From = im.Seq(d.num())
		r.FromN = d.num()
		r.FromNA = d.num()
		r.Read = im.Seq(d.num())
		r.ReadN = d.num()
		r.ReadNA = d.num()
		r.Position = im.Position(d.num())
		if kind == rowMembersOwn && d.own(&r) == 0 {
			d.fail()
		}
	default:
		d.fail()
	}
	if !d.ok() || r.Role > im.Owner {
		return store.Row{}, false, errRow(key, "row of a user")
	}
	r.Conv, r.User = conv, u
	return r, direct, nil
}

// decodeRead reads of a row only from where on its user sees the conversation and how far
// he has read; false says that this stands in the head.
func decodeRead(key, row []byte) (from, read im.Seq, ok bool, err error) {
	d := dec{b: row}
	d.begin()
	switch d.u8() {
	case rowDirect, rowDirectOwn:
		return 0, 0, false, nil
	case rowMembers, rowMembersOwn:
		d.u8()
		d.num()
		from = im.Seq(d.num())
		d.num()
		d.num()
		read = im.Seq(d.num())
	default:
		d.fail()
	}
	if d.bad {
		return 0, 0, false, errRow(key, "row of a user")
	}
	return from, read, true, nil
}

// moreMember stands in the byte of the role if a nick and a mute follow.
const moreMember = 0x80

// appendMember encodes a `g` row: a present member, without what only he needs.
func appendMember(b []byte, r *store.Row) []byte {
	more := r.Nick != "" || r.MutedUntil != 0
	b = append(b, rowVersion, byte(r.Role)|flag(more)*moreMember)
	b = appendUint(b, uint64(r.MVer))
	b = appendUint(b, uint64(r.From))
	b = appendUint(b, uint64(r.Position))
	if more {
		b = appendSigned(appendText(b, r.Nick), r.MutedUntil)
	}
	return b
}

func decodeMember(key []byte, conv im.ConvID, u im.UserID, row []byte) (store.Row, error) {
	d := dec{b: row}
	d.begin()
	r := store.Row{Conv: conv, User: u}
	role := d.u8()
	r.Role = im.Role(role &^ moreMember)
	r.MVer = im.MVer(d.num())
	r.From = im.Seq(d.num())
	r.Position = im.Position(d.num())
	if role&moreMember != 0 {
		r.Nick, r.MutedUntil = strings.Clone(d.str()), d.signed()
		if r.Nick == "" && r.MutedUntil == 0 {
			d.fail()
		}
	}
	if !d.ok() || r.Role == im.NoRole || r.Role > im.Owner {
		return store.Row{}, errRow(key, "member")
	}
	return r, nil
}
