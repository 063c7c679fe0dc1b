package core

import (
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Who may write to whom: what a receiver has set, and what holds in a group. Sends,
// signals, edits and reactions ask the same.

// maySay refuses what would bring others words, or what is as good as words, from the
// session's user, who may not write there now.
//
// Errors: those of mayAnswer; Denied with CodeMuted.
func (s *Session) maySay(ref *convRef) error {
	if ref.kind == im.Group {
		return s.notMuted(ref)
	}
	return s.mayAnswer(ref)
}

// mayAnswer refuses what would bring somebody anything from a user whom he does not
// take it from. A muted member of a group may answer what he is asked.
//
// Errors: Denied with CodeNotAccepted (the peer blocks him) or CodeNotListed (the peer
// takes messages only from those on his list); those of the store.
func (s *Session) mayAnswer(ref *convRef) error {
	if ref.kind != im.Direct || ref.peer == s.user {
		return nil
	}
	return s.c.accepts(ref.peer, s.user)
}

// accepts says whether u takes direct messages, signals, questions for his presence
// and invitations from somebody: nil if he does.
//
// Errors: Denied with CodeNotAccepted or CodeNotListed; those of the store.
func (c *Core) accepts(u, from im.UserID) error {
	blocked, err := c.blocked(u, from)
	switch {
	case err != nil:
		return err
	case blocked:
		return errBlocked()
	}
	listed, err := c.lists(u, from)
	if err == nil && !listed {
		err = im.Errorf(im.Denied, "this user takes messages only from those on their list").WithCode(im.CodeNotListed)
	}
	return err
}

// accepted is accepts as an answer.
func (c *Core) accepted(u, from im.UserID) (bool, error) {
	err := c.accepts(u, from)
	if im.IsKind(err, im.Denied) {
		return false, nil
	}
	return err == nil, err
}

// errBlocked refuses what a receiver does not accept.
func errBlocked() *im.Error {
	return im.Errorf(im.Denied, "this user does not accept messages from you").WithCode(im.CodeNotAccepted)
}

// notMuted refuses who may not send in a group now.
func (s *Session) notMuted(ref *convRef) error {
	if ref.app {
		return nil
	}
	if until := ref.row.MutedUntil; until > s.c.Now().UnixMilli() {
		return im.Errorf(im.Denied, "you are muted here until %s (%d)", timeText(until), until).WithCode(im.CodeMuted)
	}
	if ref.row.Role >= im.Admin {
		return nil
	}
	silent, err := s.c.silent(ref)
	if err == nil && silent {
		err = im.Errorf(im.Denied, "only the owner and admins may send here now").WithCode(im.CodeMuted)
	}
	return err
}

// silence is whether a group was silenced, as of a membership change.
type silence struct {
	mver im.MVer
	on   bool
}

// silent says whether only owner and admins of a group may send.
func (c *Core) silent(ref *convRef) (bool, error) {
	if v, ok := c.silences.get(ref.conv); ok && v.mver == ref.head.MVer {
		return v.on, nil
	}
	info, ok, err := c.st.Info(ref.conv)
	if err != nil || !ok {
		return false, err
	}
	if now, ok := c.st.Head(ref.conv); ok && now.MVer == ref.head.MVer { // else it is not known of which change this is
		c.silences.put(ref.conv, silence{now.MVer, info.Mute})
	}
	return info.Mute, nil
}

// timeText is a time for people.
func timeText(millis int64) string {
	return time.UnixMilli(millis).UTC().Format("2006-01-02 15:04:05 UTC")
}
