package core

import (
	"context"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Timers are what is to be done at a time: scheduled sends and reminders. They stand in
// the store; one goroutine sleeps until the first is due and has them done, each user's
// one after the other. Each is done once, also where the server ends in the middle of
// it: a send is idempotent by its client id, a reminder's note and the end of its timer
// are one commit.
//
// Keys of timers, up to their first '/'.
const (
	timerSend   = "send/"
	timerRemind = "remind/"
)

const (
	timerYear    = 366 * 24 * time.Hour
	timerBatch   = 256 // timers looked at at once
	timerUsers   = 16  // users whose timers are done at the same time
	timerLook    = time.Second
	timerBackoff = 5 * time.Minute // longest wait before what could not be done is tried again
)

// timers runs them.
type timers struct {
	nudged chan struct{} // fixed; holds one

	mu   sync.Mutex
	next int64                       // guarded by mu: when to look, Unix milliseconds; 0 = never
	busy map[im.UserID]chan struct{} // guarded by mu: users whose timers somebody alters, closed when he has
}

func (t *timers) open() {
	t.nudged = make(chan struct{}, 1)
	t.next = 1 // what was due before the start
	t.busy = map[im.UserID]chan struct{}{}
}

// due says that something is due at a time.
func (t *timers) due(at int64) {
	t.mu.Lock()
	if t.next == 0 || at < t.next {
		t.next = at
	}
	t.mu.Unlock()
	t.nudge()
}

// nudge has the runner look at the clock.
func (t *timers) nudge() {
	select {
	case t.nudged <- struct{}{}:
	default: // it is about to
	}
}

// enter waits until nobody alters u's timers, and keeps others out until leave.
func (t *timers) enter(ctx context.Context, u im.UserID) error {
	for {
		t.mu.Lock()
		other := t.busy[u]
		if other == nil {
			t.busy[u] = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return im.Wrap(im.Busy, ctx.Err(), "another of your scheduled messages is being dealt with: try again")
		}
	}
}

func (t *timers) leave(u im.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.busy[u])
	delete(t.busy, u)
}

// wait is how long to sleep, as far as is known.
func (t *timers) wait(now int64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.next == 0:
		return timerLook
	case t.next <= now:
		return 0
	}
	return min(time.Duration(t.next-now)*time.Millisecond, timerLook) // clocks jump
}

// runTimers does what is due until ctx ends.
func (c *Core) runTimers(ctx context.Context) {
	t := &c.timers
	sleep := time.NewTimer(0)
	defer sleep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.nudged:
		case <-sleep.C:
		}
		c.marks.tick(c.Now())
		if t.wait(c.Now().UnixMilli()) == 0 {
			if err := c.doTimers(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("what is due cannot be done now", "err", err)
				t.due(c.Now().Add(timerLook).UnixMilli())
			}
		}
		sleep.Reset(max(t.wait(c.Now().UnixMilli()), time.Millisecond))
	}
}

// doTimers does all that is due now, and notes when the next is.
func (c *Core) doTimers(ctx context.Context) error {
	t := &c.timers
	for ctx.Err() == nil {
		t.mu.Lock()
		t.next = 0 // whoever adds one from now on says so
		t.mu.Unlock()
		now := c.Now().UnixMilli()
		list, next, err := c.st.Due(now, timerBatch)
		if err != nil {
			return err
		}
		if next != 0 {
			t.due(next)
		}
		if len(list) == 0 {
			return nil
		}
		if err := c.doBatch(ctx, now, list); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// doBatch does timers, those of a user in order. The error is the last one of those
// after which a timer stays as it was.
func (c *Core) doBatch(ctx context.Context, now int64, list []store.Record) error {
	users := map[im.UserID][]string{}
	var order []im.UserID
	for _, r := range list {
		if users[r.User] == nil {
			order = append(order, r.User)
		}
		users[r.User] = append(users[r.User], r.Key)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		last  error
		slots = make(chan struct{}, timerUsers)
	)
	for _, u := range order {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := c.doUser(ctx, now, u, users[u]); err != nil {
				mu.Lock()
				last = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return last
}

// doUser does some of u's timers.
func (c *Core) doUser(ctx context.Context, now int64, u im.UserID, keys []string) error {
	if err := c.timers.enter(ctx, u); err != nil {
		return err
	}
	defer c.timers.leave(u)
	for _, key := range keys {
		value, ok, err := c.st.Get(store.TimerRecord, u, key) // it may be another one by now, or gone
		if err != nil {
			return err
		}
		if ok {
			err = c.doTimer(ctx, now, store.Record{Kind: store.TimerRecord, User: u, Key: key, Value: value})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// doTimer does one. u's timers are entered.
func (c *Core) doTimer(ctx context.Context, now int64, r store.Record) error {
	switch {
	case len(r.Key) > len(timerSend) && r.Key[:len(timerSend)] == timerSend:
		return c.fireSend(ctx, now, r)
	case len(r.Key) > len(timerRemind) && r.Key[:len(timerRemind)] == timerRemind:
		return c.fireReminder(ctx, now, r)
	}
	c.log.Error("a timer of a kind that is not known is removed", "user", r.User, "key", r.Key)
	r.Value = nil
	return c.do(ctx, &store.PutOp{Records: []store.Record{r}})
}

// postpone has r done later, the later the more often it failed.
func (c *Core) postpone(ctx context.Context, now int64, r store.Record, tries int) error {
	wait := timerBackoff
	if tries < 8 {
		wait = min(time.Second<<tries, timerBackoff)
	}
	r.Due = now + wait.Milliseconds()
	if err := c.do(ctx, &store.PutOp{Records: []store.Record{r}}); err != nil {
		return err
	}
	c.timers.due(r.Due)
	return nil
}

// room refuses one more timer where the user has too many, unless it replaces one.
// Reminders that were told count until they are taken away.
func (s *Session) room(key string) error {
	most := s.c.cfg.Limits.MaxTimers
	if most < 0 {
		return nil
	}
	if _, ok, err := s.c.st.Get(store.TimerRecord, s.user, key); err != nil || ok {
		return err
	}
	list, err := s.c.st.List(store.TimerRecord, s.user, "", most)
	if err != nil {
		return err
	}
	told, err := s.c.notes(s.user, noteReminder, "", most)
	if err != nil {
		return err
	}
	if len(list)+len(told) >= most {
		return im.Errorf(im.TooLarge, "you have %d scheduled messages and reminders; at most %d are allowed", len(list)+len(told), most)
	}
	return nil
}

// checkAt refuses times that no timer can have.
func (s *Session) checkAt(at int64) error {
	now := s.c.Now()
	if at <= now.UnixMilli() {
		return im.Errorf(im.Invalid, "the time has passed already: at is in milliseconds since 1970")
	}
	if at > now.Add(timerYear).UnixMilli() {
		return im.Errorf(im.Invalid, "the time is more than a year ahead: at is in milliseconds since 1970")
	}
	return nil
}
