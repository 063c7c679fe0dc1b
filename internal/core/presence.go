package core

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// notePresence is the note of what a user tells of his being here.
const notePresence = "presence"

const (
	maxStatus   = 128 // bytes
	maxPresence = 200 // users asked for at once
)

// presenceNote is that note.
type presenceNote struct {
	Status   string `json:"status,omitempty"`
	Online   string `json:"online,omitempty"`    // "" = all
	LastSeen string `json:"last_seen,omitempty"` // "" = contacts
}

func (n *presenceNote) online() string {
	if n.Online == "" {
		return toAll
	}
	return n.Online
}

func (n *presenceNote) lastSeen() string {
	if n.LastSeen == "" {
		return toContacts
	}
	return n.LastSeen
}

func (c *Core) presenceNote(u im.UserID) (n presenceNote, raw []byte, err error) {
	raw, ok, err := c.st.Get(store.NoteRecord, u, notePresence)
	if err != nil || !ok {
		return n, nil, err
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return n, nil, im.Wrap(im.Internal, err, "what this user tells of himself cannot be read")
	}
	return n, raw, nil
}

// SetPresence sets one's status and who is told that one is here, and when one was. By
// default all are told the first, contacts the second. Who is not told that somebody is
// here is not told his status either.
//
// Errors: Invalid or TooLarge for a bad status or visibility; Limited; Busy if other
// devices keep changing it; those of the store.
func (s *Session) SetPresence(ctx context.Context, p PresencePatch) error {
	if err := s.here(); err != nil {
		return err
	}
	if err := checkPresence(&p); err != nil {
		return err
	}
	if err := s.charge(); err != nil {
		return err
	}
	for range maxTries {
		n, was, err := s.c.presenceNote(s.user)
		if err != nil {
			return err
		}
		patch(&n.Status, p.Status)
		patch(&n.Online, p.Online)
		patch(&n.LastSeen, p.LastSeen)
		var value []byte
		if n != (presenceNote{}) {
			value, _ = json.Marshal(n) // of strings alone
		}
		op := &store.NoteOp{Key: notePresence, Value: value, If: &was}
		op.Done = func() {
			if op.Err == nil && op.Moved {
				s.c.watches.moved(s.user)
			}
		}
		if err := s.putNote(ctx, op); !im.IsKind(err, im.Conflict) {
			return err
		}
	}
	return errContended()
}

func patch[T any](at *T, v *T) {
	if v != nil {
		*at = *v
	}
}

func checkPresence(p *PresencePatch) error {
	if p.Status != nil {
		if err := checkLabel("status", *p.Status, maxStatus); err != nil {
			return err
		}
	}
	if p.Online != nil {
		if err := checkVisible("that you are here", *p.Online); err != nil {
			return err
		}
	}
	if p.LastSeen != nil {
		return checkVisible("when you were here", *p.LastSeen)
	}
	return nil
}

// Presence says of users, in their order, whether they are here and on which classes of
// devices, when they last were, and their status: as far as each tells this user. Of who
// blocks him, or does not take his messages, he is told what he is of who is not there.
// The app itself is told all.
//
// Errors: Invalid or TooLarge for bad ids and more than 200; those of the store.
func (s *Session) Presence(_ context.Context, users []im.UserID) ([]Presence, error) {
	if err := s.hereApp(); err != nil {
		return nil, err
	}
	if err := checkUsers(users, maxPresence); err != nil {
		return nil, err
	}
	list := make([]Presence, len(users))
	for i, u := range users {
		var err error
		if list[i], err = s.c.presenceTo(u, s.user); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// checkUsers looks at a list of users in a question.
func checkUsers(users []im.UserID, most int) error {
	if len(users) > most {
		return im.Errorf(im.TooLarge, "%d users at once; at most %d are allowed", len(users), most)
	}
	for _, u := range users {
		if err := im.CheckName("user id", string(u)); err != nil {
			return err
		}
	}
	return nil
}

// presenceTo is what an asker is told of u; asker "" = the app.
func (c *Core) presenceTo(u, asker im.UserID) (Presence, error) {
	p := Presence{User: u}
	if asker != "" && asker != u {
		if takes, err := c.accepted(u, asker); err != nil || !takes {
			return p, err
		}
	}
	n, _, err := c.presenceNote(u)
	if err != nil {
		return p, err
	}
	online, err := c.told(n.online(), u, asker)
	if err != nil {
		return p, err
	}
	if online || asker == "" {
		p.Online, p.Status = c.classes(u), n.Status
	}
	seen, err := c.told(n.lastSeen(), u, asker)
	if err != nil {
		return p, err
	}
	switch {
	case !seen && asker != "":
	case len(p.Online) > 0:
		p.LastSeen = c.Now().UnixMilli()
	default:
		p.LastSeen, err = c.lastSeen(u)
	}
	return p, err
}

// onlineTo says whether an asker is told that u is here.
func (c *Core) onlineTo(u, asker im.UserID) (bool, error) {
	if !c.online(u) {
		return false, nil
	}
	if asker != u {
		if takes, err := c.accepted(u, asker); err != nil || !takes {
			return false, err
		}
	}
	n, _, err := c.presenceNote(u)
	if err != nil {
		return false, err
	}
	return c.told(n.online(), u, asker)
}

// classes are those of u's devices that are here, each once, by name.
func (c *Core) classes(u im.UserID) []im.Class {
	var list []im.Class
	for _, box := range c.hub.Sessions(u) {
		if box.Live() && !slices.Contains(list, box.Class) {
			list = append(list, box.Class)
		}
	}
	slices.Sort(list)
	return list
}

// lastSeen is when a device of u was last here, as far as that is known: 0 if not. It is
// noted when a device comes and when it goes, and remembered from the first look on.
func (c *Core) lastSeen(u im.UserID) (int64, error) {
	if last, ok := c.lastHere.get(u); ok {
		return last, nil
	}
	devices, err := c.devices(u)
	if err != nil {
		return 0, err
	}
	last := int64(0)
	for _, d := range devices {
		last = max(last, d.LastSeen)
	}
	c.lastHere.add(u, last)
	return last, nil
}
