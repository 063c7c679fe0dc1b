package pebblestore

import (
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxWithdrawn = 256
	maxWithdrawA = 64
)

// Which bits there are behind the kind.
const (
	directBits = 1 | 2 | 4 | 8
	groupBits  = 1 | 16
)

// appendHead encodes h; the conversation's number is in the key.
func appendHead(b []byte, h *store.Head) []byte {
	b = append(b, rowVersion, byte(h.Kind), flag(h.Closed)|flag(h.Line != "")<<1|flag(h.Sides[0].Own)<<2|flag(h.Sides[1].Own)<<3|flag(h.Settled != 0)<<4)
	b = appendUint(b, uint64(h.Members))
	b = appendUint(b, uint64(h.Seq))
	b = appendUint(b, uint64(h.Ver))
	b = appendUint(b, uint64(h.MVer))
	b = appendUint(b, uint64(h.Seq)-h.N)
	b = appendUint(b, uint64(h.Seq)-h.NA)
	b = appendUint(b, uint64(h.Time))
	b = appendUint(b, uint64(h.Seq-h.LastShown))
	b = appendUint(b, uint64(h.Min))
	b = appendUint(b, uint64(h.MinVer))
	b = appendUint(b, uint64(h.Position))
	b = appendRanges(b, h.Withdrawn)
	b = appendRanges(b, h.WithdrawA)
	if h.Kind == im.Direct {
		for i := range h.Sides {
			s := &h.Sides[i]
			b = appendText(b, s.User)
			b = appendUint(b, uint64(s.Read))
			b = appendUint(b, s.ReadN)
			b = appendUint(b, s.ReadNA)
			b = appendUint(b, uint64(s.Delivered))
		}
		if h.Line != "" {
			b = appendText(b, h.Line)
		}
		return b
	}
	b = appendText(b, h.Group)
	if h.Settled != 0 {
		b = appendUint(b, uint64(h.Settled))
	}
	return b
}

func decodeHead(key []byte, conv im.ConvID, row []byte) (*store.Head, error) {
	d := dec{b: row}
	d.begin()
	h := &store.Head{Conv: conv}
	h.Kind = im.ConvKind(d.u8())
	is := d.u8() // closed, whether it has a line, whose rows hold something, whether its settings changed
	h.Closed = is&1 != 0
	h.Members = int(d.num())
	h.Seq = im.Seq(d.num())
	h.Ver = im.Ver(d.num())
	h.MVer = im.MVer(d.num())
	h.N = d.below(uint64(h.Seq))
	h.NA = d.below(uint64(h.Seq))
	h.Time = int64(d.num())
	h.LastShown = im.Seq(d.below(uint64(h.Seq)))
	h.Min = im.Seq(d.num())
	h.MinVer = im.Ver(d.num())
	h.Position = im.Position(d.num())
	h.Withdrawn = d.ranges(maxWithdrawn)
	h.WithdrawA = d.ranges(maxWithdrawA)
	if h.Kind == im.Direct {
		for i := range h.Sides {
			s := &h.Sides[i]
			s.User = im.UserID(d.str())
			s.Read = im.Seq(d.num())
			s.ReadN = d.num()
			s.ReadNA = d.num()
			s.Delivered = im.Seq(d.num())
			s.Own = is&(4<<i) != 0
		}
		if is&2 != 0 {
			h.Line = strings.Clone(d.str())
		}
	} else {
		h.Group = im.GroupID(d.str())
		if is&16 != 0 {
			h.Settled = im.MVer(d.num())
		}
	}
	if !d.ok() || is&^directBits != 0 && h.Kind == im.Direct || is&^groupBits != 0 && h.Kind != im.Direct || (is&16 != 0) != (h.Settled != 0) || (is&2 != 0) != (h.Line != "") || h.Kind < im.Direct || h.Kind > im.Self || h.Min == 0 || h.MinVer == 0 {
		return nil, errRow(key, "head")
	}
	return h, nil
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}
