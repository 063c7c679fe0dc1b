package core

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
)

// acceptModel is who may write where.
type acceptModel struct {
	blocks, lists map[[2]im.UserID]bool // whose, whom
	modes         map[im.UserID]bool
	roles         map[im.UserID]im.Role
	muted         map[im.UserID]int64
	silent        bool
}

// direct is what a send of one to another is answered with; 0 = it is taken.
func (m *acceptModel) direct(from, to im.UserID) im.Code {
	switch {
	case from == to:
		return 0
	case m.blocks[[2]im.UserID{to, from}]:
		return im.CodeNotAccepted
	case m.modes[to] && !m.lists[[2]im.UserID{to, from}]:
		return im.CodeNotListed
	}
	return 0
}

// group is the same for a group.
func (m *acceptModel) group(from im.UserID, now int64) im.Code {
	role := m.roles[from]
	switch {
	case role == im.NoRole:
		return im.CodeNotFound
	case m.muted[from] > now, m.silent && role < im.Admin:
		return im.CodeMuted
	}
	return 0
}

// TestWhoMayWriteRandom: whatever users set, in whatever order, the next send of a
// session that had been allowed before is decided on what holds now.
func TestWhoMayWriteRandom(t *testing.T) {
	users := []im.UserID{"ann", "bob", "carol", "dave"}
	rapid.Check(t, func(r *rapid.T) {
		now := newClock()
		w := newWorld(t, Config{Clock: now.Now})
		defer w.c.Close()
		ctx := t.Context()
		g := w.group("ann", "bob", "carol")
		sessions := map[im.UserID]*Session{}
		for _, u := range users {
			sessions[u] = w.enter(u, "phone") // one for all the run: its lanes remember
		}
		m := acceptModel{blocks: map[[2]im.UserID]bool{}, lists: map[[2]im.UserID]bool{}, modes: map[im.UserID]bool{}, muted: map[im.UserID]int64{},
			roles: map[im.UserID]im.Role{"ann": im.Owner, "bob": im.Member, "carol": im.Member}}
		user := rapid.SampledFrom(users)
		pair := func() (a, b im.UserID) {
			a, b = user.Draw(r, "a"), user.Draw(r, "b")
			if a == b {
				r.Skip("the same")
			}
			return a, b
		}
		others := rapid.SampledFrom(users[1:])
		must := func(err error) {
			if err != nil {
				r.Fatalf("%v", err)
			}
		}
		send := func(from im.UserID, to im.Address, want im.Code) {
			flags := rapid.SampledFrom([]im.Flags{0, im.Status}).Draw(r, "flags")
			_, err := w.send(sessions[from], to, "x", func(m *im.Message) { m.Flags = flags })
			got := im.Code(0)
			if err != nil {
				got = im.AsError(err).Code
			}
			if got != want {
				r.Fatalf("%s to %s: code %d (%v); want %d", from, to, got, err, want)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"send": func(*rapid.T) {
				a, b := user.Draw(r, "a"), user.Draw(r, "b")
				send(a, im.LineAddress(b, rapid.SampledFrom([]string{"", "orders"}).Draw(r, "line")), m.direct(a, b))
			},
			"say": func(*rapid.T) {
				u := user.Draw(r, "user")
				send(u, g, m.group(u, now.Now().UnixMilli()))
			},
			"block": func(*rapid.T) {
				a, b := pair()
				on := rapid.Bool().Draw(r, "on")
				if on {
					must(sessions[a].Block(ctx, b))
				} else {
					must(sessions[a].Unblock(ctx, b))
				}
				m.blocks[[2]im.UserID{a, b}] = on
			},
			"list": func(*rapid.T) {
				a, b := pair()
				on := rapid.Bool().Draw(r, "on")
				if on {
					must(sessions[a].Allow(ctx, b))
				} else {
					must(sessions[a].Disallow(ctx, b))
				}
				m.lists[[2]im.UserID{a, b}] = on
			},
			"mode": func(*rapid.T) {
				a := user.Draw(r, "a")
				m.modes[a] = !m.modes[a]
				must(sessions[a].SetAllowMode(ctx, m.modes[a]))
			},
			"mute": func(*rapid.T) {
				u := others.Draw(r, "user")
				if m.roles[u] == im.NoRole {
					r.Skip("not in")
				}
				until := int64(0)
				if rapid.Bool().Draw(r, "on") {
					until = now.Now().UnixMilli() + rapid.Int64Range(1, 5000).Draw(r, "for")
				}
				_, err := w.as("ann").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{u}, Until: until})
				must(err)
				m.muted[u] = until
			},
			"silence": func(*rapid.T) {
				m.silent = !m.silent
				_, err := w.as("ann").GroupMute(ctx, MuteRequest{Conv: g, All: &m.silent})
				must(err)
			},
			"role": func(*rapid.T) {
				u := others.Draw(r, "user")
				if m.roles[u] == im.NoRole {
					r.Skip("not in")
				}
				m.roles[u] = rapid.SampledFrom([]im.Role{im.Member, im.Admin}).Draw(r, "role")
				_, err := w.as("ann").GroupRole(ctx, g, u, m.roles[u])
				must(err)
			},
			"membership": func(*rapid.T) {
				u := others.Draw(r, "user")
				if m.roles[u] != im.NoRole {
					_, err := w.as("ann").GroupRemove(ctx, g, []im.UserID{u})
					must(err)
					delete(m.roles, u)
					return
				}
				a, err := w.as("ann").GroupAdd(ctx, g, []im.UserID{u})
				must(err)
				refused := m.direct("ann", u) != 0
				if slices.Contains(a.Refused, u) != refused {
					r.Fatalf("%s is refused: %v; want %v", u, a.Refused, refused)
				}
				if !refused {
					m.roles[u] = im.Member
				}
			},
			"wait": func(*rapid.T) { now.add(1000) },
		})
	})
}
