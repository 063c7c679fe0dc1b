package core

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

func endReplaced() End {
	return End{Code: im.CodeReplaced, Text: "this device signed in on another connection"}
}

func endRevoked() End {
	return End{Code: im.CodeRevoked, Text: "the token has been revoked: sign in again"}
}

func endExpired() End {
	return End{Code: im.CodeExpired, Text: "the token has expired: get a new one and connect again", Resumable: true}
}

func endDraining(after time.Duration) End {
	return End{Code: im.CodeDraining, Text: "the server is shutting down", Resumable: true, RetryAfter: after}
}

func errDraining() error {
	return im.Errorf(im.Busy, "the server is shutting down: connect to another one, or again in a moment").WithCode(im.CodeDraining).WithRetry(time.Second)
}

// errOver answers what is asked of a session that has ended.
func errOver() *im.Error {
	return im.Errorf(im.Unavailable, "this session has ended: sign in again")
}

// endUser ends the sessions of u, or of one of his devices ("" = all), and says how
// many there were. Detached ones go too, if e is not resumable.
func (c *Core) endUser(u im.UserID, device im.DeviceID, e End) int {
	n := 0
	for _, box := range c.hub.Sessions(u) {
		if device != "" && box.Device != device {
			continue
		}
		if c.endBox(box, e) {
			n++
		}
	}
	return n
}

// endBox ends the session that has box, and box with it if e is not resumable. It says
// whether there was one.
func (c *Core) endBox(box *hub.Session, e End) bool {
	s := sessionOf(box)
	if !e.Resumable {
		if prev, ok := box.Drop(); ok { // whoever has it now
			s, _ = asSession(prev)
		}
	}
	return s != nil && s.end(e)
}

// endAll ends every session for good: no link can go on with one here, whatever e
// says of other nodes.
func (c *Core) endAll(e End) {
	c.hub.Each(func(box *hub.Session) bool {
		if prev, _ := box.Drop(); prev != nil {
			s, _ := asSession(prev)
			s.end(e)
		}
		return true
	})
}

// Drain refuses new logins (Busy with CodeDraining) and ends the sessions, spread
// over d, so that they do not all arrive elsewhere at once. It returns when all have
// ended, or ctx has.
func (c *Core) Drain(ctx context.Context, d time.Duration) {
	c.draining.Store(true)
	var all []*Session
	c.hub.Each(func(box *hub.Session) bool {
		if s := sessionOf(box); s != nil {
			all = append(all, s)
		}
		return true
	})
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, s := range all {
		if wait := time.Until(began.Add(d * time.Duration(i) / time.Duration(len(all)))); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			case <-c.ctx.Done():
				return
			}
		}
		s.end(endDraining(time.Second + rand.N(2*time.Second)))
	}
	c.closeStreams()
}
