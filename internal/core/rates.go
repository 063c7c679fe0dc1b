package core

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/anser-im/anser/internal/im"
)

// rates limit how fast users send. All sessions of a user share one limit, and a new
// session does not begin with a fresh one.
type rates struct {
	limit  rate.Limit // fixed
	burst  int        // fixed
	shards [64]rateShard
}

type rateShard struct {
	mu    sync.Mutex
	users map[im.UserID]*userRate // guarded by mu
	sweep int                     // guarded by mu: at how many users to look for those that can go
}

// userRate is one user's. Who has not sent for so long that the burst is full again
// and has no session costs nothing.
type userRate struct {
	*rate.Limiter
	refs int // guarded by the shard's mu
}

func (r *rates) open(c *Core) {
	r.limit, r.burst = rate.Limit(c.cfg.Limits.SendRate), c.cfg.Limits.SendBurst
	if c.cfg.Limits.SendRate < 0 {
		r.limit = rate.Inf
	}
	r.burst = max(r.burst, 1)
}

// get is u's limit; put gives it back.
func (c *Core) rateOf(u im.UserID, now time.Time) *userRate {
	r := &c.rates
	sh := &r.shards[c.of(u, len(r.shards))]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l := sh.users[u]
	if l == nil {
		if sh.users == nil {
			sh.users = map[im.UserID]*userRate{}
		}
		if len(sh.users) >= max(sh.sweep, 64) {
			for o, l := range sh.users {
				if l.refs == 0 && l.TokensAt(now) >= float64(r.burst) {
					delete(sh.users, o)
				}
			}
			sh.sweep = 2 * len(sh.users)
		}
		l = &userRate{Limiter: rate.NewLimiter(r.limit, r.burst)}
		sh.users[u] = l
	}
	l.refs++
	return l
}

func (c *Core) rateDone(u im.UserID, l *userRate, now time.Time) {
	sh := &c.rates.shards[c.of(u, len(c.rates.shards))]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if l.refs--; l.refs == 0 && l.TokensAt(now) >= float64(c.rates.burst) {
		delete(sh.users, u)
	}
}

// wait is how long until one more is allowed.
func (r *rates) wait(l *userRate, now time.Time) time.Duration { return r.waitMany(l, now, 1) }

// waitMany is how long until n more are.
func (r *rates) waitMany(l *userRate, now time.Time, n int) time.Duration {
	lack := float64(n) - l.TokensAt(now)
	if lack <= 0 {
		return time.Millisecond
	}
	return max(time.Duration(lack/float64(r.limit)*float64(time.Second)), time.Millisecond)
}

// bucket is a small token bucket of a session. The zero value is full.
type bucket struct {
	used float64
	last time.Time
}

// take takes one if there is one, at so many a second and as many at once.
func (b *bucket) take(now time.Time, perSecond float64) (ok bool, wait time.Duration) {
	if perSecond <= 0 {
		return true, 0
	}
	if d := now.Sub(b.last).Seconds(); d > 0 {
		b.used = max(0, b.used-d*perSecond)
		b.last = now
	}
	if b.used+1 > max(perSecond, 1) {
		return false, time.Duration((b.used + 1 - max(perSecond, 1)) / perSecond * float64(time.Second))
	}
	b.used++
	return true, 0
}

// Rate says how fast the session's user may send: at most burst at once, left of them
// now, and how long until all are there again. ok is false where no rate binds it.
func (s *Session) Rate() (burst, left int, full time.Duration, ok bool) {
	r := &s.c.rates
	if s.app || s.user == "" || r.limit == rate.Inf || r.limit <= 0 {
		return 0, 0, 0, false
	}
	tokens := s.rateOf().TokensAt(s.c.Now())
	lack := max(float64(r.burst)-tokens, 0)
	return r.burst, max(int(tokens), 0), time.Duration(lack / float64(r.limit) * float64(time.Second)), true
}
