package core

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// knownKey is the setting that says that a user has signed in once. It stays when his
// devices are forgotten.
const knownKey = "known"

// known says whether u has been seen here: he has signed in once, or has an account.
func (c *Core) known(u im.UserID) (bool, error) {
	if _, ok := c.seen.get(u); ok {
		return true, nil
	}
	_, ok, err := c.st.Get(store.SettingRecord, u, knownKey)
	if err == nil && !ok {
		_, ok, err = c.st.Get(store.AccountRecord, u, "")
	}
	if err != nil {
		return false, err
	}
	if ok {
		c.seen.put(u, struct{}{})
	}
	return ok, nil
}

// checkKnown refuses users that this server does not know, where it is set to. By
// default anybody may be written to, and finds it when he first signs in.
func (c *Core) checkKnown(u im.UserID) error {
	if !c.cfg.UsersKnown {
		return nil
	}
	ok, err := c.known(u)
	if err == nil && !ok {
		return im.Errorf(im.NotFound, "no such user: %s", u)
	}
	return err
}
