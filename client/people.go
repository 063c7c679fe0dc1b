package client

import (
	"context"
	"time"

	"github.com/anser-im/anser/wire"
)

// Who is told something of a user.
const (
	VisibleAll      = "all"
	VisibleContacts = "contacts" // with whom he shares a conversation that both began
	VisibleNone     = "none"     // himself and the app
)

// Profile is what a user tells of himself.
type Profile struct {
	User     string
	Name     string
	Portrait string // URL
	Fields   map[string]ProfileField
	Version  int64 // of the last change: Unix milliseconds
}

// ProfileField is a field of a profile.
type ProfileField struct {
	Value   string // at most 4 KiB; empty removes it
	Visible string // VisibleAll ...; empty = VisibleAll. Told to the user himself only
}

func profileOf(p *wire.Profile) *Profile {
	out := &Profile{User: p.GetUser(), Name: p.GetName(), Portrait: p.GetPortrait(), Version: p.GetVersion()}
	for _, f := range p.GetFields() {
		if out.Fields == nil {
			out.Fields = make(map[string]ProfileField)
		}
		out.Fields[f.Key] = ProfileField{Value: f.Value, Visible: f.Visible}
	}
	return out
}

// SetProfile is what to change of one's profile; nil = as before.
type SetProfile struct {
	Name     *string // at most 128 bytes
	Portrait *string // URL, at most 1024 bytes
	Fields   map[string]ProfileField
}

// SetProfile changes what this user tells of himself, and answers all of it.
func (c *Client) SetProfile(ctx context.Context, s SetProfile) (*Profile, error) {
	req := &wire.SetProfileRequest{Name: s.Name, Portrait: s.Portrait}
	for k, f := range s.Fields {
		req.Fields = append(req.Fields, &wire.ProfileField{Key: k, Value: f.Value, Visible: f.Visible})
	}
	r := new(wire.ProfileResponse)
	if err := c.do(ctx, wire.MethodSetProfile, req, r, true); err != nil {
		return nil, err
	}
	return profileOf(r.Profile), nil
}

// Profiles asks for the profiles of users, at most 100: of those that have one, what this
// user may see.
func (c *Client) Profiles(ctx context.Context, users ...string) ([]*Profile, error) {
	r := new(wire.ProfilesResponse)
	err := c.do(ctx, wire.MethodProfiles, &wire.ProfilesRequest{Users: users}, r, true)
	var out []*Profile
	for _, p := range r.Profiles {
		out = append(out, profileOf(p))
	}
	return out, err
}

// SetAllowMode takes direct messages only from those on this user's list, or again from
// all. Others are refused with CodeNotListed.
func (c *Client) SetAllowMode(ctx context.Context, on bool) error {
	return c.do(ctx, wire.MethodSetAllowMode, &wire.SetAllowModeRequest{On: on}, new(wire.Empty), true)
}

// Allow puts a user on the list.
func (c *Client) Allow(ctx context.Context, user string) error {
	return c.do(ctx, wire.MethodAllow, &wire.AllowRequest{User: user}, new(wire.Empty), true)
}

// Disallow takes one off.
func (c *Client) Disallow(ctx context.Context, user string) error {
	return c.do(ctx, wire.MethodDisallow, &wire.DisallowRequest{User: user}, new(wire.Empty), true)
}

// Allowed is a page of the list.
type Allowed struct {
	Users []string // by user id
	On    bool     // whether it counts: SetAllowMode
	More  bool
}

// Allowed lists who is on the list, by user id behind after, at most limit (0 = 100, at
// most 1000).
func (c *Client) Allowed(ctx context.Context, after string, limit int) (Allowed, error) {
	r := new(wire.AllowedResponse)
	err := c.do(ctx, wire.MethodAllowed, &wire.AllowedRequest{After: after, Limit: count(limit)}, r, true)
	return Allowed{Users: r.Users, On: r.On, More: r.More}, err
}

// Presence says whether a user is here.
type Presence struct {
	User     string
	Online   []string  // classes of his devices that are: wire.ClassPhone ...; none = away, or not told to this user
	LastSeen time.Time // zero = not known, or not told
	Status   string    // his own words
}

func presenceOf(p *wire.Presence) Presence {
	return Presence{User: p.GetUser(), Online: p.GetOnline(), LastSeen: timeOf(p.GetLastSeen()), Status: p.GetStatus()}
}

// SetPresence is what to change of what this user tells of his being here; nil = as
// before.
type SetPresence struct {
	Status   *string // his own words; at most 128 bytes
	Online   *string // who is told that he is here: VisibleAll ...
	LastSeen *string // who is told when he was
}

// SetPresence changes it.
func (c *Client) SetPresence(ctx context.Context, s SetPresence) error {
	return c.do(ctx, wire.MethodSetPresence, &wire.SetPresenceRequest{Status: s.Status, Online: s.Online, LastSeen: s.LastSeen}, new(wire.Empty), true)
}

// Presence asks whether users are here, at most 200; one answer for each, in order.
func (c *Client) Presence(ctx context.Context, users ...string) ([]Presence, error) {
	list, _, err := c.presence(ctx, wire.MethodPresence, &wire.PresenceRequest{Users: users})
	return list, err
}

func (c *Client) presence(ctx context.Context, method string, req wire.Body) (list []Presence, until time.Time, err error) {
	r := new(wire.PresenceResponse)
	err = c.do(ctx, method, req, r, true)
	for _, p := range r.Presences {
		list = append(list, presenceOf(p))
	}
	return list, timeOf(r.Until), err
}

// Watch has this device told when users come and go, for d (0 = an hour, at most 30 days):
// by signals that Signal.Presence reads. At most 200 users in all. It answers how it is
// now, and when it ends. It also ends with the session: watch again when State says that
// the client is online anew.
func (c *Client) Watch(ctx context.Context, d time.Duration, users ...string) (now []Presence, until time.Time, err error) {
	return c.presence(ctx, wire.MethodWatch, &wire.WatchRequest{Users: users, Seconds: wholeSeconds(d)})
}

// Unwatch ends that, for some users or, named none, for all.
func (c *Client) Unwatch(ctx context.Context, users ...string) error {
	return c.do(ctx, wire.MethodUnwatch, &wire.UnwatchRequest{Users: users}, new(wire.Empty), true)
}

// Presence reads a signal that tells of a user who came or went; false if it is another.
func (s *Signal) Presence() (Presence, bool) {
	if s.Kind != wire.SignalPresence {
		return Presence{}, false
	}
	p := new(wire.Presence)
	if len(s.Body) > 0 && s.Body[0] == '{' {
		if wire.JSON.UnmarshalBody(s.Body, p) == nil {
			return presenceOf(p), true
		}
		return Presence{}, false
	}
	if wire.Binary.UnmarshalBody(s.Body, p) != nil {
		return Presence{}, false
	}
	return presenceOf(p), true
}

// Recording tells the others of a conversation that this user is recording something
// spoken.
func (c *Client) Recording(conv string) error { return c.Signal(conv, wire.SignalRecording, nil, 0) }
