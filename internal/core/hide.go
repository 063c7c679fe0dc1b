package core

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// hidden says whether u has deleted a message for himself, for those who are told of
// changes as they happen: readers look at the row itself. What was looked up once is
// kept in memory, since in a group every member who is here is asked for at every
// change. If it cannot be read it is no: the user deleted what he had been shown.
func (c *Core) hidden(conv im.ConvID, u im.UserID, seq im.Seq) bool {
	k := movedKey{u, conv}
	gone, ok := c.hides.get(k)
	if !ok {
		row, _, err := c.st.Row(conv, u)
		if err != nil {
			return false
		}
		gone = row.Gone
		c.hides.add(k, gone)
	}
	return len(gone) > 0 && (&store.Row{Gone: gone}).Hides(seq)
}

// hid notes what u has deleted for himself. It is called in the order of commits.
func (c *Core) hid(u im.UserID, conv im.ConvID, gone []im.SeqRange) {
	c.hides.put(movedKey{u, conv}, gone)
}
