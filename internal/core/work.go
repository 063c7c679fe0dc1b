package core

import (
	"sync"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// tasks is a queue of work for a few goroutines. Its callers see to it that nothing
// stands in it twice, which bounds it.
type tasks[T any] struct {
	mu     sync.Mutex
	more   sync.Cond // on mu
	list   []T       // guarded by mu: from head on
	head   int       // guarded by mu
	closed bool      // guarded by mu
	busy   sync.WaitGroup
}

// open starts n goroutines that do what is added.
func (l *tasks[T]) open(n int, do func(T)) {
	l.more.L = &l.mu
	for range n {
		l.busy.Go(func() {
			for {
				v, ok := l.next()
				if !ok {
					return
				}
				do(v)
			}
		})
	}
}

// add queues v; false: it is closed, nobody will do it.
func (l *tasks[T]) add(v T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.head > 0 && len(l.list) == cap(l.list) {
		n := copy(l.list, l.list[l.head:])
		clear(l.list[n:])
		l.list, l.head = l.list[:n], 0
	}
	l.list = append(l.list, v)
	l.more.Signal()
	return true
}

func (l *tasks[T]) next() (v T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.head == len(l.list) {
		if l.closed {
			return v, false
		}
		l.list, l.head = l.list[:0], 0
		l.more.Wait()
	}
	var zero T
	v, l.list[l.head] = l.list[l.head], zero
	l.head++
	return v, true
}

// close lets what is queued be done, and waits for it.
func (l *tasks[T]) close() {
	l.mu.Lock()
	l.closed = true
	l.more.Broadcast()
	l.mu.Unlock()
	l.busy.Wait()
}

// redo is where lanes go whose sends were turned back, and refusals that a completion
// found out: what is to be looked up for them may have to be read from the disk.
type redo struct{ tasks tasks[redoing] }

type redoing struct {
	l   *lane // to be submitted again; nil = refuse snd
	snd *Send
	err *im.Error
}

const redoers = 2

func (r *redo) open(*Core) {
	r.tasks.open(redoers, func(it redoing) {
		if it.l != nil {
			it.l.again()
			return
		}
		it.snd.l.refuse(it.snd, it.err)
	})
}

func (r *redo) add(l *lane) {
	if !r.tasks.add(redoing{l: l}) {
		l.abandon()
	}
}

func (r *redo) refuse(snd *Send, err *im.Error) {
	if !r.tasks.add(redoing{snd: snd, err: err}) {
		snd.finish(err)
	}
}

func (r *redo) close() { r.tasks.close() }

// feeders read the store for sessions that are behind.
type feeders struct {
	tasks tasks[*hub.Session]
	mu    sync.Mutex
	later []*hub.Session // guarded by mu: the store did not answer; a session stands here or in tasks, once
}

const feederCount = 4

func (f *feeders) open(c *Core) { f.tasks.open(feederCount, c.feed) }

func (f *feeders) add(box *hub.Session) { f.tasks.add(box) }

// wait puts off a session until the next tick.
func (f *feeders) wait(box *hub.Session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.later = append(f.later, box)
}

// again takes up what was put off.
func (f *feeders) again() {
	f.mu.Lock()
	list := f.later
	f.later = nil
	f.mu.Unlock()
	for _, box := range list {
		f.tasks.add(box)
	}
}

func (f *feeders) close() { f.tasks.close() }
