package core

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// A teller tells people what has no number: their own row, the peer's read mark, the
// read marks of a small group. Completions say only that something moved; one
// goroutine reads what it is by then and offers it, so the last told is the newest,
// and what moved ten times is told once.
type teller struct {
	wake chan struct{} // fixed; holds one

	mu      sync.Mutex
	moved   map[movedKey]moved               // guarded by mu; at most maxMoved
	order   []movedKey                       // guarded by mu: keys of moved, the oldest first
	readers map[im.ConvID]map[im.UserID]bool // guarded by mu; whose marks moved, at most maxReaders in all
	count   int                              // guarded by mu: of readers
}

type movedKey struct {
	user im.UserID
	conv im.ConvID
}

// moved says which parts of a user's view of a conversation to tell him.
type moved struct {
	mine, peer bool
	except     *Session // knows already; nil = nobody
}

const (
	maxMoved     = 1 << 16     // beyond it a user is asked to sync instead
	maxReaders   = 1 << 16     // beyond it read marks of groups are dropped: they are hints
	readersEvery = time.Second // how often those of a group are told
	readersGroup = 100         // largest group whose members are told each other's read marks
)

func (t *teller) open() {
	t.wake = make(chan struct{}, 1)
	t.moved = map[movedKey]moved{}
	t.readers = map[im.ConvID]map[im.UserID]bool{}
}

// mineMoved says that u's own row of conv moved; except knows, by the answer to what it
// asked. It does not block.
func (c *Core) mineMoved(u im.UserID, conv im.ConvID, except *Session) {
	if except != nil && except.box != nil {
		if n, all := except.box.Behind(); all || n > 0 || except.box.Weight() > 0 {
			except = nil // what it will hear after the answer may be older
		}
	}
	c.tell(movedKey{u, conv}, moved{mine: true, except: except})
}

// peerMoved says that, for u, the peer's part of direct conversation conv moved. It
// does not block.
func (c *Core) peerMoved(u im.UserID, conv im.ConvID) {
	c.tell(movedKey{u, conv}, moved{peer: true})
}

func (c *Core) tell(k movedKey, m moved) {
	t := &c.tells
	t.mu.Lock()
	was, ok := t.moved[k]
	switch {
	case ok:
		if was.except != m.except && (was.mine || m.mine) {
			m.except = nil
		}
		m.mine, m.peer = m.mine || was.mine, m.peer || was.peer
	case len(t.moved) >= maxMoved:
		t.mu.Unlock()
		c.tellUser(k.user, im.Me, &hub.Event{Sync: true}, nil)
		return
	default:
		t.order = append(t.order, k)
	}
	t.moved[k] = m
	t.mu.Unlock()
	t.nudge()
}

func (t *teller) nudge() {
	select {
	case t.wake <- struct{}{}:
	default: // it is about to look
	}
}

// readerMoved says that u's read mark in a small group moved. It does not block.
func (c *Core) readerMoved(conv im.ConvID, u im.UserID) {
	t := &c.tells
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.readers[conv][u] || t.count >= maxReaders {
		return
	}
	if t.readers[conv] == nil {
		t.readers[conv] = map[im.UserID]bool{}
	}
	t.readers[conv][u] = true
	t.count++
	t.nudge()
}

// next is the oldest of what moved.
func (t *teller) next() (movedKey, moved, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		t.order = nil
		return movedKey{}, moved{}, false
	}
	k := t.order[0]
	t.order = t.order[1:]
	m := t.moved[k]
	delete(t.moved, k)
	return k, m, true
}

func (t *teller) takeReaders() map[im.ConvID]map[im.UserID]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.readers
	t.readers, t.count = map[im.ConvID]map[im.UserID]bool{}, 0
	return r
}

func (t *teller) anyReaders() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count > 0
}

// runTeller tells until ctx ends.
func (c *Core) runTeller(ctx context.Context) {
	t := &c.tells
	var due <-chan time.Time // of the read marks; nil while there are none
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-due:
			due = nil
			for conv, users := range t.takeReaders() {
				c.tellReaders(conv, users)
			}
		}
		for ctx.Err() == nil {
			k, m, ok := t.next()
			if !ok {
				break
			}
			c.tellMoved(k, m)
		}
		if due == nil && t.anyReaders() {
			timer.Reset(readersEvery)
			due = timer.C
		}
	}
}

// tellMoved tells a user what a conversation is to him now. Where it cannot be read
// he is asked to sync: the store is the truth. What moved between reading and telling
// is told after it, also to who knows it from an answer, since he has now heard what is
// older; so is that he left.
func (c *Core) tellMoved(k movedKey, m moved) {
	switch boxes := c.hub.Sessions(k.user); {
	case len(boxes) == 0, len(boxes) == 1 && !m.peer && m.except != nil && sessionOf(boxes[0]) == m.except:
		return // nobody is here who does not know
	}
	head, row, err := c.at(k.conv, k.user)
	for range maxTries {
		if err == nil && row.User == "" {
			return // it is not his to know of
		}
		var state *im.State
		if err == nil {
			state, err = c.stateOf(&head, &row, m)
		}
		if err != nil {
			c.log.Warn("what moved cannot be told", "user", k.user, "err", err)
			c.tellUser(k.user, im.Me, &hub.Event{Sync: true}, m.except)
			return
		}
		c.tellUser(k.user, addressOf(&head, k.user), &hub.Event{Conv: k.conv, State: state}, m.except)
		told := row
		if head, row, err = c.at(k.conv, k.user); err == nil && (!m.mine || sameMine(&told, &row)) {
			return
		}
		m.except = nil
	}
}

// stateOf is what has moved for row.User, as m says.
func (c *Core) stateOf(head *store.Head, row *store.Row, m moved) (*im.State, error) {
	state := &im.State{}
	if m.peer {
		state.Peer = peerOf(head, row.User)
	}
	if !m.mine {
		return state, nil
	}
	mine, err := c.mineOf(head, row)
	h := headOf(head) // up to which message that is: what comes above it is counted by who hears it
	state.Mine, state.Head = &mine, &h
	return state, err
}

// sameMine says whether a user's row says the same of what is his alone.
func sameMine(a, b *store.Row) bool {
	x, y := &a.Settings, &b.Settings
	return a.Role == b.Role && a.MVer == b.MVer && a.Read == b.Read && a.Nick == b.Nick && a.MutedUntil == b.MutedUntil &&
		x.Pinned == y.Pinned && x.Level == y.Level && x.Hidden == y.Hidden && x.Archived == y.Archived && x.Marked == y.Marked &&
		x.Remark == y.Remark && slices.Equal(x.Tags, y.Tags) && slices.Equal(a.Gone, b.Gone) && slices.Equal(a.Withdrawn, b.Withdrawn) && slices.Equal(a.WithdrawA, b.WithdrawA) &&
		slices.Equal(a.Directed, b.Directed)
}

// tellReaders tells a small group whose read marks moved.
func (c *Core) tellReaders(conv im.ConvID, users map[im.UserID]bool) {
	state := &im.State{}
	for u := range users {
		row, ok, err := c.st.Row(conv, u)
		if err != nil || !ok || !row.In() {
			continue // a hint: whoever needs it asks
		}
		state.Readers = append(state.Readers, im.Reader{User: u, Read: row.Read})
	}
	if state.Readers != nil {
		c.tellConv(conv, &hub.Event{Conv: conv, State: state}, nil)
	}
}
