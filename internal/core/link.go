package core

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// Session is one device of a user, signed in over one link. What it is to be told
// outlives the link: a session that resumes it goes on with it.
type Session struct {
	c       *Core        // fixed
	user    im.UserID    // fixed
	device  im.DeviceID  // fixed
	class   im.Class     // fixed
	self    im.Address   // fixed: how others say the conversation with the user
	app     bool         // fixed: it acts for the app (Act)
	later   bool         // fixed: it sends what was scheduled
	box     *hub.Session // fixed before anybody else sees the session; nil = it has no link (Enter, Act)
	began   im.Position  // fixed: the store's before box was in the hub
	since   time.Time    // fixed
	resumed bool         // fixed by Login
	login   Login        // fixed; without the token
	id      string       // fixed by Login

	over atomic.Bool // it has ended, or its door has let go of it

	mu         sync.Mutex
	claims     auth.Claims // guarded by mu
	struck     bool        // guarded by mu: revoked before it had joined
	background bool        // guarded by mu
	network    string      // guarded by mu
	signals    bucket      // guarded by mu

	lanes lanes
	place int // guarded by Core.expiry.mu: where it stands there, from 1; 0 = it does not
}

var _ door = (*Session)(nil)

// link is a Session as the hub sees it.
type link Session

// Wake is hub.Owner's.
func (l *link) Wake() {
	if l.login.Wake != nil {
		l.login.Wake()
	}
}

// owner is s as the hub knows it; nil for nobody.
func (s *Session) owner() hub.Owner {
	if s == nil {
		return nil
	}
	return (*link)(s)
}

// called is how others say the direct conversation with the user.
func (s *Session) called(line string) im.Address {
	if line == "" {
		return s.self
	}
	return im.LineAddress(s.user, line)
}

// User is who signed in.
func (s *Session) User() im.UserID { return s.user }

// Device is the device that signed in; made up if neither it nor its token named one.
func (s *Session) Device() im.DeviceID { return s.device }

// Class is the device's class.
func (s *Session) Class() im.Class { return s.class }

// ID is what Login.Resume takes to go on with this session. It is a secret.
func (s *Session) ID() string { return s.id }

// Resumed says whether the session goes on where another link ended. If not, the
// client has to ask Sync.
func (s *Session) Resumed() bool { return s.resumed }

// Expires is when the token's time is over.
func (s *Session) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims.Expires
}

// Confirm says that the first frame after the welcome has come: from now on only ID
// names this link, no longer the id by which it was resumed.
func (s *Session) Confirm() {
	if s.box != nil {
		s.box.Confirm(s.owner())
	}
}

// Take moves events from the outbox into the window, as far as it has room, at most
// maxItems and about maxBytes (at least one), appends them to into, and answers the
// push number of the first. The caller writes them to the link in this order, and
// calls again until nothing was appended, or sees to it that it will: Wake is not
// called while something is left.
func (s *Session) Take(into []Item, maxItems, maxBytes int) (items []Item, first uint64) {
	if s.box == nil {
		return into, 0
	}
	return s.box.Take(s.owner(), into, maxItems, maxBytes)
}

// SetState notes what the client says of itself.
func (s *Session) SetState(st ClientState) {
	if st.HoldSignals != nil && s.box != nil {
		s.box.HoldSignals(s.owner(), *st.HoldSignals)
		if !*st.HoldSignals {
			s.c.watches.again(s.box)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.Background != nil {
		s.background = *st.Background
	}
	if st.Network != "" {
		s.network = clip(st.Network)
	}
}

// Detach says that the link is gone. The session may be resumed for
// Limits.DetachedFor.
func (s *Session) Detach() {
	if s.leave() && s.box != nil {
		s.box.Detach(s.owner())
		s.c.watches.moved(s.user)
	}
}

// Close says that the client ended the session, or may not come back.
func (s *Session) Close() {
	if s.leave() && s.box != nil {
		s.box.Close(s.owner())
		s.c.watches.moved(s.user)
	}
}

// end ends the session for its door, which is told. False: it has ended already.
func (s *Session) end(e End) bool {
	if !s.leave() {
		return false
	}
	if e.Resumable {
		s.box.Detach(s.owner())
	} else {
		s.box.Close(s.owner())
	}
	s.c.watches.moved(s.user)
	s.c.tallies.ended(e.Code)
	if s.login.Ended != nil {
		s.login.Ended(e)
	}
	return true
}

// leave does what follows from every end, once.
func (s *Session) leave() bool {
	if !s.over.CompareAndSwap(false, true) {
		return false
	}
	s.lanes.release(s)
	if s.box != nil {
		s.c.expiry.remove(s)
		s.note()
	}
	return true
}

// note keeps when the device was last here.
func (s *Session) note() {
	s.c.lastHere.put(s.user, s.c.Now().UnixMilli())
	err := s.c.noteDevice(s.user, DeviceInfo{ID: s.device, Class: s.class, LastSeen: s.c.Now().UnixMilli(), OS: s.login.OS, SDK: s.login.SDK})
	if err != nil { // the next login mends it
		s.c.log.Debug("a device is not noted", "user", s.user, "device", s.device, "err", err)
	}
}

// settle says that the session has been given conv up to seq by other means, before
// its first Take: what is queued of that is taken out, and is not offered again.
func (s *Session) settle(conv im.ConvID, seq im.Seq) { s.box.Given(s.owner(), conv, seq) }
