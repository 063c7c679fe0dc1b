package core

import (
	"fmt"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// ownedBy is who owned a group as of a membership change. The store keeps roles with
// the members and no list by role, so the owner is found by reading them and then
// remembered; later changes made here are followed (ownerMoved).
type ownedBy struct {
	mver  im.MVer
	owner im.UserID
}

const membersChunk = 1000

// ownerOf is who owns the group of h; "" if it is closed.
func (c *Core) ownerOf(h *store.Head) (im.UserID, error) {
	if o, ok := c.owners.get(h.Conv); ok && o.mver == h.MVer {
		return o.owner, nil
	}
	// One reads for all who ask: after a restart every member of a group comes at once.
	v, err, _ := c.finding.Do(fmt.Sprint(h.Conv, h.MVer), func() (any, error) { return c.findOwner(h.Conv, h.MVer) })
	if err != nil {
		return "", err
	}
	return v.(im.UserID), nil
}

// findOwner reads the members for the owner, and remembers him if they were those
// after change mver.
func (c *Core) findOwner(conv im.ConvID, mver im.MVer) (im.UserID, error) {
	found := im.UserID("")
	err := c.eachMember(conv, func(r *store.Row) bool {
		if r.Role == im.Owner {
			found = r.User
		}
		return found == ""
	})
	if err != nil {
		return "", err
	}
	if now, ok := c.st.Head(conv); ok && now.MVer == mver {
		c.owners.put(conv, ownedBy{mver, found})
	}
	return found, nil
}

// ownerMoved follows a membership change that is durable.
func (c *Core) ownerMoved(op *store.MemberOp) {
	was, ok := c.owners.get(op.At)
	if op.Conv != 0 && (!ok || was.mver != op.Guard) {
		return
	}
	for _, set := range op.Set {
		switch {
		case set.Role == im.Owner:
			was.owner = set.User
		case set.User == was.owner:
			was.owner = "" // unless another of the same change has it
			for _, other := range op.Set {
				if other.Role == im.Owner {
					was.owner = other.User
				}
			}
		}
	}
	c.owners.put(op.At, ownedBy{op.MVer, was.owner})
}

// eachMember calls f for the present members by id, until it answers false.
func (c *Core) eachMember(conv im.ConvID, f func(*store.Row) bool) error {
	for after := im.UserID(""); ; {
		rows, err := c.st.Members(conv, after, membersChunk)
		if err != nil {
			return err
		}
		for i := range rows {
			if !f(&rows[i]) {
				return nil
			}
		}
		if len(rows) < membersChunk {
			return nil
		}
		after = rows[len(rows)-1].User
	}
}
