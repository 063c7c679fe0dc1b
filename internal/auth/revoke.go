package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Records is what is kept about revocations that may touch one token.
type Records struct {
	UserBefore   int64 // Unix milliseconds: the user's tokens issued up to then are revoked; 0 = none
	DeviceBefore int64 // the same, of the user's tokens used on this device
	JTI          bool  // the token itself is revoked
}

// Revoked says whether r revokes the token that says c: nil if not.
//
// Errors: Unauthenticated with CodeRevoked.
func Revoked(c Claims, r Records) error {
	if iat := c.IssuedAt.UnixMilli(); r.JTI || iat <= r.UserBefore || iat <= r.DeviceBefore {
		return im.Errorf(im.Unauthenticated, "the token has been revoked: sign in again").WithCode(im.CodeRevoked)
	}
	return nil
}

// A Revocation is one decision to revoke. It names a user's tokens, those used on one
// of his devices (Device), or one token or family of them (JTI).
type Revocation struct {
	User   im.UserID
	Device im.DeviceID // "" = all
	JTI    string      // "" = all
	Before int64       // Unix milliseconds: tokens issued up to then; not looked at with JTI
}

// Hits says whether v ends a session that signed in with c on device.
func (v Revocation) Hits(c Claims, device im.DeviceID) bool {
	switch {
	case v.User != c.User, v.Device != "" && v.Device != device:
		return false
	case v.JTI != "":
		return v.JTI == c.JTI
	}
	return c.IssuedAt.UnixMilli() <= v.Before
}

// A Revoker keeps revocations in a store. It is fixed after NewRevoker, and any
// goroutine may use it. It keeps nothing in memory: a check reads at most three rows
// of the store.
type Revoker struct {
	store  Store
	now    func() time.Time
	notify func(Revocation)
}

// NewRevoker makes a Revoker over s. now nil = time.Now. notify, if not nil, is called
// with every revocation once it is kept, by whomever it came, before the method that
// made it returns: there the live sessions that it hits are ended. It must not block.
func NewRevoker(s Store, now func() time.Time, notify func(Revocation)) *Revoker {
	if now == nil {
		now = time.Now
	}
	if notify == nil {
		notify = func(Revocation) {}
	}
	return &Revoker{store: s, now: now, notify: notify}
}

// Check says whether the token that says c may still be used on device: nil if it may.
// Ask it at each login, resume and renewal, after the session is where notify finds
// it, or a revocation in between would miss both.
//
// Errors: Unauthenticated with CodeRevoked; Unavailable if the store does not answer,
// for then nobody signs in.
func (r *Revoker) Check(ctx context.Context, c Claims, device im.DeviceID) error {
	rec, err := r.records(ctx, c, device)
	if err != nil {
		return err
	}
	return Revoked(c, rec)
}

func (r *Revoker) records(ctx context.Context, c Claims, device im.DeviceID) (Records, error) {
	var rec Records
	acc, _, err := readAccount(ctx, r.store, c.User)
	if err != nil {
		return rec, err
	}
	rec.UserBefore = acc.RevokedBefore
	if device != "" {
		b, err := readRow(ctx, r.store, "", deviceKey(c.User, device))
		if err != nil {
			return rec, err
		}
		if b != nil {
			if rec.DeviceBefore, err = strconv.ParseInt(string(b), 10, 64); err != nil {
				return rec, im.Wrap(im.Internal, err, "the record of a device cannot be read")
			}
		}
	}
	if c.JTI != "" {
		b, err := readRow(ctx, r.store, "", jtiKey(c.User, c.JTI))
		if err != nil {
			return rec, err
		}
		rec.JTI = b != nil
	}
	return rec, nil
}

// RevokeUser revokes all tokens of u that were issued up to now and the leeway, refresh
// tokens too. Tokens that an app server issues within the next 5 s are refused as
// well; those of the built-in accounts are not.
//
// Errors: those of the store.
func (r *Revoker) RevokeUser(ctx context.Context, u im.UserID) (Revocation, error) {
	if err := im.CheckName("user id", string(u)); err != nil {
		return Revocation{}, err
	}
	return r.changeAccount(ctx, u, func(*account) (bool, error) { return true, nil })
}

// RevokeDevice does the same for the tokens that u uses on device. A token that is
// not bound to a device (dev) can still be used under another device's id: revoke the
// user where a token was stolen.
func (r *Revoker) RevokeDevice(ctx context.Context, u im.UserID, device im.DeviceID) (Revocation, error) {
	if err := im.CheckName("user id", string(u)); err != nil {
		return Revocation{}, err
	}
	if err := im.CheckName("device id", string(device)); err != nil {
		return Revocation{}, err
	}
	v := Revocation{User: u, Device: device, Before: r.cutoff()}
	err := r.store.Write(ctx, nil, Row{Key: deviceKey(u, device), Value: strconv.AppendInt(nil, v.Before, 10)})
	if err != nil {
		return Revocation{}, unavailable(err)
	}
	r.notify(v)
	return v, nil
}

// RevokeToken revokes one token of u by its jti. until is when the token expires (the
// record is dropped then); zero = it is kept for good.
//
// Errors: Invalid if jti is empty or longer than MaxJTI; those of the store.
func (r *Revoker) RevokeToken(ctx context.Context, u im.UserID, jti string, until time.Time) (Revocation, error) {
	if err := im.CheckName("user id", string(u)); err != nil {
		return Revocation{}, err
	}
	if jti == "" || len(jti) > MaxJTI {
		return Revocation{}, im.Errorf(im.Invalid, "only a token with a jti of 1 to %d bytes can be revoked by itself: revoke the device or the user", MaxJTI)
	}
	if err := r.store.Write(ctx, nil, jtiRow(u, jti, until)); err != nil {
		return Revocation{}, unavailable(err)
	}
	v := Revocation{User: u, JTI: jti}
	r.notify(v)
	return v, nil
}

// cutoff is the newest iat that a token made before now can have: its maker's clock
// may be ahead by the leeway.
func (r *Revoker) cutoff() int64 { return r.now().Add(Leeway).UnixMilli() }

// account is the record of a user.
type account struct {
	Password      string `json:"password,omitempty"`       // PHC string; "" = cannot sign in by password
	RevokedBefore int64  `json:"revoked_before,omitempty"` // Unix milliseconds
}

// changeAccount alters u's account by change and, if that says so, revokes what was
// issued before, in one write. change may be called more than once.
func (r *Revoker) changeAccount(ctx context.Context, u im.UserID, change func(*account) (revoke bool, err error)) (Revocation, error) {
	for range 10 { // others may write the same account
		acc, was, err := readAccount(ctx, r.store, u)
		if err != nil {
			return Revocation{}, err
		}
		revoke, err := change(&acc)
		if err != nil {
			return Revocation{}, err
		}
		if revoke {
			acc.RevokedBefore = max(acc.RevokedBefore, r.cutoff()) // the clock may have gone back
		}
		b, err := json.Marshal(acc)
		if err != nil {
			return Revocation{}, im.AsError(err)
		}
		err = r.store.Write(ctx, &Row{User: u, Value: was}, Row{User: u, Value: b})
		if im.IsKind(err, im.Conflict) {
			continue
		}
		if err != nil {
			return Revocation{}, unavailable(err)
		}
		if !revoke {
			return Revocation{}, nil
		}
		v := Revocation{User: u, Before: acc.RevokedBefore}
		r.notify(v)
		return v, nil
	}
	return Revocation{}, im.Errorf(im.Busy, "this account is being changed by others: try again").WithRetry(time.Second)
}

// readAccount gives u's account, zero if there is none, and the row it stands in.
func readAccount(ctx context.Context, s Store, u im.UserID) (account, []byte, error) {
	var acc account
	b, err := readRow(ctx, s, u, "")
	if err != nil {
		return acc, nil, err
	}
	if b != nil {
		if err := json.Unmarshal(b, &acc); err != nil {
			return acc, nil, im.Wrap(im.Internal, err, "the record of this account cannot be read")
		}
	}
	return acc, b, nil
}

func readRow(ctx context.Context, s Store, u im.UserID, key string) ([]byte, error) {
	b, err := s.Read(ctx, u, key)
	if err != nil {
		return nil, unavailable(err)
	}
	return b, nil
}

// unavailable keeps errors that are for users and hides others.
func unavailable(err error) error {
	if e := im.AsError(err); e.Kind != im.Internal {
		return e
	}
	return im.Wrap(im.Unavailable, err, "accounts cannot be read or written just now: try again")
}

// Ids hold no '/', so no two things share a key.
func deviceKey(u im.UserID, d im.DeviceID) string { return "dev/" + string(u) + "/" + string(d) }

// jtiKey hashes, since a jti may hold any byte; the user is in it, for two issuers
// may use one jti.
func jtiKey(u im.UserID, jti string) string {
	h := sha256.Sum256([]byte(string(u) + "/" + jti))
	return "jti/" + base64.RawURLEncoding.EncodeToString(h[:])
}

func jtiRow(u im.UserID, jti string, until time.Time) Row {
	row := Row{Key: jtiKey(u, jti), Value: []byte{1}}
	if !until.IsZero() {
		row.Expires = until.Add(2 * Leeway).UnixMilli()
	}
	return row
}
