package hub

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Bounds of what is kept for one session. Together they are all the memory that a
// client which does not read can hold.
const (
	MaxQueued      = 1024      // events not yet written
	MaxQueuedBytes = 1 << 20   // and their weight
	MaxWindow      = 256       // events written and not acknowledged
	MaxWindowBytes = 256 << 10 // and their weight
	MaxSignalQueue = 64 << 10  // weight of the queue above which signals are dropped
	MaxBehind      = 256       // conversations; past it the session is asked to sync
	MaxResumed     = 32        // conversations a resumed session is fed in; past it, it is not resumed
)

// Config is how a Hub is to behave. The zero value works, but for Feed.
type Config struct {
	Bytes       int64            // all outboxes together; 0 = 256 MiB
	Detached    int              // sessions kept without a link; 0 = 100,000
	DetachedOwn int              // of them of one user; 0 = 20
	DetachedFor time.Duration    // how long; 0 = 5 min
	Clock       func() time.Time // nil = time.Now

	// Feed is told that a session is behind somewhere and has room: somebody calls its
	// Next and Fed until Next answers false. It is called once until then, from any
	// goroutine, with no lock held; it must not block.
	Feed func(*Session)

	// Left is told of every session that has ended for good, once, with no lock held; it
	// must not block. nil = nobody is.
	Left func(*Session)
}

// Owner is the link that a session belongs to now.
type Owner interface {
	// Wake says that Take has something. It is called once until a Take leaves nothing
	// that could be taken, with no lock held; it must not block.
	Wake()
}

// Hub is who is online here. All methods may be called by any goroutine.
//
// Locks: a Session's, then Hub.big's; those of a shard, of ids and of the detached
// sessions are never held together with another.
type Hub struct {
	cfg  Config       // fixed
	seed maphash.Seed // fixed

	shards [256]shard
	ids    struct {
		mu sync.RWMutex
		m  map[ID]*Session // guarded by mu
	}
	detached struct {
		mu          sync.Mutex
		first, last *Session // guarded by mu: a list through Session.older and newer, the oldest first
		n           int      // guarded by mu
	}
	big struct {
		mu sync.Mutex
		m  map[*Session]struct{} // guarded by mu: those whose queues weigh most
	}
	bytes   atomic.Int64 // weight of all queues and of detached sessions
	queued  atomic.Int64 // events in all queues
	starved atomic.Bool  // somebody could not be fed because bytes was near its bound
	live    atomic.Int64 // sessions with a link
	counts  counts
}

// shard is some of the users.
type shard struct {
	mu    sync.RWMutex
	users map[im.UserID][]*Session // guarded by mu; the slices are never altered
}

type counts struct {
	offered, taken, fed, missed, repeats, dropped, syncs, shed, resumed, refused atomic.Uint64
}

// Stats are sums since the Hub was made, besides the sizes at the end.
type Stats struct {
	Offered  uint64 // events put into outboxes as they happened
	Fed      uint64 // events put into outboxes by feeders
	Taken    uint64 // events written to links
	Missed   uint64 // events that were left to feeders
	Repeats  uint64 // offers dropped because a feeder had been faster
	Dropped  uint64 // STATUS messages, signals and hints dropped
	Syncs    uint64 // sessions told to sync because they had missed too much
	Shed     uint64 // outboxes emptied because all together were too large
	Resumed  uint64 // sessions given to a new link
	Refused  uint64 // resumes refused because too much was missed
	Live     int    // sessions with a link now
	Detached int    // sessions without one
	Queued   int    // events in outboxes
	Bytes    int64  // their weight
}

// New makes a Hub with nobody in it.
func New(cfg Config) *Hub {
	if cfg.Bytes <= 0 {
		cfg.Bytes = 256 << 20
	}
	if cfg.Detached == 0 {
		cfg.Detached = 100_000
	}
	if cfg.DetachedOwn == 0 {
		cfg.DetachedOwn = 20 // twice im.Limits.Sessions
	}
	if cfg.DetachedFor == 0 {
		cfg.DetachedFor = 5 * time.Minute
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Feed == nil {
		cfg.Feed = func(*Session) {}
	}
	h := &Hub{cfg: cfg, seed: maphash.MakeSeed()}
	for i := range h.shards {
		h.shards[i].users = map[im.UserID][]*Session{}
	}
	h.ids.m = map[ID]*Session{}
	h.big.m = map[*Session]struct{}{}
	return h
}

func (h *Hub) shard(u im.UserID) *shard {
	return &h.shards[maphash.String(h.seed, string(u))%uint64(len(h.shards))]
}

// NewSession makes a session that is not in the hub yet.
func (h *Hub) NewSession(u im.UserID, d im.DeviceID, class im.Class) *Session {
	return &Session{hub: h, User: u, Device: d, Class: class, Began: h.cfg.Clock(), woken: true, id: NewID()}
}

// Add puts a new session into the hub: from now on it is offered what happens. It
// belongs to o, which is not woken before Session.Open.
func (h *Hub) Add(s *Session, o Owner) {
	s.mu.Lock()
	s.owner = o
	s.live.Store(true)
	h.live.Add(1)
	s.mu.Unlock()
	h.ids.mu.Lock()
	h.ids.m[s.id] = s
	h.ids.mu.Unlock()
	sh := h.shard(s.User)
	sh.mu.Lock()
	sh.users[s.User] = append(slices.Clip(sh.users[s.User]), s)
	sh.mu.Unlock()
}

// Sessions are u's sessions here, detached ones among them, in the order in which
// they began. The slice is shared and must not be altered.
func (h *Hub) Sessions(u im.UserID) []*Session {
	sh := h.shard(u)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.users[u]
}

// Offer offers ev to all of u's sessions but the one that belongs to from, and says
// whether any of them has a link. addr is how u says the conversation.
func (h *Hub) Offer(u im.UserID, addr im.Address, ev *Event, from Owner) (online bool) {
	for _, s := range h.Sessions(u) {
		s.Offer(addr, ev, from)
		online = online || s.Live()
	}
	return online
}

// Online says whether u has a session with a link.
func (h *Hub) Online(u im.UserID) bool {
	for _, s := range h.Sessions(u) {
		if s.Live() {
			return true
		}
	}
	return false
}

// Each calls f for every session until it answers false. Sessions that come or go
// meanwhile may be missed.
func (h *Hub) Each(f func(*Session) bool) {
	for i := range h.shards {
		sh := &h.shards[i]
		sh.mu.RLock()
		all := make([]*Session, 0, len(sh.users))
		for _, list := range sh.users {
			all = append(all, list...)
		}
		sh.mu.RUnlock()
		for _, s := range all {
			if !f(s) {
				return
			}
		}
	}
}

// Users calls f for every user with a session until it answers false.
func (h *Hub) Users(f func(im.UserID) bool) {
	for i := range h.shards {
		sh := &h.shards[i]
		sh.mu.RLock()
		all := make([]im.UserID, 0, len(sh.users))
		for u := range sh.users {
			all = append(all, u)
		}
		sh.mu.RUnlock()
		for _, u := range all {
			if !f(u) {
				return
			}
		}
	}
}

// Live is how many sessions have a link.
func (h *Hub) Live() int { return int(h.live.Load()) }

// Stats are the hub's counters.
func (h *Hub) Stats() Stats {
	c := &h.counts
	h.detached.mu.Lock()
	detached := h.detached.n
	h.detached.mu.Unlock()
	return Stats{Offered: c.offered.Load(), Fed: c.fed.Load(), Taken: c.taken.Load(), Missed: c.missed.Load(),
		Repeats: c.repeats.Load(), Dropped: c.dropped.Load(), Syncs: c.syncs.Load(), Shed: c.shed.Load(),
		Resumed: c.resumed.Load(), Refused: c.refused.Load(),
		Live: h.Live(), Detached: detached, Queued: int(h.queued.Load()), Bytes: h.bytes.Load()}
}

// remove takes s out of all lists. Nothing more is offered to it.
func (h *Hub) remove(s *Session) {
	sh := h.shard(s.User)
	sh.mu.Lock()
	list := sh.users[s.User]
	if i := slices.Index(list, s); i >= 0 {
		if len(list) == 1 {
			delete(sh.users, s.User)
		} else {
			sh.users[s.User] = slices.Concat(list[:i], list[i+1:])
		}
	}
	sh.mu.Unlock()
	h.ids.mu.Lock()
	delete(h.ids.m, s.id)
	delete(h.ids.m, s.was)
	s.id, s.was = ID{}, ID{}
	h.ids.mu.Unlock()
	h.undetach(s)
}

// bigQueue is the weight from which on a queue stands in Hub.big.
const bigQueue = 64 << 10

// relieve makes room for size when all outboxes together are too large: detached
// sessions go, the oldest first, then the fullest outbox is left to the feeder.
func (h *Hub) relieve(size int) {
	for h.bytes.Load()+int64(size) > h.cfg.Bytes {
		if h.dropOldest() {
			continue
		}
		var fullest *Session
		h.big.mu.Lock()
		for s := range h.big.m {
			if fullest == nil || s.weight.Load() > fullest.weight.Load() {
				fullest = s
			}
		}
		h.big.mu.Unlock()
		if fullest == nil {
			return // many small ones: what comes now is left to the feeder
		}
		fullest.shed()
	}
}
