package server

import (
	"context"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Admin is what an admin may do, to a running server (over its admin listener) or to
// the data directory of one that does not run. Every write leaves an audit line.
type Admin interface {
	// SetPassword gives a user a password and revokes what was signed in with the old
	// one. Errors: Conflict with Add if there is an account, NotFound with Change if
	// there is none; those of auth.
	SetPassword(ctx context.Context, q PasswordRequest) error
	// RemovePassword ends signing in by password. Messages stay.
	RemovePassword(ctx context.Context, u im.UserID) error
	// Revoke makes tokens worthless and ends their sessions.
	Revoke(ctx context.Context, q RevokeRequest) error
	// Kick ends sessions; the tokens stay good. It answers how many.
	Kick(ctx context.Context, q KickRequest) (int, error)
	// Users lists users that have an account record, those above after, at most limit.
	Users(ctx context.Context, after im.UserID, limit int) (UserList, error)
	// Sessions lists who is signed in as u now.
	Sessions(ctx context.Context, u im.UserID) ([]SessionInfo, error)
	// Devices lists the devices that u has used.
	Devices(ctx context.Context, u im.UserID) ([]DeviceInfo, error)
	// CreateKey makes an app key, which is told this once. Errors: Conflict if the name is taken.
	CreateKey(ctx context.Context, q KeyRequest) (NewKey, error)
	// Keys lists the app keys, by name.
	Keys(ctx context.Context) (KeyList, error)
	// RevokeKey ends an app key. Errors: NotFound.
	RevokeKey(ctx context.Context, name string) error
	// Status says how the server does.
	Status(ctx context.Context) (Status, error)
	// Running says whether a server answers, rather than the files alone.
	Running() bool
	Close() error
}

// PasswordMode says what SetPassword expects to find.
type PasswordMode string

// The modes.
const (
	Add    PasswordMode = "add"    // no account
	Change PasswordMode = "change" // an account
)

// PasswordRequest is what SetPassword needs.
type PasswordRequest struct {
	User     im.UserID    `json:"user"`
	Password string       `json:"password"`
	Mode     PasswordMode `json:"mode"`
}

// UserRequest names a user.
type UserRequest struct {
	User im.UserID `json:"user"`
}

// RevokeRequest says which tokens: all of the user, those of a device, or one by jti.
type RevokeRequest struct {
	User   im.UserID   `json:"user"`
	Device im.DeviceID `json:"device,omitempty"`
	JTI    string      `json:"jti,omitempty"`
}

// KickRequest says whose sessions end: of all devices, or of one.
type KickRequest struct {
	User   im.UserID   `json:"user"`
	Device im.DeviceID `json:"device,omitempty"`
	Reason string      `json:"reason,omitempty"` // told to the user
}

// KickAnswer says how many sessions ended.
type KickAnswer struct {
	Ended int `json:"ended"`
}

// UserList is one part of the list of users.
type UserList struct {
	Users []UserInfo `json:"users"`
	More  bool       `json:"more"` // ask again, after the last
}

// UserInfo is one user with an account record.
type UserInfo struct {
	User     im.UserID `json:"user"`
	Password bool      `json:"password"` // can sign in by one; else only something was revoked
	Online   int       `json:"online"`   // sessions now
}

// SessionInfo is one live session.
type SessionInfo struct {
	Device im.DeviceID `json:"device"`
	Class  im.Class    `json:"class"`
	Door   string      `json:"door"`
	Addr   string      `json:"addr"`
	Since  int64       `json:"since_ms"`     // Unix milliseconds
	Behind int         `json:"behind"`       // conversations that it is fed from the store; -1 = it is asked to sync
	Outbox int64       `json:"outbox_bytes"` // events not yet written to it
}

// DeviceInfo is one device that a user has used.
type DeviceInfo struct {
	Device   im.DeviceID `json:"device"`
	Class    im.Class    `json:"class"`
	Online   bool        `json:"online"`
	LastSeen int64       `json:"last_seen_ms"` // Unix milliseconds
	OS       string      `json:"os,omitempty"`
	SDK      string      `json:"sdk,omitempty"`
}

// adminOps does it, in the process that has the store open.
type adminOps struct {
	store    store.Store
	accounts *auth.Accounts // nil = off
	revoker  *auth.Revoker
	keys     *auth.AppKeys
	core     *core.Core // nil = no server runs
	audit    *auditLog
	by       string // who, for the audit log
}

func (a *adminOps) SetPassword(ctx context.Context, q PasswordRequest) (err error) {
	had := false
	defer func() {
		a.audit.note(a.by, "set-password", entry{User: string(q.User), Before: hasPassword(had), After: hasPassword(had || err == nil)}, err)
	}()
	if a.accounts == nil {
		return errNoAccounts
	}
	if err := im.CheckName("user id", string(q.User)); err != nil {
		return err
	}
	if had, err = a.accounts.HasPassword(ctx, q.User); err != nil {
		return err
	}
	switch q.Mode {
	case Add:
		if had {
			return im.Errorf(im.Conflict, "the user %q has an account already: to give it another password, use \"anser user passwd\"", string(q.User))
		}
	case Change:
		if !had {
			return im.Errorf(im.NotFound, "the user %q has no account: make one with \"anser user add\"", string(q.User))
		}
	case "":
	default:
		return im.Errorf(im.Invalid, "mode is add, change or empty")
	}
	_, err = a.accounts.SetPassword(ctx, q.User, q.Password)
	return err
}

func hasPassword(has bool) string {
	if has {
		return "password"
	}
	return "no password"
}

func (a *adminOps) RemovePassword(ctx context.Context, u im.UserID) (err error) {
	defer func() {
		a.audit.note(a.by, "remove-password", entry{User: string(u), Before: hasPassword(err == nil), After: hasPassword(false)}, err)
	}()
	if a.accounts == nil {
		return errNoAccounts
	}
	_, err = a.accounts.RemovePassword(ctx, u)
	return err
}

func (a *adminOps) Revoke(ctx context.Context, q RevokeRequest) (err error) {
	var v auth.Revocation
	defer func() {
		after := ""
		if v.Before != 0 {
			after = "tokens from before " + time.UnixMilli(v.Before).UTC().Format(time.RFC3339Nano) + " revoked"
		}
		a.audit.note(a.by, "revoke", entry{User: string(q.User), Device: string(q.Device), Token: q.JTI, After: after}, err)
	}()
	switch {
	case q.JTI != "" && q.Device != "":
		return im.Errorf(im.Invalid, "name a device or a token (jti), not both")
	case q.JTI != "":
		v, err = a.revoker.RevokeToken(ctx, q.User, q.JTI, time.Time{})
	case q.Device != "":
		v, err = a.revoker.RevokeDevice(ctx, q.User, q.Device)
	default:
		v, err = a.revoker.RevokeUser(ctx, q.User)
	}
	return err
}

func (a *adminOps) Kick(_ context.Context, q KickRequest) (ended int, err error) {
	defer func() {
		a.audit.note(a.by, "kick", entry{User: string(q.User), Device: string(q.Device), Ended: ended}, err)
	}()
	if a.core == nil {
		return 0, errNotRunning
	}
	if err := im.CheckName("user id", string(q.User)); err != nil {
		return 0, err
	}
	if q.Device != "" {
		if err := im.CheckName("device id", string(q.Device)); err != nil {
			return 0, err
		}
	}
	if len(q.Reason) > 200 {
		return 0, im.Errorf(im.TooLarge, "the reason is longer than 200 bytes")
	}
	return a.core.Kick(q.User, q.Device, q.Reason), nil
}

var errNotRunning = im.Errorf(im.Unavailable, "no server runs on this data directory, so nobody is signed in")

func (a *adminOps) Users(ctx context.Context, after im.UserID, limit int) (UserList, error) {
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	users, err := listAccounts(a.store, after, limit+1)
	if err != nil {
		return UserList{}, err
	}
	out := UserList{Users: []UserInfo{}, More: len(users) > limit}
	for _, u := range users[:min(len(users), limit)] {
		info := UserInfo{User: u}
		if a.accounts != nil {
			if info.Password, err = a.accounts.HasPassword(ctx, u); err != nil {
				return UserList{}, err
			}
		}
		if a.core != nil {
			info.Online = len(a.core.Sessions(u))
		}
		out.Users = append(out.Users, info)
	}
	return out, nil
}

func (a *adminOps) Sessions(_ context.Context, u im.UserID) ([]SessionInfo, error) {
	if a.core == nil {
		return nil, errNotRunning
	}
	out := []SessionInfo{}
	for _, s := range a.core.Sessions(u) {
		out = append(out, SessionInfo{Device: s.Device, Class: s.Class, Door: s.Door, Addr: s.Addr.String(), Since: s.Since.UnixMilli(),
			Behind: s.Behind, Outbox: s.OutboxBytes})
	}
	return out, nil
}

func (a *adminOps) Devices(ctx context.Context, u im.UserID) ([]DeviceInfo, error) {
	if a.core == nil {
		return nil, errNotRunning
	}
	devices, err := a.core.DevicesOf(ctx, u)
	if err != nil {
		return nil, err
	}
	out := []DeviceInfo{}
	for _, d := range devices {
		out = append(out, DeviceInfo{Device: d.ID, Class: d.Class, Online: d.Online, LastSeen: d.LastSeen, OS: d.OS, SDK: d.SDK})
	}
	return out, nil
}
