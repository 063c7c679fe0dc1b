package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Sessions without a link: for one request over HTTP, or a few. They stand in no list
// of who is online, are told nothing, replace nobody and count against no limit of
// sessions; the user's devices are told of all they do, also a device that has the
// same id. Whoever made one calls Close when it is done with.

// Enter makes a session without a link for a user's token, which is looked at as by
// Login: its door ("" = "http"), its device, whether it was revoked. Sends keep the
// rules and rates of the user. Without a device in l and token it has none.
//
// What belongs to a link is not there: Take gives nothing; Missed, Renew and Watch are
// Unsupported.
//
// Errors: those of Login.
func (c *Core) Enter(ctx context.Context, l Login) (*Session, error) {
	s, err := c.enter(ctx, l)
	if err != nil {
		c.tallies.loginRefused()
		return nil, err
	}
	return s, nil
}

func (c *Core) enter(ctx context.Context, l Login) (*Session, error) {
	if l.Door == "" {
		l.Door = "http"
	}
	l.Wake, l.Ended, l.Resume, l.Ordered, l.Cursors = nil, nil, "", false, false
	s, err := c.read(l)
	if err != nil {
		return nil, err
	}
	if c.rev != nil {
		if err := c.rev.Check(ctx, s.claims, s.device); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, im.Wrap(im.Unavailable, err, "the login took too long: try again")
	}
	c.noteUser(s.user)
	return s, nil
}

// noteUser notes that u has signed in once. It waits for no disk, and what is not
// noted now is at the next request.
func (c *Core) noteUser(u im.UserID) {
	if ok, err := c.known(u); ok || err != nil {
		return
	}
	known := store.Record{Kind: store.SettingRecord, User: u, Key: knownKey, Value: []byte{1}}
	if c.st.Submit(&store.PutOp{Records: []store.Record{known}, Lazy: true}) == nil {
		c.seen.put(u, struct{}{})
	}
}

// Act makes a session without a link for the app, whose key the caller has checked.
// locale is the language of digests, as in Login.
//
// With a user it does what that user could do, and reads what he may read, but is
// bound by no rate, role, mute or window of time (but that in which a deleted message is
// still there): it recalls, edits, deletes, restores and pins messages of others too.
// What receivers have set (blocks, lists of who may write) binds it. What it sends has
// no device and does not move the user's read cursor. The user need not have been here
// before.
//
// Without a user ("") it is the app itself: it sets types, settles reports, asks for
// profiles and presence. Every other verb is Invalid.
//
// Errors: Invalid or TooLarge for what is no user id; Busy with CodeDraining.
func (c *Core) Act(as im.UserID, locale string) (*Session, error) {
	if c.draining.Load() {
		return nil, errDraining()
	}
	s := &Session{c: c, user: as, app: true, self: im.DirectAddress(as), since: c.Now(), login: Login{Door: "http", Locale: locale}}
	if as != "" {
		if err := im.CheckName("user id", string(as)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// isApp says whether the session acts for the app, as itself or as a user: no rate,
// role, mute or window of time binds it.
func (s *Session) isApp() bool { return s.app }

// hereApp is here for verbs that the app itself may ask too.
func (s *Session) hereApp() error {
	if s.over.Load() {
		return errOver()
	}
	return nil
}

// asApp is here for verbs of the app itself.
//
// Errors: Denied for users; Invalid for the app as a user.
func (s *Session) asApp() error {
	switch {
	case s.over.Load():
		return errOver()
	case !s.app:
		return im.Errorf(im.Denied, "only the app may do that: with its key")
	case s.user != "":
		return im.Errorf(im.Invalid, "the app does that as itself: name no user (Anser-As)")
	}
	return nil
}

func errNoUser() *im.Error {
	return im.Errorf(im.Invalid, "name a user with Anser-As: the app itself has no conversations")
}

func errNoLink() *im.Error {
	return im.Errorf(im.Unsupported, "only a device that is connected can do that")
}
