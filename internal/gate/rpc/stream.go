package rpc

import (
	"context"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Verbs of messages that come in parts.

func stream(a core.StreamState, err error) (*wire.StreamResponse, error) {
	if err != nil {
		return nil, err
	}
	return &wire.StreamResponse{Id: string(a.ID), Sender: string(a.Sender), Text: a.Text, Next: size(a.Next), Done: a.Done, Seq: uint64(a.Seq)}, nil
}

func doStreamOpen(ctx context.Context, s *core.Session, q *wire.StreamOpenRequest) (*wire.StreamResponse, error) {
	o := core.StreamOpen{ID: im.ClientID(q.Id), Conv: im.Address(q.Conv), Type: q.Type, ReplyTo: im.Seq(q.ReplyTo), Thread: im.Seq(q.Thread)}
	if o.ID == "" {
		o.ID = newID()
	}
	return stream(s.StreamOpen(ctx, o))
}

func doStreamAppend(ctx context.Context, s *core.Session, q *wire.StreamAppendRequest) (*wire.StreamResponse, error) {
	return stream(s.StreamAppend(ctx, core.StreamPart{ID: im.ClientID(q.Id), Conv: im.Address(q.Conv), Index: count(q.Index), Text: q.Text}))
}

func doStreamEnd(ctx context.Context, s *core.Session, q *wire.StreamEndRequest) (*wire.StreamResponse, error) {
	return stream(s.StreamEnd(ctx, core.StreamEnd{ID: im.ClientID(q.Id), Conv: im.Address(q.Conv), Abort: q.Abort, Extra: q.Body}))
}

func doStreamGet(ctx context.Context, s *core.Session, q *wire.StreamGetRequest) (*wire.StreamResponse, error) {
	return stream(s.StreamGet(ctx, im.Address(q.Conv), im.ClientID(q.Id)))
}
