package core

import (
	"container/heap"
	"sync"
	"time"
)

// expiry knows when each session's token is over: one heap for all, so a session
// costs a few bytes and no timer.
type expiry struct {
	mu   sync.Mutex
	heap expiryHeap // guarded by mu
}

type expiryEntry struct {
	at int64 // Unix milliseconds
	s  *Session
}

// expiryHeap is a heap.Interface, the earliest first. Session.place is the index
// plus one.
type expiryHeap []expiryEntry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].s.place, h[j].s.place = i+1, j+1
}
func (h *expiryHeap) Push(x any) {
	e := x.(expiryEntry)
	*h = append(*h, e)
	e.s.place = len(*h)
}
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = expiryEntry{}
	*h = (*h)[:last]
	e.s.place = 0
	return e
}

// add notes when s is over, instead of what was noted before.
func (x *expiry) add(s *Session, at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.place > 0 {
		x.heap[s.place-1].at = at.UnixMilli()
		heap.Fix(&x.heap, s.place-1)
		return
	}
	heap.Push(&x.heap, expiryEntry{at.UnixMilli(), s})
}

// remove forgets s.
func (x *expiry) remove(s *Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.place > 0 {
		heap.Remove(&x.heap, s.place-1)
	}
}

// next takes a session out whose time is over at now; nil if there is none.
func (x *expiry) next(now time.Time) *Session {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.heap) == 0 || x.heap[0].at > now.UnixMilli() {
		return nil
	}
	return heap.Pop(&x.heap).(expiryEntry).s
}

// expire ends the sessions whose tokens were not renewed in time.
func (c *Core) expire(now time.Time) {
	for s := c.expiry.next(now); s != nil; s = c.expiry.next(now) {
		if now.Before(s.Expires()) { // renewed just now
			c.expiry.add(s, s.Expires())
			continue
		}
		s.end(endExpired())
	}
}
