package core

import (
	"context"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	defaultBlocks = 100
	maxBlocks     = 1000
)

// Block refuses another user's direct sends, signals, edits and group invitations
// from now on. Their conversation stays, and in common groups he is heard as before.
// Blocking him again is no error. The user's other devices are told.
//
// Errors: Invalid or TooLarge for a bad id, or one's own; Limited; those of the store.
func (s *Session) Block(ctx context.Context, user im.UserID) error {
	return s.setBlock(ctx, user, true)
}

// Unblock lifts a block. Where there is none that is no error.
//
// Errors: as Block.
func (s *Session) Unblock(ctx context.Context, user im.UserID) error {
	return s.setBlock(ctx, user, false)
}

func (s *Session) setBlock(ctx context.Context, user im.UserID, on bool) error {
	if err := s.here(); err != nil {
		return err
	}
	if err := im.CheckName("user id", string(user)); err != nil {
		return err
	}
	if user == s.user {
		return im.Errorf(im.Invalid, "that is you")
	}
	if err := s.charge(); err != nil { // each flip is kept in the log of "me"
		return err
	}
	op := &store.BlockOp{User: s.user, Peer: user, On: on, Device: s.device}
	op.Done = func() {
		if op.Err == nil && op.Moved {
			s.c.acceptsMoved(s.user)
			s.c.tellUser(s.user, im.Me, &hub.Event{Conv: op.At, Ver: op.Change.Ver, Change: &op.Change}, s)
		}
	}
	return s.c.do(ctx, op)
}

// Blocks lists whom the user blocks, by id, those above after; more says that there
// are others.
//
// Errors: those of the store.
func (s *Session) Blocks(ctx context.Context, after im.UserID, most int) (users []im.UserID, more bool, err error) {
	if err := s.here(); err != nil {
		return nil, false, err
	}
	most = limit(most, defaultBlocks, maxBlocks)
	users, err = s.c.st.Blocks(s.user, after, most+1)
	if err != nil {
		return nil, false, err
	}
	return users[:min(len(users), most)], len(users) > most, nil
}
