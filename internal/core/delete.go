package core

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxDeleted      = 100  // numbers named in one request
	maxDeletedRange = 1000 // numbers of a range that is deleted for all
)

// Delete hides messages from the user alone, on all his devices, or deletes them for
// all. Numbers above the head are left out.
//
// For the user alone every number of the conversation can go, of messages that are
// gone too; what was unread no longer counts. It cannot be undone. Pages and Changes
// leave out what is hidden; a change of it may still be told live, which devices leave
// out by Mine.Gone.
//
// For all, who may recall a message may delete it: nobody sees it any more, not even
// that it was there, until it is restored (Undelete). Of a range those go that the
// user may delete. Numbers that are named must all be such, or none is deleted. What
// is deleted already is no error.
//
// Errors: those of resolve; Invalid where nothing is named, and for me; TooLarge;
// NotFound and Denied as in Recall for a number that is named; Limited. After an error
// of the store some may be deleted.
func (s *Session) Delete(ctx context.Context, q DeleteRequest) (Deleted, error) {
	if len(q.Seqs) > maxDeleted {
		return Deleted{}, im.Errorf(im.TooLarge, "%d numbers in one request; at most %d are allowed: name a range", len(q.Seqs), maxDeleted)
	}
	ref, err := s.resolve(q.Conv)
	if err != nil {
		return Deleted{}, err
	}
	if ref.kind == im.Self {
		return Deleted{}, im.Errorf(im.Invalid, "me has no messages")
	}
	r, err := q.span(ref.head.Seq)
	if err != nil {
		return Deleted{}, err
	}
	if q.ForAll {
		return s.deleteForAll(ctx, &ref, q.Seqs, r)
	}
	return s.deleteForMe(ctx, &ref, q.Seqs, r)
}

// span is the range that is asked for, up to the head; From > To: none.
func (q *DeleteRequest) span(head im.Seq) (im.SeqRange, error) {
	r := q.Range
	if r == (im.SeqRange{}) {
		if len(q.Seqs) == 0 {
			return r, im.Errorf(im.Invalid, "there is nothing to delete: name numbers or a range")
		}
		return im.SeqRange{From: 1}, nil
	}
	if r.To == 0 {
		r.To = head
	} else if r.From > r.To {
		return r, im.Errorf(im.Invalid, "the range %d to %d is empty", r.From, r.To)
	}
	r.From, r.To = max(r.From, 1), min(r.To, head)
	if q.ForAll && r.To >= r.From && r.To-r.From >= maxDeletedRange {
		return r, im.Errorf(im.TooLarge, "the range is %d numbers long; at most %d at once are deleted for all", r.To-r.From+1, maxDeletedRange)
	}
	return r, nil
}

// deleteForMe hides messages from the user.
func (s *Session) deleteForMe(ctx context.Context, ref *convRef, seqs []im.Seq, r im.SeqRange) (Deleted, error) {
	ranges := rangesOf(seqs, r, ref.head.Seq)
	fresh := 0
	for _, g := range ranges {
		fresh += unhidden(g, ref.row.Gone)
	}
	if fresh == 0 { // nothing to write
		mine, err := s.c.mineOf(&ref.head, &ref.row)
		return Deleted{Mine: mine}, err
	}
	if err := s.charge(); err != nil {
		return Deleted{}, err
	}
	op := &store.SetOp{Conv: ref.conv, User: s.user, Gone: ranges}
	for _, g := range ranges {
		n, na, err := s.c.unreadIn(ref, g)
		if err != nil {
			return Deleted{}, err
		}
		if n.From <= n.To && n.To > 0 {
			op.Withdrawn = append(op.Withdrawn, n)
		}
		if na.From <= na.To && na.To > 0 {
			op.WithdrawA = append(op.WithdrawA, na)
		}
	}
	op.Done = func() {
		if op.Err == nil && op.Moved {
			s.c.hid(s.user, ref.conv, op.Row.Gone)
			s.c.mineMoved(s.user, ref.conv, s)
		}
	}
	if err := s.c.do(ctx, op); err != nil {
		if im.IsKind(err, im.NotFound) {
			err = errNoConv() // he left meanwhile
		}
		return Deleted{}, err
	}
	head, ok := s.c.st.Head(ref.conv)
	if !ok {
		return Deleted{}, errNoConv()
	}
	mine, err := s.c.mineOf(&head, &op.Row)
	return Deleted{Count: fresh, Mine: mine}, err
}

// rangesOf is numbers and a range as ascending ranges that do not touch, up to the
// head.
func rangesOf(seqs []im.Seq, r im.SeqRange, head im.Seq) []im.SeqRange {
	var all []im.SeqRange
	if r.From <= r.To {
		all = append(all, r)
	}
	for _, seq := range seqs {
		if seq > 0 && seq <= head {
			all = append(all, im.SeqRange{From: seq, To: seq})
		}
	}
	slices.SortFunc(all, func(a, b im.SeqRange) int { return cmp.Compare(a.From, b.From) })
	out := all[:0]
	for _, g := range all {
		if n := len(out); n > 0 && g.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, g.To)
			continue
		}
		out = append(out, g)
	}
	return out
}

// unhidden counts the numbers of r that are not in gone.
func unhidden(r im.SeqRange, gone []im.SeqRange) int {
	n := int(r.To - r.From + 1)
	for _, g := range gone {
		if lo, hi := max(r.From, g.From), min(r.To, g.To); lo <= hi {
			n -= int(hi - lo + 1)
		}
	}
	return n
}

// unreadIn is which ordinals of N and of NA the messages in r above the read cursor
// have; From > To or To 0: none. Every message says how many counted up to it, so the
// first and the last that are there say it all: what is gone between has been withdrawn.
func (c *Core) unreadIn(ref *convRef, r im.SeqRange) (n, na store.Range, err error) {
	lo, hi := max(r.From, ref.row.Read+1, ref.row.From), r.To
	if lo > hi {
		return n, na, nil
	}
	first, err := c.edge(ref.conv, lo, hi, false)
	if err != nil || first == nil {
		return n, na, err
	}
	last, err := c.edge(ref.conv, lo, hi, true)
	if err != nil || last == nil {
		return n, na, err
	}
	n, na = store.Range{From: first.N + 1, To: last.N}, store.Range{From: first.NA + 1, To: last.NA}
	if first.Flags&im.Count != 0 && first.To == nil {
		n.From = first.N
	}
	called, err := c.called(ref.conv, first)
	if called {
		na.From = first.NA
	}
	return n, na, err
}

// called says whether m counts in NA itself: it was to all when it was sent, whatever
// an edit made of it since. One that no longer is has been withdrawn.
func (c *Core) called(conv im.ConvID, m *im.Message) (bool, error) {
	if m.To != nil || m.Mentions == nil || !m.Mentions.All {
		return false, nil
	}
	if m.Edited == 0 {
		return true, nil
	}
	before, err := c.edge(conv, 1, m.Seq-1, true)
	return before != nil && before.NA < m.NA || before == nil && m.NA > 0, err
}

// edge is the first message in lo..hi, or the last; nil if none is there.
func (c *Core) edge(conv im.ConvID, lo, hi im.Seq, last bool) (*im.Message, error) {
	if lo > hi {
		return nil, nil
	}
	p, err := c.st.Page(store.PageQuery{Conv: conv, From: lo, To: hi, Backward: last, Limit: 1})
	if err != nil || len(p.Messages) == 0 {
		return nil, err
	}
	return p.Messages[0], nil
}

// deleteForAll deletes the messages that are named, all of them or none, and those of
// a range that the user may delete.
func (s *Session) deleteForAll(ctx context.Context, ref *convRef, seqs []im.Seq, r im.SeqRange) (Deleted, error) {
	var a Deleted
	list, err := s.deletable(ref, seqs, r)
	if err != nil {
		return a, err
	}
	for range maxTries {
		if len(list) == 0 {
			break
		}
		if a.Count == 0 {
			if err := s.chargeMany(len(list)); err != nil {
				return a, err
			}
		}
		ops := make([]*store.ChangeOp, len(list))
		for i, t := range list {
			ops[i] = &store.ChangeOp{Conv: ref.conv, Seq: t.seq, Guard: ref.head.MVer, Seen: t.ver, Kind: im.Delete, By: s.user, Device: s.device}
		}
		var again []im.Seq
		err := s.changeAll(ctx, ops, func(op *store.ChangeOp, err error) error {
			switch {
			case err == store.ErrTurnedBack:
				s.c.counts.turnedBack.Add(1)
				again = append(again, op.Seq)
			case im.IsKind(err, im.NotFound): // gone meanwhile
			case err != nil:
				return err
			default:
				a.Count++
				a.Ver = max(a.Ver, op.Ver)
			}
			return nil
		})
		if err != nil {
			return a, err
		}
		if list = nil; len(again) == 0 {
			break
		}
		now, err := s.resolve(ref.addr)
		if err != nil {
			return a, err
		}
		*ref = now
		if list, err = s.deletable(ref, again, im.SeqRange{From: 1}); err != nil {
			return a, err
		}
	}
	if len(list) > 0 {
		return a, errContended()
	}
	now, err := s.resolve(ref.addr)
	if err == nil {
		a.Mine, err = s.c.mineOf(&now.head, &now.row)
	}
	return a, err
}

// target is a message that is to be changed, as it was when that was decided.
type target struct {
	seq im.Seq
	ver im.Ver
}

// deletable are the messages of seqs and r that the user may delete for all and that
// are there.
//
// Errors: NotFound and Denied for one of seqs.
func (s *Session) deletable(ref *convRef, seqs []im.Seq, r im.SeqRange) ([]target, error) {
	var list []target
	named := map[im.Seq]bool{}
	for _, seq := range seqs {
		if named[seq] {
			continue
		}
		named[seq] = true
		m, err := s.c.beneath(ref, seq)
		switch {
		case err != nil:
			return nil, err
		case m == nil:
			return nil, errNoMessage()
		case m.Deleted:
			continue
		case m.Type == GroupType:
			return nil, errServerSaid()
		}
		if err := s.mayRecall(ref, m); err != nil {
			return nil, err
		}
		list = append(list, target{m.Seq, m.Ver})
	}
	for from := max(r.From, ref.row.From); from <= r.To; {
		p, err := s.c.pageFor(&ref.row, &ref.head, from, r.To, false, maxPage, pageBytes)
		if err != nil {
			return nil, err
		}
		for _, m := range p.Messages {
			if named[m.Seq] || m.Type == GroupType {
				continue
			}
			switch err := s.mayRecall(ref, m); {
			case im.IsKind(err, im.Denied):
			case err != nil:
				return nil, err
			default:
				list = append(list, target{m.Seq, m.Ver})
			}
		}
		from = p.To + 1
	}
	return list, nil
}

// beneath is see for messages that were deleted for all, too.
func (c *Core) beneath(ref *convRef, seq im.Seq) (*im.Message, error) {
	if ref.conv == 0 || seq == 0 || seq > ref.head.Seq {
		return nil, nil
	}
	m, ok, err := c.st.Message(ref.conv, seq)
	if err != nil || !ok {
		return nil, err
	}
	as := m
	if m.Deleted {
		there := *m
		there.Deleted = false
		as = &there
	}
	if !c.visible(as, &ref.row) {
		return nil, nil
	}
	return m, nil
}

// changeAll submits changes together, waits for all of them, and hands each outcome to
// each, in order; the first error that each answers is the answer.
//
// Errors: besides, Unavailable if ctx ends first.
func (s *Session) changeAll(ctx context.Context, ops []*store.ChangeOp, each func(*store.ChangeOp, error) error) error {
	errs := make([]error, len(ops))
	var wait sync.WaitGroup
	for i, op := range ops {
		wait.Add(1)
		op.Done = func() {
			s.changeDone(op)
			errs[i] = op.Err
			wait.Done()
		}
		if err := s.c.st.Submit(op); err != nil {
			errs[i] = err
			wait.Done()
		}
	}
	if err := waitFor(ctx, &wait); err != nil {
		return err
	}
	var first error
	for i, op := range ops {
		if err := each(op, errs[i]); err != nil {
			first = cmp.Or(first, err)
		}
	}
	return first
}

// chargeMany counts a request that others are told of n times: as one for every ten
// or part of it, up to what may come at once.
//
// Errors: Limited, with how long to wait.
func (s *Session) chargeMany(n int) error {
	if s.app {
		return nil
	}
	c, now := s.c, s.c.Now()
	r := s.rateOf()
	if n = min((n+9)/10, c.rates.burst); r.AllowN(now, n) {
		return nil
	}
	return im.Errorf(im.Limited, "you are doing this too fast: at most %v requests a second, %d at once", c.cfg.Limits.SendRate, c.rates.burst).
		WithRetry(c.rates.waitMany(r, now, n))
}
