package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Read moves the user's read cursor up to a number, 0 or one above the head meaning
// the head, and answers what the conversation is to him then. A mark at or below the
// stored one moves nothing and still is no error: the reading did happen. Any mark
// takes away Settings.Marked. Messages up to it that burn begin to.
//
// Once durable it is told to his other devices, to the peer in a direct conversation,
// and in groups of up to 100 members to those online, at most once a second.
//
// Errors: those of resolve; Invalid for me, which has no messages; those of the store.
func (s *Session) Read(ctx context.Context, conv im.Address, seq im.Seq) (im.Mine, error) {
	ref, err := s.resolve(conv)
	if err != nil {
		return im.Mine{}, err
	}
	if ref.kind == im.Self {
		return im.Mine{}, im.Errorf(im.Invalid, "me has no messages to be read")
	}
	if seq == 0 {
		seq = ref.head.Seq
	}
	if seq <= ref.row.Read && !ref.row.Settings.Marked { // nothing to write; the commonest case of a second device
		if err := s.burn(ctx, &ref, seq); err != nil {
			return im.Mine{}, err
		}
		return s.c.mineOf(&ref.head, &ref.row)
	}
	op := &store.ReadOp{Conv: ref.conv, User: s.user, Seq: seq}
	op.Done = func() { s.readDone(&ref, op) }
	if err := s.c.do(ctx, op); err != nil {
		if im.IsKind(err, im.NotFound) {
			err = errNoConv() // he left meanwhile
		}
		return im.Mine{}, err
	}
	head, ok := s.c.st.Head(ref.conv)
	if !ok {
		return im.Mine{}, errNoConv()
	}
	if err := s.burn(ctx, &ref, seq); err != nil {
		return im.Mine{}, err
	}
	row := op.Row
	return s.c.mineOf(&head, &row)
}

// readDone is the completion of a read mark.
func (s *Session) readDone(ref *convRef, op *store.ReadOp) {
	if op.Err != nil || !op.Moved && !ref.row.Settings.Marked {
		return
	}
	c := s.c
	c.mineMoved(s.user, ref.conv, s)
	if !op.Moved {
		return
	}
	c.counts.reads.Add(1)
	c.marks.moved(ref.conv, s.user, op.Row.Read)
	switch {
	case ref.kind == im.Direct && ref.peer != s.user:
		c.peerMoved(ref.peer, ref.conv)
	case ref.kind == im.Group && ref.head.Members <= readersGroup:
		c.readerMoved(ref.conv, s.user)
	}
}
