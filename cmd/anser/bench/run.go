package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// run is one bench on one server: its connections, its clock and its counts.
type run struct {
	name  string    // fixed: see newRunName
	born  time.Time // fixed: time 0 of now
	fill  filler    // fixed
	fresh bool      // fixed: conversations begin with this run, so their numbers begin at 1
	lines int       // fixed: above 0 the users are those of a store's bench with so many conversations
	step  int       // fixed: with lines, from one pair's conversation to the next

	ack      hist // from when a message was due to its SENDACK
	delivery hist // from when a message was due to its arrival at a receiver
	last     hist // from when a message was due to its arrival at the last receiver
	late     hist // with a rate: from when a message was due to when the pacer came to it

	clients []*client // fixed once they are connected
	readers sync.WaitGroup
	timers  sync.WaitGroup

	interval time.Duration   // fixed before the sending; with a rate: between two messages of all
	reached  []atomic.Uint32 // fan-out: receivers that have message i; nil = not counted
	members  uint32          // fan-out: receivers of each message

	stopped  atomic.Bool  // nothing new is sent
	closing  atomic.Bool  // connections end because we end them
	finished atomic.Int32 // senders that are done
	live     atomic.Int32 // connections that stand
	counts   [countShards]count
	faults   faults
}

const countShards = 8

// count is a part of the run's counts, brought up to date once per read.
type count struct {
	sent, accepted, answered, delivered atomic.Uint64
	_                                   [32]byte // the next shard's cache line is another's
}

func newRun(size int) *run {
	return &run{name: newRunName(), born: time.Now(), fill: newFiller(size), fresh: true}
}

// now is the run's clock: ns since it began.
func (r *run) now() int64 { return int64(time.Since(r.born)) }

// totals adds the shards up.
func (r *run) totals() (sent, accepted, answered, delivered uint64) {
	for i := range r.counts {
		c := &r.counts[i]
		sent += c.sent.Load()
		accepted += c.accepted.Load()
		answered += c.answered.Load()
		delivered += c.delivered.Load()
	}
	return sent, accepted, answered, delivered
}

// user is the name of the run's i-th user. The store's bench calls the two users of
// its conversation number n a and b, with the number in eight digits.
func (r *run) user(i int) string {
	if r.lines > 0 && i/2*r.step < r.lines {
		return fmt.Sprintf("%c%08d", "ab"[i%2], i/2*r.step)
	}
	return fmt.Sprintf("%s-%05d", r.name, i)
}

// faults counts what went wrong and keeps the first few.
type faults struct {
	mu    sync.Mutex
	n     uint64   // guarded by mu
	first []string // guarded by mu; at most maxFaults, no text twice
}

const maxFaults = 8

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if len(f.first) == maxFaults {
		return
	}
	text := fmt.Sprintf(format, args...)
	for _, t := range f.first {
		if t == text {
			return
		}
	}
	f.first = append(f.first, text)
}

func (f *faults) get() (uint64, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n, append([]string(nil), f.first...)
}

// start lets the senders begin: flat out, or by the clock if rate is above 0. It
// answers when the first send was due. With a rate it returns only when the last
// message has been due, or ctx is over.
func (r *run) start(ctx context.Context, senders []*client, rate float64) int64 {
	begin := r.now()
	if rate <= 0 {
		for _, c := range senders {
			c.kick(func(now int64) { c.send.begin(now, 0) })
		}
		return begin
	}
	r.interval = time.Duration(float64(time.Second) / rate)
	for i, c := range senders {
		c.kick(func(int64) { c.send.begin(begin+int64(i)*int64(r.interval), int64(len(senders))*int64(r.interval)) })
	}
	r.pace(ctx, senders, begin)
	return begin
}

// pace makes the messages due, one after the other, sender after sender.
func (r *run) pace(ctx context.Context, senders []*client, begin int64) {
	for k := int64(0); ctx.Err() == nil && !r.stopped.Load(); {
		now := r.now()
		due := begin + k*int64(r.interval)
		if due > now {
			sleep(time.Duration(min(due-now, int64(50*time.Millisecond))))
			continue
		}
		i, n := int(k%int64(len(senders))), k/int64(len(senders))
		c := senders[i]
		if n >= int64(c.send.limit) {
			return // each has had its last
		}
		r.late.add(i, now-due)
		c.kick(nil)
		k++
	}
}

// finish waits until every sender is done and everything accepted has arrived at fan
// receivers each, or until nothing has moved for patience: then what is missing is
// lost. It answers false if it gave up.
func (r *run) finish(ctx context.Context, senders int, fan uint64, patience time.Duration) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	moved, was := time.Now(), uint64(0)
	for {
		done := int(r.finished.Load()) == senders // before the counts: they can only be higher then
		_, accepted, answered, delivered := r.totals()
		if done && delivered >= accepted*fan {
			return true
		}
		if sum := answered + delivered; sum != was {
			moved, was = time.Now(), sum
		}
		if time.Since(moved) > patience || r.live.Load() == 0 {
			return false
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// stop ends the sending; what is under way is still waited for by finish.
func (r *run) stop() {
	r.stopped.Store(true)
	for _, c := range r.clients {
		if c.send != nil {
			c.kick(nil)
		}
	}
}

// lastDelivery is when the last message arrived, 0 if none did.
func (r *run) lastDelivery() int64 {
	var t int64
	for _, c := range r.clients {
		c.mu.Lock()
		t = max(t, c.lastAt)
		c.mu.Unlock()
	}
	return t
}

// close ends all connections and waits for everything that belongs to them.
func (r *run) close() {
	r.closing.Store(true)
	for _, c := range r.clients {
		c.close()
	}
	r.readers.Wait()
	r.timers.Wait()
}
