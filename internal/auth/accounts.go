package auth

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Accounts signs people in by password where there is no app server. Any goroutine
// may use it; it runs none of its own.
type Accounts struct {
	app    string
	store  Store
	revoke *Revoker
	sign   *Signer
	now    func() time.Time
	hasher *hasher
	byUser *backoff[im.UserID]
	byAddr *backoff[netip.Addr]
}

// AccountsConfig is what Accounts needs; Store, Revoker and Signer are required.
type AccountsConfig struct {
	App     string // "" = DefaultApp; goes into aud
	Store   Store
	Revoker *Revoker         // over the same Store
	Signer  *Signer          // with a secret that the app's Verifier knows
	Now     func() time.Time // nil = time.Now
}

// NewAccounts makes the built-in accounts.
func NewAccounts(c AccountsConfig) *Accounts {
	if c.App == "" {
		c.App = DefaultApp
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Accounts{
		app: c.App, store: c.Store, revoke: c.Revoker, sign: c.Signer, now: c.Now,
		hasher: newHasher(standardCost),
		byUser: newBackoff[im.UserID](maxTracked),
		byAddr: newBackoff[netip.Addr](maxTracked),
	}
}

// Hashes counts the passwords hashed so far, for metrics.
func (a *Accounts) Hashes() int64 { return a.hasher.done.Load() }

// LoginRequest is one try to sign in.
type LoginRequest struct {
	User     im.UserID
	Password string
	Device   im.DeviceID // the tokens are bound to it; "" = to none
	Addr     netip.Addr  // of the client
}

// Login turns a password into tokens. An unknown user costs the same and gets the same
// answer as a wrong password.
//
// After 10 wrong passwords for an account or from an address (loopback aside), each
// further one doubles the time that all have to wait, from 1 s to 15 min.
//
// Errors: Unauthenticated if the user or the password is wrong; Limited with Retry
// while there is to wait; Busy if too many sign in at once; Invalid or TooLarge if an
// id is not well-formed or the password longer than MaxPassword; Unavailable.
func (a *Accounts) Login(ctx context.Context, r LoginRequest) (Grant, error) {
	if r.Device != "" {
		if err := im.CheckName("device id", string(r.Device)); err != nil {
			return Grant{}, err
		}
	}
	acc, err := a.prove(ctx, r.User, r.Password, r.Addr)
	if err != nil {
		return Grant{}, err
	}
	return a.begin(ctx, r.User, r.Device, acc)
}

// prove gives u's account if password is u's.
func (a *Accounts) prove(ctx context.Context, u im.UserID, password string, addr netip.Addr) (account, error) {
	if err := im.CheckName("user id", string(u)); err != nil {
		return account{}, err
	}
	if len(password) > MaxPassword { // before it is hashed; the same for every account
		return account{}, CheckPassword(password)
	}
	u = im.UserID(strings.Clone(string(u))) // it may be part of a large request, and is remembered
	now, from := a.now(), addrKey(addr)
	if !from.IsLoopback() {
		if w := a.byAddr.wait(from, now); w > 0 {
			return account{}, tooMany("from your address", w)
		}
	}
	if w := a.byUser.try(u, now); w > 0 {
		return account{}, tooMany("for this account", w)
	}
	acc, _, err := readAccount(ctx, a.store, u)
	if err != nil {
		a.byUser.undo(u)
		return account{}, err
	}
	ok, err := a.hasher.verify(ctx, acc.Password, password)
	if err != nil {
		a.byUser.undo(u)
		return account{}, err
	}
	if !ok {
		if !from.IsLoopback() {
			a.byAddr.try(from, now)
		}
		return account{}, im.Errorf(im.Unauthenticated, "the user or the password is wrong: check both and try again")
	}
	a.byUser.forget(u) // but not the address: its owner may have an account of his own
	return acc, nil
}

func tooMany(what string, w time.Duration) error {
	w = (w + time.Second - 1).Truncate(time.Second)
	return im.Errorf(im.Limited, "too many wrong passwords %s: try again in %v", what, w).WithRetry(w)
}

// SetPassword gives u a password, and makes the account if there is none. It is for
// admins: it asks for no old one. Where there was one before, all older tokens of u are
// revoked with it; who gets his first password may go on with the token that he has
// from elsewhere, and the Revocation is zero.
//
// Errors: Invalid, TooLarge; Busy; those of the store.
func (a *Accounts) SetPassword(ctx context.Context, u im.UserID, password string) (Revocation, error) {
	if err := im.CheckName("user id", string(u)); err != nil {
		return Revocation{}, err
	}
	if err := CheckPassword(password); err != nil {
		return Revocation{}, err
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return Revocation{}, err
	}
	v, err := a.revoke.changeAccount(ctx, u, func(acc *account) (bool, error) {
		had := acc.Password != ""
		acc.Password = hash
		return had, nil
	})
	if err == nil {
		a.byUser.forget(u) // wrong tries at the old one say nothing of the new one
	}
	return v, err
}

// ChangePassword gives u a new password if old is the present one. All older tokens
// of u are revoked with it, the one in use too: sign in again.
//
// Errors: those of Login and SetPassword; Conflict if it was changed meanwhile.
func (a *Accounts) ChangePassword(ctx context.Context, u im.UserID, old, password string, addr netip.Addr) (Revocation, error) {
	if err := CheckPassword(password); err != nil {
		return Revocation{}, err
	}
	was, err := a.prove(ctx, u, old, addr)
	if err != nil {
		return Revocation{}, err
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return Revocation{}, err
	}
	return a.revoke.changeAccount(ctx, u, func(acc *account) (bool, error) {
		if acc.Password != was.Password {
			return false, im.Errorf(im.Conflict, "the password was changed meanwhile: sign in again")
		}
		acc.Password = hash
		return true, nil
	})
}

// RemovePassword ends signing in by password for u and revokes all older tokens.
//
// Errors: NotFound if u has none; those of the store.
func (a *Accounts) RemovePassword(ctx context.Context, u im.UserID) (Revocation, error) {
	if err := im.CheckName("user id", string(u)); err != nil {
		return Revocation{}, err
	}
	return a.revoke.changeAccount(ctx, u, func(acc *account) (bool, error) {
		if acc.Password == "" {
			return false, im.Errorf(im.NotFound, "the user %q has no password here", string(u))
		}
		acc.Password = ""
		return true, nil
	})
}

// HasPassword says whether u can sign in by password. It is for admins.
func (a *Accounts) HasPassword(ctx context.Context, u im.UserID) (bool, error) {
	acc, _, err := readAccount(ctx, a.store, u)
	return acc.Password != "", err
}
