package rpc

import (
	"context"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Verbs of drafts and notification.

func doSetDraft(ctx context.Context, s *core.Session, q *wire.SetDraftRequest) (*wire.SetDraftResponse, error) {
	d := q.Draft
	a, err := s.SetDraft(ctx, core.Draft{Conv: im.Address(d.GetConv()), Body: d.GetBody(), ReplyTo: im.Seq(d.GetReplyTo())})
	if err != nil {
		return nil, err
	}
	return &wire.SetDraftResponse{Draft: wireDraft(&a)}, nil
}

func wireDraft(d *core.Draft) *wire.Draft {
	return &wire.Draft{Conv: string(d.Conv), Body: d.Body, ReplyTo: uint64(d.ReplyTo), Time: d.Time}
}

func doDrafts(ctx context.Context, s *core.Session, q *wire.DraftsRequest) (*wire.DraftsResponse, error) {
	list, more, err := s.Drafts(ctx, im.Address(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.DraftsResponse{More: more}
	for i := range list {
		r.Drafts = append(r.Drafts, wireDraft(&list[i]))
	}
	return r, nil
}

func doNotify(ctx context.Context, s *core.Session, _ *wire.NotifyRequest) (*wire.NotifyResponse, error) {
	n, err := s.Notify(ctx)
	if err != nil {
		return nil, err
	}
	return &wire.NotifyResponse{Notify: &wire.Notify{All: n.All.String(), Direct: n.Direct.String(), Group: n.Group.String(), Quiet: wireQuiet(n.Quiet)}}, nil
}

func doSetNotify(ctx context.Context, s *core.Session, q *wire.SetNotifyRequest) (*wire.Empty, error) {
	var n core.Notify
	for _, l := range []struct {
		to   *im.Level
		name string
	}{{&n.All, q.Notify.GetAll()}, {&n.Direct, q.Notify.GetDirect()}, {&n.Group, q.Notify.GetGroup()}} {
		var err error
		if *l.to, err = im.ParseLevel(l.name); err != nil {
			return nil, err
		}
	}
	var err error
	if n.Quiet, err = quiet(q.Notify.GetQuiet()); err != nil {
		return nil, err
	}
	return &wire.Empty{}, s.SetNotify(ctx, n)
}

func doQuiet(ctx context.Context, s *core.Session, q *wire.QuietRequest) (*wire.QuietResponse, error) {
	a, err := s.Quiet(ctx, im.Address(q.Conv))
	if err != nil {
		return nil, err
	}
	return &wire.QuietResponse{Quiet: wireQuiet(a)}, nil
}

func doSetQuiet(ctx context.Context, s *core.Session, q *wire.SetQuietRequest) (*wire.Empty, error) {
	hours, err := quiet(q.Quiet)
	if err != nil {
		return nil, err
	}
	return &wire.Empty{}, s.SetQuiet(ctx, im.Address(q.Conv), hours)
}

func quiet(w *wire.Quiet) (*core.Quiet, error) {
	if w == nil {
		return nil, nil
	}
	l, err := im.ParseLevel(w.Level)
	if err != nil {
		return nil, err
	}
	if len(w.Days) > 7 {
		return nil, im.Errorf(im.Invalid, "quiet hours name %d days; a week has 7", len(w.Days))
	}
	q := &core.Quiet{Start: w.Start, Minutes: count(w.Minutes), Zone: w.Zone, Level: l}
	for _, d := range w.Days {
		q.Days = append(q.Days, count(d))
	}
	return q, nil
}

func wireQuiet(q *core.Quiet) *wire.Quiet {
	if q == nil {
		return nil
	}
	w := &wire.Quiet{Start: q.Start, Minutes: size(q.Minutes), Zone: q.Zone, Level: q.Level.String()}
	for _, d := range q.Days {
		w.Days = append(w.Days, size(d))
	}
	return w
}
