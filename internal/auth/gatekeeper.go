package auth

import (
	"net/netip"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// A Gatekeeper counts the connections that have not signed in yet, by address and in
// all, so that nobody fills the server with them. Any goroutine may use it. An IPv6
// address counts by its /64.
type Gatekeeper struct {
	perAddr, total int // fixed; negative = no limit

	mu     sync.Mutex
	byAddr map[netip.Addr]int // guarded by mu: never holds a 0, so at most total entries
	all    int                // guarded by mu
}

// NewGatekeeper makes a Gatekeeper: perAddr connections for an address other than
// loopback (0 = 100), total for the node (0 = 1,000); negative = no limit.
func NewGatekeeper(perAddr, total int) *Gatekeeper {
	if perAddr == 0 {
		perAddr = 100
	}
	if total == 0 {
		total = 1000
	}
	return &Gatekeeper{perAddr: perAddr, total: total, byAddr: map[netip.Addr]int{}}
}

// Acquire takes a place for a new connection from a. If it returns nil, exactly one
// Release of the same address must follow: when the connection has signed in, or is
// gone.
//
// Errors: Limited if the address has too many, Busy if the node has.
func (g *Gatekeeper) Acquire(a netip.Addr) error {
	k := addrKey(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= 0 && g.all >= g.total {
		return im.Errorf(im.Busy, "too many connections are waiting to sign in: try again").WithRetry(5 * time.Second)
	}
	if g.perAddr >= 0 && !k.IsLoopback() && g.byAddr[k] >= g.perAddr {
		return im.Errorf(im.Limited, "your address has too many connections that have not signed in: sign in or close some").WithRetry(5 * time.Second)
	}
	g.all++
	g.byAddr[k]++
	return nil
}

// Release gives the place back.
func (g *Gatekeeper) Release(a netip.Addr) {
	k := addrKey(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.byAddr[k]
	if n == 0 {
		return // a Release too many must not make room for others
	}
	if n == 1 {
		delete(g.byAddr, k)
	} else {
		g.byAddr[k] = n - 1
	}
	g.all--
}

// Waiting is how many connections have a place now.
func (g *Gatekeeper) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all
}
