package rpc

import (
	"context"
	"maps"
	"slices"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

func doTypes(ctx context.Context, s *core.Session, q *wire.TypesRequest) (*wire.TypesResponse, error) {
	list, version, err := s.TypeList(ctx, q.Since)
	if err != nil {
		return nil, err
	}
	r := &wire.TypesResponse{Version: version}
	for i := range list {
		r.Types = append(r.Types, wireType(&list[i]))
	}
	return r, nil
}

func doType(ctx context.Context, s *core.Session, q *wire.TypeRequest) (*wire.TypeResponse, error) {
	return typeAnswer(s.TypeGet(ctx, q.Name))
}

func doTypePut(ctx context.Context, s *core.Session, q *wire.TypePutRequest) (*wire.TypeResponse, error) {
	t, err := messageType(q.Type)
	if err != nil {
		return nil, err
	}
	return typeAnswer(s.TypePut(ctx, t))
}

func typeAnswer(t im.MessageType, err error) (*wire.TypeResponse, error) {
	if err != nil {
		return nil, err
	}
	return &wire.TypeResponse{Type: wireType(&t)}, nil
}

func doTypeRemove(ctx context.Context, s *core.Session, q *wire.TypeRemoveRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.TypeRemove(ctx, q.Name)
}

func wireType(t *im.MessageType) *wire.MessageType {
	f := uint32(t.Flags)
	return &wire.MessageType{Name: t.Name, Flags: &f, Schema: t.Schema, Digest: wirePairs(t.Digest), Push: wirePairs(t.Push),
		Search: t.Search, MaxBytes: size(t.MaxBytes), ServerOnly: !t.Clients, Title: wirePairs(t.Title), BuiltIn: t.Built, Version: t.Version}
}

func messageType(w *wire.MessageType) (im.MessageType, error) {
	t := im.MessageType{Name: w.GetName(), Flags: im.DefaultFlags, Schema: w.GetSchema(), Search: w.GetSearch(),
		MaxBytes: count(w.GetMaxBytes()), Clients: !w.GetServerOnly()}
	if w != nil && w.Flags != nil {
		if *w.Flags > 0xff {
			return t, FlagsError(*w.Flags)
		}
		t.Flags = im.Flags(*w.Flags)
	}
	for _, m := range []struct {
		to   *map[string]string
		list []*wire.Pair
		what string
	}{{&t.Digest, w.GetDigest(), "digest"}, {&t.Push, w.GetPush(), "push"}, {&t.Title, w.GetTitle(), "title"}} {
		for _, p := range m.list {
			if *m.to == nil {
				*m.to = make(map[string]string, len(m.list))
			}
			if _, twice := (*m.to)[p.GetKey()]; twice {
				return t, im.Errorf(im.Invalid, "a language stands twice in %s", m.what)
			}
			(*m.to)[p.GetKey()] = p.GetValue()
		}
	}
	return t, nil
}

// wirePairs is a map in order of its keys.
func wirePairs(m map[string]string) []*wire.Pair {
	var w []*wire.Pair
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w = append(w, &wire.Pair{Key: k, Value: m[k]})
	}
	return w
}

func doReports(ctx context.Context, s *core.Session, q *wire.ReportsRequest) (*wire.ReportsResponse, error) {
	list, more, err := s.Reports(ctx, q.State, q.After, count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.ReportsResponse{More: more}
	for _, p := range list {
		r.Reports = append(r.Reports, &wire.Report{Id: p.ID, By: string(p.By), Time: p.Time, Of: string(p.Of), Mid: p.MID,
			Seq: uint64(p.Seq), Message: messageOrNone(p.Msg), Reason: p.Reason, Text: p.Text, State: p.State})
	}
	return r, nil
}

func doReportSettle(ctx context.Context, s *core.Session, q *wire.ReportSettleRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.ReportSettle(ctx, q.Id, q.State)
}
