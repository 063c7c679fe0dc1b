package native

import (
	"context"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// verbs are what a REQ may ask for: each is one method of core.Session. The strings
// and bytes of a request are memory of its own, not the connection's buffer.
var verbs = map[string]handler{
	wire.MethodSync:         verb(doSync),
	wire.MethodPage:         verb(doPage),
	wire.MethodChanges:      verb(doChanges),
	wire.MethodRead:         verb(doRead),
	wire.MethodRecall:       verb(doRecall),
	wire.MethodEdit:         verb(doEdit),
	wire.MethodConversation: verb(doConversation),
	wire.MethodMentions:     verb(doMentions),
	wire.MethodGroupCreate:  verb(doGroupCreate),
	wire.MethodGroupMembers: verb(doGroupMembers),
	wire.MethodGroupAdd:     verb(doGroupAdd),
	wire.MethodGroupRemove:  verb(doGroupRemove),
	wire.MethodGroupRole:    verb(doGroupRole),
	wire.MethodGroupUpdate:  verb(doGroupUpdate),
	wire.MethodJoin:         verb(doJoin),
	wire.MethodLeave:        verb(doLeave),
	wire.MethodBlock:        verb(doBlock),
	wire.MethodUnblock:      verb(doUnblock),
	wire.MethodBlocks:       verb(doBlocks),
	wire.MethodDevices:      verb(doDevices),
	wire.MethodKick:         verb(doKick),
	wire.MethodRenew:        verb(doRenew),
}

func doSync(ctx context.Context, s *core.Session, q *wire.SyncRequest) (wire.Body, error) {
	a, err := s.Sync(ctx, core.SyncQuery{Token: q.Token, Limit: count(q.Limit), Messages: count(q.Messages), HeadsOnly: q.HeadsOnly})
	if err != nil {
		return nil, err
	}
	r := &wire.SyncResponse{Epoch: a.Epoch.String(), Token: a.Token, More: a.More, Left: addresses(a.Left)}
	for i := range a.Conversations {
		r.Conversations = append(r.Conversations, wireConversation(&a.Conversations[i]))
	}
	return r, nil
}

func doPage(ctx context.Context, s *core.Session, q *wire.PageRequest) (wire.Body, error) {
	r, head, err := s.Page(ctx, core.PageQuery{Conv: im.Address(q.Conv), From: im.Seq(q.From), To: im.Seq(q.To),
		Backward: q.Backward, Limit: count(q.Limit)})
	if err != nil {
		return nil, err
	}
	return &wire.PageResponse{Range: wireRange(r), Head: wireHead(&head)}, nil
}

func doChanges(ctx context.Context, s *core.Session, q *wire.ChangesRequest) (wire.Body, error) {
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

func doRead(ctx context.Context, s *core.Session, q *wire.ReadRequest) (wire.Body, error) {
	m, err := s.Read(ctx, im.Address(q.Conv), im.Seq(q.Seq))
	if err != nil {
		return nil, err
	}
	return &wire.ReadResponse{Mine: wireMine(&m)}, nil
}

func doRecall(ctx context.Context, s *core.Session, q *wire.RecallRequest) (wire.Body, error) {
	a, err := s.Recall(ctx, core.RecallRequest{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), ID: im.ClientID(q.Id)})
	return changed(a.Changed, err)
}

func doEdit(ctx context.Context, s *core.Session, q *wire.EditRequest) (wire.Body, error) {
	return changed(s.Edit(ctx, core.EditRequest{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), ID: im.ClientID(q.Id),
		Body: q.Body, Digest: q.Digest, Mentions: mentions(q.Mentions)}))
}

func changed(a core.Changed, err error) (wire.Body, error) {
	if err != nil {
		return nil, err
	}
	return &wire.ChangeResponse{Ver: uint64(a.Ver), Time: a.Time, Duplicate: a.Dup}, nil
}

func doConversation(ctx context.Context, s *core.Session, q *wire.ConversationRequest) (wire.Body, error) {
	a, err := s.Conversation(ctx, im.Address(q.Conv))
	if err != nil {
		return nil, err
	}
	return &wire.ConversationResponse{Conversation: wireConversation(&a)}, nil
}

func doMentions(ctx context.Context, s *core.Session, q *wire.MentionsRequest) (wire.Body, error) {
	seqs, err := s.Mentions(ctx, im.Address(q.Conv), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.MentionsResponse{Seqs: make([]uint64, len(seqs))}
	for i, n := range seqs {
		r.Seqs[i] = uint64(n)
	}
	return r, nil
}

func doGroupCreate(ctx context.Context, s *core.Session, q *wire.GroupCreateRequest) (wire.Body, error) {
	join, err := joinMode(q.Join)
	if err != nil {
		return nil, err
	}
	history, err := historyMode(q.History)
	if err != nil {
		return nil, err
	}
	n := core.NewGroup{ID: im.ClientID(q.Id), Name: q.Name, Members: userIDs(q.Members)}
	if join != nil {
		n.Join = *join
	}
	if history != nil {
		n.History = *history
	}
	return group(s.GroupCreate(ctx, n))
}

func group(g core.Group, err error) (wire.Body, error) {
	if err != nil {
		return nil, err
	}
	return &wire.GroupResponse{Group: wireGroup(&g), Conv: string(im.GroupAddress(g.ID))}, nil
}

func doGroupMembers(ctx context.Context, s *core.Session, q *wire.GroupMembersRequest) (wire.Body, error) {
	members, more, mver, err := s.GroupMembers(ctx, im.Address(q.Conv), im.UserID(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.GroupMembersResponse{More: more, Mver: uint64(mver)}
	for _, m := range members {
		r.Members = append(r.Members, &wire.GroupMember{User: string(m.User), Role: m.Role.String(), Online: m.Online})
	}
	return r, nil
}

func doGroupAdd(ctx context.Context, s *core.Session, q *wire.GroupAddRequest) (wire.Body, error) {
	return groupChanged(s.GroupAdd(ctx, im.Address(q.Conv), userIDs(q.Users)))
}

func doGroupRemove(ctx context.Context, s *core.Session, q *wire.GroupRemoveRequest) (wire.Body, error) {
	return groupChanged(s.GroupRemove(ctx, im.Address(q.Conv), userIDs(q.Users)))
}

func doGroupRole(ctx context.Context, s *core.Session, q *wire.GroupRoleRequest) (wire.Body, error) {
	role, err := im.ParseRole(q.Role)
	if err != nil {
		return nil, err
	}
	return groupChanged(s.GroupRole(ctx, im.Address(q.Conv), im.UserID(q.User), role))
}

func doGroupUpdate(ctx context.Context, s *core.Session, q *wire.GroupUpdateRequest) (wire.Body, error) {
	join, err := joinMode(q.Join)
	if err != nil {
		return nil, err
	}
	history, err := historyMode(q.History)
	if err != nil {
		return nil, err
	}
	return group(s.GroupUpdate(ctx, im.Address(q.Conv), core.GroupUpdate{Name: q.Name, Join: join, History: history}))
}

func doJoin(ctx context.Context, s *core.Session, q *wire.JoinRequest) (wire.Body, error) {
	return groupChanged(s.Join(ctx, im.Address(q.Conv)))
}

func doLeave(ctx context.Context, s *core.Session, q *wire.LeaveRequest) (wire.Body, error) {
	return groupChanged(s.Leave(ctx, im.Address(q.Conv)))
}

func groupChanged(a core.GroupChanged, err error) (wire.Body, error) {
	if err != nil {
		return nil, err
	}
	return &wire.GroupChangeResponse{Mver: uint64(a.MVer), Seq: uint64(a.Seq), Refused: userNames(a.Refused)}, nil
}

func doBlock(ctx context.Context, s *core.Session, q *wire.BlockRequest) (wire.Body, error) {
	return &wire.Empty{}, s.Block(ctx, im.UserID(q.User))
}

func doUnblock(ctx context.Context, s *core.Session, q *wire.UnblockRequest) (wire.Body, error) {
	return &wire.Empty{}, s.Unblock(ctx, im.UserID(q.User))
}

func doBlocks(ctx context.Context, s *core.Session, q *wire.BlocksRequest) (wire.Body, error) {
	users, more, err := s.Blocks(ctx, im.UserID(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	return &wire.BlocksResponse{Users: userNames(users), More: more}, nil
}

func doDevices(ctx context.Context, s *core.Session, _ *wire.DevicesRequest) (wire.Body, error) {
	list, err := s.Devices(ctx)
	if err != nil {
		return nil, err
	}
	r := &wire.DevicesResponse{}
	for _, d := range list {
		r.Devices = append(r.Devices, &wire.DeviceInfo{Id: string(d.ID), Class: string(d.Class), Online: d.Online,
			LastSeen: d.LastSeen, Os: d.OS, Sdk: d.SDK})
	}
	return r, nil
}

func doKick(ctx context.Context, s *core.Session, q *wire.KickRequest) (wire.Body, error) {
	return &wire.Empty{}, s.Kick(ctx, im.DeviceID(q.Device), q.Reason, q.Revoke)
}

func doRenew(ctx context.Context, s *core.Session, q *wire.RenewRequest) (wire.Body, error) {
	t, err := s.Renew(ctx, q.Token)
	if err != nil {
		return nil, err
	}
	return &wire.RenewResponse{TokenExpires: t.UnixMilli()}, nil
}
