package memstore

import (
	"slices"

	"github.com/anser-im/anser/internal/im"
)

// address is what a direct conversation is found by: its users in byte order and the
// name of the business conversation, "" for the plain one.
type address struct {
	users [2]im.UserID
	line  string
}

// lines are all direct conversations of two users, by number.
func (st *state) lines(a, b im.UserID) []*conv {
	users := pair(a, b)
	var ids []im.ConvID
	for k, id := range st.directs {
		if k.users == users {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var out []*conv
	for _, id := range ids {
		out = append(out, st.convs[id])
	}
	return out
}
