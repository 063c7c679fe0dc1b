package core

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// What a user is notified of. Levels are inherited: thread, conversation, kind of
// conversation, all conversations of the user, the app's default (Config.NotifyDefault).
// In quiet hours the level of the hours holds besides: what both allow passes.

// notifyNote is the note "notify".
type notifyNote struct {
	All    string     `json:"all,omitempty"`
	Direct string     `json:"direct,omitempty"`
	Group  string     `json:"group,omitempty"`
	Quiet  *quietNote `json:"quiet,omitempty"`
}

// SetNotify sets what the user is notified of where a conversation or thread says
// nothing of its own, all of it at once. His other devices get the note "notify".
//
// Errors: Invalid for levels and quiet hours that are none; Limited; those of the
// store.
func (s *Session) SetNotify(ctx context.Context, n Notify) error {
	if err := s.here(); err != nil {
		return err
	}
	for _, l := range []im.Level{n.All, n.Direct, n.Group} {
		if l > im.NotifyNone {
			return errNoLevel()
		}
	}
	note := notifyNote{All: n.All.String(), Direct: n.Direct.String(), Group: n.Group.String()}
	if n.Quiet != nil {
		if _, err := parseQuiet(n.Quiet); err != nil {
			return err
		}
		note.Quiet = noteOfQuiet(n.Quiet)
	}
	var value []byte // none: all as the app's default
	if note != (notifyNote{}) {
		value = mustJSON(note)
	}
	return s.putPrefs(ctx, noteNotify, "", value)
}

// Notify is what SetNotify was last given; the zero value if it never was.
//
// Errors: those of the store.
func (s *Session) Notify(context.Context) (Notify, error) {
	if err := s.here(); err != nil {
		return Notify{}, err
	}
	p, err := s.c.prefsOf(s.user)
	if err != nil {
		return Notify{}, err
	}
	n := p.notify
	n.Quiet = copyQuiet(n.Quiet)
	return n, nil
}

func errNoLevel() error {
	return im.Errorf(im.Invalid, "the notify level is none of all, mentions, me, at_all, none (or empty: as inherited)")
}

// putPrefs writes a note that prefs are made of.
func (s *Session) putPrefs(ctx context.Context, prefix, key string, value []byte) error {
	if err := s.charge(); err != nil {
		return err
	}
	op := &store.NoteOp{Key: prefix + key, Value: value}
	if prefix == noteQuiet {
		op.Most, op.Of = maxQuiets, noteQuiet
	}
	op.Done = func() { s.c.prefs.forget(s.user) }
	return s.putNote(ctx, op)
}

// levelOf is what holds for row's conversation, outside quiet hours: never
// NotifyInherit.
func (c *Core) levelOf(kind im.ConvKind, row *store.Row) (im.Level, error) {
	if row.Settings.Level != im.NotifyInherit {
		return row.Settings.Level, nil
	}
	p, err := c.prefsOf(row.User)
	if err != nil {
		return c.notifyDefault(), err
	}
	return p.level(kind, c.notifyDefault()), nil
}

func (c *Core) notifyDefault() im.Level {
	if c.cfg.NotifyDefault == im.NotifyInherit {
		return im.NotifyAll
	}
	return c.cfg.NotifyDefault
}

// prefs are a user's notes on notifications, read. Not altered once made.
type prefs struct {
	notify Notify
	quiet  *quiet // of notify; nil = none
	convs  map[im.Address]prefsQuiet
}

type prefsQuiet struct {
	said   *Quiet
	parsed *quiet
}

// level is what holds for a kind of conversation.
func (p *prefs) level(kind im.ConvKind, def im.Level) im.Level {
	own := im.NotifyInherit
	switch kind {
	case im.Direct:
		own = p.notify.Direct
	case im.Group:
		own = p.notify.Group
	}
	for _, l := range [...]im.Level{own, p.notify.All} {
		if l != im.NotifyInherit {
			return l
		}
	}
	return def
}

// quietIn are the quiet hours that hold for a conversation: its own, or those for all.
func (p *prefs) quietIn(addr im.Address) *quiet {
	if q, ok := p.convs[addr]; ok {
		return q.parsed
	}
	return p.quiet
}

// prefsOf reads u's notes on notifications, from memory if they were read before.
func (c *Core) prefsOf(u im.UserID) (*prefs, error) {
	p, turn := c.prefs.get(u)
	if p != nil {
		return p, nil
	}
	p, err := c.readPrefs(u)
	if err != nil {
		return nil, err
	}
	c.prefs.put(u, p, turn)
	return p, nil
}

func (c *Core) readPrefs(u im.UserID) (*prefs, error) {
	p := &prefs{}
	b, ok, err := c.st.Get(store.NoteRecord, u, noteNotify)
	if err != nil {
		return nil, err
	}
	if ok {
		var n notifyNote
		if err := json.Unmarshal(b, &n); err != nil {
			return nil, im.Wrap(im.Internal, err, "what the user wants to be notified of cannot be read")
		}
		p.notify.All, _ = im.ParseLevel(n.All) // an unknown one inherits
		p.notify.Direct, _ = im.ParseLevel(n.Direct)
		p.notify.Group, _ = im.ParseLevel(n.Group)
		p.notify.Quiet, p.quiet = readQuiet(n.Quiet)
	}
	list, err := c.notes(u, noteQuiet, "", maxQuiets)
	if err != nil || len(list) == 0 {
		return p, err
	}
	p.convs = make(map[im.Address]prefsQuiet, len(list))
	for _, r := range list {
		var n quietNote
		if err := json.Unmarshal(r.Value, &n); err != nil {
			return nil, im.Wrap(im.Internal, err, "the quiet hours of a conversation cannot be read")
		}
		said, parsed := readQuiet(&n)
		p.convs[im.Address(r.Key[len(noteQuiet):])] = prefsQuiet{said, parsed}
	}
	return p, nil
}

// prefsCache remembers prefs of users, at most maxPrefs; above that an arbitrary one
// makes room. Its zero value works.
type prefsCache struct {
	shards [16]struct {
		mu   sync.RWMutex
		m    map[im.UserID]*prefs // guarded by mu
		turn uint64               // guarded by mu: grows with everything that is forgotten
	}
}

const maxPrefs = 1 << 16

func (pc *prefsCache) shard(u im.UserID) int {
	n := uint32(2166136261) // FNV-1a
	for i := range len(u) {
		n = (n ^ uint32(u[i])) * 16777619
	}
	return int(n % uint32(len(pc.shards)))
}

// get answers what is remembered; else nil and the turn that put wants.
func (pc *prefsCache) get(u im.UserID) (*prefs, uint64) {
	sh := &pc.shards[pc.shard(u)]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.m[u], sh.turn
}

// put remembers p, unless something was forgotten since turn: it may be older.
func (pc *prefsCache) put(u im.UserID, p *prefs, turn uint64) {
	sh := &pc.shards[pc.shard(u)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.turn != turn {
		return
	}
	if sh.m == nil {
		sh.m = map[im.UserID]*prefs{}
	}
	if len(sh.m) >= maxPrefs/len(pc.shards) {
		for old := range sh.m {
			delete(sh.m, old)
			break
		}
	}
	sh.m[u] = p
}

// forget is called once a note has been altered.
func (pc *prefsCache) forget(u im.UserID) {
	sh := &pc.shards[pc.shard(u)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.m, u)
	sh.turn++
}

// interest is a set of sorts of messages that a level lets through.
type interest uint8

const (
	plainOnes interest = 1 << iota
	namingMe           // that name the user, or are for him among a few
	namingAll          // @all
	anything  = plainOnes | namingMe | namingAll
)

func interestOf(l im.Level) interest {
	switch l {
	case im.NotifyMentions:
		return namingMe | namingAll
	case im.NotifyMe:
		return namingMe
	case im.NotifyAtAll:
		return namingAll
	case im.NotifyNone:
		return 0
	}
	return anything
}

// sortOf is what m is to u.
func sortOf(m *im.Message, u im.UserID) interest {
	var s interest
	if m.To != nil { // only he and a few others were meant
		s |= namingMe
	}
	if n := m.Mentions; n != nil {
		if n.All {
			s |= namingAll
		}
		for _, name := range n.Users {
			if name == u {
				s |= namingMe
				break
			}
		}
	}
	if s == 0 {
		return plainOnes
	}
	return s
}

// notifies says whether row.User wants to be notified of m now: the level that holds
// and the quiet hours let it through.
func (c *Core) notifies(h *store.Head, row *store.Row, m *im.Message, now time.Time) (bool, error) {
	p, err := c.prefsOf(row.User)
	if err != nil {
		return false, err
	}
	level := row.Settings.Level
	if level == im.NotifyInherit {
		level = p.level(h.Kind, c.notifyDefault())
	}
	if m.Thread != 0 {
		own, err := c.threadLevel(row.User, h, m.Thread)
		if err != nil {
			return false, err
		}
		if own != im.NotifyInherit {
			level = own
		}
	}
	allowed := interestOf(level)
	if q := p.quietIn(addressOf(h, row.User)); q != nil && q.holds(now) {
		allowed &= interestOf(q.level)
	}
	return allowed&sortOf(m, row.User) != 0, nil
}

// mustJSON encodes what holds only strings, numbers and bytes.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// threadLevel is what u has set for a thread; NotifyInherit if nothing.
func (c *Core) threadLevel(u im.UserID, h *store.Head, root im.Seq) (im.Level, error) {
	n, _, err := c.threadNote(u, threadKey(addressOf(h, u), root))
	if err != nil {
		return im.NotifyInherit, err
	}
	level, err := im.ParseLevel(n.Level)
	if err != nil {
		return im.NotifyInherit, nil
	}
	return level, nil
}
