package core

import (
	"context"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// change submits a membership change and waits for it. What follows from it is done
// in its completion.
func (s *Session) change(ctx context.Context, op *store.MemberOp) error {
	c := s.c
	op.Done = func() {
		if op.Err == nil && !op.Dup {
			c.counts.memberships.Add(1)
			c.ownerMoved(op)
			c.officersMoved(op)
			c.membership(op)
		}
	}
	return c.do(ctx, op)
}

// retry decides and submits a membership change until it was decided on what is. A
// decision without an operation means that there is nothing to do. then, if not nil,
// sees each that was made; it runs in the caller's turn.
func (s *Session) retry(ctx context.Context, conv im.Address, decide func(*convRef) (*store.MemberOp, error), then func(*store.MemberOp)) error {
	for range maxTries {
		ref, err := s.resolveGroup(conv)
		if err != nil {
			return err
		}
		again, err := s.try(ctx, &ref, decide, then)
		if !again {
			return err
		}
	}
	return errContended()
}

// try is one turn of retry.
func (s *Session) try(ctx context.Context, ref *convRef, decide func(*convRef) (*store.MemberOp, error), then func(*store.MemberOp)) (again bool, err error) {
	op, err := decide(ref)
	if err != nil || op == nil {
		return false, err
	}
	switch err := s.change(ctx, op); {
	case err == store.ErrTurnedBack:
		s.c.counts.turnedBack.Add(1)
		return true, nil
	case im.IsKind(err, im.NotFound):
		return false, errNoConv() // closed meanwhile
	case err != nil:
		return false, err
	}
	if then != nil {
		then(op)
	}
	return false, nil
}

// atLeast refuses what only greater roles may do.
func (ref *convRef) atLeast(role im.Role, what string) error {
	if ref.app || ref.row.Role >= role {
		return nil
	}
	who := "the owner and admins"
	if role == im.Owner {
		who = "the owner"
	}
	return im.Errorf(im.Denied, "only %s of the group may %s", who, what).WithCode(im.CodeRole)
}

// above says whether the user may do to a member of that role what only greater ones
// may.
func (ref *convRef) above(role im.Role) bool { return ref.app || ref.row.Role > role }

// addable checks users that s's user wants in a group: without doubles and himself,
// and apart those who take nothing from him: they block him, or he is not on their
// list.
func (s *Session) addable(users []im.UserID) (ok, refused []im.UserID, err error) {
	seen := map[im.UserID]bool{s.user: true}
	for _, u := range users {
		if seen[u] {
			continue
		}
		seen[u] = true
		if err := im.CheckName("user id", string(u)); err != nil {
			return nil, nil, err
		}
		if err := s.c.checkKnown(u); err != nil {
			return nil, nil, err
		}
		takes, err := s.c.accepted(u, s.user)
		if err != nil {
			return nil, nil, err
		}
		if takes {
			ok = append(ok, u)
		} else {
			refused = append(refused, u)
		}
	}
	return ok, refused, nil
}

const mayAdd = "add members"

// GroupAdd adds users to a group, at most 1,000, as members; who is in already stays
// what he is. Owner and admins may. More than 500 are added in more than one step,
// each complete in itself: after an error some may be in. The answer is of the last.
//
// Errors: those of resolve; Denied with CodeRole; Invalid or TooLarge for bad ids, too
// many of them, or a full group; NotFound for a user that is not known, where only
// known ones may be written to; Busy if others keep changing the group.
func (s *Session) GroupAdd(ctx context.Context, conv im.Address, users []im.UserID) (GroupChanged, error) {
	ref, err := s.resolveGroup(conv)
	if err != nil {
		return GroupChanged{}, err
	}
	if err := ref.atLeast(im.Admin, mayAdd); err != nil {
		return GroupChanged{}, err
	}
	if len(users) > maxUsersCall {
		return GroupChanged{}, errManyUsers(len(users))
	}
	if err := s.charge(); err != nil {
		return GroupChanged{}, err
	}
	users, refused, err := s.addable(users)
	if err != nil {
		return GroupChanged{}, err
	}
	a := GroupChanged{MVer: ref.head.MVer, Refused: refused}
	err = s.addAll(ctx, conv, users, &a)
	return a, err
}

// addAll adds users that were found addable, and notes in a what was done.
func (s *Session) addAll(ctx context.Context, conv im.Address, users []im.UserID, a *GroupChanged) error {
	for batch := range slices.Chunk(users, maxUsersOp) {
		err := s.retry(ctx, conv, func(ref *convRef) (*store.MemberOp, error) {
			if err := ref.atLeast(im.Admin, mayAdd); err != nil {
				return nil, err
			}
			return s.adding(ref, batch)
		}, a.made)
		if err != nil {
			return err
		}
	}
	return nil
}

// adding is the operation that takes in those of users who are out; nil if none is.
func (s *Session) adding(ref *convRef, users []im.UserID) (*store.MemberOp, error) {
	var out []im.UserID
	for _, u := range users {
		row, _, err := s.c.st.Row(ref.conv, u)
		if err != nil {
			return nil, err
		}
		if !row.In() {
			out = append(out, u)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	members := ref.head.Members + len(out)
	if most := s.c.cfg.Limits.MaxGroup; most > 0 && members > most {
		return nil, errGroupFull(most)
	}
	op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user, Set: sets(out, im.Member)}
	s.say(op, groupEvent{Op: "add", Users: out}, members)
	return op, nil
}

func (a *GroupChanged) made(op *store.MemberOp) { a.MVer, a.Seq = op.MVer, op.Seq }

// GroupRemove takes users out of a group, at most 1,000; who is not in is passed
// over. The owner may remove all others, an admin members.
//
// Errors: those of resolve; Denied with CodeRole, and then nothing more was done;
// Invalid for oneself and for bad ids; TooLarge; Busy if others keep changing the group.
func (s *Session) GroupRemove(ctx context.Context, conv im.Address, users []im.UserID) (GroupChanged, error) {
	ref, err := s.resolveGroup(conv)
	if err != nil {
		return GroupChanged{}, err
	}
	const what = "remove members"
	if err := ref.atLeast(im.Admin, what); err != nil {
		return GroupChanged{}, err
	}
	if len(users) > maxUsersCall {
		return GroupChanged{}, errManyUsers(len(users))
	}
	if err := s.charge(); err != nil {
		return GroupChanged{}, err
	}
	users = slices.Clone(users)
	slices.Sort(users)
	users = slices.Compact(users)
	for _, u := range users {
		if u == s.user {
			return GroupChanged{}, im.Errorf(im.Invalid, "to leave a group yourself, leave it")
		}
		if err := im.CheckName("user id", string(u)); err != nil {
			return GroupChanged{}, err
		}
	}
	a := GroupChanged{MVer: ref.head.MVer}
	if _, err := s.removing(&ref, users); err != nil { // all of them, before the first is out
		return a, err
	}
	most := maxUsersOp
	if s.app { // which may take the owner out: one more is set
		most--
	}
	for batch := range slices.Chunk(users, most) {
		err := s.retry(ctx, conv, func(ref *convRef) (*store.MemberOp, error) {
			if err := ref.atLeast(im.Admin, what); err != nil {
				return nil, err
			}
			return s.removing(ref, batch)
		}, a.made)
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// removing is the operation that takes out those of users who are in; nil if none is.
func (s *Session) removing(ref *convRef, users []im.UserID) (*store.MemberOp, error) {
	var in []im.UserID
	owner := false
	for _, u := range users {
		row, _, err := s.c.st.Row(ref.conv, u)
		switch {
		case err != nil:
			return nil, err
		case !row.In():
			continue
		case !ref.above(row.Role):
			return nil, im.Errorf(im.Denied, "%s is %s of the group: you may not remove them", u, row.Role).WithCode(im.CodeRole)
		}
		owner = owner || row.Role == im.Owner
		in = append(in, u)
	}
	if len(in) == 0 {
		return nil, nil
	}
	op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user, Set: sets(in, im.NoRole)}
	if owner { // by the app: another one owns it from then on
		heir, err := s.c.heir(ref.conv, in)
		if err != nil {
			return nil, err
		}
		if heir != "" {
			op.Set = append(op.Set, store.RoleSet{User: heir, Role: im.Owner})
		}
	}
	s.say(op, groupEvent{Op: "remove", Users: in}, ref.head.Members-len(in))
	return op, nil
}

// GroupRole gives a member another role. Only the owner may; giving somebody the
// owner's hands the group over, and he becomes an admin.
//
// Errors: those of resolve; Denied with CodeRole; NotFound if the user is not in the
// group; Invalid for a role that is none, or one's own; Busy if others keep changing
// the group.
func (s *Session) GroupRole(ctx context.Context, conv im.Address, user im.UserID, role im.Role) (GroupChanged, error) {
	var a GroupChanged
	if err := s.charge(); err != nil {
		return a, err
	}
	err := s.retry(ctx, conv, func(ref *convRef) (*store.MemberOp, error) {
		a.MVer = ref.head.MVer
		if err := ref.atLeast(im.Owner, "give roles"); err != nil {
			return nil, err
		}
		switch {
		case role < im.Member || role > im.Owner:
			return nil, im.Errorf(im.Invalid, "the role is none of owner, admin, member")
		case user == s.user && role == im.Owner && !ref.app:
			return nil, nil
		}
		row, _, err := s.c.st.Row(ref.conv, user)
		switch {
		case err != nil:
			return nil, err
		case !row.In():
			return nil, im.Errorf(im.NotFound, "no such member: %s", user)
		case row.Role == role:
			return nil, nil
		case row.Role == im.Owner:
			return nil, im.Errorf(im.Invalid, "the owner has to hand the group over first")
		}
		op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user, Set: []store.RoleSet{{User: user, Role: role}}}
		if role == im.Owner {
			owner, err := s.c.ownerOf(&ref.head)
			if err != nil {
				return nil, err
			}
			if owner != "" {
				op.Set = append(op.Set, store.RoleSet{User: owner, Role: im.Admin})
			}
		}
		s.say(op, groupEvent{Op: "role", Users: []im.UserID{user}, Role: role.String()}, ref.head.Members)
		return op, nil
	}, a.made)
	return a, err
}

// Join enters an open group. Who is in already is no error. A group that takes only
// whom its admins add is NotFound to others, as one that is not there; the app brings
// users into any group.
//
// Errors: those of resolve; TooLarge if the group is full; Busy if others keep
// changing it.
func (s *Session) Join(ctx context.Context, conv im.Address) (GroupChanged, error) {
	if err := s.here(); err != nil {
		return GroupChanged{}, err
	}
	var a GroupChanged
	if err := s.charge(); err != nil {
		return a, err
	}
	for range maxTries {
		ref, err := s.c.look(s.user, conv)
		switch {
		case err != nil:
			return a, err
		case ref.kind == im.Direct || ref.kind == im.Self:
			return a, im.Errorf(im.Invalid, "%s is no group", conv)
		case ref.row.In():
			return GroupChanged{MVer: ref.head.MVer}, nil
		}
		info, ok, err := s.c.st.Info(ref.conv)
		if err != nil {
			return a, err
		}
		if !ok || info.Join != im.JoinOpen && !s.app || ref.head.Closed {
			return a, errNoConv()
		}
		again, err := s.try(ctx, &ref, func(ref *convRef) (*store.MemberOp, error) {
			members := ref.head.Members + 1
			if most := s.c.cfg.Limits.MaxGroup; most > 0 && members > most {
				return nil, errGroupFull(most)
			}
			op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user, Set: sets([]im.UserID{s.user}, im.Member)}
			s.say(op, groupEvent{Op: "join", Users: []im.UserID{s.user}}, members)
			return op, nil
		}, a.made)
		if !again {
			return a, err
		}
	}
	return a, errContended()
}

// Leave leaves a group. An owner first hands it over: to the admin longest in his
// role, else to the member longest in it. The last one out closes the group.
//
// Errors: those of resolve; Busy if others keep changing the group.
func (s *Session) Leave(ctx context.Context, conv im.Address) (GroupChanged, error) {
	var a GroupChanged
	left := false
	for range maxTries { // the handing over, and the leaving, each of which may be turned back
		err := s.retry(ctx, conv, func(ref *convRef) (*store.MemberOp, error) {
			left = ref.row.Role != im.Owner || ref.head.Members == 1
			if !left {
				return s.handingOver(ref)
			}
			op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user, Set: sets([]im.UserID{s.user}, im.NoRole)}
			s.say(op, groupEvent{Op: "leave", Users: []im.UserID{s.user}}, ref.head.Members-1)
			return op, nil
		}, a.made)
		if err != nil || left {
			return a, err
		}
	}
	return a, errContended()
}

// handingOver is the operation that makes another owner of the group that its owner
// wants to leave.
func (s *Session) handingOver(ref *convRef) (*store.MemberOp, error) {
	heir, err := s.c.heir(ref.conv, []im.UserID{s.user})
	if err != nil {
		return nil, err
	}
	if heir == "" { // all others left meanwhile
		return nil, errContended()
	}
	op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user,
		Set: []store.RoleSet{{User: heir, Role: im.Owner}, {User: s.user, Role: im.Admin}}}
	s.say(op, groupEvent{Op: "role", Users: []im.UserID{heir}, Role: im.Owner.String()}, ref.head.Members)
	return op, nil
}

// heir is who is to own a group without those who go: the admin longest in his role,
// else the member longest in it; "" if there is nobody.
func (c *Core) heir(conv im.ConvID, without []im.UserID) (im.UserID, error) {
	var heir store.Row
	err := c.eachMember(conv, func(r *store.Row) bool {
		if (r.Role > heir.Role || r.Role == heir.Role && r.MVer < heir.MVer) && !slices.Contains(without, r.User) {
			heir = *r
		}
		return true
	})
	return heir.User, err
}
