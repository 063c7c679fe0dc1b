package client

import (
	"context"
	"errors"
	"time"
)

// maxBatch is how many events the application is given at once.
const maxBatch = 256

// delivering is the batch that OnEvents has now.
type delivering struct {
	tx    Tx
	sends []*entry // queued by SendIn
}

// batch is what follows from some items of the inbox: events for the application, what
// the store is to keep, and what to do when both are done.
type batch struct {
	events []Event
	marks  []ops             // for each event, what may be kept once it has been taken; nil = that waits for the whole batch
	convs  map[string]*convo // to be kept; nil = to be removed
	puts   ops
	after  []func()
}

func (b *batch) event(e Event) { b.events, b.marks = append(b.events, e), append(b.marks, nil) }

// mark is what may be kept once the last event has been taken.
func (b *batch) mark(o ops) { b.marks[len(b.marks)-1] = o }

func (b *batch) later(f func()) { b.after = append(b.after, f) }

func (b *batch) keep(cv *convo) { b.convs[cv.addr] = cv }

func (b *batch) drop(addr string) { b.convs[addr] = nil }

func (b *batch) empty() bool { return len(b.events) == 0 && len(b.convs) == 0 && len(b.puts) == 0 }

// deliverLoop is the one goroutine that gives the application what arrives and keeps
// how far it has got. It ends with ctx, or with the error of a store that failed.
func (c *Client) deliverLoop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		items := c.inbox.take(maxBatch)
		wait, expiry := c.untilExpiry()
		if len(items) == 0 && !c.searchDirty() && (wait > 0 || !expiry) {
			if !expiry {
				wait = time.Hour
			}
			timer.Reset(min(wait, time.Hour)) // and look again: the clock may be set
			select {
			case <-c.inbox.wake:
				continue
			case <-timer.C:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		b := &batch{convs: make(map[string]*convo)}
		c.mu.Lock()
		for i := range items {
			c.apply(&items[i], b)
		}
		c.expire(b)
		c.tellUnread(b)
		c.keepSearches(b)
		c.mu.Unlock()
		if err := c.commit(ctx, b); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, f := range b.after {
			f()
		}
		for _, it := range items {
			if it.done != nil {
				close(it.done)
			}
		}
	}
}

// commit gives the application the events of b in a transaction that keeps how far they
// got. It tries until the application takes them.
func (c *Client) commit(ctx context.Context, b *batch) error {
	if b.empty() {
		return nil
	}
	failures := 0
	for try := 0; ; try++ {
		err := c.commitOnce(b)
		if err == nil {
			return nil
		}
		var se storeError
		if errors.As(err, &se) {
			if failures++; failures == 3 {
				c.log.Error("the store fails", "err", se.error)
				return se.error
			}
		}
		c.log.Warn("events were not taken; trying again", "err", err)
		t := time.NewTimer(backoffFirst + backoff(try))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// storeError is a failure of the store, not of the application.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }

// soonTx is a transaction that can be committed without waiting for the disk: the end of
// the program does not undo it then, and a power cut may until the next Commit.
type soonTx interface{ commitSoon() error }

// give hands the events of b to OnEvent and keeps after each how far that got.
func (c *Client) give(b *batch) error {
	for len(b.events) > 0 {
		c.opt.OnEvent(b.events[0])
		mark := b.marks[0]
		b.events, b.marks = b.events[1:], b.marks[1:] // not again if keeping it fails
		if len(mark) == 0 || len(b.events) == 0 {
			continue
		}
		tx, err := c.opt.Store.Begin()
		if err != nil {
			return err
		}
		if err = putAll(tx, mark); err == nil {
			if s, ok := tx.(soonTx); ok {
				err = s.commitSoon()
			} else {
				err = tx.Commit()
			}
		}
		if err != nil {
			tx.Rollback()
			return err
		}
	}
	return nil
}

func putAll(tx Tx, puts ops) (err error) {
	for _, p := range puts {
		if p.value == nil {
			err = tx.Delete(p.key)
		} else {
			err = tx.Set(p.key, p.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) commitOnce(b *batch) (err error) {
	if c.opt.OnEvent != nil {
		if err := c.give(b); err != nil {
			return storeError{err}
		}
	}
	tx, err := c.opt.Store.Begin()
	if err != nil {
		return storeError{err}
	}
	d := &delivering{tx: tx}
	c.mu.Lock()
	c.delivering = d
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.delivering = nil
		c.mu.Unlock()
		if err != nil {
			tx.Rollback()
		}
		for _, e := range d.sends {
			c.enqueued(e, err)
		}
	}()
	switch {
	case len(b.events) == 0:
	case c.opt.OnEvents != nil:
		for e := b.events; len(e) > 0 && err == nil; e = e[min(len(e), maxBatch):] {
			err = c.opt.OnEvents(tx, e[:min(len(e), maxBatch)])
		}
		if err != nil {
			return err
		}
	}
	c.mu.Lock()
	puts := b.puts
	for addr, cv := range b.convs {
		if cv == nil {
			puts = append(puts, op{keyConv + addr, nil})
		} else {
			puts = append(puts, op{keyConv + addr, cv.record()})
		}
	}
	c.mu.Unlock()
	if err = putAll(tx, puts); err != nil {
		return storeError{err}
	}
	if err = tx.Commit(); err != nil {
		return storeError{err}
	}
	return nil
}
