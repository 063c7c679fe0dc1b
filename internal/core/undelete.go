package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Undelete brings back messages that were deleted for all, at most 100, within
// Limits.UndeleteWindow: for who deleted them, in groups also for the owner and
// admins of a higher role than that, and for the app. All are looked at before the
// first is restored. What is not deleted is no error. The answer is of the last one.
//
// Errors: those of resolve; Invalid, TooLarge; NotFound if there is no such message
// for this user; Denied with CodeRole for what others deleted, with CodeTooLate after
// the window, and as in a send for who may not write there now; Limited.
func (s *Session) Undelete(ctx context.Context, conv im.Address, seqs []im.Seq) (Changed, error) {
	if len(seqs) == 0 {
		return Changed{}, im.Errorf(im.Invalid, "there is nothing to restore: name numbers")
	}
	if len(seqs) > maxDeleted {
		return Changed{}, im.Errorf(im.TooLarge, "%d numbers in one request; at most %d are allowed", len(seqs), maxDeleted)
	}
	a := Changed{Dup: true}
	charged := false
	for range maxTries {
		ref, err := s.resolve(conv)
		if err != nil {
			return a, err
		}
		ops, err := s.restoring(&ref, seqs)
		if err != nil || len(ops) == 0 {
			return a, err
		}
		if !s.app { // it is as good as words
			if err := s.maySay(&ref); err != nil {
				return a, err
			}
		}
		if !charged {
			if err := s.chargeMany(len(ops)); err != nil {
				return a, err
			}
			charged = true
		}
		turned := false
		err = s.changeAll(ctx, ops, func(op *store.ChangeOp, err error) error {
			switch {
			case err == store.ErrTurnedBack:
				s.c.counts.turnedBack.Add(1)
				turned = true
				return nil
			case im.IsKind(err, im.NotFound):
				return errTooLate()
			case err != nil:
				return err
			}
			if op.Ver > a.Ver {
				a = Changed{Ver: op.Ver, Time: op.Time, Dup: op.Dup}
			}
			return nil
		})
		if err != nil || !turned {
			return a, err
		}
	}
	return a, errContended()
}

func errTooLate() *im.Error {
	return im.Errorf(im.Denied, "the message was deleted too long ago to be restored").WithCode(im.CodeTooLate)
}

// restoring makes the operations that restore those of seqs that are deleted.
func (s *Session) restoring(ref *convRef, seqs []im.Seq) ([]*store.ChangeOp, error) {
	var ops []*store.ChangeOp
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
		case !m.Deleted:
			continue
		}
		if err := s.mayRestore(ref, m); err != nil {
			return nil, err
		}
		ops = append(ops, &store.ChangeOp{Conv: ref.conv, Seq: seq, Guard: ref.head.MVer, Seen: m.Ver, Kind: im.Restore, By: s.user, Device: s.device})
	}
	return ops, nil
}

// mayRestore says whether the session's user may restore m. That it was deleted was
// its last change: the log says by whom, and when.
func (s *Session) mayRestore(ref *convRef, m *im.Message) error {
	log, err := s.c.st.Changes(ref.conv, m.Ver, 1)
	if err != nil {
		return err
	}
	if len(log) == 0 || log[0].Ver != m.Ver || log[0].Kind != im.Delete { // the log was cut since
		return errTooLate()
	}
	by := log[0].By
	if !s.app && by != s.user {
		if ref.kind != im.Group {
			return im.Errorf(im.Denied, "only who deleted a message may restore it")
		}
		if err := ref.atLeast(im.Admin, "restore what others deleted"); err != nil {
			return err
		}
		row, _, err := s.c.st.Row(ref.conv, by)
		if err != nil {
			return err
		}
		if !ref.above(row.Role) {
			return im.Errorf(im.Denied, "%s, who deleted it, is %s of the group: you may not restore it", by, row.Role).WithCode(im.CodeRole)
		}
	}
	if window := s.c.cfg.Limits.UndeleteWindow; window > 0 && s.c.Now().UnixMilli()-log[0].Time > window.Milliseconds() {
		return errTooLate()
	}
	return nil
}
