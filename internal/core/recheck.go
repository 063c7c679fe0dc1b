package core

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/anser-im/anser/internal/im"
)

// rechecks say that sends have to be looked at again for a reason that no guard of the
// store shows: somebody changed whom he takes messages from. Each receiver belongs to one
// of a few counts. A lane remembers what its receiver's was when it looked; so a send
// costs one atomic load, and a change makes a few lanes look once more that need not
// have.
//
// A send that is with the store already when the change becomes durable stands: it was
// made before anybody was told of the change.
type rechecks [256]atomic.Uint64

// recheckOf is the count of a receiver: the id of an address, without a line.
func (c *Core) recheckOf(id string) *atomic.Uint64 {
	return &c.rechecks[maphash.String(c.seed, id)%uint64(len(c.rechecks))]
}

// recheckUser makes who sends to u look again.
func (c *Core) recheckUser(u im.UserID) { c.recheckOf(string(u)).Add(1) }
