package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Keys of a user's notes on whom he takes direct messages from: in the mode, only from
// those on the list.
const (
	noteAllowMode = "allow-mode" // there: the mode is on
	noteAllow     = "allow/"     // and the user id: on the list
)

const (
	maxAllowed     = 5000 // users on one list
	defaultAllowed = 100
	maxAllowedPage = 1000
)

// lists says whether u takes messages from somebody as far as his list says.
func (c *Core) lists(u, from im.UserID) (bool, error) {
	if u == from {
		return true, nil
	}
	_, on, err := c.st.Get(store.NoteRecord, u, noteAllowMode)
	if err != nil || !on {
		return err == nil, err
	}
	_, ok, err := c.st.Get(store.NoteRecord, u, noteAllow+string(from))
	return ok, err
}

// SetAllowMode takes direct messages, signals, questions for one's presence and group
// invitations only from those on one's list from now on, or from all again. It keeps the
// list. Who writes to somebody is not put on the list by that.
//
// Errors: Limited; those of the store.
func (s *Session) SetAllowMode(ctx context.Context, on bool) error {
	var value []byte
	if on {
		value = []byte(`{"on":true}`)
	}
	return s.setAllow(ctx, &store.NoteOp{Key: noteAllowMode, Value: value})
}

// Allow puts a user on the list of those who may write where the mode is on. A list
// holds at most 5,000.
//
// Errors: Invalid or TooLarge for a bad id or one's own; TooLarge for a full list;
// Limited; those of the store.
func (s *Session) Allow(ctx context.Context, user im.UserID) error {
	return s.setListed(ctx, user, []byte("{}"))
}

// Disallow takes a user off the list. Who is not on it is no error.
//
// Errors: as Allow.
func (s *Session) Disallow(ctx context.Context, user im.UserID) error {
	return s.setListed(ctx, user, nil)
}

func (s *Session) setListed(ctx context.Context, user im.UserID, value []byte) error {
	if err := s.here(); err != nil {
		return err
	}
	if err := im.CheckName("user id", string(user)); err != nil {
		return err
	}
	if user == s.user {
		return im.Errorf(im.Invalid, "that is you")
	}
	return s.setAllow(ctx, &store.NoteOp{Key: noteAllow + string(user), Value: value, Most: maxAllowed, Of: noteAllow})
}

func (s *Session) setAllow(ctx context.Context, op *store.NoteOp) error {
	if err := s.here(); err != nil {
		return err
	}
	if err := s.charge(); err != nil {
		return err
	}
	op.Done = func() {
		if op.Err == nil && op.Moved {
			s.c.acceptsMoved(s.user)
		}
	}
	return s.putNote(ctx, op)
}

// acceptsMoved says that u has changed whom he takes messages from.
func (c *Core) acceptsMoved(u im.UserID) {
	c.recheckUser(u)
	c.watches.moved(u)
}

// Allowed lists those on the user's list, by id, those above after, and whether the
// mode is on; more says that there are others.
//
// Errors: those of the store.
func (s *Session) Allowed(_ context.Context, after im.UserID, most int) (users []im.UserID, on, more bool, err error) {
	if err := s.here(); err != nil {
		return nil, false, false, err
	}
	if _, on, err = s.c.st.Get(store.NoteRecord, s.user, noteAllowMode); err != nil {
		return nil, false, false, err
	}
	most = limit(most, defaultAllowed, maxAllowedPage)
	list, err := s.c.notes(s.user, noteAllow, string(after), most+1)
	if err != nil {
		return nil, false, false, err
	}
	for _, r := range list[:min(len(list), most)] {
		users = append(users, im.UserID(r.Key[len(noteAllow):]))
	}
	return users, on, len(list) > most, nil
}
