package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress tells how far a bench is: a bar on a terminal, a line now and then
// elsewhere.
type progress struct {
	w   io.Writer // nil = says nothing
	tty bool
}

// watching shows how much of d has passed, as a phase.
func (p *progress) watching(d time.Duration) (done func()) {
	begin := time.Now()
	return p.show("watching, seconds", int64(d.Seconds()), false, func() int64 { return int64(time.Since(begin).Seconds()) })
}

const (
	barTick  = 200 * time.Millisecond
	lineTick = 5 * time.Second
)

func newProgress(w io.Writer, quiet bool) *progress {
	if quiet || w == nil {
		return &progress{}
	}
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		wide, _, err := term.GetSize(int(f.Fd()))
		p.tty = err == nil && wide > 0 // some terminals do not know
	}
	return p
}

// phase shows what as long as the bench is at it. total is how much there is to do, 0
// = unknown; at is asked for how much is done, from another goroutine. The caller
// calls the function that is answered when the phase is over.
func (p *progress) phase(what string, total int64, at func() int64) (done func()) {
	return p.show(what, total, true, at)
}

// show is phase; rate says whether how much a second means anything.
func (p *progress) show(what string, total int64, rate bool, at func() int64) (done func()) {
	if p.w == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		if p.tty {
			p.bar(ctx, what, total, rate, at)
		} else {
			p.lines(ctx, what, total, rate, at)
		}
	}()
	return func() {
		cancel()
		wg.Wait()
	}
}

func (p *progress) bar(ctx context.Context, what string, total int64, rate bool, at func() int64) {
	m := mpb.New(mpb.WithOutput(p.w), mpb.WithAutoRefresh(), mpb.WithWidth(48), mpb.WithRefreshRate(barTick))
	begin := time.Now()
	speed := decor.Any(func(s decor.Statistics) string {
		if t := time.Since(begin).Seconds(); rate && t > 0.5 {
			return fmt.Sprintf(" %s/s", group(uint64(float64(s.Current)/t)))
		}
		return ""
	})
	count := decor.Any(func(s decor.Statistics) string {
		if total <= 0 {
			return group(uint64(s.Current))
		}
		return group(uint64(s.Current)) + " of " + group(uint64(total))
	})
	b := m.AddBar(max(total, 0),
		mpb.PrependDecorators(decor.Name(what, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(count, speed))
	t := time.NewTicker(barTick)
	defer t.Stop()
	for {
		b.SetCurrent(at())
		select {
		case <-t.C:
			continue
		case <-ctx.Done():
		}
		b.SetCurrent(at())
		if !b.Completed() {
			b.Abort(false)
		}
		m.Wait()
		return
	}
}

func (p *progress) lines(ctx context.Context, what string, total int64, rate bool, at func() int64) {
	t := time.NewTicker(lineTick)
	defer t.Stop()
	begin, last, lastAt := time.Now(), int64(0), time.Now()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			took := time.Since(begin).Seconds()
			if n := at(); n > 0 {
				fmt.Fprintf(p.w, "%s: %s in %.1f s\n", what, group(uint64(n)), took)
			} else {
				fmt.Fprintf(p.w, "%s: %.1f s\n", what, took)
			}
			return
		}
		n, now := at(), time.Now()
		line := what + ": " + group(uint64(max(n, 0)))
		if total > 0 {
			line += " of " + group(uint64(total))
		}
		if rate {
			line += ", " + group(uint64(max(float64(n-last)/now.Sub(lastAt).Seconds(), 0))) + "/s"
		}
		fmt.Fprintln(p.w, line)
		last, lastAt = n, now
	}
}
