package core

import (
	"fmt"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// officers are the owner and the admins of a group as of a membership change. As with
// owners, they are found by reading the members and then followed.
type officers struct {
	mver im.MVer
	list []officer // by user; not altered once made
}

type officer struct {
	user im.UserID
	role im.Role
}

// checkRoles looks at the roles that a message names.
func checkRoles(roles []im.Role) *im.Error {
	for i, r := range roles {
		switch {
		case r != im.Owner && r != im.Admin:
			return im.Errorf(im.Invalid, "a message can name the roles owner and admin: everybody is `all`")
		case slices.Contains(roles[:i], r):
			return im.Errorf(im.Invalid, "the message names the role %s twice", r)
		}
	}
	return nil
}

// resolveRoles answers m with those who have its roles in the group of h among its
// users, but for the sender; m itself where it names none. Users named by name come
// first, and no more than Limits.MaxMentions are named in all.
//
// Errors: Invalid outside groups; those of the store.
func (c *Core) resolveRoles(m *im.Mentions, kind im.ConvKind, h *store.Head, sender im.UserID) (*im.Mentions, error) {
	if m == nil || len(m.Roles) == 0 {
		return m, nil
	}
	if kind != im.Group {
		return nil, im.Errorf(im.Invalid, "roles can be named in groups only")
	}
	list, err := c.officersOf(h)
	if err != nil {
		return nil, err
	}
	named := &im.Mentions{All: m.All, Users: slices.Clone(m.Users), Roles: m.Roles}
	for _, o := range list {
		if most := c.cfg.Limits.MaxMentions; most >= 0 && len(named.Users) >= most {
			break
		}
		if o.user != sender && slices.Contains(m.Roles, o.role) && !slices.Contains(m.Users, o.user) {
			named.Users = append(named.Users, o.user)
		}
	}
	return named, nil
}

// officersOf are those of the group of h.
func (c *Core) officersOf(h *store.Head) ([]officer, error) {
	if o, ok := c.officers.get(h.Conv); ok && o.mver == h.MVer {
		return o.list, nil
	}
	v, err, _ := c.finding.Do(fmt.Sprint("officers ", h.Conv, h.MVer), func() (any, error) { return c.findOfficers(h.Conv, h.MVer) })
	if err != nil {
		return nil, err
	}
	return v.([]officer), nil
}

// findOfficers reads the members for them, and remembers them if the members were
// those after change mver.
func (c *Core) findOfficers(conv im.ConvID, mver im.MVer) ([]officer, error) {
	var list []officer
	err := c.eachMember(conv, func(r *store.Row) bool {
		if r.Role > im.Member {
			list = append(list, officer{r.User, r.Role})
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if now, ok := c.st.Head(conv); ok && now.MVer == mver {
		c.officers.put(conv, officers{mver, list})
	}
	return list, nil
}

// officersMoved follows a membership change that is durable.
func (c *Core) officersMoved(op *store.MemberOp) {
	was, ok := c.officers.get(op.At)
	if !ok || op.Conv == 0 || was.mver != op.Guard {
		return // they are read when somebody names them
	}
	list := was.list
	for _, set := range op.Set {
		i, found := slices.BinarySearchFunc(list, set.User, func(o officer, u im.UserID) int {
			switch {
			case o.user < u:
				return -1
			case o.user > u:
				return 1
			}
			return 0
		})
		switch {
		case found && set.Role > im.Member:
			list = slices.Clone(list)
			list[i].role = set.Role
		case found:
			list = slices.Delete(slices.Clone(list), i, i+1)
		case set.Role > im.Member:
			list = slices.Insert(slices.Clone(list), i, officer{set.User, set.Role})
		}
	}
	c.officers.put(op.At, officers{op.MVer, list})
}
