package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// GroupNick sets a member's name in a group, "" takes it away: one's own (user "" or
// oneself), or, for the owner and admins, that of a lesser role.
//
// Errors: those of resolve; Denied with CodeRole; NotFound for who is not in the group;
// Invalid or TooLarge for a bad name; Limited; Busy if others keep changing the group.
func (s *Session) GroupNick(ctx context.Context, conv im.Address, user im.UserID, nick string) (GroupChanged, error) {
	if err := s.here(); err != nil {
		return GroupChanged{}, err
	}
	if user == "" {
		user = s.user
	}
	if err := im.CheckName("user id", string(user)); err != nil {
		return GroupChanged{}, err
	}
	if err := s.c.checkDisplayName(nick); err != nil {
		return GroupChanged{}, err
	}
	if err := s.charge(); err != nil {
		return GroupChanged{}, err
	}
	var a GroupChanged
	err := s.retry(ctx, conv, func(ref *convRef) (*store.MemberOp, error) {
		a.MVer = ref.head.MVer
		return s.naming(ref, user, nick)
	}, a.made)
	return a, err
}

// naming is the operation that gives a member a name; nil if he has it.
func (s *Session) naming(ref *convRef, user im.UserID, nick string) (*store.MemberOp, error) {
	row := ref.row
	if user != s.user {
		if err := ref.atLeast(im.Admin, "name others"); err != nil {
			return nil, err
		}
		var err error
		if row, _, err = s.c.st.Row(ref.conv, user); err != nil {
			return nil, err
		}
		switch {
		case !row.In():
			return nil, im.Errorf(im.NotFound, "no such member: %s", user)
		case !ref.above(row.Role):
			return nil, im.Errorf(im.Denied, "%s is %s of the group: you may not name them", user, row.Role).WithCode(im.CodeRole)
		}
	}
	if row.Nick == nick {
		return nil, nil
	}
	op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user, Set: []store.RoleSet{{User: user, Role: row.Role, Nick: &nick}}}
	ev := groupEvent{Op: "nick", Nick: &nick}
	if user != s.user {
		ev.Users = []im.UserID{user}
	}
	s.say(op, ev, ref.head.Members)
	return op, nil
}
