package memstore

import (
	"slices"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// state is all that a store keeps. Operations are applied to it one by one; every
// method needs the store's mutex.
type state struct {
	epoch    im.Epoch
	position im.Position
	nextConv im.ConvID
	convs    map[im.ConvID]*conv
	directs  map[address]im.ConvID
	groups   map[im.GroupID]im.ConvID
	selves   map[im.UserID]im.ConvID
	byUser   map[im.UserID]map[im.ConvID]bool
	blocks   map[[2]im.UserID]bool // who, whom
	records  map[recordKey]store.Record
	cursors  map[cursorKey]im.Seq

	// ids are the buckets of used client ids, the newest last, at most two. A bucket
	// lasts at least idBucket by the clock of the commits.
	ids      []map[idKey]kept
	idsBegan time.Time

	// of the commit under way
	now          time.Time
	rows, bytes  uint64
	dups, turned uint64
}

// conv is one conversation.
type conv struct {
	head     store.Head
	info     im.GroupInfo
	messages map[im.Seq]*im.Message
	ordinals []ordinal // of number i+1; stays when the message goes
	changes  map[im.Ver]im.Change
	rows     map[im.UserID]*store.Row // in direct conversations only of who has set something
	mentions map[im.UserID]map[im.Seq]bool
	formers  map[im.Seq][]former                       // the oldest first
	reacted  map[im.Seq]map[string]map[im.UserID]int64 // when
	burning  map[im.Seq]bool                           // burn once the peer has read them, and have not begun to
}

// ordinal is the n and na of a number, and whether the number itself is counted there.
type ordinal struct {
	n, na           uint64
	counted, called bool
}

type recordKey struct {
	kind store.RecordKind
	user im.UserID
	key  string
}

type cursorKey struct {
	user   im.UserID
	device im.DeviceID
	conv   im.ConvID
}

// idKey names what a client did. The making of a group stands under conversation 0.
type idKey struct {
	conv   im.ConvID
	sender im.UserID
	id     im.ClientID
}

type idKind uint8

const (
	sent idKind = iota
	changed
	made
)

// kept is what became of a client id.
type kept struct {
	kind  idKind
	hash  uint64
	seq   im.Seq // or the Ver
	time  int64
	n     uint64
	conv  im.ConvID
	group im.GroupID
}

const (
	idBucket     = 7 * 24 * time.Hour
	maxWithdrawn = 256
	maxWithdrawA = 64
)

func newState() *state {
	return &state{
		epoch:   im.NewEpoch(),
		convs:   map[im.ConvID]*conv{},
		directs: map[address]im.ConvID{},
		groups:  map[im.GroupID]im.ConvID{},
		selves:  map[im.UserID]im.ConvID{},
		byUser:  map[im.UserID]map[im.ConvID]bool{},
		blocks:  map[[2]im.UserID]bool{},
		records: map[recordKey]store.Record{},
		cursors: map[cursorKey]im.Seq{},
		ids:     []map[idKey]kept{{}},
	}
}

// begin starts a commit at now. The clock may jump: a new bucket of ids begins when
// the newest is a week old, one at a time, and never for a clock that went back.
func (st *state) begin(now time.Time) {
	st.now, st.rows, st.bytes, st.dups, st.turned = now, 0, 0, 0, 0
	if st.idsBegan.IsZero() {
		st.idsBegan = now
	}
	if now.Sub(st.idsBegan) >= idBucket {
		st.ids = append(st.ids, map[idKey]kept{})
		st.ids = st.ids[max(0, len(st.ids)-2):]
		st.idsBegan = now
	}
}

// millis is the time of the commit.
func (st *state) millis() int64 { return st.now.UnixMilli() }

// touch counts rows written and their bytes.
func (st *state) touch(rows, bytes int) {
	st.rows += uint64(rows)
	st.bytes += uint64(bytes)
}

// at is the position of the commit under way.
func (st *state) at() im.Position { return st.position + 1 }

// find looks a client id up; ErrConflict if it was used otherwise.
func (st *state) find(k idKey, kind idKind, hash uint64) (kept, bool, error) {
	e, ok := st.anyKind(k)
	if ok && (e.hash != hash || e.kind != kind) {
		return kept{}, false, errUsed(k.id)
	}
	return e, ok, nil
}

func (st *state) anyKind(k idKey) (kept, bool) {
	for _, b := range st.ids {
		if e, ok := b[k]; ok {
			return e, true
		}
	}
	return kept{}, false
}

func (st *state) keep(k idKey, e kept) {
	st.ids[len(st.ids)-1][k] = e
	st.touch(1, 32+len(k.sender)+len(k.id))
}

func errUsed(id im.ClientID) error {
	return im.Errorf(im.Conflict, "the client id %q was used for something else in this conversation: take a new one", string(id))
}

func errNoConv() error { return im.Errorf(im.NotFound, "no such conversation") }

// newConv makes a conversation of kind.
func (st *state) newConv(kind im.ConvKind) *conv {
	st.nextConv++
	c := &conv{
		head:     store.Head{Conv: st.nextConv, Kind: kind, Min: 1, MinVer: 1},
		messages: map[im.Seq]*im.Message{},
		changes:  map[im.Ver]im.Change{},
		rows:     map[im.UserID]*store.Row{},
		mentions: map[im.UserID]map[im.Seq]bool{},
		formers:  map[im.Seq][]former{},
		reacted:  map[im.Seq]map[string]map[im.UserID]int64{},
		burning:  map[im.Seq]bool{},
	}
	st.convs[st.nextConv] = c
	return c
}

// list puts c into u's list of conversations.
func (st *state) list(u im.UserID, c *conv) {
	if st.byUser[u] == nil {
		st.byUser[u] = map[im.ConvID]bool{}
	}
	st.byUser[u][c.head.Conv] = true
}

// pair is two users in byte order.
func pair(a, b im.UserID) [2]im.UserID {
	if b < a {
		a, b = b, a
	}
	return [2]im.UserID{a, b}
}

// ordinal is what n and na were when seq was the newest.
func (c *conv) ordinal(seq im.Seq) ordinal {
	if seq == 0 || seq > im.Seq(len(c.ordinals)) {
		return ordinal{}
	}
	return c.ordinals[seq-1]
}

// moved says whether what somebody was allowed by guard has to be looked at again.
func (c *conv) moved(u im.UserID, guard im.MVer) bool {
	if c.head.MVer == guard {
		return false
	}
	if c.head.Kind == im.Direct {
		return true
	}
	r := c.rows[u]
	return guard < c.head.Settled || r != nil && r.MVer > guard
}

// mention writes or removes the rows of whom m names. Who may not see m gets none.
func (st *state) mention(c *conv, m *im.Message, on bool) {
	if m.Mentions == nil {
		return
	}
	for _, u := range m.Mentions.Users {
		if !on {
			delete(c.mentions[u], m.Seq)
			st.touch(1, 16)
			continue
		}
		if !m.VisibleTo(u) {
			continue
		}
		if c.mentions[u] == nil {
			c.mentions[u] = map[im.Seq]bool{}
		}
		c.mentions[u][m.Seq] = true
		st.touch(1, 16)
	}
}

// withdraw takes back what seq added to n and na.
func (c *conv) withdraw(seq im.Seq) {
	o := c.ordinal(seq)
	if o.counted {
		c.head.Withdrawn = addRange(c.head.Withdrawn, o.n, maxWithdrawn)
	}
	c.withdrawAll(seq)
}

// withdrawAll takes back only what seq added to na.
func (c *conv) withdrawAll(seq im.Seq) {
	if o := c.ordinal(seq); o.called {
		c.head.WithdrawA = addRange(c.head.WithdrawA, o.na, maxWithdrawA)
	}
}

// addRange adds k to ranges in a new slice, since readers hold the old one.
// Neighbours join; past most the oldest is dropped.
func addRange(ranges []store.Range, k uint64, most int) []store.Range {
	out := make([]store.Range, 0, len(ranges)+1)
	placed := false
	for _, r := range ranges {
		switch {
		case k >= r.From && k <= r.To:
			return ranges
		case !placed && k < r.From:
			out = append(out, store.Range{From: k, To: k})
			placed = true
		}
		out = append(out, r)
	}
	if !placed {
		out = append(out, store.Range{From: k, To: k})
	}
	joined := out[:1]
	for _, r := range out[1:] {
		if l := &joined[len(joined)-1]; r.From == l.To+1 {
			l.To = r.To
		} else {
			joined = append(joined, r)
		}
	}
	if len(joined) > most {
		joined = slices.Clone(joined[len(joined)-most:])
	}
	return joined
}

// takeRange takes k out of ranges in a new slice, as addRange adds it.
func takeRange(ranges []store.Range, k uint64, most int) []store.Range {
	var out []store.Range
	for _, r := range ranges {
		if k < r.From || k > r.To {
			out = append(out, r)
			continue
		}
		if r.From < k {
			out = append(out, store.Range{From: r.From, To: k - 1})
		}
		if k < r.To {
			out = append(out, store.Range{From: k + 1, To: r.To})
		}
	}
	if len(out) > most {
		out = slices.Clone(out[len(out)-most:])
	}
	return out
}
