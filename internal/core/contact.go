package core

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Visibility is who is told something of a user: a field of his profile, whether he is
// here, when he was.
const (
	toAll      = "all"
	toContacts = "contacts" // users with whom he shares a direct conversation in which both have written
	toNone     = "none"     // himself and the app
)

func checkVisible(what, v string) error {
	switch v {
	case toAll, toContacts, toNone:
		return nil
	}
	return im.Errorf(im.Invalid, "who is told %s is one of all, contacts, none", what)
}

// told says whether somebody is told what u shows to v.
func (c *Core) told(v string, u, asker im.UserID) (bool, error) {
	switch {
	case u == asker || v == toAll:
		return true, nil
	case v == toContacts:
		return c.contacts(u, asker)
	}
	return false, nil
}

// contact is how far a direct conversation was searched for words of both.
type contact struct {
	upTo          im.Seq // every message up to here was looked at
	first, second bool   // who of Head.Sides has written
}

const (
	contactPages = 4 // pages that one question may read
	contactPage  = 200
)

// contacts says whether two users share a direct conversation, the plain one, in which
// both have written something shown. What was found is kept in memory, so of a long
// monologue every message is looked at once; one question reads at most 800 of them,
// and says no until all are looked at. Words that the other was not shown do not count.
func (c *Core) contacts(a, b im.UserID) (bool, error) {
	conv, err := c.directOf(a, b, "")
	if err != nil || conv == 0 {
		return false, err
	}
	k, _ := c.met.get(conv)
	if k.first && k.second {
		return true, nil
	}
	h, ok := c.st.Head(conv)
	if !ok {
		return false, nil
	}
	for range contactPages {
		if k.upTo >= h.Seq || k.first && k.second {
			break
		}
		p, err := c.st.Page(store.PageQuery{Conv: conv, From: max(k.upTo+1, h.Min), To: h.Seq, Limit: contactPage})
		if err != nil {
			return false, err
		}
		for _, m := range p.Messages {
			if m.To != nil || !m.Shown() {
				continue
			}
			k.first = k.first || m.Sender == h.Sides[0].User
			k.second = k.second || m.Sender == h.Sides[1].User
		}
		k.upTo = max(p.To, k.upTo+1)
	}
	c.met.put(conv, k)
	return k.first && k.second, nil
}
