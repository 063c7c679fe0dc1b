package pebblestore

import (
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// What a conversation is to one user alone, in his `u` row: bits that say what follows,
// then that. A row without any of it is as it always was.
const (
	ownPinned = 1 << iota
	ownLevel
	ownHidden
	ownArchived
	ownMarked
	ownTags
	ownRemark
	ownGone
	ownWithdrawn
	ownWithdrawA
	ownDirected
	ownNick
	ownMuted
	knownOwn = 1<<iota - 1
)

// ownParts says which of r's parts there are.
func ownParts(r *store.Row) (has uint64) {
	s := &r.Settings
	for i, is := range [...]bool{s.Pinned != 0, s.Level != 0, s.Hidden != 0, s.Archived, s.Marked, len(s.Tags) > 0, s.Remark != "",
		len(r.Gone) > 0, len(r.Withdrawn) > 0, len(r.WithdrawA) > 0, len(r.Directed) > 0, r.Nick != "", r.MutedUntil != 0} {
		if is {
			has |= 1 << i
		}
	}
	return has
}

func appendOwn(b []byte, r *store.Row, has uint64) []byte {
	b = appendUint(b, has)
	s := &r.Settings
	if has&ownPinned != 0 {
		b = appendSigned(b, s.Pinned)
	}
	if has&ownLevel != 0 {
		b = append(b, byte(s.Level))
	}
	if has&ownHidden != 0 {
		b = appendUint(b, uint64(s.Hidden))
	}
	if has&ownTags != 0 {
		b = appendStrings(b, s.Tags)
	}
	if has&ownRemark != 0 {
		b = appendText(b, s.Remark)
	}
	if has&ownGone != 0 {
		b = appendUint(b, uint64(len(r.Gone)))
		last := im.Seq(0)
		for _, g := range r.Gone {
			b = appendUint(appendUint(b, uint64(g.From-last)), uint64(g.To-g.From))
			last = g.To
		}
	}
	if has&ownWithdrawn != 0 {
		b = appendRanges(b, r.Withdrawn)
	}
	if has&ownWithdrawA != 0 {
		b = appendRanges(b, r.WithdrawA)
	}
	if has&ownDirected != 0 {
		b = appendUint(b, uint64(len(r.Directed)))
		last := im.Seq(0)
		for _, seq := range r.Directed {
			b = appendUint(b, uint64(seq-last))
			last = seq
		}
	}
	if has&ownNick != 0 {
		b = appendText(b, r.Nick)
	}
	if has&ownMuted != 0 {
		b = appendSigned(b, r.MutedUntil)
	}
	return b
}

// own reads what appendOwn wrote and says which parts there were. Nothing of it shares
// the row's memory.
func (d *dec) own(r *store.Row) (has uint64) {
	has = d.num()
	s := &r.Settings
	if has&ownPinned != 0 {
		s.Pinned = d.signed()
	}
	if has&ownLevel != 0 {
		if s.Level = im.Level(d.u8()); s.Level > im.NotifyNone {
			d.fail()
		}
	}
	if has&ownHidden != 0 {
		s.Hidden = im.Seq(d.num())
	}
	s.Archived, s.Marked = has&ownArchived != 0, has&ownMarked != 0
	if has&ownTags != 0 {
		s.Tags = d.strings()
		for i := range s.Tags {
			s.Tags[i] = strings.Clone(s.Tags[i])
		}
	}
	if has&ownRemark != 0 {
		s.Remark = strings.Clone(d.str())
	}
	if has&ownGone != 0 {
		for _, g := range d.ranges(store.MaxGone) {
			r.Gone = append(r.Gone, im.SeqRange{From: im.Seq(g.From), To: im.Seq(g.To)})
		}
	}
	if has&ownWithdrawn != 0 {
		r.Withdrawn = d.ranges(store.MaxWithdrawn)
	}
	if has&ownWithdrawA != 0 {
		r.WithdrawA = d.ranges(store.MaxWithdrawnA)
	}
	if has&ownDirected != 0 {
		r.Directed = d.seqs(store.MaxDirected)
	}
	if has&ownNick != 0 {
		r.Nick = strings.Clone(d.str())
	}
	if has&ownMuted != 0 {
		r.MutedUntil = d.signed()
	}
	if has&^knownOwn != 0 || !d.bad && ownParts(r) != has { // a part that is said to be there is
		d.fail()
	}
	return has
}

// seqs reads ascending numbers.
func (d *dec) seqs(most int) []im.Seq {
	n := d.count(1)
	if n > most {
		d.fail()
	}
	if d.bad || n == 0 {
		return nil
	}
	out := make([]im.Seq, n)
	last := im.Seq(0)
	for i := range out {
		seq := last + im.Seq(d.num())
		if seq <= last {
			d.fail()
			return nil
		}
		out[i], last = seq, seq
	}
	return out
}
