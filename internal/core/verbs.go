package core

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/anser-im/anser/internal/im"
)

const retryContended = 200 * time.Millisecond

// verbs is the part of a Core that its verbs keep besides the store: caches of what
// never changes, the key of tokens, and what runs in the background.
type verbs struct {
	directs  names[pair, im.ConvID]
	groups   names[im.GroupID, im.ConvID]
	seen     names[im.UserID, struct{}] // users that have signed in once
	owners   names[im.ConvID, ownedBy]
	officers names[im.ConvID, officers]
	finding  singleflight.Group // owners that are looked for
	key      []byte             // fixed; authenticates sync tokens
	renew    chan struct{}      // holds one while the store makes a new epoch
	tells    teller
	watch    watch
	counts   counts

	convVerbs
	streams streams
	follows follows

	met      names[im.ConvID, contact]
	lastHere names[im.UserID, int64] // when a device was last noted, Unix milliseconds
	hides    names[movedKey, []im.SeqRange]
	watches  watches
	silences names[im.ConvID, silence]
	rechecks rechecks

	stop    context.CancelFunc
	running sync.WaitGroup
}

// openVerbs makes verbs ready and starts what they run. closeVerbs ends it.
func (c *Core) openVerbs() {
	c.key = c.cfg.TokenKey
	if c.key == nil {
		c.key = make([]byte, 32)
		rand.Read(c.key) // never fails: crypto/rand ends the process instead
	}
	c.renew = make(chan struct{}, 1)
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	c.tells.open()
	c.watch.open(time.Now())
	c.running.Go(func() { c.runTeller(ctx) })
	c.running.Go(func() { c.runWatch(ctx) })
	c.openConvVerbs(ctx)
	c.follows.open()
	c.running.Go(func() { c.runFollows(ctx) })
	c.running.Go(func() { c.runStreams(ctx) })
	c.watches.open()
	c.running.Go(func() { c.runWatches(ctx) })
	if c.cfg.SweepEvery >= 0 {
		c.running.Go(func() { c.runSweep(ctx) })
	}
}

func (c *Core) closeVerbs() {
	c.closeStreams()
	c.stop()
	c.running.Wait()
}
