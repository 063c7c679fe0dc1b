package core

import (
	"context"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxUsersCall   = 1000 // users named in one call
	maxUsersOp     = 500  // and in one operation of the store
	defaultMembers = 100
	maxMembers     = 1000
)

// GroupCreate makes a group that the user owns. Members who block him are left out.
// The same client id makes the same group: a retry answers with it as it is now. More
// than 499 members are added in more than one step, each complete in itself; a retry
// goes on where the first call was cut off.
//
// Errors: Denied if users may not make groups; Invalid or TooLarge for a bad id, name
// or mode and for too many members; NotFound for a user that is not known, where only
// known ones may be written to; Conflict if the client id was used for another group.
func (s *Session) GroupCreate(ctx context.Context, g NewGroup) (Group, error) {
	if err := s.here(); err != nil {
		return Group{}, err
	}
	c := s.c
	if g.ID != "" {
		if err := im.CheckClientID(g.ID); err != nil {
			return Group{}, err
		}
	}
	if err := s.checkNewGroup(&g); err != nil {
		return Group{}, err
	}
	if err := s.charge(); err != nil {
		return Group{}, err
	}
	members, _, err := s.addable(g.Members)
	if err != nil {
		return Group{}, err
	}
	first := members[:min(len(members), maxUsersOp-1)]
	op := &store.MemberOp{Info: &im.GroupInfo{ID: im.NewGroupID(), Name: g.Name, Join: g.Join, History: g.History},
		By: s.user, ID: g.ID, Hash: g.hash(), Set: append([]store.RoleSet{{User: s.user, Role: im.Owner}}, sets(first, im.Member)...)}
	s.say(op, groupEvent{Op: "create", Users: first, Name: g.Name, Join: joinName(g.Join), History: historyName(g.History)}, len(op.Set))
	if err := s.change(ctx, op); err != nil {
		return Group{}, err
	}
	addr := im.GroupAddress(op.Group)
	if head, ok := c.st.Head(op.At); ok && head.MVer == op.MVer { // else the first call got further: who is missing has left
		if err := s.addAll(ctx, addr, members[len(first):], new(GroupChanged)); err != nil {
			return Group{}, err
		}
	}
	return s.group(addr)
}

// group is the group at addr as it is now.
func (s *Session) group(addr im.Address) (Group, error) {
	ref, err := s.resolve(addr)
	if err != nil {
		return Group{}, err
	}
	g, err := s.c.groupOfHead(&ref.head)
	if err != nil || g == nil {
		return Group{}, err
	}
	return *g, nil
}

func (s *Session) checkNewGroup(g *NewGroup) error {
	switch {
	case s.c.cfg.NoGroups && !s.app:
		return im.Errorf(im.Denied, "users of this server do not make groups")
	case len(g.Members) > maxUsersCall:
		return errManyUsers(len(g.Members))
	case len(g.Members)+1 > s.c.cfg.Limits.MaxGroup && s.c.cfg.Limits.MaxGroup > 0:
		return errGroupFull(s.c.cfg.Limits.MaxGroup)
	}
	if err := checkModes(g.Join, g.History); err != nil {
		return err
	}
	return s.c.checkDisplayName(g.Name)
}

func errManyUsers(n int) error {
	return im.Errorf(im.TooLarge, "%d users in one call; at most %d are allowed", n, maxUsersCall)
}

func errGroupFull(most int) error {
	return im.Errorf(im.TooLarge, "a group has at most %d members here", most)
}

func checkModes(j im.JoinMode, h im.HistoryMode) error {
	if j > im.JoinOpen {
		return im.Errorf(im.Invalid, "join mode %d is none of invite, open", j)
	}
	if h > im.HistoryAll {
		return im.Errorf(im.Invalid, "history mode %d is none of joined, all", h)
	}
	return nil
}

// checkDisplayName says what is wrong with a name that people are shown: one line of
// text, without characters that steer its direction. "" is allowed.
func (c *Core) checkDisplayName(s string) error {
	return checkLabel("name", s, c.cfg.Limits.MaxDisplayName)
}

// hash is of what the client asked for, so that its id cannot be used for another.
func (g *NewGroup) hash() uint64 {
	d := xxhash.New()
	hashString(d, g.Name)
	d.Write([]byte{byte(g.Join), byte(g.History)})
	for _, u := range g.Members {
		hashString(d, string(u))
	}
	return d.Sum64()
}

// hashString adds s and its length, so that no two lists are alike.
func hashString(d *xxhash.Digest, s string) {
	hashNumber(d, uint64(len(s)))
	d.WriteString(s)
}

func hashNumber(d *xxhash.Digest, n uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	d.Write(b[:])
}

func sets(users []im.UserID, role im.Role) []store.RoleSet {
	out := make([]store.RoleSet, len(users))
	for i, u := range users {
		out[i] = store.RoleSet{User: u, Role: role}
	}
	return out
}

// GroupMembers lists a group's members by id, those above after.
//
// Errors: those of resolve; Invalid for what is no group.
func (s *Session) GroupMembers(ctx context.Context, conv im.Address, after im.UserID, most int) ([]MemberInfo, bool, im.MVer, error) {
	ref, err := s.resolveGroup(conv)
	if err != nil {
		return nil, false, 0, err
	}
	most = limit(most, defaultMembers, maxMembers)
	rows, err := s.c.st.Members(ref.conv, after, most+1)
	if err != nil {
		return nil, false, 0, err
	}
	more := len(rows) > most
	rows = rows[:min(len(rows), most)]
	list := make([]MemberInfo, len(rows))
	for i, r := range rows {
		list[i] = MemberInfo{User: r.User, Role: r.Role, Nick: r.Nick, MutedUntil: r.MutedUntil}
		if list[i].Online, err = s.c.onlineTo(r.User, s.user); err != nil {
			return nil, false, 0, err
		}
	}
	return list, more, ref.head.MVer, nil
}

// resolveGroup is resolve for what only groups have.
func (s *Session) resolveGroup(conv im.Address) (convRef, error) {
	ref, err := s.resolve(conv)
	if ref.kind == im.Direct || ref.kind == im.Self {
		return ref, im.Errorf(im.Invalid, "%s is no group", conv)
	}
	return ref, err
}

// GroupUpdate changes what a group is called and how it behaves. Owner and admins
// may.
//
// Errors: those of resolve; Denied with CodeRole; Invalid or TooLarge for a bad name
// or mode; Busy if others keep changing the group.
func (s *Session) GroupUpdate(ctx context.Context, conv im.Address, u GroupUpdate) (Group, error) {
	if err := s.charge(); err != nil {
		return Group{}, err
	}
	err := s.retry(ctx, conv, func(ref *convRef) (*store.MemberOp, error) {
		if err := ref.atLeast(im.Admin, "change its settings"); err != nil {
			return nil, err
		}
		info, ok, err := s.c.st.Info(ref.conv)
		if err != nil || !ok {
			return nil, err
		}
		was, ev := info, groupEvent{Op: "update"}
		if u.Name != nil && *u.Name != info.Name {
			if err := s.c.checkDisplayName(*u.Name); err != nil {
				return nil, err
			}
			info.Name, ev.Name = *u.Name, *u.Name
		}
		if u.Join != nil && *u.Join != info.Join {
			info.Join, ev.Join = *u.Join, joinName(*u.Join)
		}
		if u.History != nil && *u.History != info.History {
			info.History, ev.History = *u.History, historyName(*u.History)
		}
		if err := checkModes(info.Join, info.History); err != nil || info == was {
			return nil, err
		}
		op := &store.MemberOp{Conv: ref.conv, Guard: ref.head.MVer, By: s.user, Info: &info}
		s.say(op, ev, ref.head.Members)
		return op, nil
	}, nil)
	if err != nil {
		return Group{}, err
	}
	return s.group(conv)
}
