package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// How long tokens of the built-in accounts are good.
const (
	TokenLife   = time.Hour
	RefreshLife = 30 * 24 * time.Hour // from the last use
)

// A Grant is what a login or a refresh gives.
type Grant struct {
	User           im.UserID
	Token          string
	Expires        time.Time // of Token
	Refresh        string    // for one Refresh
	RefreshExpires time.Time
}

// A refresh token is 64 characters of base64url: 16 bytes that name the family (all
// tokens of one login) and 32 bytes of secret. The family's row holds the hash of the
// newest secret alone, so any other that comes with a family's name is an old one.
const (
	familyBytes  = 16
	refreshBytes = familyBytes + 32
	refreshChars = refreshBytes / 3 * 4
)

// family is the row of one login. The tokens of a family carry its name as jti.
type family struct {
	User    im.UserID   `json:"user"`
	Device  im.DeviceID `json:"device,omitempty"`
	Hash    []byte      `json:"hash"`    // SHA-256 of the secret: 32 random bytes need no slow hash
	Issued  int64       `json:"issued"`  // of the newest secret, Unix milliseconds
	Expires int64       `json:"expires"` // Unix milliseconds
}

func familyKey(name string) string { return "refresh/" + name }

// begin starts a family for a user who has just shown who he is.
func (a *Accounts) begin(ctx context.Context, u im.UserID, d im.DeviceID, acc account) (Grant, error) {
	var id [familyBytes]byte
	rand.Read(id[:])
	rec, err := a.revoke.records(ctx, Claims{User: u}, d)
	if err != nil {
		return Grant{}, err
	}
	rec.UserBefore = acc.RevokedBefore // not a newer one: a password changed since must refuse us
	return a.issue(ctx, id, family{User: u, Device: d}, rec, &Row{})
}

// issue signs a token, and writes the family's row with a new secret if it still holds
// what was does.
func (a *Accounts) issue(ctx context.Context, id [familyBytes]byte, f family, rec Records, was *Row) (Grant, error) {
	// A revocation reaches the leeway into the future. What is issued after it, by
	// this clock, must not fall under it: it is dated just behind, which every
	// Verifier takes within the leeway.
	now := a.now()
	iat := time.UnixMilli(max(now.UnixMilli(), rec.UserBefore+1, rec.DeviceBefore+1))
	name := base64.RawURLEncoding.EncodeToString(id[:])
	raw := make([]byte, refreshBytes)
	copy(raw, id[:])
	rand.Read(raw[familyBytes:])
	hash := sha256.Sum256(raw[familyBytes:])
	g := Grant{User: f.User, Expires: now.Add(TokenLife), RefreshExpires: now.Add(RefreshLife), Refresh: base64.RawURLEncoding.EncodeToString(raw)}
	f.Hash, f.Issued, f.Expires = hash[:], iat.UnixMilli(), g.RefreshExpires.UnixMilli()

	var err error
	if g.Token, err = a.sign.Sign(Claims{App: a.app, User: f.User, Device: f.Device, JTI: name, IssuedAt: iat, Expires: g.Expires}); err != nil {
		return Grant{}, err
	}
	b, err := json.Marshal(f)
	if err != nil {
		return Grant{}, im.AsError(err)
	}
	was.Key = familyKey(name)
	if err := a.store.Write(ctx, was, Row{Key: was.Key, Value: b, Expires: f.Expires}); err != nil {
		if im.IsKind(err, im.Conflict) {
			return Grant{}, err
		}
		return Grant{}, unavailable(err)
	}
	return g, nil
}

// Refresh turns a refresh token into a new token and a new refresh token, once. If an
// old refresh token comes again, somebody has stolen one: the family is revoked, with
// its tokens and live sessions.
//
// Errors: Unauthenticated, with CodeExpired or CodeRevoked where it is that: sign in
// again; Unavailable: the outcome is not known, sign in again if the same token is
// refused after that.
func (a *Accounts) Refresh(ctx context.Context, token string) (Grant, error) {
	bad := im.Errorf(im.Unauthenticated, "the refresh token is not valid: sign in again")
	raw, err := base64.RawURLEncoding.DecodeString(clipTo(token, refreshChars+1))
	if err != nil || len(token) != refreshChars || len(raw) != refreshBytes {
		return Grant{}, bad
	}
	id := [familyBytes]byte(raw)
	name := base64.RawURLEncoding.EncodeToString(id[:])
	for range 3 {
		was, err := readRow(ctx, a.store, "", familyKey(name))
		if err != nil {
			return Grant{}, err
		}
		if was == nil {
			return Grant{}, bad
		}
		var f family
		if err := json.Unmarshal(was, &f); err != nil {
			return Grant{}, im.Wrap(im.Internal, err, "the record of this login cannot be read")
		}
		if a.now().UnixMilli() >= f.Expires {
			return Grant{}, im.Errorf(im.Unauthenticated, "the refresh token has expired: sign in again").WithCode(im.CodeExpired)
		}
		row := Row{Key: familyKey(name), Value: bytes.Clone(was)}
		hash := sha256.Sum256(raw[familyBytes:])
		if subtle.ConstantTimeCompare(hash[:], f.Hash) != 1 {
			err = a.endFamily(ctx, name, f, row)
		} else {
			var rec Records
			c := Claims{User: f.User, Device: f.Device, JTI: name, IssuedAt: time.UnixMilli(f.Issued)}
			if rec, err = a.revoke.records(ctx, c, f.Device); err != nil {
				return Grant{}, err
			}
			if err = Revoked(c, rec); err != nil {
				return Grant{}, err
			}
			var g Grant
			if g, err = a.issue(ctx, id, f, rec, &row); err == nil {
				return g, nil
			}
		}
		if !im.IsKind(err, im.Conflict) {
			return Grant{}, err
		}
		// Somebody was faster with the same token: the next round finds it used.
	}
	return Grant{}, im.Errorf(im.Busy, "this login is being refreshed elsewhere: try again").WithRetry(time.Second)
}

// endFamily revokes a family whose old refresh token came again, and says so.
func (a *Accounts) endFamily(ctx context.Context, name string, f family, row Row) error {
	last := time.UnixMilli(f.Issued).Add(TokenLife)
	if err := a.store.Write(ctx, &row, Row{Key: row.Key}, jtiRow(f.User, name, last)); err != nil {
		if im.IsKind(err, im.Conflict) {
			return err
		}
		return unavailable(err)
	}
	a.revoke.notify(Revocation{User: f.User, JTI: name})
	return im.Errorf(im.Unauthenticated, "this refresh token was used before, so this login has been ended: sign in again, and change the password if it was not you").WithCode(im.CodeRevoked)
}

// Logout ends the login that a refresh token belongs to, with its tokens and live
// sessions. A token that is not valid is no error: there is nothing to end.
//
// Errors: those of the store.
func (a *Accounts) Logout(ctx context.Context, token string) error {
	raw, err := base64.RawURLEncoding.DecodeString(clipTo(token, refreshChars+1))
	if err != nil || len(token) != refreshChars || len(raw) != refreshBytes {
		return nil
	}
	name := base64.RawURLEncoding.EncodeToString(raw[:familyBytes])
	for range 3 {
		was, err := readRow(ctx, a.store, "", familyKey(name))
		if err != nil || was == nil {
			return err
		}
		var f family
		if err := json.Unmarshal(was, &f); err != nil {
			return im.Wrap(im.Internal, err, "the record of this login cannot be read")
		}
		// An old secret ends the login as well: that is what Refresh does with it.
		if err = a.endFamily(ctx, name, f, Row{Key: familyKey(name), Value: was}); !im.IsKind(err, im.Conflict) {
			if im.IsKind(err, im.Unauthenticated) {
				return nil
			}
			return err
		}
	}
	return im.Errorf(im.Busy, "this login is being refreshed elsewhere: try again").WithRetry(time.Second)
}

// clipTo bounds what is decoded.
func clipTo(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
