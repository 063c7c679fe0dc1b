package bench

import (
	"context"
	"errors"
	"math"
)

// Run lets users talk in pairs.
func (p *Pairs) Run(ctx context.Context, env *Env) error {
	if p.Users < 2 || p.Users%2 != 0 || p.Users > maxSenders {
		return errors.New("--users is an even number, from 2: they talk in pairs")
	}
	if err := checkLoad(p.Messages, p.Window, p.Rate, p.Seconds); err != nil {
		return err
	}
	if p.Spread < 0 || p.Spread > 0 && (p.Data == "" && p.Addr == "" || p.Spread < p.Users/2) {
		return errors.New("--spread needs the data of a store's bench (--data, or a server over it) and at least a conversation for each pair")
	}
	s, err := env.newStage(ctx, "pairs", &p.Target, p.Output, p.Size)
	if err != nil {
		return err
	}
	return s.pairs(ctx, p)
}

func (s *stage) pairs(ctx context.Context, p *Pairs) error {
	r, rep := s.run, s.report
	if p.Spread > 0 {
		r.lines, r.step, r.fresh = p.Spread, p.Spread/(p.Users/2), false
	}
	rep.Users, rep.Messages = p.Users, p.Messages
	if err := s.connect(ctx, p.Users+p.Connections, nil); err != nil {
		return errors.Join(err, s.close())
	}
	window := s.credit(p.Window)
	limit := p.Messages
	if p.Seconds > 0 {
		limit = maxNumber
	}
	users := r.clients[:p.Users]
	for i, c := range users {
		peer := i ^ 1
		conv := "u/" + r.user(peer)
		c.kick(func(int64) {
			c.in = newInbox(conv, peer)
			c.send = newSender(r, i, conv, window, limit)
		})
	}
	s.keeper = r.keep()
	s.drive(ctx, users, p.Rate, p.Seconds, 1)
	s.hangUp()
	for i, c := range users {
		s.auditSender(c)
		s.audit(c, users[i^1])
	}
	return s.conclude(ctx)
}

// auditSender adds what a sender saw. Call it after hangUp, as audit.
func (s *stage) auditSender(c *client) {
	s.report.OutOfOrder += c.send.disordered
	s.report.Retries += c.send.retries
}

// audit holds what arrived at c against what from had accepted.
func (s *stage) audit(c, from *client) {
	rep := s.report
	accepted := from.send.accepted
	rep.Lost += accepted.missing(c.in.seen)
	rep.Duplicated += c.in.duplicated
	rep.OutOfOrder += c.in.disordered
	rep.Gaps += c.in.gaps(s.run.fresh)
	if n := c.in.seen.missing(accepted); n > 0 {
		s.run.faults.add("%d messages to one user arrived that were not acknowledged", n)
	}
}

// checkLoad checks what the sending benches are asked for.
func checkLoad(messages, window int, rate, seconds float64) error {
	switch {
	case messages < 1 || messages >= maxNumber:
		return errors.New("--messages is from 1 to 2^30")
	case window < 1 || window > 1<<16:
		return errors.New("--window is from 1 to 65536")
	case rate < 0 || math.IsNaN(rate) || rate > 1e8:
		return errors.New("--rate is sends a second, above 0; leave it out for flat out")
	case seconds < 0 || math.IsNaN(seconds):
		return errors.New("--seconds is above 0")
	}
	return nil
}
