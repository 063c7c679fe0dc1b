package core

import (
	"context"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxMuted = 100                 // users muted in one call
	maxTime  = 253_402_300_799_999 // the last millisecond of the year 9999
)

// GroupMute mutes members of a group until a time, or lets them speak again, and
// silences a whole group but for its owner and admins. The owner mutes anybody but
// himself, admins mute members; the app whom it likes. A muted member reads on, and
// sends, edits, reacts and signals nothing until his time is over.
//
// Errors: those of resolve; Denied with CodeRole, and then nobody was muted; NotFound
// for who is not in the group; Invalid for what is no group, bad ids, oneself, a time
// that is over, and if there is nothing to do; TooLarge for more than 100 users;
// Limited; Busy if others keep changing the group. Where both are asked for, the group
// is silenced first: after an error that may have been done.
func (s *Session) GroupMute(ctx context.Context, q MuteRequest) (GroupChanged, error) {
	ref, err := s.resolveGroup(q.Conv)
	if err != nil {
		return GroupChanged{}, err
	}
	if err := ref.atLeast(im.Admin, mayMute); err != nil {
		return GroupChanged{}, err
	}
	users, err := s.checkMute(&q)
	if err != nil {
		return GroupChanged{}, err
	}
	if err := s.charge(); err != nil {
		return GroupChanged{}, err
	}
	a := GroupChanged{MVer: ref.head.MVer}
	if q.All != nil {
		if err := s.retry(ctx, q.Conv, func(ref *convRef) (*store.MemberOp, error) { return s.silencing(ref, *q.All) }, a.made); err != nil {
			return a, err
		}
	}
	if len(users) > 0 {
		err = s.retry(ctx, q.Conv, func(ref *convRef) (*store.MemberOp, error) { return s.muting(ref, users, q.Until) }, a.made)
	}
	return a, err
}

const mayMute = "mute members"

// checkMute looks at what is asked for alone, and answers whom, each once.
func (s *Session) checkMute(q *MuteRequest) ([]im.UserID, error) {
	switch {
	case len(q.Users) == 0 && q.All == nil:
		return nil, im.Errorf(im.Invalid, "name users, or say all")
	case len(q.Users) > maxMuted:
		return nil, im.Errorf(im.TooLarge, "%d users in one call; at most %d are allowed", len(q.Users), maxMuted)
	case q.Until != 0 && (q.Until < 0 || q.Until > maxTime):
		return nil, im.Errorf(im.Invalid, "until is a time, in milliseconds since 1970; 0 lifts it")
	case q.Until != 0 && q.Until <= s.c.Now().UnixMilli():
		return nil, im.Errorf(im.Invalid, "that time is over: %s; 0 lifts a mute", timeText(q.Until))
	}
	users := slices.Clone(q.Users)
	slices.Sort(users)
	users = slices.Compact(users)
	for _, u := range users {
		if err := im.CheckName("user id", string(u)); err != nil {
			return nil, err
		}
		if u == s.user && !s.app {
			return nil, im.Errorf(im.Invalid, "that is you")
		}
	}
	return users, nil
}

// silencing is the operation that silences a group or lets it speak; nil if it is so.
func (s *Session) silencing(ref *convRef, on bool) (*store.MemberOp, error) {
	if err := ref.atLeast(im.Admin, mayMute); err != nil {
		return nil, err
	}
	info, ok, err := s.c.st.Info(ref.conv)
	if err != nil || !ok || info.Mute == on {
		return nil, err
	}
	info.Mute = on
	op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user, Info: &info}
	s.say(op, groupEvent{Op: "update", Mute: &on}, ref.head.Members)
	return op, nil
}

// muting is the operation that mutes those of users who are not muted until then; nil
// if all are.
func (s *Session) muting(ref *convRef, users []im.UserID, until int64) (*store.MemberOp, error) {
	if err := ref.atLeast(im.Admin, mayMute); err != nil {
		return nil, err
	}
	op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user}
	var told []im.UserID
	for _, u := range users {
		row, _, err := s.c.st.Row(ref.conv, u)
		switch {
		case err != nil:
			return nil, err
		case !row.In():
			return nil, im.Errorf(im.NotFound, "no such member: %s", u)
		case !ref.above(row.Role):
			return nil, im.Errorf(im.Denied, "%s is %s of the group: you may not mute them", u, row.Role).WithCode(im.CodeRole)
		case row.MutedUntil == until, until == 0 && row.MutedUntil <= s.c.Now().UnixMilli():
			continue
		}
		op.Set = append(op.Set, store.RoleSet{User: u, Role: row.Role, Muted: &until})
		told = append(told, u)
	}
	if len(told) == 0 {
		return nil, nil
	}
	s.say(op, groupEvent{Op: "mute", Users: told, Until: untilText(until)}, ref.head.Members)
	return op, nil
}
