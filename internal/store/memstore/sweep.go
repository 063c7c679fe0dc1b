package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const month = 30 * 24 * time.Hour

// Sweep is store.Store's. Everything goes in one commit.
func (s *Store) Sweep(ctx context.Context, now time.Time, p store.SweepPolicy) (int, error) {
	if p.Commands == 0 {
		p.Commands = month
	}
	if p.Changes == 0 {
		p.Changes = month
	}
	if p.Deleted == 0 {
		p.Deleted = month
	}
	if p.KeepNewest == 0 {
		p.KeepNewest = 10_000
	}
	gone := make(chan int, 1)
	var moved []im.ConvID
	err := s.own(ctx, func() bool {
		n := 0
		n, moved = s.st.sweep(now, p)
		gone <- n
		return n > 0
	})
	if err != nil {
		return 0, err
	}
	if p.Moved != nil {
		for _, conv := range moved {
			p.Moved(conv)
		}
	}
	return <-gone, nil
}

func (st *state) sweep(now time.Time, p store.SweepPolicy) (gone int, moved []im.ConvID) {
	commands := now.Add(-p.Commands).UnixMilli()
	changes := now.Add(-p.Changes).UnixMilli()
	deleted := now.Add(-p.Deleted).UnixMilli()
	for _, c := range st.convs {
		before, counted := gone, false
		for seq, m := range c.messages {
			old := !p.Expired && (m.Flags == 0 && m.Time < commands || m.Deleted && c.deletedAt(seq) < deleted)
			if m.Expires != 0 && m.Expires <= now.UnixMilli() || old {
				counted = counted || m.Flags&im.Count != 0 && !m.Recalled && !m.Deleted
				st.recall(c, m)
				delete(c.messages, seq)
				gone++
			}
		}
		h := &c.head
		for h.Min <= h.Seq && c.messages[h.Min] == nil {
			h.Min++
		}
		// from the oldest on: the log has no holes
		for !p.Expired && h.MinVer+im.Ver(p.KeepNewest) <= h.Ver && c.changes[h.MinVer].Time < changes {
			seq := c.changes[h.MinVer].Seq
			c.formers[seq] = slices.DeleteFunc(c.formers[seq], func(f former) bool { return f.Ver == h.MinVer && f.deleted == 0 })
			delete(c.changes, h.MinVer)
			h.MinVer++
			gone++
		}
		if gone > before {
			h.Position = st.at()
		}
		if counted {
			moved = append(moved, h.Conv)
		}
	}
	for k, r := range st.records {
		if r.Expires != 0 && r.Expires < now.UnixMilli() {
			delete(st.records, k)
			gone++
		}
	}
	st.touch(gone, 0)
	return gone, moved
}
