// Package storebench drives the embedded store alone: sends to random ones of many
// conversations, until compaction is quiet, then opens it anew and reads. It shows what
// a send costs in the long run, which short runs do not.
package storebench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// Options say what to do. Zeros are defaults.
type Options struct {
	Dir           string        // of the store, which is kept; it must be empty or not there
	Preload       int           // messages in the store before anything is measured; 0 = none
	Conversations int           // direct ones, each of two users; 0 = 200,000
	Messages      int           // sends that are measured; 0 = 1,000,000
	Batch         int           // sends under way at once; 0 = 1,024. What waits makes one commit
	Size          int           // bytes of a body, which does not compress; 0 = 128
	Settle        time.Duration // how long to wait for compaction at most; 0 = 15 minutes

	// Progress is told now and then how far a phase has got; total 0 = not known. It must not
	// block. nil = nobody is.
	Progress func(done, total int, phase string)
}

// Result is what was measured. CPU is of the whole process, with this driver's part of
// about one microsecond a send.
type Result struct {
	Preload       int `json:"preload"`
	Conversations int `json:"conversations"`
	Batch         int `json:"batch"`

	Sent       int `json:"sent"`
	Accepted   int `json:"accepted"`
	Lost       int `json:"lost"`         // numbers that were passed over, or not there after opening again
	Duplicated int `json:"duplicated"`   // numbers given twice, or fresh ids taken for used ones
	OutOfOrder int `json:"out_of_order"` // numbers that fell within a conversation
	Errors     int `json:"errors"`

	Seconds         float64 `json:"seconds"`
	AcceptedPerS    float64 `json:"accepted_per_s"`
	SendsPerCommit  float64 `json:"sends_per_commit"`
	CPU             float64 `json:"store_cpu_us_per_message"`   // while sending
	SettledCPU      float64 `json:"settled_cpu_us_per_message"` // until compaction was quiet
	SettledBytes    float64 `json:"settled_bytes_per_message"`  // written: log, flushes, compactions
	SettledSeconds  float64 `json:"settled_seconds"`            // from the last send until then
	Settled         bool    `json:"settled"`                    // false: the time for it ran out
	DiskBytes       uint64  `json:"disk_bytes"`
	CloseSeconds    float64 `json:"close_seconds"`
	OpenSeconds     float64 `json:"open_seconds"`
	IDsReadySeconds float64 `json:"ids_ready_seconds"` // after opening, until fresh ids touch no file
	IDsReady        bool    `json:"ids_ready"`         // false: they do not fit into the filter, or it took longer than idsWithin
	Page            Times   `json:"page_ms"`           // newest 50 of a random conversation, caches of the store cold
	HeadsMillis     float64 `json:"heads_ms"`          // 1,000 random heads
}

// Times are percentiles in milliseconds.
type Times struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Failed says whether anything was lost, doubled, out of order or refused.
func (r *Result) Failed() bool {
	return r.Lost+r.Duplicated+r.OutOfOrder+r.Errors > 0 || r.Accepted != r.Sent
}

// Run does it all. It leaves the store closed, and a failed ctx ends it early with an
// error.
func Run(ctx context.Context, o Options) (Result, error) {
	def := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	def(&o.Conversations, 200_000)
	def(&o.Messages, 1_000_000)
	def(&o.Batch, 1024)
	def(&o.Size, 128)
	if o.Settle <= 0 {
		o.Settle = 15 * time.Minute
	}
	if o.Progress == nil {
		o.Progress = func(int, int, string) {}
	}
	b := &bench{o: o, r: Result{Preload: o.Preload, Conversations: o.Conversations, Batch: o.Batch},
		rng: rand.New(rand.NewPCG(1, 2)), convs: make([]line, o.Conversations)}
	if err := b.open(); err != nil {
		return b.r, err
	}
	err := b.run(ctx)
	if e := b.close(); err == nil {
		err = e
	}
	return b.r, err
}

type bench struct {
	o   Options
	r   Result
	rng *rand.Rand

	db    *pebblestore.DB
	s     *pebblestore.Store
	convs []line
	ids   uint64
	body  []byte
}

// line is one conversation and the number that was last acknowledged in it.
type line struct {
	conv im.ConvID
	last im.Seq
}

func (b *bench) open() (err error) {
	if b.db, err = pebblestore.Open(pebblestore.Config{Dir: b.o.Dir}); err != nil {
		return err
	}
	b.s, err = b.db.App(pebblestore.DefaultApp)
	return err
}

func (b *bench) close() error {
	if b.db == nil {
		return nil
	}
	db := b.db
	b.db = nil
	return db.Close()
}

func (b *bench) run(ctx context.Context) error {
	if b.s.Position() > 1 {
		return im.Errorf(im.Invalid, "the directory %s holds a store already: choose an empty one", b.o.Dir)
	}
	b.body = make([]byte, 64<<10+b.o.Size)
	for i := range b.body {
		b.body[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[b.rng.IntN(64)]
	}
	// A conversation's first message makes it.
	if _, err := b.send(ctx, b.o.Conversations, "making conversations", func(i int) int { return i }); err != nil {
		return err
	}
	anyone := func(int) int { return b.rng.IntN(b.o.Conversations) }
	if left := b.o.Preload - b.o.Conversations; left > 0 {
		if _, err := b.send(ctx, left, "loading", anyone); err != nil {
			return err
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
	}
	if err := b.measure(ctx, anyone); err != nil {
		return err
	}
	if err := b.again(ctx); err != nil {
		return err
	}
	return b.read(ctx)
}

// measure is the sends that count, and what they cost until all is quiet.
func (b *bench) measure(ctx context.Context, to func(int) int) error {
	r := &b.r
	cpu0, disk0, stats0, began := cpuTime(), b.disk(), b.s.Stats(), time.Now()
	accepted, err := b.send(ctx, b.o.Messages, "sending", to)
	if err != nil {
		return err
	}
	took, stats := time.Since(began), b.s.Stats()
	r.Sent, r.Accepted = b.o.Messages, accepted
	r.Seconds = took.Seconds()
	r.AcceptedPerS = float64(accepted) / r.Seconds
	r.CPU = micros(cpuTime()-cpu0) / float64(b.o.Messages)
	r.SendsPerCommit = float64(stats.Ops-stats0.Ops) / float64(max(stats.Commits-stats0.Commits, 1))
	began = time.Now()
	if err := b.settle(ctx); err != nil {
		return err
	}
	r.SettledSeconds = time.Since(began).Seconds()
	r.SettledCPU = micros(cpuTime()-cpu0) / float64(b.o.Messages)
	disk := b.disk()
	r.SettledBytes = float64(disk.Written-disk0.Written) / float64(b.o.Messages)
	r.DiskBytes = disk.Size
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (b *bench) disk() pebblestore.Disk {
	d, _ := b.db.Disk()
	return d
}

// settle waits until compaction has had nothing to do for two seconds.
func (b *bench) settle(ctx context.Context) error {
	deadline := time.Now().Add(b.o.Settle)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	quiet := 0
	for b.r.Settled = false; time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if d := b.disk(); d.Compacting {
			quiet = 0
			b.o.Progress(int(d.Debt>>20), 0, "settling: MiB to compact")
		} else if quiet++; quiet == 20 {
			b.r.Settled = true
			return nil
		}
	}
	return nil
}

// idsWithin is how long the filter of client ids may take after opening. Where there are
// more ids than it has room for it never knows them all.
const idsWithin = 2 * time.Minute

// again closes and opens, and counts what is not there any more.
func (b *bench) again(ctx context.Context) error {
	b.o.Progress(0, 0, "opening again")
	began := time.Now()
	if err := b.close(); err != nil {
		return err
	}
	b.r.CloseSeconds = time.Since(began).Seconds()
	began = time.Now()
	if err := b.open(); err != nil {
		return err
	}
	b.r.OpenSeconds = time.Since(began).Seconds()
	for i := range b.convs {
		c := &b.convs[i]
		h, ok := b.s.Head(c.conv)
		if !ok || h.Seq < c.last {
			b.r.Lost += int(c.last - h.Seq)
		}
	}
	for !b.disk().IDsCovered && ctx.Err() == nil && time.Since(began) < idsWithin {
		time.Sleep(10 * time.Millisecond)
	}
	b.r.IDsReadySeconds = time.Since(began).Seconds() - b.r.OpenSeconds
	b.r.IDsReady = b.disk().IDsCovered
	return ctx.Err()
}

// read measures pages and heads, and looks whether the pages hold what they should.
func (b *bench) read(ctx context.Context) error {
	pages := min(2000, len(b.convs))
	took := make([]time.Duration, 0, pages)
	for i, at := range b.rng.Perm(len(b.convs))[:pages] {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c := b.convs[at]
		began := time.Now()
		p, err := b.s.Page(store.PageQuery{Conv: c.conv, From: 1, To: c.last, Backward: true, Limit: 50})
		took = append(took, time.Since(began))
		if err != nil {
			return err
		}
		if want := int(min(c.last, 50)); len(p.Messages) < want {
			b.r.Lost += want - len(p.Messages)
		}
		for j, m := range p.Messages {
			if m.Seq != p.From+im.Seq(j) || len(m.Body) != b.o.Size {
				return fmt.Errorf("conversation %d: number %d with %d bytes stands where %d should", c.conv, m.Seq, len(m.Body), p.From+im.Seq(j))
			}
		}
		b.o.Progress(i+1, pages, "reading pages")
	}
	b.r.Page = times(took)
	const heads = 1000
	began := time.Now()
	for range heads {
		if _, ok := b.s.Head(b.convs[b.rng.IntN(len(b.convs))].conv); !ok {
			return fmt.Errorf("a conversation has no head")
		}
	}
	b.r.HeadsMillis = micros(time.Since(began)) / 1000
	return nil
}
