package core

import "sync/atomic"

// counts are sums since the start, of what verbs did.
type counts struct {
	syncs, pages, reads, edits, recalls, memberships, turnedBack, epochs, swept atomic.Uint64
}

// VerbCounts is what verbs did since the start, for metrics.
type VerbCounts struct {
	Syncs       uint64 // answers to Sync
	Pages       uint64 // answers to Page
	Reads       uint64 // read cursors moved
	Edits       uint64
	Recalls     uint64
	Memberships uint64 // membership changes
	TurnedBack  uint64 // decisions looked at again because something had moved
	Epochs      uint64 // new epochs because a client held what this store never had
	Swept       uint64 // rows removed because their time was over
}

// VerbCounts is what verbs did since the start.
func (c *Core) VerbCounts() VerbCounts {
	n := &c.counts
	return VerbCounts{Syncs: n.syncs.Load(), Pages: n.pages.Load(), Reads: n.reads.Load(), Edits: n.edits.Load(),
		Recalls: n.recalls.Load(), Memberships: n.memberships.Load(), TurnedBack: n.turnedBack.Load(),
		Epochs: n.epochs.Load(), Swept: n.swept.Load()}
}
