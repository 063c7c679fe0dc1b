package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/anser-im/anser/wire"
)

// Run lets one user talk to a group.
func (f *Fanout) Run(ctx context.Context, env *Env) error {
	if f.Users < 2 || f.Users > maxSenders {
		return errors.New("--users is from 2: who sends and who receives")
	}
	if err := checkLoad(f.Messages, f.Window, f.Rate, f.Seconds); err != nil {
		return err
	}
	s, err := env.newStage(ctx, "fanout", &f.Target, f.Output, f.Size)
	if err != nil {
		return err
	}
	return s.fanout(ctx, f)
}

// maxReached bounds the messages whose way to the last member is watched.
const maxReached = 1 << 22

func (s *stage) fanout(ctx context.Context, f *Fanout) error {
	r, rep := s.run, s.report
	rep.Users, rep.Messages = f.Users, f.Messages
	if err := s.connect(ctx, f.Users+f.Connections, nil); err != nil {
		return errors.Join(err, s.close())
	}
	members := r.clients[:f.Users]
	conv, err := s.makeGroup(ctx, members)
	if err != nil {
		return errors.Join(fmt.Errorf("the group could not be made: %w", err), s.close())
	}
	window := s.credit(f.Window)
	limit := f.Messages
	if f.Seconds > 0 {
		limit = maxNumber
	}
	r.members = uint32(len(members) - 1)
	r.reached = make([]atomic.Uint32, min(limit, maxReached))
	for i, c := range members {
		c.kick(func(int64) {
			c.in = newInbox(conv, 0)
			if i == 0 {
				c.send = newSender(r, i, conv, window, limit)
			}
		})
	}
	r.fresh = false // the group's first numbers say who came in, and may have come before now
	s.keeper = r.keep()
	s.drive(ctx, members[:1], f.Rate, f.Seconds, uint64(r.members))
	s.hangUp()
	s.auditSender(members[0])
	for _, c := range members[1:] {
		s.audit(c, members[0])
	}
	return s.conclude(ctx)
}

// groupAtOnce is how many members one request adds.
const groupAtOnce = 1000

// makeGroup makes a group of members, whose owner is the first, and answers its
// address.
func (s *stage) makeGroup(ctx context.Context, members []*client) (conv string, err error) {
	var added atomic.Int64
	over := s.show.phase("making the group", int64(len(members)), added.Load)
	defer over()
	owner := members[0]
	names := make([]string, 0, len(members)-1)
	for _, c := range members[1:] {
		names = append(names, c.user)
	}
	n := min(len(names), groupAtOnce)
	var g wire.GroupResponse
	err = owner.call(ctx, wire.MethodGroupCreate, &wire.GroupCreateRequest{Id: s.run.name + "-group", Name: "bench", Members: names[:n]}, &g)
	if err != nil {
		return "", err
	}
	if g.Conv == "" {
		return "", errors.New("GroupCreate answered no address")
	}
	added.Add(int64(n))
	for names = names[n:]; len(names) > 0; names = names[n:] {
		n = min(len(names), groupAtOnce)
		var a wire.GroupChangeResponse
		if err := owner.call(ctx, wire.MethodGroupAdd, &wire.GroupAddRequest{Conv: g.Conv, Users: names[:n]}, &a); err != nil {
			return "", err
		}
		if len(a.Refused) > 0 {
			return "", fmt.Errorf("%d users could not be added", len(a.Refused))
		}
		added.Add(int64(n))
	}
	return g.Conv, nil
}
