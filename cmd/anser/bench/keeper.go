package bench

import (
	"context"
	"sync"
	"time"

	"github.com/anser-im/anser/wire"
)

// keeper does for all clients of a run what comes by the clock: a beat every
// beatSeconds, with the phases spread evenly so that no moment has more than its
// share, and the acknowledgement of pushes that are older than ackAfter.
type keeper struct {
	run     *run
	clients []*client
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// keep starts a keeper of the clients that there are now.
func (r *run) keep() *keeper {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keeper{run: r, clients: r.clients, cancel: cancel}
	k.wg.Add(1)
	go func() {
		defer k.wg.Done()
		k.loop(ctx)
	}()
	return k
}

// stop ends the keeper and waits for it.
func (k *keeper) stop() {
	k.cancel()
	k.wg.Wait()
}

const (
	keeperTick = 10 * time.Millisecond
	ackTick    = 250 * time.Millisecond
)

func (k *keeper) loop(ctx context.Context) {
	t := time.NewTicker(keeperTick)
	defer t.Stop()
	clients := k.clients
	begin, acked, beaten := time.Now(), time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		// Beat number n, counted over all clients, is due at n/len of a round.
		due := int(float64(len(clients)) * time.Since(begin).Seconds() / beatSeconds)
		for ; beaten < due; beaten++ {
			c := clients[beaten%len(clients)]
			c.kick(func(int64) {
				if c.pings > c.pongs {
					k.run.faults.add("a beat was not answered before the next one")
				}
				c.pings++
				c.begin()
				c.out = wire.AppendPing(c.out)
			})
		}
		if time.Since(acked) >= ackTick {
			acked = time.Now()
			for _, c := range clients {
				c.kick(nil)
			}
		}
	}
}
