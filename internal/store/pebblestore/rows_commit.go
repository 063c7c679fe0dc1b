package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// A `t` row says what its commit did to conversations whose head row it did not
// write. All numbers are absolute, so that a row is right whatever the one before it.
//
//	version, time of the commit, the next conversation, then for each conversation:
//	number, bits, {seq, seq-lastShown, seq-n, seq-na, time before that of the commit},
//	{read, n, na} of the sides whose cursor stands elsewhere than at seq,
//	delivered of the sides where it moved, {user, read, n, na} of members who sent
const (
	didSend     = 1 << iota
	readAtHead0 // the side's cursor moved to seq
	readAtHead1
	readAt0
	readAt1
	delivered0
	delivered1
	readMembers
)

// cursor is how far somebody has read.
type cursor struct {
	read  im.Seq
	n, na uint64
}

// memberCursor is the cursor of one of a group's members.
type memberCursor struct {
	user im.UserID
	cursor
}

func appendCommit(b []byte, millis int64, next im.ConvID) []byte {
	b = appendUint(append(b, rowVersion), uint64(millis))
	return appendUint(b, uint64(next))
}

// appendTouched adds one conversation. did holds didSend, readAt0, readAt1 and the
// delivered bits.
func appendTouched(b []byte, millis int64, h *store.Head, did byte, members []memberCursor) []byte {
	for i := range h.Sides {
		if s := &h.Sides[i]; did&(readAt0<<i) != 0 && s.Read == h.Seq && s.ReadN == h.N && s.ReadNA == h.NA {
			did ^= readAt0<<i | readAtHead0<<i
		}
	}
	if did&(readAtHead0|readAtHead1) != 0 {
		did |= didSend // says what the head is
	}
	if len(members) > 0 {
		did |= readMembers
	}
	b = append(appendUint(b, uint64(h.Conv)), did)
	if did&didSend != 0 {
		b = appendUint(b, uint64(h.Seq))
		b = appendUint(b, uint64(h.Seq-h.LastShown))
		b = appendUint(b, uint64(h.Seq)-h.N)
		b = appendUint(b, uint64(h.Seq)-h.NA)
		b = appendSigned(b, millis-h.Time)
	}
	for i := range h.Sides {
		if did&(readAt0<<i) != 0 {
			b = appendUint(b, uint64(h.Sides[i].Read))
			b = appendUint(b, h.Sides[i].ReadN)
			b = appendUint(b, h.Sides[i].ReadNA)
		}
	}
	for i := range h.Sides {
		if did&(delivered0<<i) != 0 {
			b = appendUint(b, uint64(h.Sides[i].Delivered))
		}
	}
	if did&readMembers != 0 {
		b = appendUint(b, uint64(len(members)))
		for _, m := range members {
			b = appendText(b, m.user)
			b = appendUint(b, uint64(m.read))
			b = appendUint(appendUint(b, m.n), m.na)
		}
	}
	return b
}

// touched is what a `t` row says of one conversation.
type touched struct {
	conv    im.ConvID
	did     byte
	head    store.Head // Seq, LastShown, N, NA, Time, with didSend; Read... and Delivered of Sides by did
	members []memberCursor
}

// decodeCommit calls each for every conversation of a row and returns the next
// conversation's number. What each is given is valid until it returns.
func decodeCommit(key, row []byte, each func(*touched) error) (next im.ConvID, err error) {
	d := dec{b: row}
	d.begin()
	millis := int64(d.num())
	next = im.ConvID(d.num())
	var t touched
	for len(d.b) > 0 {
		t = touched{conv: im.ConvID(d.num()), did: d.u8(), members: t.members[:0]}
		h := &t.head
		if t.did&didSend != 0 {
			h.Seq = im.Seq(d.num())
			h.LastShown = im.Seq(d.below(uint64(h.Seq)))
			h.N = d.below(uint64(h.Seq))
			h.NA = d.below(uint64(h.Seq))
			h.Time = millis - d.signed()
		} else if t.did&(readAtHead0|readAtHead1) != 0 {
			d.fail()
		}
		if t.did&(t.did>>2)&(readAtHead0|readAtHead1) != 0 { // at the head and elsewhere
			d.fail()
		}
		for i := range h.Sides {
			switch s := &h.Sides[i]; {
			case t.did&(readAtHead0<<i) != 0:
				s.Read, s.ReadN, s.ReadNA = h.Seq, h.N, h.NA
			case t.did&(readAt0<<i) != 0:
				s.Read, s.ReadN, s.ReadNA = im.Seq(d.num()), d.num(), d.num()
			}
		}
		for i := range h.Sides {
			if t.did&(delivered0<<i) != 0 {
				h.Sides[i].Delivered = im.Seq(d.num())
			}
		}
		if t.did&readMembers != 0 {
			for range d.count(4) {
				t.members = append(t.members, memberCursor{im.UserID(d.str()), cursor{im.Seq(d.num()), d.num(), d.num()}})
			}
		}
		if d.bad {
			break
		}
		if each != nil {
			if err := each(&t); err != nil {
				return 0, err
			}
		}
	}
	if !d.ok() {
		return 0, errRow(key, "commit")
	}
	return next, nil
}

// apply brings h up to what the row of commit p says.
func (t *touched) apply(h *store.Head, p im.Position) {
	if t.did&didSend != 0 {
		h.Seq, h.LastShown, h.N, h.NA, h.Time = t.head.Seq, t.head.LastShown, t.head.N, t.head.NA, t.head.Time
	}
	for i := range h.Sides {
		from, to := &t.head.Sides[i], &h.Sides[i]
		if t.did&((readAtHead0|readAt0)<<i) != 0 {
			to.Read, to.ReadN, to.ReadNA = from.Read, from.ReadN, from.ReadNA
		}
		if t.did&(delivered0<<i) != 0 {
			to.Delivered = from.Delivered
		}
	}
	h.Position = p
}
