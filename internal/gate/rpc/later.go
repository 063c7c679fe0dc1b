package rpc

import (
	"context"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Verbs of what is for later: scheduled sends, reminders, saved messages.

func doSchedule(ctx context.Context, s *core.Session, q *wire.ScheduleRequest) (*wire.ScheduleResponse, error) {
	m, err := outgoing(q.Send)
	if err != nil {
		return nil, err
	}
	a, err := s.Schedule(ctx, core.Schedule{ID: m.ID, At: q.At, To: im.Address(q.Send.GetConv()), Msg: m,
		HasFlags: q.Send != nil && q.Send.Flags != nil})
	if err != nil {
		return nil, err
	}
	return &wire.ScheduleResponse{Scheduled: wireScheduled(&a)}, nil
}

func wireScheduled(a *core.Schedule) *wire.Scheduled {
	w := &wire.Scheduled{Send: incoming(a.To, a.Msg, a.HasFlags), At: a.At, Failed: a.Failed}
	if w.Send == nil {
		w.Send = &wire.SendRequest{Conv: string(a.To)}
	}
	w.Send.Id = string(a.ID)
	return w
}

func doScheduled(ctx context.Context, s *core.Session, q *wire.ScheduledRequest) (*wire.ScheduledResponse, error) {
	list, more, err := s.Scheduled(ctx, im.ClientID(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.ScheduledResponse{More: more}
	for i := range list {
		r.Scheduled = append(r.Scheduled, wireScheduled(&list[i]))
	}
	return r, nil
}

func doUnschedule(ctx context.Context, s *core.Session, q *wire.UnscheduleRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Unschedule(ctx, im.ClientID(q.Id))
}

func doRemind(ctx context.Context, s *core.Session, q *wire.RemindRequest) (*wire.RemindResponse, error) {
	w := q.Reminder
	r := core.Reminder{ID: im.ClientID(w.GetId()), At: w.GetAt(), Conv: im.Address(w.GetConv()), Seq: im.Seq(w.GetSeq()), Text: w.GetText()}
	if r.ID == "" {
		r.ID = newID()
	}
	a, err := s.Remind(ctx, r)
	if err != nil {
		return nil, err
	}
	return &wire.RemindResponse{Reminder: wireReminder(&a)}, nil
}

func wireReminder(r *core.Reminder) *wire.Reminder {
	return &wire.Reminder{Id: string(r.ID), At: r.At, Conv: string(r.Conv), Seq: uint64(r.Seq), Text: r.Text, Fired: r.Fired}
}

func doReminders(ctx context.Context, s *core.Session, q *wire.RemindersRequest) (*wire.RemindersResponse, error) {
	list, more, err := s.Reminders(ctx, im.ClientID(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.RemindersResponse{More: more}
	for i := range list {
		r.Reminders = append(r.Reminders, wireReminder(&list[i]))
	}
	return r, nil
}

func doUnremind(ctx context.Context, s *core.Session, q *wire.UnremindRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Unremind(ctx, im.ClientID(q.Id))
}

func doSave(ctx context.Context, s *core.Session, q *wire.SaveRequest) (*wire.SaveResponse, error) {
	a, err := s.Save(ctx, core.Saved{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), Note: q.Note})
	if err != nil {
		return nil, err
	}
	return &wire.SaveResponse{Saved: wireSaved(&a)}, nil
}

func wireSaved(a *core.Saved) *wire.Saved {
	return &wire.Saved{Conv: string(a.Conv), Seq: uint64(a.Seq), Note: a.Note, Time: a.Time, Message: messageOrNone(a.Msg)}
}

func doUnsave(ctx context.Context, s *core.Session, q *wire.UnsaveRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Unsave(ctx, im.Address(q.Conv), im.Seq(q.Seq))
}

func doSaved(ctx context.Context, s *core.Session, q *wire.SavedRequest) (*wire.SavedResponse, error) {
	list, next, err := s.Saved(ctx, q.After, count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.SavedResponse{Next: next}
	for i := range list {
		r.Saved = append(r.Saved, wireSaved(&list[i]))
	}
	return r, nil
}
