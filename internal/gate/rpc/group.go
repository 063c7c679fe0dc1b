package rpc

import (
	"context"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

func doGroupCreate(ctx context.Context, s *core.Session, q *wire.GroupCreateRequest) (*wire.GroupResponse, error) {
	join, err := joinMode(q.Join)
	if err != nil {
		return nil, err
	}
	history, err := historyMode(q.History)
	if err != nil {
		return nil, err
	}
	n := core.NewGroup{ID: im.ClientID(q.Id), Name: q.Name, Members: listOf[im.UserID](q.Members)}
	if join != nil {
		n.Join = *join
	}
	if history != nil {
		n.History = *history
	}
	return group(s.GroupCreate(ctx, n))
}

func group(g core.Group, err error) (*wire.GroupResponse, error) {
	if err != nil {
		return nil, err
	}
	return &wire.GroupResponse{Group: wireGroup(&g), Conv: string(im.GroupAddress(g.ID))}, nil
}

func doGroupUpdate(ctx context.Context, s *core.Session, q *wire.GroupUpdateRequest) (*wire.GroupResponse, error) {
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

func doGroupMembers(ctx context.Context, s *core.Session, q *wire.GroupMembersRequest) (*wire.GroupMembersResponse, error) {
	members, more, mver, err := s.GroupMembers(ctx, im.Address(q.Conv), im.UserID(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	r := &wire.GroupMembersResponse{More: more, Mver: uint64(mver)}
	for _, m := range members {
		r.Members = append(r.Members, &wire.GroupMember{User: string(m.User), Role: m.Role.String(), Online: m.Online,
			Nick: m.Nick, MutedUntil: m.MutedUntil})
	}
	return r, nil
}

func groupChanged(a core.GroupChanged, err error) (*wire.GroupChangeResponse, error) {
	if err != nil {
		return nil, err
	}
	return &wire.GroupChangeResponse{Mver: uint64(a.MVer), Seq: uint64(a.Seq), Refused: listOf[string](a.Refused)}, nil
}

func doGroupAdd(ctx context.Context, s *core.Session, q *wire.GroupAddRequest) (*wire.GroupChangeResponse, error) {
	return groupChanged(s.GroupAdd(ctx, im.Address(q.Conv), listOf[im.UserID](q.Users)))
}

func doGroupRemove(ctx context.Context, s *core.Session, q *wire.GroupRemoveRequest) (*wire.GroupChangeResponse, error) {
	return groupChanged(s.GroupRemove(ctx, im.Address(q.Conv), listOf[im.UserID](q.Users)))
}

func doGroupRole(ctx context.Context, s *core.Session, q *wire.GroupRoleRequest) (*wire.GroupChangeResponse, error) {
	role, err := im.ParseRole(q.Role)
	if err != nil {
		return nil, err
	}
	return groupChanged(s.GroupRole(ctx, im.Address(q.Conv), im.UserID(q.User), role))
}

func doGroupMute(ctx context.Context, s *core.Session, q *wire.GroupMuteRequest) (*wire.GroupChangeResponse, error) {
	return groupChanged(s.GroupMute(ctx, core.MuteRequest{Conv: im.Address(q.Conv), Users: listOf[im.UserID](q.Users), Until: q.Until, All: q.All}))
}

func doGroupNick(ctx context.Context, s *core.Session, q *wire.GroupNickRequest) (*wire.GroupChangeResponse, error) {
	return groupChanged(s.GroupNick(ctx, im.Address(q.Conv), im.UserID(q.User), q.Nick))
}

func doJoin(ctx context.Context, s *core.Session, q *wire.JoinRequest) (*wire.GroupChangeResponse, error) {
	return groupChanged(s.Join(ctx, im.Address(q.Conv)))
}

func doLeave(ctx context.Context, s *core.Session, q *wire.LeaveRequest) (*wire.GroupChangeResponse, error) {
	return groupChanged(s.Leave(ctx, im.Address(q.Conv)))
}
