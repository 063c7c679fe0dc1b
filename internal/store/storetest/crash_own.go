package storetest

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// mine alters what is u's alone: the row of a conversation, a note, a timer. All of them
// hold i, which grows, so that the ledger knows an older state.
func (tr *traffic) mine(rng *rand.Rand, u im.UserID, i int, sent *store.AppendOp) error {
	switch rng.IntN(4) {
	case 0, 1:
		op := &store.SetOp{Conv: sent.At, User: u, Patch: &im.SettingsPatch{Pinned: ptr(int64(i)), Marked: ptr(rng.IntN(2) == 0)},
			Gone: []im.SeqRange{{From: sent.Seq, To: sent.Seq}}}
		err := do(tr.s, op)
		if err == nil {
			tr.l.AckSet(op)
		}
		return err
	case 2:
		op := &store.NoteOp{User: u, Key: fmt.Sprint("note", rng.IntN(4)), Value: fmt.Append(nil, i), Most: 4, Of: "note"}
		err := do(tr.s, op)
		if err == nil {
			tr.l.AckNote(op)
		}
		return err
	}
	op := &store.PutOp{Records: []store.Record{{Kind: store.TimerRecord, User: u, Key: "t", Value: fmt.Append(nil, i), Due: int64(i + 1)}}}
	err := do(tr.s, op)
	if err == nil {
		tr.l.AckTimer(op)
	}
	return err
}

// mine is what callers were told of what is theirs alone.
type mine struct {
	pinned map[readKey]int64
	gone   map[readKey][]im.Seq
	notes  map[[2]string]int // user, key
	timers map[im.UserID]int64
}

func newMine() mine {
	return mine{map[readKey]int64{}, map[readKey][]im.Seq{}, map[[2]string]int{}, map[im.UserID]int64{}}
}

func (m *mine) copy() mine {
	c := newMine()
	for k, v := range m.pinned {
		c.pinned[k] = v
	}
	for k, v := range m.gone {
		c.gone[k] = v[:len(v):len(v)]
	}
	for k, v := range m.notes {
		c.notes[k] = v
	}
	for k, v := range m.timers {
		c.timers[k] = v
	}
	return c
}

// AckSet notes acknowledged settings. Pinned grows.
func (l *Ledger) AckSet(op *store.SetOp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := readKey{op.Conv, op.User}
	l.mine.pinned[k] = *op.Patch.Pinned
	for _, g := range op.Gone {
		l.mine.gone[k] = append(l.mine.gone[k], g.From)
	}
}

// AckNote notes an acknowledged note, whose value is a number that grows.
func (l *Ledger) AckNote(op *store.NoteOp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mine.notes[[2]string{string(op.User), op.Key}], _ = strconv.Atoi(string(op.Value))
}

// AckTimer notes an acknowledged timer, whose time grows.
func (l *Ledger) AckTimer(op *store.PutOp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mine.timers[op.Records[0].User] = op.Records[0].Due
}

// audit holds s against what callers were told.
func (m *mine) audit(s store.Store) error {
	for k, pinned := range m.pinned {
		r, ok, err := s.Row(k.conv, k.user)
		if err != nil || !ok || r.Settings.Pinned < pinned {
			return fmt.Errorf("%s was told that conversation %d is pinned at %d: %+v %v %v", k.user, k.conv, pinned, r, ok, err)
		}
		for _, seq := range m.gone[k] {
			if !r.Hides(seq) {
				return fmt.Errorf("%s was told that message %d of conversation %d is gone for him: %+v", k.user, seq, k.conv, r)
			}
		}
	}
	for k, n := range m.notes {
		v, ok, err := s.Get(store.NoteRecord, im.UserID(k[0]), k[1])
		if got, _ := strconv.Atoi(string(v)); err != nil || !ok || got < n {
			return fmt.Errorf("%s was told that the note %s holds %d: %q %v %v", k[0], k[1], n, v, ok, err)
		}
		self, ok, err := s.Self(im.UserID(k[0]))
		if err != nil || !ok {
			return fmt.Errorf("%s has notes and no log: %v", k[0], err)
		}
		h, _ := s.Head(self)
		changes, err := s.Changes(self, h.Ver, 1)
		if err != nil || len(changes) != 1 || changes[0].Ver != h.Ver || changes[0].Value == nil {
			return fmt.Errorf("the newest entry of %s's log: %+v %v", k[0], changes, err)
		}
	}
	due, _, err := s.Due(1<<40, 1000)
	if err != nil {
		return err
	}
	now := map[im.UserID]int64{}
	for _, r := range due {
		if now[r.User] != 0 {
			return fmt.Errorf("%s's timer is due twice: %+v", r.User, due)
		}
		now[r.User] = r.Due
	}
	for u, at := range m.timers {
		if now[u] < at {
			return fmt.Errorf("%s was told that the timer is due at %d, it is at %d", u, at, now[u])
		}
	}
	return nil
}
