package gate

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// flusher writes for many links, each of which it meets when its turn comes. What
// others add meanwhile waits for that turn and leaves with it.
type flusher struct {
	g *Gate

	// Owned by run.
	buf  []byte // what Fill gave
	call rawWrite

	mu      sync.Mutex
	wake    sync.Cond
	next    []*Link // guarded by mu: in the order in which they came, each once
	waiting bool    // guarded by mu: run waits for wake
	stopped bool    // guarded by mu
}

func newFlusher(g *Gate) *flusher {
	f := &flusher{g: g}
	f.wake.L = &f.mu
	f.call.init()
	return f
}

// add queues a link, whose state says so already.
func (f *flusher) add(l *Link) {
	f.mu.Lock()
	f.next = append(f.next, l)
	wake := f.waiting
	f.waiting = false
	f.mu.Unlock()
	if wake {
		f.wake.Signal()
	}
}

func (f *flusher) stop() {
	f.mu.Lock()
	f.stopped, f.waiting = true, false
	f.mu.Unlock()
	f.wake.Signal()
}

func (f *flusher) run() {
	var now []*Link
	for {
		f.mu.Lock()
		for len(f.next) == 0 && !f.stopped {
			f.waiting = true
			f.wake.Wait()
		}
		if f.stopped {
			f.mu.Unlock()
			return
		}
		now, f.next = f.next, now[:0]
		f.mu.Unlock()
		for i, l := range now {
			f.turn(l)
			now[i] = nil
		}
		if cap(now) > 1<<16 {
			now = nil
		}
	}
}

// turn writes what there is for one link.
func (f *flusher) turn(l *Link) {
	l.mu.Lock()
	if l.dead {
		l.state = idle
		Release(l.out)
		l.out = nil
		l.mu.Unlock()
		return
	}
	l.state, l.again = running, false
	l.mu.Unlock()

	b, err := f.fill(l)
	if err != nil {
		l.mu.Lock()
		l.state = idle
		l.mu.Unlock()
		l.Abort(err)
		return
	}
	l.mu.Lock()
	out := l.out // written by what lies above, or by others
	l.out = nil
	l.mu.Unlock()
	borrowed := len(out) == 0 // from f.buf
	if borrowed {
		out = b
	} else {
		out = append(out, b...)
	}

	n, werr := 0, error(nil)
	if len(out) > 0 && l.rc != nil {
		n, werr = f.call.write(l.rc, out)
		f.g.writes.Add(1)
		f.g.written.Add(uint64(n))
	}
	rest := out[n:]
	var again, finish bool
	l.mu.Lock()
	switch {
	case l.dead || werr != nil:
		l.state = idle
	case len(rest) > 0:
		// Its own goroutine until the peer has taken it. What was said meanwhile
		// follows: Wake is noted in again.
		l.state = blocked
		rest = slices.Clone(rest)
		if l.rc != nil {
			f.g.partial.Add(1)
		}
		f.g.blocked.Go(func() { l.push(rest) })
	default:
		again, finish = l.next()
	}
	l.mu.Unlock()
	if !borrowed {
		Release(out)
	}
	switch {
	case werr != nil:
		l.Abort(werr)
	case again:
		f.add(l)
	case finish:
		l.finished()
	}
}

// next says what comes after everything has been written; it needs l.mu.
func (l *Link) next() (again, finish bool) {
	switch {
	case l.dead:
		l.state = idle
	case l.again || len(l.out) > 0:
		l.state, again = queued, true
	case l.closing:
		l.state, finish = idle, true
	default:
		l.state = idle
	}
	return again, finish
}

// fill asks the owner for what is to be written. What it answers is in f.buf; what
// went through TLS or WebSocket is in l.out instead.
func (f *flusher) fill(l *Link) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("gate: panic while filling a link: %v", p)
			f.g.log.Error("panic in a connection's Fill: closing it", "link", l.num, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if cap(f.buf) == 0 || cap(f.buf) > 1<<20 {
		f.buf = make([]byte, 0, 64<<10)
	}
	b = l.owner.Fill(f.buf[:0])
	if cap(b) > cap(f.buf) {
		f.buf = b[:0]
	}
	if len(b) == 0 || l.top == nil {
		return b, nil
	}
	return nil, l.top(b)
}

// push writes b to a peer that did not take it at once, and gives the link back to
// its flusher. It ends the link if the peer takes nothing for too long.
func (l *Link) push(b []byte) {
	err := l.pushAll(b)
	l.mu.Lock()
	if err != nil || l.dead {
		l.state = idle
		Release(l.out)
		l.out = nil
		l.mu.Unlock()
		l.Abort(err)
		return
	}
	again, finish := l.next()
	l.mu.Unlock()
	if again {
		l.fl.add(l)
	}
	if finish {
		l.finished()
	}
}

func (l *Link) pushAll(b []byte) error {
	var call rawWrite
	if l.rc != nil {
		call.init()
	}
	for len(b) > 0 {
		l.mu.Lock()
		patience := l.g.cfg.WriteStall
		if l.closing {
			patience = min(patience, l.g.cfg.Linger)
		}
		l.mu.Unlock()
		l.raw.SetWriteDeadline(time.Now().Add(patience))
		var n int
		var err error
		if l.rc != nil {
			n, err = call.wait(l.rc, b)
			l.g.writes.Add(1)
		} else {
			n, err = l.raw.Write(b)
		}
		l.g.written.Add(uint64(n))
		b = b[n:]
		if err != nil && n == 0 {
			if isTimeout(err) {
				return ErrStalled
			}
			return err
		}
	}
	return l.raw.SetWriteDeadline(time.Time{})
}
