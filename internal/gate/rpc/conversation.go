package rpc

import (
	"cmp"
	"context"
	"slices"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

func doSync(ctx context.Context, s *core.Session, q *wire.SyncRequest) (*wire.SyncResponse, error) {
	a, err := s.Sync(ctx, core.SyncQuery{Token: q.Token, Limit: count(q.Limit), Messages: count(q.Messages), HeadsOnly: q.HeadsOnly})
	if err != nil {
		return nil, err
	}
	return &wire.SyncResponse{Epoch: a.Epoch.String(), Token: a.Token, More: a.More, Left: listOf[string](a.Left),
		Conversations: wireConversations(a.Conversations)}, nil
}

func doConversations(ctx context.Context, s *core.Session, q *wire.ConversationsRequest) (*wire.ConversationsResponse, error) {
	f, err := filter(q.Filter)
	if err != nil {
		return nil, err
	}
	a, err := s.Conversations(ctx, core.ListQuery{After: q.After, Limit: count(q.Limit), Messages: count(q.Messages), Filter: f})
	if err != nil {
		return nil, err
	}
	return &wire.ConversationsResponse{Conversations: wireConversations(a.Conversations), Next: a.Next}, nil
}

func filter(w *wire.Filter) (core.Filter, error) {
	k, err := kinds(w.GetKinds())
	return core.Filter{Kinds: k, Tag: w.GetTag(), Unread: w.GetUnread(), Mentions: w.GetMentions(), Pinned: w.GetPinned(),
		Archived: w.GetArchived(), Hidden: w.GetHidden(), NotMuted: w.GetNotMuted()}, err
}

func doConversation(ctx context.Context, s *core.Session, q *wire.ConversationRequest) (*wire.ConversationResponse, error) {
	a, err := s.Conversation(ctx, im.Address(q.Conv))
	if err != nil {
		return nil, err
	}
	return &wire.ConversationResponse{Conversation: wireConversation(&a)}, nil
}

func doSet(ctx context.Context, s *core.Session, q *wire.SetRequest) (*wire.SetResponse, error) {
	lv, err := level(q.Level)
	if err != nil {
		return nil, err
	}
	p := im.SettingsPatch{Level: lv, Archived: q.Archived, Marked: q.Marked, Remark: q.Remark}
	if q.Pinned != nil { // core takes any value but 0 for "now"
		var since int64
		if *q.Pinned {
			since = 1
		}
		p.Pinned = &since
	}
	if q.Hidden != nil { // and here for "up to what is there now"
		var upTo im.Seq
		if *q.Hidden {
			upTo = 1
		}
		p.Hidden = &upTo
	}
	if q.Tags != nil {
		tags := q.Tags.Names
		if tags == nil {
			tags = []string{}
		}
		p.Tags = &tags
	}
	m, err := s.Set(ctx, im.Address(q.Conv), p)
	if err != nil {
		return nil, err
	}
	return &wire.SetResponse{Mine: wireMine(&m)}, nil
}

func doRead(ctx context.Context, s *core.Session, q *wire.ReadRequest) (*wire.ReadResponse, error) {
	m, err := s.Read(ctx, im.Address(q.Conv), im.Seq(q.Seq))
	if err != nil {
		return nil, err
	}
	return &wire.ReadResponse{Mine: wireMine(&m)}, nil
}

func doUnread(ctx context.Context, s *core.Session, q *wire.UnreadRequest) (*wire.UnreadResponse, error) {
	f, err := filter(q.Filter)
	if err != nil {
		return nil, err
	}
	u, err := s.Unread(ctx, f)
	if err != nil {
		return nil, err
	}
	r := &wire.UnreadResponse{Messages: u.Messages, Conversations: size(u.Conversations), Mentions: uint64(max(u.Mentions, 0)),
		All: u.All, Marked: size(u.Marked)}
	for k, n := range u.ByKind {
		r.Kinds = append(r.Kinds, &wire.KindCount{Kind: kindNames[k], Count: n})
	}
	slices.SortFunc(r.Kinds, func(a, b *wire.KindCount) int { return cmp.Compare(a.Kind, b.Kind) }) // a map has no order
	return r, nil
}

func doMentions(ctx context.Context, s *core.Session, q *wire.MentionsRequest) (*wire.MentionsResponse, error) {
	seqs, err := s.Mentions(ctx, im.Address(q.Conv), count(q.Limit))
	if err != nil {
		return nil, err
	}
	return &wire.MentionsResponse{Seqs: numbers[uint64](seqs)}, nil
}

func doReadCounts(ctx context.Context, s *core.Session, q *wire.ReadCountsRequest) (*wire.ReadCountsResponse, error) {
	list, err := s.ReadCounts(ctx, im.Address(q.Conv), numbers[im.Seq](q.Seqs))
	if err != nil {
		return nil, err
	}
	r := &wire.ReadCountsResponse{}
	for _, c := range list {
		r.Counts = append(r.Counts, &wire.ReadCount{Seq: uint64(c.Seq), Read: size(c.Read), Unread: size(c.Unread), AsOf: c.AsOf})
	}
	return r, nil
}

func doReadList(ctx context.Context, s *core.Session, q *wire.ReadListRequest) (*wire.ReadListResponse, error) {
	users, more, asOf, err := s.ReadList(ctx, im.Address(q.Conv), im.Seq(q.Seq), q.Unread, im.UserID(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	return &wire.ReadListResponse{Users: listOf[string](users), More: more, AsOf: asOf}, nil
}
