package storetest

import (
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Acked is what a caller was told about a send.
type Acked struct {
	Conv   im.ConvID
	Seq    im.Seq
	Sender im.UserID
	ID     im.ClientID
	Body   uint64 // xxhash of what was sent
	Edited bool   // it may have been edited or recalled since: Body says nothing
}

// Ledger notes what callers were told and what readers were shown, to hold a store
// against it afterwards. Its methods may be called by any goroutine.
type Ledger struct {
	mu       sync.Mutex
	sends    []Acked
	reads    map[readKey]im.Seq // acknowledged cursors
	messages map[messageKey]*im.Message
	heads    map[im.ConvID]store.Head
	rows     map[readKey]store.Row
	mine     mine
	position im.Position
}

type messageKey struct {
	conv im.ConvID
	seq  im.Seq
}

type readKey struct {
	conv im.ConvID
	user im.UserID
}

// NewLedger makes an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{reads: map[readKey]im.Seq{}, messages: map[messageKey]*im.Message{},
		heads: map[im.ConvID]store.Head{}, rows: map[readKey]store.Row{}, mine: newMine()}
}

// Ack notes an acknowledged send.
func (l *Ledger) Ack(op *store.AppendOp, sender im.UserID, id im.ClientID, body []byte, mayChange bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sends = append(l.sends, Acked{op.At, op.Seq, sender, id, xxhash.Sum64(body), mayChange})
}

// AckRead notes an acknowledged read cursor.
func (l *Ledger) AckRead(op *store.ReadOp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := readKey{op.Conv, op.User}
	l.reads[k] = max(l.reads[k], op.Row.Read)
}

// Saw notes a message that a reader, or a completion, gave out.
func (l *Ledger) Saw(conv im.ConvID, m *im.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := messageKey{conv, m.Seq}
	if old := l.messages[k]; old == nil || m.Ver > old.Ver {
		l.messages[k] = m
	}
}

// SawHead notes a head and the store's position, which was read before it.
func (l *Ledger) SawHead(p im.Position, h store.Head) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.position = max(l.position, p)
	if old, ok := l.heads[h.Conv]; !ok || h.Position > old.Position {
		l.heads[h.Conv] = h
	}
}

// SawRow notes a row.
func (l *Ledger) SawRow(r store.Row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := readKey{r.Conv, r.User}
	if old, ok := l.rows[k]; !ok || r.MVer > old.MVer || r.MVer == old.MVer && r.Read > old.Read {
		l.rows[k] = r
	}
}

// Copy is the ledger as it stands.
func (l *Ledger) Copy() *Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := NewLedger()
	c.sends = append(c.sends, l.sends...)
	c.position = l.position
	for k, v := range l.reads {
		c.reads[k] = v
	}
	for k, v := range l.messages {
		c.messages[k] = v
	}
	for k, v := range l.heads {
		c.heads[k] = v
	}
	for k, v := range l.rows {
		c.rows[k] = v
	}
	c.mine = l.mine.copy()
	return c
}

// Sends is how many sends were acknowledged.
func (l *Ledger) Sends() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sends)
}

// Lost counts the acknowledged sends that are not in s, or not as they were.
func (l *Ledger) Lost(s store.Store) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := 0
	for _, a := range l.sends {
		if a.missing(s) != nil {
			lost++
		}
	}
	return lost
}

func (a Acked) missing(s store.Store) error {
	m, ok, err := s.Message(a.Conv, a.Seq)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("acknowledged message %d of conversation %d (%s of %s) is not there", a.Seq, a.Conv, a.ID, a.Sender)
	case m.ID != a.ID || m.Sender != a.Sender || !a.Edited && xxhash.Sum64(m.Body) != a.Body:
		return fmt.Errorf("message %d of conversation %d was acknowledged as %s of %s and is %s", a.Seq, a.Conv, a.ID, a.Sender, show(m))
	}
	return nil
}

// Audit holds s, which nobody writes to, against the ledger: all acknowledged is
// there, all that was shown is there as it was or newer, every conversation that was
// seen is numbered without gaps and its counts add up. Nothing may have been swept.
func (l *Ledger) Audit(s store.Store) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	convs := map[im.ConvID]bool{}
	for _, a := range l.sends {
		convs[a.Conv] = true
		if err := a.missing(s); err != nil {
			return err
		}
	}
	for k, seq := range l.reads {
		if r, ok, err := s.Row(k.conv, k.user); err != nil || !ok || r.Read < seq {
			return fmt.Errorf("%s was told that he has read %d in conversation %d: %+v %v", k.user, seq, k.conv, r, err)
		}
	}
	for k, was := range l.messages {
		convs[k.conv] = true
		m, ok, err := s.Message(k.conv, k.seq)
		if err != nil || !ok {
			return fmt.Errorf("message %d of conversation %d was shown and is gone (%v): %s", k.seq, k.conv, err, show(was))
		}
		if m.Ver < was.Ver || m.Ver == was.Ver && differ(m, was) != "" {
			return fmt.Errorf("message %d of conversation %d is not what was shown: %s", k.seq, k.conv, differ(m, was))
		}
	}
	if p := s.Position(); p < l.position {
		return fmt.Errorf("the position was shown as %d and is %d", l.position, p)
	}
	for conv, was := range l.heads {
		convs[conv] = true
		if err := headKept(s, was); err != nil {
			return err
		}
	}
	for k, was := range l.rows {
		r, ok, err := s.Row(k.conv, k.user)
		if err != nil || !ok || r.MVer < was.MVer || r.MVer == was.MVer && (r.Role != was.Role || r.From != was.From || r.Read < was.Read) {
			return fmt.Errorf("row of %s in conversation %d was shown as %+v and is %+v (%v %v)", k.user, k.conv, was, r, ok, err)
		}
	}
	for conv := range convs {
		if err := gapless(s, conv); err != nil {
			return err
		}
	}
	return l.mine.audit(s)
}

// headKept says whether the head is at least what was shown.
func headKept(s store.Store, was store.Head) error {
	h, ok := s.Head(was.Conv)
	if !ok {
		return fmt.Errorf("conversation %d was shown and is gone", was.Conv)
	}
	bad := h.Kind != was.Kind || h.Seq < was.Seq || h.Ver < was.Ver || h.MVer < was.MVer || h.N < was.N || h.NA < was.NA ||
		h.Time < was.Time || h.LastShown < was.LastShown || h.Group != was.Group || was.Closed && !h.Closed ||
		h.Position < was.Position || h.MVer == was.MVer && h.Members != was.Members
	for i := range h.Sides {
		bad = bad || h.Sides[i].User != was.Sides[i].User || h.Sides[i].Read < was.Sides[i].Read
	}
	if bad {
		return fmt.Errorf("head was shown as %+v and is %+v", was, h)
	}
	return nil
}

// gapless checks one conversation from its first message: numbers, ordinals, times,
// client ids, and the change log.
func gapless(s store.Store, conv im.ConvID) error {
	h, ok := s.Head(conv)
	if !ok {
		return fmt.Errorf("conversation %d has no head", conv)
	}
	all, err := every(s, conv)
	if err != nil {
		return err
	}
	if h.Kind != im.Self && im.Seq(len(all)) != h.Seq {
		return fmt.Errorf("conversation %d has %d messages and its head says %d", conv, len(all), h.Seq)
	}
	type name struct {
		sender im.UserID
		id     im.ClientID
	}
	ids := map[name]im.Seq{}
	var n uint64
	var time int64
	var shown im.Seq
	for i, m := range all {
		if m.Seq != im.Seq(i+1) {
			return fmt.Errorf("conversation %d: number %d stands where %d should", conv, m.Seq, i+1)
		}
		if m.Flags&im.Count != 0 && m.To == nil {
			n++
		}
		if m.Shown() {
			shown = m.Seq
		}
		if m.N != n || m.Time < time {
			return fmt.Errorf("conversation %d, number %d: n %d, want %d; time %d after %d", conv, m.Seq, m.N, n, m.Time, time)
		}
		time = m.Time
		if k := (name{m.Sender, m.ID}); m.ID != "" {
			if ids[k] != 0 {
				return fmt.Errorf("conversation %d: %s of %s is there twice, as %d and %d", conv, m.ID, m.Sender, ids[k], m.Seq)
			}
			ids[k] = m.Seq
		}
	}
	if h.N != n || h.Time < time || h.LastShown != shown {
		return fmt.Errorf("conversation %d: head %+v, but n %d, time %d, last shown %d", conv, h, n, time, shown)
	}
	vers := map[im.Seq]im.Ver{}
	for from := im.Ver(1); from <= h.Ver; {
		changes, err := s.Changes(conv, from, 500)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return fmt.Errorf("conversation %d: no change from %d on, head says %d", conv, from, h.Ver)
		}
		for _, c := range changes {
			if c.Ver != from {
				return fmt.Errorf("conversation %d: change %d stands where %d should", conv, c.Ver, from)
			}
			from++
			vers[c.Seq] = c.Ver
		}
	}
	for _, m := range all {
		if m.Ver != vers[m.Seq] {
			return fmt.Errorf("conversation %d: message %d has ver %d, its last change is %d", conv, m.Seq, m.Ver, vers[m.Seq])
		}
	}
	return tied(s, h, all)
}
