package core

import "context"

// convVerbs is what the verbs on conversations keep besides the store.
type convVerbs struct {
	prefs  prefsCache
	waking waking
	marks  marks
	timers timers
}

func (c *Core) openConvVerbs(ctx context.Context) {
	if c.cfg.Waker != nil {
		c.waking.open()
		c.running.Go(func() { c.runWaking(ctx) })
	}
	c.timers.open()
	c.running.Go(func() { c.runTimers(ctx) })
}
