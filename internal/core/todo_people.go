package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

func (s *Session) SetProfile(_ context.Context, _ ProfilePatch) (_ Profile, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Profiles(ctx context.Context, users []im.UserID) (_ []Profile, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) SetAllowMode(ctx context.Context, on bool) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Allow(ctx context.Context, user im.UserID) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Disallow(ctx context.Context, user im.UserID) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Allowed(ctx context.Context, after im.UserID, limit int) (users []im.UserID, on, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) SetPresence(_ context.Context, _ PresencePatch) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Presence(ctx context.Context, users []im.UserID) (_ []Presence, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Watch(ctx context.Context, users []im.UserID, seconds int) (now []Presence, until int64, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Unwatch(ctx context.Context, users []im.UserID) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) GroupMute(_ context.Context, _ MuteRequest) (_ GroupChanged, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) GroupNick(ctx context.Context, conv im.Address, user im.UserID, nick string) (_ GroupChanged, err error) {
	err = errNotBuilt()
	return
}
