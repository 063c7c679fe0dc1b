package core

import (
	"strings"
	"sync"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// convRef is a conversation as one user came to it: what he called it, and what he is
// in it. The head was read before the row, so whoever is in by the row was entitled
// to everything up to head.Seq.
type convRef struct {
	addr  im.Address
	kind  im.ConvKind
	conv  im.ConvID  // 0: not made yet (direct: by its first message; me: by the first change)
	peer  im.UserID  // direct
	line  string     // direct: the business conversation; "" = the plain one
	group im.GroupID // group
	app   bool       // the session acts for the app: no role binds it
	head  store.Head
	row   store.Row
}

// errNoConv is the one answer for a conversation that is not there and for one that
// is not for this user to know of: an id must not be probed.
func errNoConv() *im.Error {
	return im.Errorf(im.NotFound, "no such conversation, or you are not in it")
}

// resolve finds the conversation that the session's user calls addr, and his row in
// it. me resolves even before anything stands in its log: conv is 0 then.
//
// Errors: Unavailable if the session has ended; Invalid if addr is no address, or no
// user is named;
// Unsupported for kinds this server has not; NotFound if the conversation does not exist or he is not in it. With NotFound, conv
// is set if there is one, only so that a retry can be looked up (see kept).
func (s *Session) resolve(addr im.Address) (convRef, error) {
	if err := s.here(); err != nil {
		return convRef{}, err
	}
	ref, err := s.c.look(s.user, addr)
	ref.app = s.app
	if err != nil {
		return ref, err
	}
	if ref.conv == 0 && ref.kind != im.Self || !ref.row.In() {
		return ref, errNoConv()
	}
	return ref, nil
}

// here says whether the session still is one, and a user's: whoever was signed out is
// answered nothing any more, whatever his door still has of him.
func (s *Session) here() error {
	if s.over.Load() {
		return errOver()
	}
	if s.user == "" {
		return errNoUser()
	}
	return nil
}

// reach is resolve for sends and signals: a direct conversation need not have begun
// (conv 0, head and row zero). It does not look at blocks.
//
// Errors: as resolve, and NotFound for a user that this server does not know where
// only known users may be written to.
func (s *Session) reach(addr im.Address) (convRef, error) {
	ref, err := s.c.look(s.user, addr)
	ref.app = s.app
	switch {
	case err != nil:
		return ref, err
	case ref.kind == im.Self:
		return ref, im.Errorf(im.Invalid, "me takes no messages: notes to yourself go to %s", im.DirectAddress(s.user))
	case ref.kind == im.Direct && ref.conv == 0:
		if ref.peer != s.user {
			if err := s.c.checkKnown(ref.peer); err != nil {
				return ref, err
			}
		}
		return ref, nil
	case !ref.row.In():
		return ref, errNoConv()
	}
	return ref, nil
}

// look finds what u calls addr, whatever u may there: a row without a role says that
// he is not in it.
func (c *Core) look(u im.UserID, addr im.Address) (convRef, error) {
	kind, id, err := addr.Split()
	if err != nil {
		return convRef{}, err
	}
	ref := convRef{addr: addr, kind: kind}
	switch kind {
	case im.Self:
		ref.row = store.Row{User: u, Role: im.Member, From: 1}
		ref.head = store.Head{Kind: im.Self, Members: 1, Min: 1, MinVer: 1}
		conv, ok, err := c.st.Self(u)
		if err != nil || !ok {
			return ref, err
		}
		ref.conv, ref.row.Conv = conv, conv
		if h, ok := c.st.Head(conv); ok {
			ref.head = h
		}
		return ref, nil
	case im.Direct:
		ref.peer, ref.line = im.UserID(id), addr.Line()
		if ref.conv, err = c.directOf(u, ref.peer, ref.line); err != nil || ref.conv == 0 {
			return ref, err
		}
		ref.head, ref.row, err = c.at(ref.conv, u)
		return ref, err
	case im.Group:
		ref.group = im.GroupID(id)
		cached := false
		if ref.conv, cached, err = c.groupOf(ref.group); err != nil {
			return ref, err
		}
		if ref.head, ref.row, err = c.at(ref.conv, u); err != nil {
			return ref, err
		}
		if cached && !ref.row.In() { // the same work as for one that is not there
			_, _, err = c.st.Group(ref.group)
		}
		return ref, err
	}
	return ref, im.Errorf(im.Unsupported, "this server has direct conversations and groups only")
}

// at reads the head of conv and then u's row, which is thus at least as new. Both are
// zero where there is none.
func (c *Core) at(conv im.ConvID, u im.UserID) (store.Head, store.Row, error) {
	head, ok := c.st.Head(conv)
	row, found, err := c.st.Row(conv, u)
	switch {
	case err != nil || !ok:
		return head, store.Row{}, err
	case found:
		return head, row, nil
	case head.Kind == im.Direct:
		row, _ = rowOf(&head, u)
		return head, row, nil
	}
	return head, store.Row{}, nil
}

// rowOf makes u's row of a direct conversation from its head, without what he has set.
func rowOf(h *store.Head, u im.UserID) (store.Row, bool) {
	side := h.Side(u)
	if side == nil {
		return store.Row{}, false
	}
	return store.Row{Conv: h.Conv, User: u, Role: im.Member, MVer: h.MVer, From: 1,
		Read: side.Read, ReadN: side.ReadN, ReadNA: side.ReadNA, Position: h.Position}, true
}

// addressOf is how u says the conversation of h.
func addressOf(h *store.Head, u im.UserID) im.Address {
	switch h.Kind {
	case im.Self:
		return im.Me
	case im.Direct:
		return im.LineAddress(h.Peer(u), h.Line)
	}
	return im.GroupAddress(h.Group)
}

// pair names a direct conversation: the users in byte order, and the line.
type pair struct {
	a, b im.UserID
	line string
}

// directOf is the conversation of two users, the plain one or the business conversation
// of that name; 0 if it has not begun.
func (c *Core) directOf(a, b im.UserID, line string) (im.ConvID, error) {
	if b < a {
		a, b = b, a
	}
	k := pair{a, b, line}
	if conv, ok := c.directs.get(k); ok {
		return conv, nil
	}
	conv, ok, err := c.st.Direct(a, b, line)
	if err != nil || !ok {
		return 0, err
	}
	// The names are pieces of a request, which may be large: what is kept is a copy.
	c.directs.put(pair{clone(a), clone(b), clone(line)}, conv)
	return conv, nil
}

// groupOf is the conversation of a group, 0 if there is none, and whether that was
// known without the store.
func (c *Core) groupOf(id im.GroupID) (conv im.ConvID, cached bool, err error) {
	if conv, ok := c.groups.get(id); ok {
		return conv, true, nil
	}
	conv, ok, err := c.st.Group(id)
	if err != nil || !ok {
		return 0, false, err
	}
	c.groups.put(clone(id), conv)
	return conv, false, nil
}

// clone is s in memory of its own.
func clone[S ~string](s S) S { return S(strings.Clone(string(s))) }

// names remembers numbers of conversations by name: what has once been true stays
// so, and no right follows from it. At most maxNames are kept; above that an
// arbitrary one makes room. Its zero value works.
type names[K comparable, V any] struct {
	mu sync.RWMutex
	m  map[K]V // guarded by mu
}

const maxNames = 1 << 17

func (n *names[K, V]) get(k K) (V, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	v, ok := n.m[k]
	return v, ok
}

// add is put for what is not there yet: who puts meanwhile knows better.
func (n *names[K, V]) add(k K, v V) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.m[k]; !ok {
		n.set(k, v)
	}
}

func (n *names[K, V]) put(k K, v V) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.set(k, v)
}

// set is put; mu is held.
func (n *names[K, V]) set(k K, v V) {
	if n.m == nil {
		n.m = map[K]V{}
	}
	if _, ok := n.m[k]; !ok && len(n.m) >= maxNames {
		for old := range n.m {
			delete(n.m, old)
			break
		}
	}
	n.m[k] = v
}
