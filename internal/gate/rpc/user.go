package rpc

import (
	"context"
	"maps"
	"slices"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

func doSetProfile(ctx context.Context, s *core.Session, q *wire.SetProfileRequest) (*wire.ProfileResponse, error) {
	p := core.ProfilePatch{Name: q.Name, Portrait: q.Portrait}
	for _, f := range q.Fields {
		if p.Fields == nil {
			p.Fields = make(map[string]core.ProfileField, len(q.Fields))
		}
		if _, twice := p.Fields[f.GetKey()]; twice {
			return nil, im.Errorf(im.Invalid, "a field of the profile stands twice")
		}
		p.Fields[f.GetKey()] = core.ProfileField{Value: f.GetValue(), Visible: f.GetVisible()}
	}
	a, err := s.SetProfile(ctx, p)
	if err != nil {
		return nil, err
	}
	return &wire.ProfileResponse{Profile: wireProfile(&a)}, nil
}

func wireProfile(p *core.Profile) *wire.Profile {
	w := &wire.Profile{User: string(p.User), Name: p.Name, Portrait: p.Portrait, Version: p.Version}
	for _, k := range slices.Sorted(maps.Keys(p.Fields)) {
		w.Fields = append(w.Fields, &wire.ProfileField{Key: k, Value: p.Fields[k].Value, Visible: p.Fields[k].Visible})
	}
	return w
}

func doProfiles(ctx context.Context, s *core.Session, q *wire.ProfilesRequest) (*wire.ProfilesResponse, error) {
	list, err := s.Profiles(ctx, listOf[im.UserID](q.Users))
	if err != nil {
		return nil, err
	}
	r := &wire.ProfilesResponse{}
	for i := range list {
		r.Profiles = append(r.Profiles, wireProfile(&list[i]))
	}
	return r, nil
}

func doBlock(ctx context.Context, s *core.Session, q *wire.BlockRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Block(ctx, im.UserID(q.User))
}

func doUnblock(ctx context.Context, s *core.Session, q *wire.UnblockRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Unblock(ctx, im.UserID(q.User))
}

func doBlocks(ctx context.Context, s *core.Session, q *wire.BlocksRequest) (*wire.BlocksResponse, error) {
	users, more, err := s.Blocks(ctx, im.UserID(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	return &wire.BlocksResponse{Users: listOf[string](users), More: more}, nil
}

func doSetAllowMode(ctx context.Context, s *core.Session, q *wire.SetAllowModeRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.SetAllowMode(ctx, q.On)
}

func doAllow(ctx context.Context, s *core.Session, q *wire.AllowRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Allow(ctx, im.UserID(q.User))
}

func doDisallow(ctx context.Context, s *core.Session, q *wire.DisallowRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Disallow(ctx, im.UserID(q.User))
}

func doAllowed(ctx context.Context, s *core.Session, q *wire.AllowedRequest) (*wire.AllowedResponse, error) {
	users, on, more, err := s.Allowed(ctx, im.UserID(q.After), count(q.Limit))
	if err != nil {
		return nil, err
	}
	return &wire.AllowedResponse{Users: listOf[string](users), On: on, More: more}, nil
}

func doSetPresence(ctx context.Context, s *core.Session, q *wire.SetPresenceRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.SetPresence(ctx, core.PresencePatch{Status: q.Status, Online: q.Online, LastSeen: q.LastSeen})
}

func doPresence(ctx context.Context, s *core.Session, q *wire.PresenceRequest) (*wire.PresenceResponse, error) {
	list, err := s.Presence(ctx, listOf[im.UserID](q.Users))
	return presences(list, 0, err)
}

func doWatch(ctx context.Context, s *core.Session, q *wire.WatchRequest) (*wire.PresenceResponse, error) {
	return presences(s.Watch(ctx, listOf[im.UserID](q.Users), int(min(q.Seconds, 1<<30))))
}

func presences(list []core.Presence, until int64, err error) (*wire.PresenceResponse, error) {
	if err != nil {
		return nil, err
	}
	r := &wire.PresenceResponse{Until: until}
	for _, p := range list {
		r.Presences = append(r.Presences, &wire.Presence{User: string(p.User), Online: listOf[string](p.Online), LastSeen: p.LastSeen, Status: p.Status})
	}
	return r, nil
}

func doUnwatch(ctx context.Context, s *core.Session, q *wire.UnwatchRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Unwatch(ctx, listOf[im.UserID](q.Users))
}

func doDevices(ctx context.Context, s *core.Session, _ *wire.DevicesRequest) (*wire.DevicesResponse, error) {
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

func doKick(ctx context.Context, s *core.Session, q *wire.KickRequest) (*wire.Empty, error) {
	return &wire.Empty{}, s.Kick(ctx, im.DeviceID(q.Device), q.Reason, q.Revoke)
}

func doRenew(ctx context.Context, s *core.Session, q *wire.RenewRequest) (*wire.RenewResponse, error) {
	t, err := s.Renew(ctx, q.Token)
	if err != nil {
		return nil, err
	}
	return &wire.RenewResponse{TokenExpires: t.UnixMilli()}, nil
}
