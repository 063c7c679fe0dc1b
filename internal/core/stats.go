package core

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// tallies are sums since the start, of sessions and sends.
type tallies struct {
	logins, refusedLogins atomic.Uint64
	sends, acks           atomic.Uint64
	refusals              [16]atomic.Uint64 // by kind

	mu   sync.Mutex
	ends map[im.Code]uint64 // guarded by mu
}

func (t *tallies) login(string)  { t.logins.Add(1) }
func (t *tallies) loginRefused() { t.refusedLogins.Add(1) }
func (t *tallies) refused(k im.Kind) {
	if int(k) < len(t.refusals) {
		t.refusals[k].Add(1)
	}
}

func (t *tallies) ended(code im.Code) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ends == nil {
		t.ends = map[im.Code]uint64{}
	}
	t.ends[code]++
}

// Stats are sums since the start, besides what is marked now.
type Stats struct {
	Sessions      map[string]int // now, by door
	Detached      int            // now
	Logins        uint64
	LoginsRefused uint64
	Ends          map[im.Code]uint64 // sessions ended by core, by why
	Sends         uint64             // accepted, retries among them
	Acks          uint64             // acknowledgements of pushes
	Refusals      map[im.Kind]uint64 // sends refused
	Outboxes      int64              // now: bytes of all
	Queued        int                // now: events in all
	Behind        int                // now: sessions that are behind somewhere
	BehindTotal   uint64             // events left to feeders
	Fed           uint64             // events that feeders gave
	Pushed        uint64             // events put into outboxes as they happened
	Delivered     uint64             // events given to links
	Dropped       uint64             // STATUS messages, signals and hints dropped
	Syncs         uint64             // sessions asked to sync
	Resumed       uint64             // sessions resumed
	ResumeRefused uint64             // sessions that had missed too much for that
}

// Stats are counters for metrics. It walks over all sessions.
func (c *Core) Stats() Stats {
	h := c.hub.Stats()
	t := &c.tallies
	out := Stats{Sessions: map[string]int{}, Detached: h.Detached, Logins: t.logins.Load(), LoginsRefused: t.refusedLogins.Load(),
		Ends: map[im.Code]uint64{}, Sends: t.sends.Load(), Acks: t.acks.Load(), Refusals: map[im.Kind]uint64{},
		Outboxes: h.Bytes, Queued: h.Queued, BehindTotal: h.Missed, Fed: h.Fed, Pushed: h.Offered, Delivered: h.Taken,
		Dropped: h.Dropped, Syncs: h.Syncs, Resumed: h.Resumed, ResumeRefused: h.Refused}
	for _, k := range im.Kinds() {
		out.Refusals[k] = t.refusals[k].Load()
	}
	t.mu.Lock()
	for code, n := range t.ends {
		out.Ends[code] = n
	}
	t.mu.Unlock()
	c.hub.Each(func(box *hub.Session) bool {
		if n, all := box.Behind(); n > 0 || all {
			out.Behind++
		}
		if s := sessionOf(box); s != nil {
			out.Sessions[s.login.Door]++
		}
		return true
	})
	return out
}

// SessionInfo is a live session as an admin sees it.
type SessionInfo struct {
	Device      im.DeviceID
	Class       im.Class
	Door        string
	Addr        netip.Addr
	Since       time.Time
	Resumed     bool
	Background  bool
	Network     string
	Behind      int   // conversations; -1 = it is asked to sync
	OutboxBytes int64 // not yet written
}

// Sessions lists u's live sessions here, the oldest first.
func (c *Core) Sessions(u im.UserID) []SessionInfo {
	var list []SessionInfo
	for _, box := range c.hub.Sessions(u) {
		s := sessionOf(box)
		if s == nil {
			continue
		}
		info := SessionInfo{Device: s.device, Class: s.class, Door: s.login.Door, Addr: s.login.Addr, Since: s.since,
			Resumed: s.resumed, OutboxBytes: box.Weight()}
		if n, all := box.Behind(); all {
			info.Behind = -1
		} else {
			info.Behind = n
		}
		s.mu.Lock()
		info.Background, info.Network = s.background, s.network
		s.mu.Unlock()
		list = append(list, info)
	}
	return list
}
