package core

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// maxLabel is the most bytes of what a client says of itself: longer is cut.
const maxLabel = 64

// Login signs a device in. The session stands in the hub when Login returns, so
// whatever is read through it afterwards, or offered, or both, is complete. Wake and
// Ended may be called before Login returns.
//
// Errors: Unauthenticated (expired, revoked, other device, door); Invalid for a
// malformed device or class; Busy with CodeDraining while the node shuts down;
// Unavailable if it cannot be found out whether the token was revoked.
func (c *Core) Login(ctx context.Context, l Login) (*Session, error) {
	s, err := c.signIn(ctx, l)
	if err != nil {
		c.tallies.loginRefused()
		return nil, err
	}
	c.tallies.login(l.Door)
	s.note()
	s.box.Open(s.owner())
	c.watches.moved(s.user)
	if s.resumed {
		c.watches.again(s.box)
	}
	return s, nil
}

func (c *Core) signIn(ctx context.Context, l Login) (*Session, error) {
	s, err := c.read(l)
	if err != nil {
		return nil, err
	}
	claims := s.claims
	if s.device == "" {
		s.device = newDevice()
	}
	s.began = c.st.Position()

	// Whoever revokes finds the session here, then in the hub: never in neither.
	c.joining.add(s)
	defer c.joining.remove(s)
	if c.rev != nil {
		if err := c.rev.Check(ctx, claims, s.device); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, im.Wrap(im.Unavailable, err, "the login took too long: try again")
	}
	err = c.join(s)
	c.expiry.add(s, claims.Expires)
	if s.over.Load() { // replaced meanwhile: who ended it did not find it there
		c.expiry.remove(s)
	}
	c.joining.remove(s)
	switch {
	case s.isStruck():
		s.end(endRevoked())
		return nil, im.Errorf(im.Unauthenticated, "the token has been revoked: sign in again").WithCode(im.CodeRevoked)
	case c.draining.Load():
		s.end(endDraining(0))
		return nil, errDraining()
	case err != nil:
		s.Close()
		return nil, err
	}
	return s, nil
}

// read makes the session that a token is good for, as far as the token itself says
// so. Where neither l nor the token names a device it has none.
func (c *Core) read(l Login) (*Session, error) {
	if c.draining.Load() {
		return nil, errDraining()
	}
	claims, err := c.ver.Verify(l.Token)
	if err != nil {
		return nil, err
	}
	s := &Session{c: c, user: claims.User, device: l.Device, claims: claims, self: im.DirectAddress(claims.User),
		since: c.Now(), background: l.Background, network: clip(l.Network)}
	if s.device == "" {
		s.device = claims.Device
	} else if err := im.CheckName("device id", string(s.device)); err != nil {
		return nil, err
	}
	if err := claims.CheckUse(s.device, l.Door); err != nil {
		return nil, err
	}
	if s.class, err = classOf(claims.Class, l.Class, l.Door); err != nil {
		return nil, err
	}
	l.Token, l.OS, l.SDK, l.Network = "", clip(l.OS), clip(l.SDK), ""
	s.login = l
	return s, nil
}

// join puts the session into the hub, in the place of the one it resumes or as a new
// one, and ends those that have to go for it.
//
// Errors: those of reading which large groups the user is in.
func (c *Core) join(s *Session) (err error) {
	p := &c.policy[c.of(s.user, len(c.policy))]
	p.Lock()
	var settled []hub.Settled
	replaced := c.resume(s, &settled)
	if s.box == nil {
		s.box = c.hub.NewSession(s.user, s.device, s.class)
		c.hub.Add(s.box, s.owner())
	}
	s.id = s.box.ID().String()
	others := slices.Clone(c.hub.Sessions(s.user))
	for i, box := range others {
		if box != s.box && box.Device != s.device {
			continue
		}
		others[i] = nil
		if box != s.box { // a detached one goes too: its client began anew
			if prev, _ := box.Drop(); prev != nil {
				replaced = append(replaced, (*Session)(prev.(*link)))
			}
		}
	}
	p.Unlock()

	c.taken(s, settled)
	if !s.resumed {
		err = c.fans.enter(s.box)
	}
	for _, o := range replaced {
		o.end(endReplaced())
	}
	live := others[:0]
	for _, box := range others {
		if box != nil && box.Live() {
			live = append(live, box)
		}
	}
	for _, box := range c.tooMany(s, live) {
		if o := sessionOf(box); o != nil {
			o.end(End{Code: im.CodeKicked, Text: "signed in on too many devices: this one was the first to go"})
		}
	}
	return err
}

// resume looks for the session that s wants to go on with. It answers the live one
// whose place s took, if there was one.
func (c *Core) resume(s *Session, settled *[]hub.Settled) (replaced []*Session) {
	id, ok := hub.ParseID(s.login.Resume)
	if !ok {
		return nil
	}
	box := c.hub.Find(id, s.user, s.device)
	if box == nil {
		return nil
	}
	s.box = box // others see s as soon as it owns the box
	list, prev, ok := box.Resume(s.owner(), id, s.login.LastPush, nil)
	*settled = list
	s.resumed = ok
	if !ok {
		s.box = nil
	}
	if prev != nil {
		replaced = append(replaced, (*Session)(prev.(*link)))
	}
	return replaced
}

// sessionOf is who has box; nil if it is detached.
func sessionOf(box *hub.Session) *Session {
	s, _ := asSession(box.Owner())
	return s
}

func asSession(o hub.Owner) (*Session, bool) {
	l, ok := o.(*link)
	return (*Session)(l), ok
}

// tooMany are those of the user's other live sessions that have to go for s, the
// oldest first; live are the others in the order in which they began. A class with a limit of its own is counted alone.
func (c *Core) tooMany(s *Session, live []*hub.Session) []*hub.Session {
	most, own := c.cfg.Limits.SessionsByClass[s.class]
	if !own {
		most = c.cfg.Limits.Sessions
	}
	if most < 0 {
		return nil
	}
	same := live[:0]
	for _, o := range live {
		_, other := c.cfg.Limits.SessionsByClass[o.Class]
		if own && o.Class == s.class || !own && !other {
			same = append(same, o)
		}
	}
	return same[:max(0, len(same)+1-max(most, 1))]
}

// classOf is the class of a device: the token's, for it comes from the app, or what
// the device says.
func classOf(token, device im.Class, door string) (im.Class, error) {
	switch {
	case token != "":
		return token, nil
	case device != "":
		return device, im.CheckClass(device)
	case door == "line":
		return im.Line, nil
	}
	return im.Phone, nil
}

// newDevice makes a device id up.
func newDevice() im.DeviceID {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return im.DeviceID("d-" + hex.EncodeToString(b[:]))
}

// clip cuts what a client says of itself to a short valid text.
func clip(s string) string {
	if len(s) > maxLabel {
		s = s[:maxLabel]
	}
	return oneLine(strings.ToValidUTF8(s, ""))
}

// Renew puts a newer token in the place of the session's, and answers when its time
// is over.
//
// Errors: those of Login; Denied if it is another user's; Unsupported without a link.
func (s *Session) Renew(ctx context.Context, token string) (time.Time, error) {
	if s.box == nil {
		return time.Time{}, errNoLink()
	}
	claims, err := s.c.ver.Verify(token)
	if err != nil {
		return time.Time{}, err
	}
	if claims.User != s.user {
		return time.Time{}, im.Errorf(im.Denied, "this token is another user's: open a connection of its own for it")
	}
	if err := claims.CheckUse(s.device, s.login.Door); err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	before := s.claims
	s.claims = claims // from here on a revocation of it finds it
	s.mu.Unlock()
	if s.c.rev != nil {
		err = s.c.rev.Check(ctx, claims, s.device)
	}
	s.mu.Lock()
	if err != nil {
		s.claims = before
	}
	s.mu.Unlock()
	if err != nil && s.c.rev != nil { // a revocation of it in between found the other token here
		if e := s.c.rev.Check(context.WithoutCancel(ctx), before, s.device); im.AsError(e) != nil && im.AsError(e).Code == im.CodeRevoked {
			s.end(endRevoked())
		}
	}
	switch {
	case err != nil:
		return time.Time{}, err
	case s.over.Load():
		return time.Time{}, errOver()
	}
	s.c.expiry.add(s, claims.Expires)
	if s.over.Load() { // meanwhile
		s.c.expiry.remove(s)
	}
	return claims.Expires, nil
}

// Revoked ends the sessions that a revocation hits, at once, those that are just
// signing in too.
func (c *Core) Revoked(v auth.Revocation) {
	for _, s := range c.joining.of(v.User) {
		s.mu.Lock()
		s.struck = s.struck || v.Hits(s.claims, s.device)
		s.mu.Unlock()
	}
	for _, box := range c.hub.Sessions(v.User) {
		s := sessionOf(box)
		if s == nil { // whoever resumes it shows a token that is looked at
			continue
		}
		s.mu.Lock()
		hit := v.Hits(s.claims, s.device)
		s.mu.Unlock()
		if hit {
			s.end(endRevoked())
		}
	}
}

func (s *Session) isStruck() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.struck
}

// joining is who is signing in just now.
type joining struct {
	mu sync.Mutex
	m  map[im.UserID][]*Session // guarded by mu
}

func (j *joining) open() { j.m = map[im.UserID][]*Session{} }

func (j *joining) add(s *Session) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.m[s.user] = append(j.m[s.user], s)
}

func (j *joining) remove(s *Session) {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := slices.DeleteFunc(j.m[s.user], func(o *Session) bool { return o == s })
	if len(list) == 0 {
		delete(j.m, s.user)
	} else {
		j.m[s.user] = list
	}
}

func (j *joining) of(u im.UserID) []*Session {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.m[u])
}
