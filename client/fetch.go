package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/anser-im/anser/wire"
)

// Fetching what was missed.
const (
	fetchWidth  = 6                      // requests at once
	syncLimit   = 100                    // conversations an answer of Sync
	pageLimit   = 200                    // messages a page
	changeLimit = 500                    // changes an answer
	gapGrace    = 150 * time.Millisecond // a push that is missing between others may only be late
)

// todo is what is to be fetched. Guarded by Client.mu.
type todo struct {
	sync     bool             // ask Sync
	announce bool             // say so when nothing is left
	tasks    map[string]*task // by conversation; what to ask is seen when its turn comes
	busy     map[string]bool  // conversations, and "" for Sync, that are being asked for
	notSync  time.Time        // Sync was refused: not before
	perSync  uint32           // conversations an answer of Sync
	perPage  uint32           // messages a page
	wake     chan struct{}    // holds one
}

type task struct {
	notBefore time.Time
	tries     int
}

func (t *todo) reset() {
	if t.wake == nil {
		t.wake = make(chan struct{}, 1)
	}
	t.tasks, t.busy = make(map[string]*task), make(map[string]bool)
	t.sync, t.announce = false, false
	t.perSync, t.perPage = syncLimit, pageLimit
}

func (t *todo) syncNow() {
	t.sync, t.announce = true, true
	poke(t.wake)
}

// unlink notes that the link is over: nothing is being asked for, and the next server
// may take larger answers.
func (t *todo) unlink() {
	clear(t.busy)
	t.perSync, t.perPage = syncLimit, pageLimit
}

func (t *todo) drop(addr string) { delete(t.tasks, addr) }

// quiet says whether nothing is missing.
func (t *todo) quiet() bool {
	return !t.sync && len(t.tasks) == 0 && len(t.busy) == 0
}

// want sees to it that what cv lacks is fetched, after grace. Called with mu held.
func (c *Client) want(cv *convo, grace time.Duration) {
	_, gap := cv.gap()
	lacks := !cv.met || cv.untold || gap || cv.ver < cv.headVer
	old := c.todo.tasks[cv.addr]
	switch {
	case !lacks:
		if old != nil {
			delete(c.todo.tasks, cv.addr)
			poke(c.todo.wake)
		}
	case old == nil:
		if !cv.met {
			grace = 0
		}
		c.todo.tasks[cv.addr] = &task{notBefore: time.Now().Add(grace)}
		poke(c.todo.wake)
	}
}

// fetch asks for what is missing as long as the link lives.
func (c *Client) fetch(ctx context.Context, l *link) {
	select {
	case <-l.begun:
	case <-ctx.Done():
		return
	}
	c.mu.Lock()
	if !l.resumed {
		c.todo.sync = true
	}
	c.todo.announce = true
	for _, cv := range c.convs {
		c.want(cv, 0)
	}
	c.mu.Unlock()
	var wg sync.WaitGroup
	defer wg.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		work, wait := c.nextFetch(ctx, l)
		if work != nil {
			wg.Go(func() {
				work()
				poke(c.todo.wake)
			})
			continue
		}
		if wait <= 0 {
			wait = time.Hour
		}
		timer.Reset(wait)
		select {
		case <-c.todo.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// nextFetch picks what to ask for next; nil if nothing can be asked now, and how long
// to wait then, 0 for as long as nothing happens.
func (c *Client) nextFetch(ctx context.Context, l *link) (work func(), wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.todo
	if t.announce && t.quiet() {
		t.announce = false
		c.inbox.put(item{l: l, synced: true}, 0)
	}
	if len(t.busy) >= fetchWidth {
		return nil, 0
	}
	now := time.Now()
	later := func(at time.Time) bool {
		d := at.Sub(now)
		if d > 0 && (wait == 0 || d < wait) {
			wait = d
		}
		return d > 0
	}
	if t.sync && !t.busy[""] && !later(t.notSync) {
		t.busy[""] = true
		return func() { c.askSync(ctx, l) }, 0
	}
	for addr, k := range t.tasks {
		cv := c.convs[addr]
		if cv == nil {
			delete(t.tasks, addr)
			continue
		}
		if t.busy[addr] || later(k.notBefore) {
			continue
		}
		gap, missing := cv.gap()
		t.busy[addr] = true
		switch {
		case !cv.met || cv.untold:
			return func() { c.askConversation(ctx, l, addr) }, 0
		case cv.ver < cv.headVer:
			return func() { c.askChanges(ctx, l, addr, cv.ver+1) }, 0
		case missing:
			return func() { c.askPage(ctx, l, addr, gap) }, 0
		}
		delete(t.busy, addr)
		delete(t.tasks, addr)
	}
	return nil, wait
}

// asked ends a request about conv. fruitless says that it brought nothing on: the next
// try waits.
func (c *Client) asked(conv string, fruitless bool, atLeast time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.todo.busy, conv)
	if k := c.todo.tasks[conv]; k != nil {
		if !fruitless {
			k.tries, k.notBefore = 0, time.Time{}
			return
		}
		k.notBefore = time.Now().Add(max(atLeast, backoffFirst/2+backoff(k.tries)))
		k.tries++
	}
}

// taken has it delivered and waits until it is; false if the link ended before.
func (c *Client) taken(ctx context.Context, it item) bool {
	it.done = make(chan struct{})
	c.inbox.put(it, 0)
	select {
	case <-it.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// refusedBecause sorts the error of a request: over = the link is, gone = we are not in
// that conversation.
func refusedBecause(err error) (over, gone bool, wait time.Duration) {
	var e *Error
	if !errors.As(err, &e) {
		return true, false, 0
	}
	wait = jittered(uint32(e.RetryAfter.Milliseconds()))
	if !retryable(e.Code) && e.Code != wire.CodeNotFound {
		wait = max(wait, 30*time.Second) // it will hardly be another answer soon
	}
	return false, e.Code == wire.CodeNotFound, wait
}

func (c *Client) askConversation(ctx context.Context, l *link, conv string) {
	floors := c.floor(conv)
	c.mu.Lock()
	if cv := c.convs[conv]; cv != nil {
		cv.unread.asked = cv.unread.doubts
	}
	c.mu.Unlock()
	r := new(wire.ConversationResponse)
	err := l.request(ctx, wire.MethodConversation, &wire.ConversationRequest{Conv: conv}, r)
	c.answer(ctx, l, conv, err, func() item {
		if r.Conversation == nil {
			r.Conversation = &wire.Conversation{}
		}
		r.Conversation.Conv = conv
		return item{l: l, meet: r.Conversation, floors: floors}
	})
}

func (c *Client) askPage(ctx context.Context, l *link, conv string, gap span) {
	floors := c.floor(conv)
	r := new(wire.PageResponse)
	for {
		c.mu.Lock()
		limit := c.todo.perPage
		c.mu.Unlock()
		err := l.request(ctx, wire.MethodPage, &wire.PageRequest{Conv: conv, From: gap.from, To: gap.to, Limit: limit}, r)
		if c.smaller(&c.todo.perPage, limit, err) {
			continue
		}
		c.answer(ctx, l, conv, err, func() item {
			return item{l: l, page: &pageResult{conv: conv, asked: gap, r: r}, floors: floors}
		})
		return
	}
}

func (c *Client) askChanges(ctx context.Context, l *link, conv string, from uint64) {
	r := new(wire.ChangesResponse)
	err := l.request(ctx, wire.MethodChanges, &wire.ChangesRequest{Conv: conv, FromVer: from, Limit: changeLimit}, r)
	c.answer(ctx, l, conv, err, func() item {
		r.Conv = conv
		return item{l: l, changes: r}
	})
}

// answer has the answer to a request about conv delivered.
func (c *Client) answer(ctx context.Context, l *link, conv string, err error, it func() item) {
	if err != nil {
		over, gone, wait := refusedBecause(err)
		switch {
		case over:
			return
		case gone && conv != "me":
			c.taken(ctx, item{l: l, gone: conv})
		default:
			c.log.Warn("could not fetch what is missing", "conv", conv, "err", err)
			c.mu.Lock()
			if cv := c.convs[conv]; cv != nil && cv.met && !retryable(codeOf(err)) {
				cv.untold = false // it has no description that we could get
			}
			c.mu.Unlock()
		}
		c.asked(conv, true, wait)
		return
	}
	before := c.progress(conv)
	if c.taken(ctx, it()) {
		c.asked(conv, c.progress(conv) == before, 0)
	}
}

// progress tells whether something about conv moved.
func (c *Client) progress(conv string) [3]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	cv := c.convs[conv]
	if cv == nil {
		return [3]uint64{}
	}
	known := uint64(0)
	if cv.met {
		known = 1
	}
	if !cv.untold {
		known |= 2
	}
	return [3]uint64{cv.done, cv.ver, known}
}

// smaller makes a limit half of what was asked for if err says that the answer would be
// too large. False means that nothing is to be gained by asking again.
func (c *Client) smaller(limit *uint32, asked uint32, err error) bool {
	if codeOf(err) != wire.CodeTooLarge || asked <= 1 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	*limit = min(*limit, asked/2)
	return true
}

// floor is how far a conversation has been delivered.
func (c *Client) floor(conv string) map[string]uint64 {
	return map[string]uint64{conv: c.progress(conv)[0]}
}

func codeOf(err error) uint32 {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// askSync asks Sync until it has told everything.
func (c *Client) askSync(ctx context.Context, l *link) {
	defer func() {
		c.mu.Lock()
		delete(c.todo.busy, "")
		c.mu.Unlock()
	}()
	c.mu.Lock()
	token := c.syncTok
	c.todo.sync = false // set again by what comes meanwhile
	c.mu.Unlock()
	again := func(wait time.Duration) {
		c.mu.Lock()
		c.todo.sync = true
		c.todo.notSync = time.Now().Add(wait)
		c.mu.Unlock()
	}
	for {
		floors := make(map[string]uint64)
		c.mu.Lock()
		limit := c.todo.perSync
		for addr, cv := range c.convs {
			floors[addr] = cv.done
		}
		c.mu.Unlock()
		r := new(wire.SyncResponse)
		err := l.request(ctx, wire.MethodSync, &wire.SyncRequest{Token: token, Limit: limit}, r)
		if c.smaller(&c.todo.perSync, limit, err) {
			continue
		}
		if err != nil {
			over, _, wait := refusedBecause(err)
			if over {
				again(0)
				return
			}
			c.log.Warn("sync was refused", "err", err)
			if code := codeOf(err); !retryable(code) && token != "" { // a token it does not know: all anew
				c.mu.Lock()
				c.syncTok = ""
				c.mu.Unlock()
				wait = 0
			}
			again(max(wait, backoffFirst))
			return
		}
		if r.Epoch != "" && r.Epoch != l.welcome.Epoch { // the store was changed under our feet
			l.fail(errEpoch)
			return
		}
		token = r.Token
		if !c.taken(ctx, item{l: l, sync: r, floors: floors}) {
			again(0)
			return
		}
		if !r.More {
			return
		}
	}
}
