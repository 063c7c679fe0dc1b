package gate

import (
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how the connections of a server behave. The zero value works.
type Config struct {
	TrustedProxies []netip.Prefix // peers whose PROXY v2 header and X-Forwarded-For are believed; default: nobody's
	AllowPlain     bool           // listen without TLS on addresses other than loopback; default: refused
	Gatekeeper     Gatekeeper     // counts connections that have not signed in; nil = not counted
	WriteStall     time.Duration  // a peer that takes no byte for so long while bytes wait is closed; 0 = 10 s
	Linger         time.Duration  // how long the last bytes of a closing connection may take; 0 = 2 s
	SendBuffer     int            // bytes that the kernel holds for a peer that does not read; 0 = 64 KiB; negative = what the system likes
	Goroutines     bool           // read each TCP connection by a goroutine of its own, as where there is no epoll; default: one that waits needs none
	Flushers       int            // goroutines that write to sockets; 0 = one for two processors, at least one
	MaxWaiting     int            // bytes that may wait for one peer, besides what its door holds back; 0 = 8 MiB
	Log            *slog.Logger   // nil = nothing is logged
}

// Gatekeeper is all gate asks of who limits connections that have not signed in.
type Gatekeeper interface {
	// Acquire takes a place for a connection from an address; Release gives it back.
	Acquire(netip.Addr) error
	Release(netip.Addr)
}

// Stats are counters of a Gate, since it was made unless they say "now".
type Stats struct {
	Links    int64  // open now, of every door
	Accepted uint64 // connections
	Refused  uint64 // by the Gatekeeper, or for a bad PROXY header
	ReadIn   uint64 // bytes, as on the socket
	Written  uint64 // bytes, as on the socket
	Writes   uint64 // system calls for Written, of links that have been queued
	Partial  uint64 // writes that the socket did not take whole
	Stalled  uint64 // links closed because the peer took no byte
	Crowded  uint64 // links closed because they were slow to sign in and their place was needed
}

// Gate holds what all links of a server share. Any goroutine may use it.
type Gate struct {
	cfg     Config // fixed, with defaults
	log     *slog.Logger
	fl      []*flusher
	wheel   *wheel
	workers workers

	number   atomic.Uint64 // of the newest link
	links    atomic.Int64
	refused  atomic.Uint64
	readIn   atomic.Uint64
	written  atomic.Uint64
	writes   atomic.Uint64
	partial  atomic.Uint64
	stalled  atomic.Uint64
	crowded  atomic.Uint64
	crowd    crowd
	tidying  tidying
	polls    sync.Once
	poll     *poller        // set by polls; nil: each connection has its goroutine
	running  sync.WaitGroup // flushers, the wheel
	blocked  sync.WaitGroup // goroutines that write for links whose peer is slow
	stopOnce sync.Once
}

// New makes a Gate and starts its flushers. Close it when every door is closed.
func New(cfg Config) *Gate {
	if cfg.WriteStall <= 0 {
		cfg.WriteStall = 10 * time.Second
	}
	if cfg.Linger <= 0 {
		cfg.Linger = 2 * time.Second
	}
	if cfg.SendBuffer == 0 {
		cfg.SendBuffer = 64 << 10
	}
	if cfg.Flushers <= 0 {
		cfg.Flushers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if cfg.MaxWaiting <= 0 {
		cfg.MaxWaiting = 8 << 20
	}
	g := &Gate{cfg: cfg, log: cfg.Log, crowd: crowd{began: time.Now()}}
	g.wheel = newWheel(g.tidy)
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	for range cfg.Flushers {
		f := newFlusher(g)
		g.fl = append(g.fl, f)
		g.running.Go(f.run)
	}
	g.running.Go(g.wheel.run)
	return g
}

// Close stops the flushers and waits for them. Links that are still open are no
// longer written to: close the doors first.
func (g *Gate) Close() {
	g.stopOnce.Do(func() {
		for _, f := range g.fl {
			f.stop()
		}
		g.wheel.stop()
		if p := g.poller(false); p != nil {
			p.stop()
		}
		g.workers.stop()
	})
	g.running.Wait()
	g.blocked.Wait()
	g.workers.running.Wait()
}

// poller is the gate's, which begins with the first link that needs it; nil: each
// connection has its goroutine.
func (g *Gate) poller(begin bool) *poller {
	g.polls.Do(func() {
		if !begin || g.cfg.Goroutines {
			return
		}
		p, err := newPoller()
		if err != nil {
			g.log.Debug("no poller: each connection has a goroutine", "err", err)
			return
		}
		g.poll = p
		g.running.Go(p.run)
	})
	return g.poll
}

// Stats tells the counters.
func (g *Gate) Stats() Stats {
	return Stats{
		Links:    g.links.Load(),
		Accepted: g.number.Load(),
		Refused:  g.refused.Load(),
		ReadIn:   g.readIn.Load(),
		Written:  g.written.Load(),
		Writes:   g.writes.Load(),
		Partial:  g.partial.Load(),
		Stalled:  g.stalled.Load(),
		Crowded:  g.crowded.Load(),
	}
}
