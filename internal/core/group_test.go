package core

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// members reads the roles of a group as u sees them.
func (w *world) members(u im.UserID, g im.Address) map[im.UserID]im.Role {
	w.Helper()
	roles := map[im.UserID]im.Role{}
	for after, more := im.UserID(""), true; more; {
		list, m, _, err := w.as(u).GroupMembers(w.Context(), g, after, 3)
		w.ok(err)
		for _, i := range list {
			if i.User <= after {
				w.Fatalf("%s comes after %s", i.User, after)
			}
			after = i.User
			roles[i.User] = i.Role
		}
		more = m
	}
	return roles
}

// groupModel is what a group's roles are to be.
type groupModel struct {
	roles map[im.UserID]im.Role
	since map[im.UserID]int // when the role was given
	turn  int
	open  bool
}

func (m *groupModel) set(u im.UserID, r im.Role) {
	if m.roles[u] == r {
		return
	}
	m.since[u] = m.turn
	if r == im.NoRole {
		delete(m.roles, u)
	} else {
		m.roles[u] = r
	}
}

// heir is who gets the group when its owner leaves; "" if nobody is left.
func (m *groupModel) heir(owner im.UserID) im.UserID {
	var heir im.UserID
	for _, u := range slices.Sorted(maps.Keys(m.roles)) {
		if u == owner {
			continue
		}
		if heir == "" || m.roles[u] > m.roles[heir] || m.roles[u] == m.roles[heir] && m.since[u] < m.since[heir] {
			heir = u
		}
	}
	return heir
}

// Random users do random things to a group: what they may do is done, what they may
// not do is refused and changes nothing, and nobody ever raises himself.
func TestGroupRoles(t *testing.T) {
	users := []im.UserID{"a", "b", "c", "d", "e", "f"}
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{})
		g := w.group("a", "b", "c", "d")
		m := &groupModel{roles: map[im.UserID]im.Role{}, since: map[im.UserID]int{}}
		m.turn = 1
		m.set("a", im.Owner)
		for _, u := range []im.UserID{"b", "c", "d"} {
			m.set(u, im.Member)
		}
		for _, u := range []im.UserID{"b", "c"} {
			m.turn++
			_, err := w.as("a").GroupRole(t.Context(), g, u, im.Admin)
			w.ok(err)
			m.set(u, im.Admin)
		}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			m.turn += 2
			who := rapid.SampledFrom(users).Draw(r, "who")
			whom := rapid.SliceOfNDistinct(rapid.SampledFrom(users), 1, 3, rapid.ID[im.UserID]).Draw(r, "whom")
			mine := m.roles[who]
			before := maps.Clone(m.roles)
			var err error
			want := im.Kind(0)
			switch op := rapid.SampledFrom([]string{"add", "remove", "role", "leave", "join", "mode"}).Draw(r, "op"); op {
			case "add":
				_, err = w.as(who).GroupAdd(t.Context(), g, whom)
				switch {
				case mine == im.NoRole:
					want = im.NotFound
				case mine < im.Admin:
					want = im.Denied
				default:
					for _, u := range whom {
						if m.roles[u] == im.NoRole {
							m.set(u, im.Member)
						}
					}
				}
			case "remove":
				_, err = w.as(who).GroupRemove(t.Context(), g, whom)
				equal := slices.ContainsFunc(whom, func(u im.UserID) bool { return m.roles[u] >= mine && m.roles[u] != im.NoRole })
				switch {
				case mine == im.NoRole:
					want = im.NotFound
				case mine < im.Admin:
					want = im.Denied
				case slices.Contains(whom, who):
					want = im.Invalid
				case equal:
					want = im.Denied
				default:
					for _, u := range whom {
						m.set(u, im.NoRole)
					}
				}
			case "role":
				role := rapid.SampledFrom([]im.Role{im.Member, im.Admin, im.Owner}).Draw(r, "role")
				u := whom[0]
				_, err = w.as(who).GroupRole(t.Context(), g, u, role)
				switch {
				case mine == im.NoRole:
					want = im.NotFound
				case mine < im.Owner:
					want = im.Denied
				case u == who && role == im.Owner:
				case u == who:
					want = im.Invalid
				case m.roles[u] == im.NoRole:
					want = im.NotFound
				case role == im.Owner:
					m.set(u, role)
					m.set(who, im.Admin)
				default:
					m.set(u, role)
				}
			case "leave":
				_, err = w.as(who).Leave(t.Context(), g)
				switch {
				case mine == im.NoRole:
					want = im.NotFound
				default:
					if heir := m.heir(who); mine == im.Owner && heir != "" {
						m.set(heir, im.Owner)
					}
					m.turn++
					m.set(who, im.NoRole)
				}
			case "join":
				_, err = w.as(who).Join(t.Context(), g)
				switch {
				case mine != im.NoRole:
				case !m.open || len(m.roles) == 0:
					want = im.NotFound
				default:
					m.set(who, im.Member)
				}
			case "mode":
				mode := im.JoinMode(rapid.IntRange(0, 1).Draw(r, "mode"))
				_, err = w.as(who).GroupUpdate(t.Context(), g, GroupUpdate{Join: &mode})
				switch {
				case mine == im.NoRole:
					want = im.NotFound
				case mine < im.Admin:
					want = im.Denied
				default:
					m.open = mode == im.JoinOpen
				}
			}
			if got := im.AsError(err); (err == nil) != (want == 0) || err != nil && got.Kind != want {
				r.Fatalf("%s (%s): %v; want %v", who, mine, err, want)
			}
			if want != 0 && !maps.Equal(before, m.roles) {
				r.Fatal("the model is wrong")
			}
			if len(m.roles) == 0 {
				return
			}
			var owner im.UserID
			for u, role := range m.roles {
				if role == im.Owner {
					owner = u
				}
			}
			if got := w.members(owner, g); !maps.Equal(got, m.roles) {
				r.Fatalf("the group is %v; want %v", got, m.roles)
			}
			if c, err := w.as(owner).Conversation(t.Context(), g); err != nil || c.Group.Owner != owner || c.Group.Members != len(m.roles) {
				r.Fatalf("%+v %v; want owner %s of %d", c.Group, err, owner, len(m.roles))
			}
		}
	})
}

// Admins race each other; whatever wins, there is one owner, and roles are what the
// log of membership changes makes of them.
func TestGroupChangesAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("own", "a1", "a2", "m1", "m2")
	for _, u := range []im.UserID{"a1", "a2"} {
		_, err := w.as("own").GroupRole(t.Context(), g, u, im.Admin)
		w.ok(err)
	}
	var wg sync.WaitGroup
	for i := range 50 {
		for _, f := range []func() error{
			func() error { _, err := w.as("a1").GroupAdd(t.Context(), g, []im.UserID{"x1", "x2"}); return err },
			func() error { _, err := w.as("a2").GroupRemove(t.Context(), g, []im.UserID{"x1", "x2"}); return err },
			func() error {
				_, err := w.as("own").GroupRole(t.Context(), g, "m1", []im.Role{im.Admin, im.Member}[i%2])
				return err
			},
			func() error { _, err := w.as("m1").GroupRole(t.Context(), g, "m1", im.Owner); return err },
		} {
			wg.Go(func() {
				if err := f(); err != nil && !im.IsKind(err, im.Busy) && !im.IsKind(err, im.Denied) && !im.IsKind(err, im.NotFound) {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	roles := w.members("own", g)
	if roles["own"] != im.Owner || roles["a1"] != im.Admin || roles["a2"] != im.Admin || roles["m2"] != im.Member {
		t.Fatalf("%v", roles)
	}
	ref, err := w.as("own").resolve(g)
	w.ok(err)
	if ref.head.Members != len(roles) {
		t.Fatalf("the head says %d members: %v", ref.head.Members, roles)
	}
	for u, role := range roles {
		if u != "own" && role == im.Owner {
			t.Fatalf("%s made himself owner", u)
		}
	}
}

func TestGroupCreateIsDoneOnce(t *testing.T) {
	w := newWorld(t, Config{})
	q := NewGroup{ID: "g1", Name: "five", Members: []im.UserID{"bob", "bob", "ann", "eve"}, Join: im.JoinOpen, History: im.HistoryAll}
	first, err := w.as("ann").GroupCreate(t.Context(), q)
	w.ok(err)
	again, err := w.as("ann").GroupCreate(t.Context(), q)
	w.ok(err)
	if first != again || first.Members != 3 || first.Owner != "ann" || first.Name != "five" || first.Join != im.JoinOpen || first.History != im.HistoryAll {
		t.Fatalf("%+v, then %+v", first, again)
	}
	addr := im.GroupAddress(first.ID)
	_, err = w.as("eve").Leave(t.Context(), addr)
	w.ok(err)
	again, err = w.as("ann").GroupCreate(t.Context(), q) // as it is now; who left is not dragged back
	w.ok(err)
	if again.ID != first.ID || again.Members != 2 {
		t.Fatalf("%+v", again)
	}
	other := q
	other.Name = "six"
	_, err = w.as("ann").GroupCreate(t.Context(), other)
	w.refused(err, im.Conflict)
	a, err := w.as("ann").GroupCreate(t.Context(), NewGroup{})
	w.ok(err)
	b, err := w.as("ann").GroupCreate(t.Context(), NewGroup{})
	w.ok(err)
	if a.ID == b.ID || len(a.ID) != 16 {
		t.Fatalf("%s, %s", a.ID, b.ID)
	}
}

func TestGroupRefusals(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{MaxGroup: 4}})
	many := make([]im.UserID, 1001)
	for i := range many {
		many[i] = im.UserID(fmt.Sprint("u", i))
	}
	for _, c := range []struct {
		q    NewGroup
		want im.Kind
	}{
		{NewGroup{ID: "a b"}, im.Invalid},
		{NewGroup{Name: strings.Repeat("x", 129)}, im.TooLarge},
		{NewGroup{Name: "a\nb"}, im.Invalid},
		{NewGroup{Name: "a\u202eb"}, im.Invalid},
		{NewGroup{Name: "\xff"}, im.Invalid},
		{NewGroup{Members: []im.UserID{"a/b"}}, im.Invalid},
		{NewGroup{Members: many}, im.TooLarge},
		{NewGroup{Members: many[:4]}, im.TooLarge}, // and himself
		{NewGroup{Members: many[:3]}, 0},
		{NewGroup{Join: 2}, im.Invalid},
		{NewGroup{History: 2}, im.Invalid},
		{NewGroup{Name: strings.Repeat("x", 128)}, 0},
	} {
		_, err := w.as("ann").GroupCreate(t.Context(), c.q)
		check(t, fmt.Sprintf("%.40v", c.q), err, c.want, 0)
	}
	g := w.group("ann", "bob")
	open := im.JoinOpen
	_, err := w.as("ann").GroupUpdate(t.Context(), g, GroupUpdate{Join: &open})
	w.ok(err)
	_, err = w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"x", "y", "z"})
	w.refused(err, im.TooLarge)
	_, err = w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"x", "y"})
	w.ok(err)
	_, err = w.as("z").Join(t.Context(), g)
	w.refused(err, im.TooLarge)
	_, err = w.as("bob").Join(t.Context(), g)
	w.ok(err) // is in already
	bad := im.JoinMode(7)
	_, err = w.as("ann").GroupUpdate(t.Context(), g, GroupUpdate{Join: &bad})
	w.refused(err, im.Invalid)
	_, err = w.as("ann").GroupRole(t.Context(), g, "bob", im.NoRole)
	w.refused(err, im.Invalid)
	w.say("bob", "u/ann", "x")
	_, err = w.as("ann").GroupAdd(t.Context(), "u/bob", []im.UserID{"x"})
	w.refused(err, im.Invalid)
	_, err = w.as("ann").Leave(t.Context(), "u/bob")
	w.refused(err, im.Invalid)

	none := newWorld(t, Config{NoGroups: true})
	_, err = none.as("ann").GroupCreate(t.Context(), NewGroup{})
	none.refused(err, im.Denied)
}

func TestWhoBlocksTheAdderIsLeftOut(t *testing.T) {
	w := newWorld(t, Config{})
	w.ok(w.as("bob").Block(t.Context(), "ann"))
	g := w.group("ann", "bob", "eve")
	if r := w.members("ann", g); len(r) != 2 || r["bob"] != im.NoRole {
		t.Fatalf("%v", r)
	}
	a, err := w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"bob", "joe"})
	w.ok(err)
	if !slices.Equal(a.Refused, []im.UserID{"bob"}) || a.MVer != 2 || a.Seq != 2 {
		t.Fatalf("%+v", a)
	}
	a, err = w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"bob", "joe"})
	w.ok(err)
	if !slices.Equal(a.Refused, []im.UserID{"bob"}) || a.MVer != 2 || a.Seq != 0 {
		t.Fatalf("nothing to do: %+v", a)
	}
}

// What the messages say of a group's life.
func TestGroupSays(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.as("ann")
	g := w.group("ann", "bob", "eve")
	_, err := ann.GroupAdd(t.Context(), g, []im.UserID{"u1", "u2", "u3", "u4", "u5", "u6", "u7"})
	w.ok(err)
	_, err = ann.GroupRole(t.Context(), g, "bob", im.Admin)
	w.ok(err)
	_, err = w.as("bob").GroupRemove(t.Context(), g, []im.UserID{"u7", "u6"})
	w.ok(err)
	open, all, name := im.JoinOpen, im.HistoryAll, "new"
	_, err = ann.GroupUpdate(t.Context(), g, GroupUpdate{Join: &open, History: &all, Name: &name})
	w.ok(err)
	_, err = ann.GroupUpdate(t.Context(), g, GroupUpdate{Join: &open}) // as it is
	w.ok(err)
	_, err = w.as("u7").Join(t.Context(), g)
	w.ok(err)
	_, err = ann.Leave(t.Context(), g)
	w.ok(err)
	r, head, err := w.as("u7").Page(t.Context(), PageQuery{Conv: g})
	w.ok(err)
	want := []string{
		"create|ann made the group “test”|bob,eve|",
		"add|ann added u1, u2, u3, u4, u5 and 2 more|u1,u2,u3,u4,u5,u6,u7|",
		"role|ann made bob admin|bob|admin",
		"remove|bob removed u6 and u7|u6,u7|",
		"update|ann named the group “new”||",
		"join|u7 joined|u7|",
		"role|ann handed the group over to bob|bob|owner",
		"leave|ann left|ann|",
	}
	if len(r.Messages) != len(want) || head.N != 0 || head.MVer != im.MVer(len(want)) || head.LastShown != head.Seq {
		t.Fatalf("%s, head %+v", seqs(r), head)
	}
	for i, m := range r.Messages {
		var ev struct {
			Op, By, Role, Name, Join, History, MVer string
			Users                                   []string
		}
		w.ok(json.Unmarshal(m.Body, &ev))
		got := strings.Join([]string{ev.Op, m.Digest, strings.Join(ev.Users, ","), ev.Role}, "|")
		if got != want[i] || m.Type != "an:group" || m.Flags != im.Persist || string(m.Sender) != ev.By || ev.MVer != fmt.Sprint(i+1) {
			t.Errorf("%d: %s %+v; want %s", i+1, got, m, want[i])
		}
	}
	if m := w.mine("u7", g); m.Unread != 0 || m.From != 1 || m.Role != im.Member {
		t.Fatalf("%+v", m)
	}
}

func TestLargeGroups(t *testing.T) {
	w := newWorld(t, Config{})
	users := make([]im.UserID, 1000)
	for i := range users {
		users[i] = im.UserID(fmt.Sprintf("u%04d", i))
	}
	g, err := w.as("ann").GroupCreate(t.Context(), NewGroup{ID: "big", Members: users})
	w.ok(err)
	if g.Members != 1001 {
		t.Fatalf("%+v", g)
	}
	addr := im.GroupAddress(g.ID)
	r, head, err := w.as("ann").Page(t.Context(), PageQuery{Conv: addr})
	w.ok(err)
	if head.MVer != 3 || head.Seq != 2 || len(r.Messages) != 2 { // 500, 1,000, and 1,001 members, of which no message tells
		t.Fatalf("%+v %s", head, seqs(r))
	}
	c, err := w.as("ann").GroupAdd(t.Context(), addr, []im.UserID{"x"})
	w.ok(err)
	if c.Seq != 0 || c.MVer != 4 {
		t.Fatalf("%+v", c)
	}
	w.say("ann", addr, "hi")
	if m := w.mine("x", addr); m.From != 3 || m.Read != 2 || m.Unread != 1 {
		t.Fatalf("%+v", m)
	}
	c, err = w.as("ann").GroupRemove(t.Context(), addr, users)
	w.ok(err)
	if c.MVer != 6 || c.Seq != 5 {
		t.Fatalf("%+v", c)
	}
	if r := w.members("ann", addr); len(r) != 2 {
		t.Fatalf("%d members", len(r))
	}
}

// The first call ended after its first step: the retry goes on where that was, unless
// the group has moved on, for then who is missing may have left.
func TestGroupCreateGoesOn(t *testing.T) {
	users := make([]im.UserID, 600)
	for i := range users {
		users[i] = im.UserID(fmt.Sprintf("u%04d", i))
	}
	for _, moved := range []bool{false, true} {
		w := newWorld(t, Config{})
		q := NewGroup{ID: "big", Members: users}
		op := &store.MemberOp{Info: &im.GroupInfo{ID: im.NewGroupID()}, By: "ann", ID: q.ID, Hash: q.hash(),
			Set: append(sets(users[:499], im.Member), store.RoleSet{User: "ann", Role: im.Owner})}
		w.ok(w.c.do(t.Context(), op))
		want := 601
		if moved {
			_, err := w.as("u0000").Leave(t.Context(), im.GroupAddress(op.Group))
			w.ok(err)
			want = 499
		}
		g, err := w.as("ann").GroupCreate(t.Context(), q)
		w.ok(err)
		if g.ID != op.Group || g.Members != want {
			t.Fatalf("%+v; want %d members of %s", g, want, op.Group)
		}
	}
}

func TestLastOneOutCloses(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	_, err := w.as("bob").Leave(t.Context(), g)
	w.ok(err)
	_, err = w.as("ann").Leave(t.Context(), g)
	w.ok(err)
	for _, u := range []im.UserID{"ann", "bob"} {
		_, err = w.as(u).Join(t.Context(), g)
		w.refused(err, im.NotFound)
	}
	ref, err := w.c.look("ann", g)
	w.ok(err)
	if !ref.head.Closed {
		t.Fatal("it is not closed")
	}
}
