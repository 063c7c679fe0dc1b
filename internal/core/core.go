package core

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Core is the rules of one app. All methods may be called by any goroutine.
//
// Its locks are never held together with another one, but for policy, under which the
// hub's are taken; a lane's order, under which that lane's mu is; and a session's
// lanes, under which a lane's mu and the rates' are.
type Core struct {
	cfg  Config         // fixed; Limits have their defaults, Clock and Log are never nil
	st   store.Store    // fixed
	ver  *auth.Verifier // fixed
	rev  *auth.Revoker  // fixed; nil = nothing is revoked
	log  *slog.Logger   // fixed
	hub  *hub.Hub       // fixed
	seed maphash.Seed   // fixed

	draining atomic.Bool    // no logins any more
	policy   [64]sync.Mutex // by user: one session of a user joins at a time
	joining  joining
	expiry   expiry
	rates    rates
	receipts receipts
	feeders  feeders
	redo     redo
	fans     fans
	tallies  tallies

	ctx  context.Context // fixed; ends with Close
	halt context.CancelFunc
	busy sync.WaitGroup // what New started

	verbs
}

// New makes the core of one app over its store. v verifies tokens; r says what was revoked.
// The Revoker's notify has to be Core.Revoked; r nil: nothing is ever revoked.
func New(cfg Config, st store.Store, v *auth.Verifier, r *auth.Revoker) *Core {
	cfg.Limits = cfg.Limits.Defaults()
	if cfg.Node == "" {
		cfg.Node = "anser"
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Core{cfg: cfg, st: st, ver: v, rev: r, log: cfg.Log, seed: maphash.MakeSeed()}
	c.ctx, c.halt = context.WithCancel(context.Background())
	c.hub = hub.New(hub.Config{
		Bytes: cfg.OutboxBytes, DetachedOwn: max(0, 2*cfg.Limits.Sessions), Detached: cfg.Limits.Detached, DetachedFor: cfg.Limits.DetachedFor,
		Clock: cfg.Clock, Feed: c.feeders.add, Left: c.left,
	})
	c.joining.open()
	c.rates.open(c)
	c.receipts.open()
	c.feeders.open(c)
	c.redo.open(c)
	c.fans.open(c)
	c.busy.Go(c.runTicks)
	c.openVerbs()
	return c
}

// Close ends all sessions (CodeDraining) and everything that core runs; the store
// stays open. Operations that are in the store's queue still end, and senders are told.
func (c *Core) Close() {
	c.draining.Store(true)
	c.endAll(End{Code: im.CodeDraining, Text: "the server is shutting down", Resumable: true})
	c.closeVerbs()
	c.halt()
	c.feeders.close()
	c.redo.close()
	c.fans.close()
	c.busy.Wait()
}

// tickEvery is how often what waits for its time is looked at: tokens, detached
// sessions, receipts, what could not be read.
const tickEvery = 250 * time.Millisecond

func (c *Core) runTicks() {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		c.expire(c.Now())
		c.flushReceipts(c.Now())
		c.feeders.again()
		c.fans.tick()
		if n%4 == 0 {
			c.hub.Tick()
		}
	}
}

// Limits are those that hold here, none of them zero where zero means a default.
func (c *Core) Limits() im.Limits { return c.cfg.Limits }

// Epoch is the store's.
func (c *Core) Epoch() im.Epoch { return c.st.Epoch() }

// Now is the time that rules go by.
func (c *Core) Now() time.Time { return c.cfg.Clock() }

// Node is this node's name.
func (c *Core) Node() string { return c.cfg.Node }

// of is which of n parts user u belongs to.
func (c *Core) of(u im.UserID, n int) int {
	return int(maphash.String(c.seed, string(u)) % uint64(n))
}

// online says whether u has a session with a link here.
func (c *Core) online(u im.UserID) bool { return c.hub.Online(u) }

// sessions is how many sessions have a link here.
func (c *Core) sessions() int { return c.hub.Live() }

// tellUser offers ev to all sessions of u but except. addr is how u says the
// conversation.
func (c *Core) tellUser(u im.UserID, addr im.Address, ev *hub.Event, except *Session) {
	c.hub.Offer(u, addr, ev, except.owner())
}
