package client

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxDue is how many messages that go away at a time are watched at once; of more the
// client tells no end, and the application has Message.Expires.
const maxDue = 10_000

// dueSlack is how much of the queue may be no longer so, beside as much as is.
const dueSlack = 256

// dueAt is a message and when it goes away, by the server's clock.
type dueAt struct {
	conv string
	seq  uint64
	at   int64 // Unix milliseconds
}

// expiries are the messages that go away at a time, of those that were delivered.
// Guarded by Client.mu.
type expiries struct {
	at    map[string]dueAt // by key
	queue dueQueue         // may hold what is no longer so: at says
}

func newExpiries() *expiries { return &expiries{at: make(map[string]dueAt)} }

func seqKey(prefix, conv string, seq uint64) string {
	return fmt.Sprintf("%s%s\x00%016x", prefix, conv, seq)
}

// readSeqKey is the reverse of seqKey.
func readSeqKey(prefix, key string) (conv string, seq uint64, err error) {
	conv, hex, ok := strings.Cut(key[len(prefix):], "\x00")
	if _, err := fmt.Sscanf(hex, "%016x", &seq); err != nil || !ok {
		return "", 0, errRecord
	}
	return conv, seq, nil
}

// set notes when a message goes away; false if there are too many.
func (e *expiries) set(d dueAt) bool {
	k := seqKey(keyDue, d.conv, d.seq)
	if old, ok := e.at[k]; !ok && len(e.at) >= maxDue {
		return false
	} else if ok && old == d {
		return true
	}
	e.at[k] = d
	if len(e.queue) > 2*len(e.at)+dueSlack { // most of it is no longer so
		e.queue = slices.Collect(maps.Values(e.at))
		heap.Init(&e.queue)
	} else {
		heap.Push(&e.queue, d)
	}
	return true
}

// next is when the next one goes away; false if none does.
func (e *expiries) next() (int64, bool) {
	for len(e.queue) > 0 {
		d := e.queue[0]
		if e.at[seqKey(keyDue, d.conv, d.seq)] == d {
			return d.at, true
		}
		heap.Pop(&e.queue)
	}
	return 0, false
}

// pop takes those whose time is over at now, and leaves at most limit of them.
func (e *expiries) pop(now int64, limit int) (out []dueAt) {
	for len(out) < limit {
		at, ok := e.next()
		if !ok || at > now {
			break
		}
		d := heap.Pop(&e.queue).(dueAt)
		delete(e.at, seqKey(keyDue, d.conv, d.seq))
		out = append(out, d)
	}
	return out
}

// dueQueue is a heap of what is due, the soonest first.
type dueQueue []dueAt

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q dueQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *dueQueue) Push(x any)        { *q = append(*q, x.(dueAt)) }
func (q *dueQueue) Pop() any {
	old := *q
	d := old[len(old)-1]
	*q = old[:len(old)-1]
	return d
}

// expects notes when m goes away, if it does.
func (c *Client) expects(m *Message, b *batch) {
	k := seqKey(keyDue, m.Conv, m.Seq)
	if m.Expires.IsZero() {
		if _, ok := c.due.at[k]; ok {
			delete(c.due.at, k)
			b.puts.Delete(k)
		}
		return
	}
	d := dueAt{m.Conv, m.Seq, millis(m.Expires)}
	if !c.due.set(d) {
		return
	}
	b.puts.Set(k, binary.BigEndian.AppendUint64(nil, uint64(d.at)))
}

// sweepGrace is how long the server may take to count no more what has expired.
const sweepGrace = 2 * time.Second

// expire tells of the messages whose time is over.
func (c *Client) expire(b *batch) {
	for _, d := range c.due.pop(time.Now().Add(-c.skew).UnixMilli(), maxBatch) {
		b.puts.Delete(seqKey(keyDue, d.conv, d.seq))
		c.unkeep(d.conv, d.seq, d.seq, b)
		if cv := c.convs[d.conv]; cv != nil && cv.doubt(d.seq) {
			c.want(cv, sweepGrace)
		}
		if n := len(b.events); n > 0 && b.events[n-1].Kind == EventExpired && b.events[n-1].Conv == d.conv {
			b.events[n-1].Ranges = append(b.events[n-1].Ranges, Range{d.seq, d.seq})
			continue
		}
		b.event(Event{Kind: EventExpired, Conv: d.conv, Ranges: []Range{{d.seq, d.seq}}})
	}
}

// clock notes how far our clock is off. It is kept, so that nothing goes away too early
// or late before the next link.
func (c *Client) clock(skew time.Duration, b *batch) {
	if d := skew - c.skew; d > -time.Second && d < time.Second {
		return // the way of Welcome took that long
	}
	c.skew = skew
	b.puts.Set(keySkew, strconv.AppendInt(nil, skew.Milliseconds(), 10))
}

// untilExpiry is how long nothing goes away; false if nothing does.
func (c *Client) untilExpiry() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.due.next()
	if !ok {
		return 0, false
	}
	return max(0, time.Until(time.UnixMilli(at).Add(c.skew))), true
}

// undue forgets what was to go away of from..to.
func (c *Client) undue(conv string, from, to uint64, b *batch) {
	for k, d := range c.due.at {
		if d.conv == conv && d.seq >= from && d.seq <= to {
			delete(c.due.at, k)
			b.puts.Delete(k)
		}
	}
}
