package client

import (
	"sync"

	"github.com/anser-im/anser/wire"
)

// item is one thing for the delivering goroutine. One of its parts is set.
type item struct {
	l       *link // where it came from; nil if from no link
	push    *wire.Push
	bytes   int // of push
	sent    *outcome
	failed  *outcome
	sync    *wire.SyncResponse
	meet    *wire.Conversation // the answer to Conversation
	gone    string             // a conversation that the server says we are not in
	page    *pageResult
	changes *wire.ChangesResponse
	welcome *wire.Welcome // of a new link
	own     *ownChange    // a change that this device made and was answered
	mine    *ownRow       // the user's row after a verb of this device
	synced  bool          // nothing is missing

	// floors is how far each conversation had been delivered when sync, meet or page was
	// asked for: what the server has cannot be less.
	floors map[string]uint64
	done   chan struct{} // closed when it has been taken, if not nil
}

// outcome is how a send ended.
type outcome struct {
	e    *entry
	sent Sent
	err  error
}

type ownChange struct {
	conv string
	ver  uint64
	many bool // the newest of several
}

type ownRow struct {
	conv string
	mine *wire.Mine
}

type pageResult struct {
	conv  string
	asked span
	r     *wire.PageResponse
}

// inbox is the queue to the delivering goroutine. What a server may push is bounded by
// its window; what is asked for is asked for a little at a time; outcomes are bounded
// by the outbox. So put never waits.
type inbox struct {
	mu    sync.Mutex
	items []item
	bytes int           // guarded by mu: of pushes
	count int           // guarded by mu: events of pushes
	wake  chan struct{} // holds one
}

func (b *inbox) init() { b.wake = make(chan struct{}, 1) }

// put appends it; bytes are those of a push. It answers what of pushes waits now.
func (b *inbox) put(it item, bytes int) (waitingBytes, waitingEvents int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, it)
	b.bytes += bytes
	b.count += len(it.push.GetEvents())
	poke(b.wake)
	return b.bytes, b.count
}

// take removes items with at most max events of pushes, at least one item.
func (b *inbox) take(max int) []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, events := 0, 0
	for n < len(b.items) {
		k := len(b.items[n].push.GetEvents())
		if n > 0 && events+k > max {
			break
		}
		events += k
		b.bytes -= b.items[n].bytes
		n++
	}
	out := b.items[:n:n]
	if b.items = b.items[n:]; len(b.items) == 0 {
		b.items = nil
	}
	b.count -= events
	return out
}

// clear forgets everything.
func (b *inbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range b.items {
		if it.done != nil {
			close(it.done)
		}
	}
	b.items, b.bytes, b.count = nil, 0, 0
}
