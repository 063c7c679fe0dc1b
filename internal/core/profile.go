package core

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// noteProfile is the note of what a user tells of himself.
const noteProfile = "profile"

const (
	maxPortrait      = 1024 // bytes
	maxProfileFields = 50
	maxProfileKey    = 32       // bytes
	maxProfileValue  = 4 << 10  // bytes
	maxProfile       = 32 << 10 // bytes of all keys and values
	maxProfiles      = 100      // asked for at once
)

// profileNote is that note.
type profileNote struct {
	Name     string                  `json:"name,omitempty"`
	Portrait string                  `json:"portrait,omitempty"`
	Fields   map[string]profileField `json:"fields,omitempty"`
	Version  int64                   `json:"version"`
}

type profileField struct {
	Value   string `json:"value"`
	Visible string `json:"visible,omitempty"` // "" = all
}

// SetProfile alters what the user tells of himself: a name and a portrait that all are
// told, and fields of his own or the app's, each with who is told it. His other devices
// get the note "profile" in the log of "me".
//
// Errors: Invalid or TooLarge for what is no name, URL, key, value or visibility, for
// more than 50 fields and for more than 32 KiB of them; Limited; Busy if other devices
// keep changing it; those of the store.
func (s *Session) SetProfile(ctx context.Context, p ProfilePatch) (Profile, error) {
	if err := s.here(); err != nil {
		return Profile{}, err
	}
	if err := s.c.checkProfile(&p); err != nil {
		return Profile{}, err
	}
	if err := s.charge(); err != nil {
		return Profile{}, err
	}
	for range maxTries {
		n, was, err := s.c.profileNote(s.user)
		if err != nil {
			return Profile{}, err
		}
		if err := n.apply(&p); err != nil {
			return Profile{}, err
		}
		n.Version = max(s.c.Now().UnixMilli(), n.Version+1)
		value, err := json.Marshal(n)
		if err != nil {
			return Profile{}, im.AsError(err)
		}
		err = s.putNote(ctx, &store.NoteOp{Key: noteProfile, Value: value, If: &was})
		switch {
		case err == nil:
			return s.c.profileTo(s.user, &n, s.user)
		case !im.IsKind(err, im.Conflict):
			return Profile{}, err
		}
	}
	return Profile{}, errContended()
}

func (c *Core) checkProfile(p *ProfilePatch) error {
	if p.Name != nil {
		if err := c.checkDisplayName(*p.Name); err != nil {
			return err
		}
	}
	if p.Portrait != nil {
		if err := checkPortrait(*p.Portrait); err != nil {
			return err
		}
	}
	for key, f := range p.Fields {
		if key == "" || len(key) > maxProfileKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return im.Errorf(im.Invalid, "the key of a field is 1 to %d printable ASCII bytes", maxProfileKey)
		}
		if len(f.Value) > maxProfileValue {
			return im.Errorf(im.TooLarge, "the field %s is %d bytes long; at most %d are allowed", key, len(f.Value), maxProfileValue)
		}
		if !utf8.ValidString(f.Value) {
			return im.Errorf(im.Invalid, "the field %s is not valid UTF-8", key)
		}
		if f.Visible != "" {
			if err := checkVisible("the field "+key, f.Visible); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkPortrait takes http and https URLs and absolute paths of this server: others,
// such as javascript:, are not for clients to open.
func checkPortrait(s string) error {
	if s == "" {
		return nil
	}
	if err := checkLabel("portrait", s, maxPortrait); err != nil {
		return err
	}
	u, err := url.Parse(s)
	ok := err == nil && u.User == nil && ((u.Scheme == "https" || u.Scheme == "http") && u.Host != "" ||
		u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") && !strings.Contains(s, `\`))
	if !ok {
		return im.Errorf(im.Invalid, "the portrait is no http or https URL")
	}
	return nil
}

// checkLabel looks at one line of text that people are shown, without characters that
// steer its direction. "" is allowed; most below 0 = any length.
func checkLabel(what, s string, most int) error {
	if most >= 0 && len(s) > most {
		return im.Errorf(im.TooLarge, "the %s is %d bytes long; at most %d are allowed", what, len(s), most)
	}
	if !utf8.ValidString(s) {
		return im.Errorf(im.Invalid, "the %s is not valid UTF-8", what)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == 0x2028 || r == 0x2029 || unicode.Is(unicode.Bidi_Control, r) {
			return im.Errorf(im.Invalid, "the %s holds a character that is not allowed there: %U", what, r)
		}
	}
	return nil
}

// apply puts p in.
func (n *profileNote) apply(p *ProfilePatch) error {
	patch(&n.Name, p.Name)
	patch(&n.Portrait, p.Portrait)
	n.Fields = maps.Clone(n.Fields)
	for key, f := range p.Fields {
		if f.Value == "" {
			delete(n.Fields, key)
			continue
		}
		if n.Fields == nil {
			n.Fields = map[string]profileField{}
		}
		if f.Visible == toAll {
			f.Visible = ""
		}
		n.Fields[key] = profileField(f)
	}
	if len(n.Fields) > maxProfileFields {
		return im.Errorf(im.TooLarge, "a profile of %d fields; at most %d are allowed", len(n.Fields), maxProfileFields)
	}
	size := 0
	for key, f := range n.Fields {
		size += len(key) + len(f.Value)
	}
	if size > maxProfile {
		return im.Errorf(im.TooLarge, "the fields of the profile are %d bytes; at most %d are allowed", size, maxProfile)
	}
	return nil
}

func (c *Core) profileNote(u im.UserID) (n profileNote, raw []byte, err error) {
	raw, ok, err := c.st.Get(store.NoteRecord, u, noteProfile)
	if err != nil || !ok {
		return n, nil, err
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return n, nil, im.Wrap(im.Internal, err, "this profile cannot be read")
	}
	return n, raw, nil
}

// Profiles are what users tell of themselves, as far as each tells this user; who has
// told nothing is left out. A block hides nothing that all are told. The app itself is
// told all.
//
// Errors: Invalid or TooLarge for bad ids and more than 100; those of the store.
func (s *Session) Profiles(_ context.Context, users []im.UserID) ([]Profile, error) {
	if err := s.hereApp(); err != nil {
		return nil, err
	}
	if err := checkUsers(users, maxProfiles); err != nil {
		return nil, err
	}
	var list []Profile
	for _, u := range users {
		n, raw, err := s.c.profileNote(u)
		if err != nil {
			return nil, err
		}
		if raw == nil {
			continue
		}
		p, err := s.c.profileTo(u, &n, s.user)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// profileTo is what an asker is told of u; asker "" = the app.
func (c *Core) profileTo(u im.UserID, n *profileNote, asker im.UserID) (Profile, error) {
	p := Profile{User: u, Name: n.Name, Portrait: n.Portrait, Version: n.Version}
	own := asker == "" || asker == u
	contact, known := false, false
	for key, f := range n.Fields {
		if !own && f.Visible == toContacts && !known {
			var err error
			if contact, err = c.contacts(u, asker); err != nil {
				return p, err
			}
			if contact {
				if contact, err = c.accepted(u, asker); err != nil {
					return p, err
				}
			}
			known = true
		}
		if !own && (f.Visible == toNone || f.Visible == toContacts && !contact) {
			continue
		}
		if p.Fields == nil {
			p.Fields = map[string]ProfileField{}
		}
		out := ProfileField(f)
		switch {
		case !own:
			out.Visible = ""
		case out.Visible == "":
			out.Visible = toAll
		}
		p.Fields[key] = out
	}
	return p, nil
}
