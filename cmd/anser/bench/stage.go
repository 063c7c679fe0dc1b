package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// stage is what the benches have in common: a server, connections to it, and the
// report that is filled on the way.
type stage struct {
	env    *Env
	out    Output
	target *target
	server *Server
	run    *run
	keeper *keeper
	report *Report
	show   *progress

	waits   waits
	cleanup []func() error

	cpuFrom, ownFrom time.Duration // when measuring began
}

// defaultPatience is how long nothing may move before what is missing counts as lost.
const defaultPatience = 30 * time.Second

// settleFor is how long the server's CPU is still counted after the last delivery.
const settleFor = 2 * time.Second

// newStage finds or starts the server.
func (e *Env) newStage(ctx context.Context, bench string, t *Target, out Output, size int) (*stage, error) {
	if size < bodyHeader || size > 1<<20 {
		return nil, fmt.Errorf("--size is from %d (what a message says of itself) to %d", bodyHeader, 1<<20)
	}
	if err := out.check(); err != nil {
		return nil, err
	}
	debug.SetGCPercent(400) // little is allocated, and the processors are the server's
	s := &stage{
		env:    e,
		out:    out,
		run:    newRun(size),
		report: e.newReport(bench),
		show:   newProgress(e.Stderr, out.Quiet),
		waits:  e.waits.defaults(),
	}
	s.report.Size = size
	var err error
	if t.Addr != "" {
		if t.Data != "" {
			return nil, errors.New("--data is for a server that is started here; with --addr there is one already")
		}
		s.target, s.server, err = e.open(t)
		s.report.Addr = t.Addr
	} else {
		err = s.launch(ctx, t)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.report.Door = s.target.door
	return s, nil
}

// launch starts a server of our own.
func (s *stage) launch(ctx context.Context, t *Target) error {
	dir := t.Data
	if dir == "" {
		parent := freshParent()
		var err error
		if dir, err = os.MkdirTemp(parent, "anser-bench-"); err != nil {
			return err
		}
		s.cleanup = append(s.cleanup, func() error { return os.RemoveAll(dir) })
	} else {
		s.run.fresh = false
	}
	s.report.Filesystem = filesystem(dir)
	door := t.Door
	if door == "" {
		door = "tcp"
	}
	launch := s.env.Launch
	if launch == nil {
		launch = Serve
	}
	done := s.show.phase("starting a server", 0, func() int64 { return 0 })
	server, err := launch(ctx, LaunchOptions{Dir: dir, Door: door})
	done()
	if err != nil {
		return err
	}
	s.server = server
	if server.Stop != nil {
		s.cleanup = append(s.cleanup, server.Stop)
	}
	s.report.Lifted = Lifted
	secret, err := readSecret(server.SecretFile)
	if err != nil {
		return err
	}
	if t.Data != "" {
		s.awaitQuiet(ctx)
	}
	s.target, err = newTarget(server.URLs[door], door, secret, server.CA, t.Insecure)
	return err
}

// quietWithin is how long a server over an old store may be busy with itself.
const quietWithin = 2 * time.Minute

// awaitQuiet waits until the server has done what it does after opening a store, such
// as reading the ids of its messages: for two seconds in which it takes next to no CPU.
func (s *stage) awaitQuiet(ctx context.Context) {
	over := s.show.phase("waiting for the server to be quiet", 0, func() int64 { return 0 })
	defer over()
	was, ok := cpuOf(s.server.PID)
	for begin, quiet := time.Now(), 0; ok && quiet < 2 && time.Since(begin) < quietWithin && ctx.Err() == nil; {
		pause(ctx, time.Second)
		var now time.Duration
		now, ok = cpuOf(s.server.PID)
		if quiet++; now-was > 50*time.Millisecond {
			quiet = 0
		}
		was = now
	}
}

// freshParent is where a fresh data directory is made: a directory for such things
// that is on a disk, since in memory a sync costs nothing and the figures would be no
// figures.
func freshParent() string {
	dirs := []string{os.TempDir(), "/var/tmp"}
	if wd, err := os.Getwd(); err == nil {
		dirs = append(dirs, wd)
	}
	for _, d := range dirs {
		if fi, err := os.Stat(d); err == nil && fi.IsDir() && filesystem(d) != "tmpfs" {
			return d
		}
	}
	return os.TempDir()
}

// partFor is how long a server has to notice that its links are gone.
const partFor = 250 * time.Millisecond

// hangUp ends the connections. After it nothing changes any more, and what was counted
// can be looked at.
func (s *stage) hangUp() {
	if s.keeper != nil {
		s.keeper.stop()
		s.keeper = nil
	}
	s.run.close()
}

// close ends what the stage has begun, in the opposite order.
func (s *stage) close() error {
	s.hangUp()
	if s.server != nil && s.server.Stop != nil {
		time.Sleep(partFor) // a server that still has links when it is told to end lets them go slowly
	}
	var errs []error
	for i := len(s.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, s.cleanup[i]())
	}
	s.cleanup = nil
	return errors.Join(errs...)
}

// dialAtOnce is how many connections are being made at a time.
const dialAtOnce = 64

// connect dials users 0 to n-1 of the run. prepare is called for each before its
// reader starts; nil = nothing to do.
func (s *stage) connect(ctx context.Context, n int, prepare func(*client)) error {
	if err := needFiles(n); err != nil {
		return err
	}
	var done atomic.Int64
	over := s.show.phase("logging in", int64(n), done.Load)
	defer over()
	begin := time.Now()
	clients := make([]*client, n)
	var g errgroup.Group
	g.SetLimit(dialAtOnce)
	ctx, cancel := context.WithCancelCause(ctx) // the first error ends the others
	defer cancel(nil)
	for i := range n {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			one, stop := context.WithTimeout(ctx, defaultPatience)
			defer stop()
			c, err := s.run.dial(one, s.target, i)
			if err != nil {
				cancel(fmt.Errorf("connection %d of %d: %w", i+1, n, err))
				return nil
			}
			if prepare != nil {
				prepare(c)
			}
			clients[i] = c
			done.Add(1)
			return nil
		})
	}
	g.Wait()
	err := context.Cause(ctx)
	took := time.Since(begin).Seconds()
	for _, c := range clients {
		if c != nil {
			s.run.clients = append(s.run.clients, c)
			c.read()
		}
	}
	if err != nil {
		return err
	}
	s.report.Connections = n
	s.report.LoginSeconds, s.report.LoginsPerS = ptr(took), ptr(float64(n)/took)
	return nil
}

// credit bounds the window by what the server lets a session have under way, and says
// so if that is less than what was asked for.
func (s *stage) credit(window int) int {
	for _, c := range s.run.clients {
		if n := c.welcome.credit; n > 0 && n < window {
			window = n
			fmt.Fprintf(s.env.Stderr, "the server lets a session have %d unacknowledged sends: the window is %d\n", n, n)
		}
	}
	s.report.Window = window
	return window
}

// begin starts the measuring of CPU.
func (s *stage) begin() {
	s.cpuFrom, _ = cpuOf(s.server.PID)
	s.ownFrom, _ = cpuOf(os.Getpid())
}

// drive lets the senders send and waits until everything has arrived; then it reads
// the CPU and the memory and fills the report with what the run counted. Each accepted
// message is expected at fan receivers.
func (s *stage) drive(ctx context.Context, senders []*client, rate, seconds float64, fan uint64) {
	r, rep := s.run, s.report
	total := int64(0)
	for _, c := range senders {
		total += int64(c.send.limit)
	}
	if seconds > 0 {
		total = 0
	}
	over := s.show.phase("delivering", total*int64(fan), func() int64 {
		_, _, _, delivered := r.totals()
		return int64(delivered)
	})
	if fan == 0 {
		over()
		over = s.show.phase("storing", total, func() int64 {
			_, accepted, _, _ := r.totals()
			return int64(accepted)
		})
	}
	s.begin()
	if seconds > 0 {
		timer := time.AfterFunc(time.Duration(seconds*float64(time.Second)), r.stop)
		defer timer.Stop()
	}
	begin := r.start(ctx, senders, rate)
	r.finish(ctx, len(senders), fan, s.waits.patience)
	last := r.lastDelivery()
	if fan == 0 || last < begin {
		last = r.now()
	}
	over()
	pause(ctx, s.waits.settle)
	if cpu, ok := cpuOf(s.server.PID); ok {
		rep.ServerCPUSeconds = ptr((cpu - s.cpuFrom).Seconds())
	}
	if own, ok := cpuOf(os.Getpid()); ok {
		rep.GeneratorCPUSeconds = ptr((own - s.ownFrom).Seconds())
	}
	if rss, ok := rssOf(s.server.PID); ok {
		rep.ServerRSSBytes = &rss
	}
	rep.Rate = rate
	rep.Seconds = time.Duration(last - begin).Seconds()
	rep.Sent, rep.Accepted, _, rep.Delivered = r.totals()
	if rep.Seconds > 0 {
		rep.AcceptedPerS = ptr(float64(rep.Accepted) / rep.Seconds)
		rep.DeliveredPerS = ptr(float64(rep.Delivered) / rep.Seconds)
	}
	if cpu := rep.ServerCPUSeconds; cpu != nil && rep.Delivered > 0 {
		rep.ServerCPUPerMessageUs = ptr(*cpu * 1e6 / float64(rep.Delivered))
	}
	rep.AckMs, rep.DeliveryMs, rep.LastMemberMs, rep.ScheduleLateMs = r.ack.quantiles(), r.delivery.quantiles(), r.last.quantiles(), r.late.quantiles()
}

// conclude fills in what went wrong, ends everything, writes the report and answers
// the verdict.
func (s *stage) conclude(ctx context.Context) error {
	rep := s.report
	s.hangUp()
	rep.Errors, rep.FirstErrors = s.run.faults.get()
	if err := s.close(); err != nil {
		rep.Errors++
		rep.FirstErrors = append(rep.FirstErrors, err.Error())
	}
	if err := s.env.write(s.out, rep); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the bench was broken off: %w", err)
	}
	return rep.sound()
}
