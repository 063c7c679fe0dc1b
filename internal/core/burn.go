package core

import (
	"context"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const burnChunk = 200 // messages that begin to burn together

// burn lets the messages up to seq that burn, and were read by this, begin to: each is
// gone Message.Burn seconds from now, for both. Those that have begun go on. After an
// error some may have; the next Read begins the rest, so it does so too where it moves
// nothing.
func (s *Session) burn(ctx context.Context, ref *convRef, seq im.Seq) error {
	if ref.kind != im.Direct || ref.conv == 0 {
		return nil
	}
	for tries := 0; tries < maxTries; {
		seqs, err := s.c.st.Burning(s.user, ref.conv, seq, burnChunk)
		if err != nil || len(seqs) == 0 {
			return err
		}
		ops, err := s.burning(ref.conv, seqs)
		if err != nil || len(ops) == 0 {
			return err
		}
		tries++
		err = s.changeAll(ctx, ops, func(op *store.ChangeOp, err error) error {
			switch {
			case err == store.ErrTurnedBack: // changed meanwhile
				s.c.counts.turnedBack.Add(1)
			case im.IsKind(err, im.NotFound): // gone meanwhile
			case err != nil:
				return err
			default:
				tries = 0
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return errContended()
}

// burning makes the operations.
func (s *Session) burning(conv im.ConvID, seqs []im.Seq) ([]*store.ChangeOp, error) {
	head, ok := s.c.st.Head(conv)
	if !ok {
		return nil, nil
	}
	var ops []*store.ChangeOp
	now := s.c.Now()
	for _, seq := range seqs {
		m, ok, err := s.c.st.Message(conv, seq)
		if err != nil {
			return nil, err
		}
		if ok {
			ops = append(ops, &store.ChangeOp{Conv: conv, Seq: seq, Guard: head.MVer, Seen: m.Ver, Kind: im.Burn,
				By: s.user, Device: s.device, Expires: now.Add(time.Duration(m.Burn) * time.Second).UnixMilli()})
		}
	}
	return ops, nil
}
