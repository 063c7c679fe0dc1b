package client

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/anser-im/anser/wire"
)

// verdict is what follows from the end of a link or an attempt.
type verdict struct {
	stop  *StopError
	token bool          // ask for another token first
	wait  time.Duration // before the next attempt
	exact bool          // and no backoff besides
}

// slowly is the least wait where coming back at once would hardly help.
const slowly = 5 * time.Second

// ghostTime is how soon after a race our own late Hello can replace us.
const ghostTime = time.Minute

// final says whether a refusal would be the same at every endpoint.
func final(err error) bool {
	var se *StopError
	if errors.As(err, &se) {
		return true
	}
	var away goAwayError
	if !errors.As(err, &away) {
		return false
	}
	switch away.Reason {
	case wire.ReasonToken, wire.ReasonKicked, wire.ReasonReplaced:
		return true
	}
	return away.Code >= 2000 && away.Code < 5000
}

// judge says how to go on after err ended link l, or an attempt if l is nil. again says
// that the token of the last login had expired as well; ghosts counts how often in a row we were
// replaced by a Hello of our own.
func (c *Client) judge(err error, l *link, again bool, ghosts *int) verdict {
	var se *StopError
	if errors.As(err, &se) {
		return verdict{stop: se}
	}
	var away goAwayError
	if !errors.As(err, &away) {
		switch {
		case errors.Is(err, errRebind), errors.Is(err, errEpoch), errors.Is(err, errSlept):
			return verdict{exact: true}
		case l == nil:
			return verdict{}
		case errors.Is(err, errLeft), errors.Is(err, errSilent):
			c.leave(l.at)
			return verdict{exact: c.elsewhere(l.at)}
		}
		return verdict{}
	}
	stop := &StopError{Reason: away.Reason, Code: away.Code, Message: away.Message}
	if l != nil { // those who never welcomed us were heard by race
		c.follow(away)
		if !away.Resumable {
			c.mu.Lock()
			c.last = nil
			c.mu.Unlock()
		}
	}
	v := verdict{wait: jittered(away.RetryAfterMs), exact: away.RetryAfterMs > 0}
	switch {
	case away.Reason == wire.ReasonToken || away.Code >= 2000 && away.Code < 3000:
		if away.Code != wire.CodeExpired || again {
			return verdict{stop: stop}
		}
		return verdict{token: true, exact: true}
	case away.Reason == wire.ReasonReplaced:
		// An endpoint that lost the race may read our Hello only now, as a frozen one does
		// that thaws, and takes it for a newer login of this device.
		if l != nil && l.ghosts && time.Since(l.born) < ghostTime && *ghosts < 3 {
			*ghosts++
			return verdict{}
		}
		return verdict{stop: stop}
	case away.Reason == wire.ReasonKicked, l == nil && away.Code >= 3000 && away.Code < 5000:
		return verdict{stop: stop} // the latter: this Hello will never be taken
	case away.Reason == wire.ReasonMalformed, away.Reason == wire.ReasonTooLarge:
		v.wait = max(v.wait, slowly)
	case away.Reason == wire.ReasonVersion:
		if l == nil { // as every endpoint that could be reached said, or some were not reached: try on, slowly
			v.wait = max(v.wait, slowly)
		}
		return v
	case away.Reason == wire.ReasonDrain, away.Reason == wire.ReasonRedirect, away.Reason == wire.ReasonOverload:
		if l != nil {
			c.leave(l.at)
			v.exact = v.exact || c.elsewhere(l.at)
		}
	}
	*ghosts = 0
	return v
}

// follow notes the other endpoints that a GOAWAY names.
func (c *Client) follow(away goAwayError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := follow(c.endpoints, away.Nodes, c.opt.TLS)
	c.nodes = merge(told, c.nodes)
	if away.Reason == wire.ReasonRedirect {
		c.go2 = told
	}
}

// sentElsewhere takes a GOAWAY that answers a Hello: its endpoints, and that this one
// does not serve. The next attempt waits as after any other, so that two endpoints that
// send us to each other are not asked without end.
func (c *Client) sentElsewhere(err error, at endpoint) {
	var away goAwayError
	if !errors.As(err, &away) {
		return
	}
	c.follow(away)
	switch away.Reason {
	case wire.ReasonDrain, wire.ReasonRedirect, wire.ReasonOverload:
		c.leave(at)
	}
}

// jittered is the wait that a server asked for, and up to half of it more, so that
// those it told the same do not come back together.
func jittered(millis uint32) time.Duration {
	if millis == 0 {
		return 0
	}
	d := time.Duration(millis) * time.Millisecond
	return d + rand.N(d/2+1)
}

// merge is a without what stands in it twice, and then b's others, within maxLinked.
func merge(a, b []endpoint) []endpoint {
	seen := make(map[string]bool)
	var out []endpoint
	for _, e := range slices.Concat(a, b) {
		if !seen[e.key()] && len(out) < maxLinked {
			out = append(out, e)
		}
		seen[e.key()] = true
	}
	return out
}
