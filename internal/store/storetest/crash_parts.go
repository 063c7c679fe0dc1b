package storetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// part does something to, or in answer to, a message that u has sent.
func (tr *traffic) part(rng *rand.Rand, u im.UserID, i int, sent *store.AppendOp) error {
	s, conv, seq := tr.s, sent.At, sent.Seq
	op := change(s, conv, seq, u, im.React)
	switch k := rng.IntN(8); k {
	case 0, 1: // the newest of the thread of a message, or a reply to it, or both
		m := text(u, im.ClientID(fmt.Sprint("part", i)), "answer")
		if k == 0 || rng.IntN(2) == 0 {
			m.Thread = 1 + im.Seq(rng.IntN(2))
		}
		if k == 1 {
			m.ReplyTo = seq
		}
		m.Burn = uint32(rng.IntN(2))
		answer := into(s, conv, m)
		err := do(s, answer)
		if err == nil {
			tr.l.Ack(answer, u, m.ID, m.Body, true)
			tr.l.Saw(conv, answer.Msg)
		}
		return err
	case 2:
		op.Add, op.Remove = []string{fmt.Sprint("key ", rng.IntN(3))}, []string{fmt.Sprint("key ", rng.IntN(3))}
	case 3:
		op.Kind, op.Set = im.Expand, []im.Pair{{Key: fmt.Sprint(rng.IntN(3)), Value: fmt.Sprint(i)}}
	case 4:
		op.Kind, op.Pin = im.Pinned, rng.IntN(2) == 0
	case 5, 6:
		h, _ := s.Head(conv)
		newest, ok, err := s.Message(conv, h.Seq)
		if err != nil || !ok {
			return err
		}
		if rng.IntN(2) == 0 { // it may be the newest of a thread
			op = change(s, conv, newest.Seq, u, im.Delete)
		}
		op.Kind = im.Delete
		if m, _, _ := s.Message(conv, op.Seq); m != nil && m.Deleted {
			op.Kind = im.Restore
		}
	case 7:
		op.Kind, op.Expires = im.Burn, time.Now().Add(time.Hour).UnixMilli()
	}
	err := do(s, op)
	if err == nil {
		tr.l.Saw(conv, op.Msg)
	}
	return err
}
