package store

import (
	"math"
	"slices"

	"github.com/anser-im/anser/internal/im"
)

// What is done to a row, the same in every store. Nothing alters what a row's slices
// hold, since readers may have them: there are new ones.

// Trim takes out what stands at or below the cursor.
func (r *Row) Trim() {
	if len(r.Directed) > 0 && r.Directed[0] <= r.Read {
		at, found := slices.BinarySearch(r.Directed, r.Read)
		if found {
			at++
		}
		r.Directed = some(slices.Clone(r.Directed[at:]))
	}
	r.Withdrawn = Between(r.Withdrawn, r.ReadN, math.MaxUint64)
	r.WithdrawA = Between(r.WithdrawA, r.ReadNA, math.MaxUint64)
}

// Withdraw adds ranges of the ordinals N and NA to what does not count for him alone, as
// far as they are above his cursor and not above the head.
func (r *Row) Withdraw(h *Head, n, na []Range) {
	r.Withdrawn = Newest(Between(Unite(r.Withdrawn, n), r.ReadN, h.N), MaxWithdrawn)
	r.WithdrawA = Newest(Between(Unite(r.WithdrawA, na), r.ReadNA, h.NA), MaxWithdrawnA)
}

// List notes a message to some members only, he among them, that counts, if he has to
// read it, and says whether the row is another then.
func (r *Row) List(seq im.Seq) bool {
	at, there := slices.BinarySearch(r.Directed, seq)
	if there || seq <= r.Read || r.Hides(seq) || at == 0 && len(r.Directed) >= MaxDirected {
		return false
	}
	list := slices.Insert(slices.Clone(r.Directed), at, seq)
	r.Directed = list[max(0, len(list)-MaxDirected):]
	return true
}

// Unlist takes a message off again.
func (r *Row) Unlist(seq im.Seq) bool {
	at, there := slices.BinarySearch(r.Directed, seq)
	if !there {
		return false
	}
	r.Directed = some(slices.Delete(slices.Clone(r.Directed), at, at+1))
	return true
}

// some is list, nil if it is empty.
func some[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Set does to r what o asks for, and says whether it is another then. h is the head;
// hole is as UniteGone's. The error is TooLarge; then r is as it was.
func (r *Row) Set(o *SetOp, h *Head, hole func(from, to im.Seq) bool) (moved bool, err error) {
	now := *r
	if o.Patch != nil {
		now.Settings = o.Patch.Apply(now.Settings)
		now.Settings.Tags = some(slices.Clone(now.Settings.Tags))
	}
	if len(o.Gone) > 0 {
		if now.Gone = UniteGone(r.Gone, o.Gone, h.Seq, hole); len(now.Gone) > MaxGone {
			return false, ErrGone()
		}
		now.Directed = some(slices.DeleteFunc(slices.Clone(now.Directed), now.Hides))
	}
	now.Withdraw(h, o.Withdrawn, o.WithdrawA)
	if r.sameOwn(&now) {
		return false, nil
	}
	*r = now
	return true, nil
}

// ErrGone is the error of too many ranges.
func ErrGone() error {
	return im.Errorf(im.TooLarge, "more than %d separate ranges of messages would be deleted for you alone in this conversation", MaxGone)
}

// sameOwn says whether two rows hold the same for their user alone.
func (r *Row) sameOwn(o *Row) bool {
	a, b := r.Settings, o.Settings
	if !slices.Equal(a.Tags, b.Tags) {
		return false
	}
	return a.Pinned == b.Pinned && a.Level == b.Level && a.Hidden == b.Hidden && a.Archived == b.Archived && a.Marked == b.Marked && a.Remark == b.Remark &&
		slices.Equal(r.Gone, o.Gone) && slices.Equal(r.Directed, o.Directed) && slices.Equal(r.Withdrawn, o.Withdrawn) && slices.Equal(r.WithdrawA, o.WithdrawA)
}

// SetRole gives its user what set says. before is what a newcomer begins with. It says whether the row is another then; MVer and Position are
// the caller's to set.
func (r *Row) SetRole(set *RoleSet, before *Row) (moved bool) {
	if r.Role == set.Role && (r.Role == im.NoRole || (set.Nick == nil || *set.Nick == r.Nick) && (set.Muted == nil || *set.Muted == r.MutedUntil)) {
		return false
	}
	if r.Role == im.NoRole {
		r.From, r.FromN, r.FromNA = before.From, before.FromN, before.FromNA
		if r.Read < r.From { // who comes back has not unread what he read
			r.Read, r.ReadN, r.ReadNA = r.From-1, r.FromN, r.FromNA
		}
		r.Trim()
	}
	if set.Nick != nil {
		r.Nick = *set.Nick
	}
	if set.Muted != nil {
		r.MutedUntil = *set.Muted
	}
	if set.Role == im.NoRole {
		r.Nick, r.Directed = "", nil // his mute stays: nobody gets rid of it by leaving
	}
	r.Role = set.Role
	return true
}
