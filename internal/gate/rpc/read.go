package rpc

import (
	"cmp"
	"context"
	"slices"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Verbs that read messages.

func doPage(ctx context.Context, s *core.Session, q *wire.PageRequest) (*wire.PageResponse, error) {
	r, head, err := s.Page(ctx, core.PageQuery{Conv: im.Address(q.Conv), From: im.Seq(q.From), To: im.Seq(q.To),
		Backward: q.Backward, Around: im.Seq(q.Around), Limit: count(q.Limit)})
	if err != nil {
		return nil, err
	}
	w := wireRange(r)
	if w.Extras, err = extras(ctx, s, im.Address(q.Conv), r); err != nil {
		return nil, err
	}
	return &wire.PageResponse{Range: w, Head: wireHead(&head)}, nil
}

// extras are those of messages just read. A server that does not count them tells
// none.
func extras(ctx context.Context, s *core.Session, conv im.Address, r core.Range) ([]*wire.Extra, error) {
	if len(r.Messages) == 0 {
		return nil, nil
	}
	list, err := s.Extras(ctx, conv, r)
	if im.IsKind(err, im.Unsupported) {
		return nil, nil
	}
	return wireExtras(list), err
}

// messages answers a list of messages with their extras.
func messages(ctx context.Context, s *core.Session, conv string, list []*im.Message, more bool, err error) (*wire.MessagesResponse, error) {
	if err != nil {
		return nil, err
	}
	r := core.Range{Messages: list}
	if len(list) > 0 {
		// Lists may be in any order; a range is ascending.
		r.Messages = slices.SortedFunc(slices.Values(list), func(a, b *im.Message) int { return cmp.Compare(a.Seq, b.Seq) })
		r.From, r.To = r.Messages[0].Seq, r.Messages[len(list)-1].Seq
	}
	x, err := extras(ctx, s, im.Address(conv), r)
	if err != nil {
		return nil, err
	}
	return &wire.MessagesResponse{Messages: wireMessages(list), Extras: x, More: more}, nil
}

func doMessages(ctx context.Context, s *core.Session, q *wire.MessagesRequest) (*wire.MessagesResponse, error) {
	list, err := s.Messages(ctx, im.Address(q.Conv), numbers[im.Seq](q.Seqs))
	return messages(ctx, s, q.Conv, list, false, err)
}

func doPins(ctx context.Context, s *core.Session, q *wire.PinsRequest) (*wire.MessagesResponse, error) {
	r, err := s.Pins(ctx, im.Address(q.Conv))
	return messages(ctx, s, q.Conv, r.Messages, false, err)
}

func doReplies(ctx context.Context, s *core.Session, q *wire.RepliesRequest) (*wire.MessagesResponse, error) {
	list, more, err := s.Replies(ctx, im.Address(q.Conv), im.Seq(q.Seq), im.Seq(q.After), count(q.Limit))
	return messages(ctx, s, q.Conv, list, more, err)
}

func doThreadPage(ctx context.Context, s *core.Session, q *wire.ThreadPageRequest) (*wire.MessagesResponse, error) {
	list, more, err := s.ThreadPage(ctx, core.ThreadQuery{Conv: im.Address(q.Conv), Root: im.Seq(q.Root), From: im.Seq(q.From),
		To: im.Seq(q.To), Backward: q.Backward, Limit: count(q.Limit)})
	return messages(ctx, s, q.Conv, list, more, err)
}

func doThreads(ctx context.Context, s *core.Session, q *wire.ThreadsRequest) (*wire.ThreadsResponse, error) {
	list, more, err := s.Threads(ctx, im.Address(q.Conv), im.Seq(q.Before), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.ThreadsResponse{More: more}
	for i := range list {
		r.Threads = append(r.Threads, wireThread(&list[i]))
	}
	return r, nil
}

func doThreadSet(ctx context.Context, s *core.Session, q *wire.ThreadSetRequest) (*wire.ThreadResponse, error) {
	lv, err := level(q.Level)
	if err != nil {
		return nil, err
	}
	p := core.ThreadPatch{Follow: q.Follow, Level: lv}
	if q.Read != nil {
		n := im.Seq(*q.Read)
		p.Read = &n
	}
	t, err := s.ThreadSet(ctx, im.Address(q.Conv), im.Seq(q.Root), p)
	if err != nil {
		return nil, err
	}
	return &wire.ThreadResponse{Thread: wireThread(&t)}, nil
}

func doChanges(ctx context.Context, s *core.Session, q *wire.ChangesRequest) (*wire.ChangesResponse, error) {
	a, err := s.Changes(ctx, im.Address(q.Conv), im.Ver(q.FromVer), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.ChangesResponse{Conv: q.Conv, FromVer: uint64(a.From), ToVer: uint64(a.To), Reset_: a.Reset, Ver: uint64(a.Ver), More: a.More}
	for i := range a.Changes {
		r.Changes = append(r.Changes, wireChange(&a.Changes[i]))
	}
	return r, nil
}

func doEditHistory(ctx context.Context, s *core.Session, q *wire.EditHistoryRequest) (*wire.EditHistoryResponse, error) {
	list, more, err := s.EditHistory(ctx, im.Address(q.Conv), im.Seq(q.Seq), im.Ver(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.EditHistoryResponse{More: more}
	for _, f := range list {
		r.Formers = append(r.Formers, &wire.Former{Ver: uint64(f.Ver), Time: f.Time, Body: f.Body, Digest: f.Digest})
	}
	return r, nil
}

func doReactions(ctx context.Context, s *core.Session, q *wire.ReactionsRequest) (*wire.ReactionsResponse, error) {
	list, more, err := s.Reactions(ctx, core.ReactionsQuery{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), Key: q.Key,
		AfterKey: q.AfterKey, AfterUser: im.UserID(q.AfterUser), Limit: count(q.Limit)})
	if err != nil {
		return nil, err
	}
	r := &wire.ReactionsResponse{More: more}
	for _, x := range list {
		r.Reacted = append(r.Reacted, &wire.Reacted{User: string(x.User), Key: x.Key, Time: x.Time})
	}
	return r, nil
}
