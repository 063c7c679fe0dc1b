package bench

import (
	"context"
	"errors"
	"math"
	"time"
)

// settleIdle is how long the server has after the logins before it is watched.
const settleIdle = 10 * time.Second

// loginTail is how long CPU after the last login still counts as the logins'.
const loginTail = time.Second

// Run watches connections that only beat.
func (d *Idle) Run(ctx context.Context, env *Env) error {
	if d.Connections < 1 || d.Connections > maxSenders {
		return errors.New("--connections is from 1")
	}
	if !(d.Seconds > 0) || math.IsInf(d.Seconds, 0) {
		return errors.New("--seconds is above 0")
	}
	s, err := env.newStage(ctx, "idle", &d.Target, d.Output, bodyHeader)
	if err != nil {
		return err
	}
	return s.idle(ctx, d)
}

func (s *stage) idle(ctx context.Context, d *Idle) error {
	r, rep, pid := s.run, s.report, s.server.PID
	rep.Size = 0
	rep.Users = d.Connections
	before, rssOK := rssOf(pid)
	cpu0, cpuOK := cpuOf(pid)
	if err := s.connect(ctx, d.Connections, nil); err != nil {
		return errors.Join(err, s.close())
	}
	s.keeper = r.keep()
	pause(ctx, loginTail)
	if cpu1, ok := cpuOf(pid); ok && cpuOK {
		rep.ServerCPUPerLoginUs = ptr(float64((cpu1 - cpu0).Microseconds()) / float64(d.Connections))
	}
	settle := s.waits.idle
	watch := time.Duration(d.Seconds * float64(time.Second))
	over := s.show.watching(settle + watch)
	pause(ctx, settle)
	cpu2, _ := cpuOf(pid)
	from := time.Now()
	pause(ctx, watch)
	cpu3, ok := cpuOf(pid)
	took := time.Since(from)
	over()
	rep.Seconds = took.Seconds()
	if ok && cpuOK {
		rep.ServerCPUSeconds = ptr((cpu3 - cpu2).Seconds())
		rep.IdleCPUPercent = ptr(100 * float64(cpu3-cpu2) / float64(took))
	}
	if rss, ok := rssOf(pid); ok && rssOK {
		n := float64(d.Connections)
		rep.ServerRSSBytes = &rss
		rep.RSSBytesPerConnection = ptr(float64(rss-before) / n)
		rep.RSSWholeBytesPerConnection = ptr(float64(rss) / n)
	}
	return s.conclude(ctx)
}

// pause waits for d, or until ctx is over.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
