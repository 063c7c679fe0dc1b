package core

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxScheduled  = 60 << 10 // bytes of a scheduled message with all it carries: a record holds 64 KiB
	defaultTimers = 50
	maxTimersPage = 200
)

// heldSend is a send that waits, as it is stored: this in JSON, and the body behind it.
type heldSend struct {
	At       int64       `json:"at"`
	To       im.Address  `json:"to"`
	App      bool        `json:"app,omitempty"` // scheduled by the app for him
	Tries    int         `json:"tries,omitempty"`
	Failed   string      `json:"failed,omitempty"`
	HasFlags bool        `json:"has_flags,omitempty"`
	Flags    im.Flags    `json:"flags,omitempty"`
	Type     string      `json:"type"`
	Digest   string      `json:"digest,omitempty"`
	Push     string      `json:"push,omitempty"`
	All      bool        `json:"all,omitempty"`
	Named    bool        `json:"named,omitempty"` // there are mentions
	Users    []im.UserID `json:"users,omitempty"`
	Roles    []im.Role   `json:"roles,omitempty"`
	ReplyTo  im.Seq      `json:"reply_to,omitempty"`
	Thread   im.Seq      `json:"thread,omitempty"`
	Expires  int64       `json:"expires,omitempty"`
	For      []im.UserID `json:"for,omitempty"` // only these members
	Burn     uint32      `json:"burn,omitempty"`
	Pairs    []im.Pair   `json:"pairs,omitempty"` // expansion
}

// scheduledNote is the note "scheduled/" and the id: a send that could not be sent.
type scheduledNote struct {
	At     int64      `json:"at"`
	To     im.Address `json:"to"`
	Failed string     `json:"failed"`
	Code   im.Code    `json:"code"`
}

// Schedule has a message sent at a time, under its client id and by the rules that hold
// then: whoever may not send it any more finds it among Scheduled with Failed, and is
// told by the note "scheduled/" and the id. It is looked at now too, so that what could
// never be sent is refused at once. The same id again replaces what waits. When it is
// sent, the user's read cursor stays where it is.
//
// Errors: those of Send; Invalid for a time that has passed or is more than a year
// ahead; TooLarge for more than 60 KiB, and for more than Limits.MaxTimers; Conflict if
// a message was sent under the id already; Limited; those of the store.
func (s *Session) Schedule(ctx context.Context, v Schedule) (Schedule, error) {
	if err := s.here(); err != nil {
		return Schedule{}, err
	}
	if err := s.checkAt(v.At); err != nil {
		return Schedule{}, err
	}
	if err := s.charge(); err != nil { // a schema may cost more than all the rest
		return Schedule{}, err
	}
	value, err := s.checkHeld(ctx, &v)
	if err != nil {
		return Schedule{}, err
	}
	if err := s.c.timers.enter(ctx, s.user); err != nil {
		return Schedule{}, err
	}
	defer s.c.timers.leave(s.user)
	key := timerSend + string(v.ID)
	if err := s.room(key); err != nil {
		return Schedule{}, err
	}
	put := store.Record{Kind: store.TimerRecord, User: s.user, Key: key, Value: value, Due: v.At}
	if err := s.c.do(ctx, &store.PutOp{Records: []store.Record{put}}); err != nil {
		return Schedule{}, err
	}
	s.c.timers.due(v.At)
	v.Failed = ""
	return v, s.dropNote(ctx, noteSchedule+string(v.ID))
}

// checkHeld looks whether v could be sent now, and encodes it.
func (s *Session) checkHeld(ctx context.Context, v *Schedule) ([]byte, error) {
	if v.Msg == nil {
		return nil, im.Errorf(im.Invalid, "there is no message")
	}
	if v.ID == "" {
		v.ID = v.Msg.ID
	}
	v.Msg.ID = v.ID
	value := encodeHeld(v, s.app)
	if len(value) > maxScheduled {
		return nil, im.Errorf(im.TooLarge, "the message takes %d bytes; at most %d are allowed in one that is scheduled", len(value), maxScheduled)
	}
	probe := Send{To: v.To, HasFlags: v.HasFlags}
	_, probe.Msg, _ = decodeHeld(v.ID, value) // its own: check completes it
	probe.begin(s)
	if err := s.check(&probe); err != nil {
		return nil, err
	}
	switch m := probe.Msg; {
	case m.Flags == im.Status:
		return nil, im.Errorf(im.Invalid, "a status message is only for who is online now: it cannot be scheduled")
	case m.Expires != 0 && m.Expires <= v.At:
		return nil, im.Errorf(im.Invalid, "the message would have expired before it is sent")
	}
	if t := s.c.cfg.Types; t != nil { // it is asked again when the time comes
		if err := t.Check(probe.Msg, s.app); err != nil {
			return nil, err
		}
	}
	at, err := s.admission(v.To)
	if err != nil {
		return nil, err
	}
	_, sent, err := s.c.kept(ctx, at.conv, s.user, v.ID, probe.hash)
	if err == nil && sent {
		err = im.Errorf(im.Conflict, "a message was sent under the id %q already: take a new one", string(v.ID))
	}
	return value, err
}

// Scheduled lists what waits to be sent, and what could not be (Failed), by id, those
// above after, at most most (0 = 50; at most 200); more says that there are others.
//
// Errors: those of the store.
func (s *Session) Scheduled(ctx context.Context, after im.ClientID, most int) (list []Schedule, more bool, err error) {
	if err := s.here(); err != nil {
		return nil, false, err
	}
	most = limit(most, defaultTimers, maxTimersPage)
	records, err := s.c.listOf(store.TimerRecord, s.user, timerSend, string(after), most+1)
	if err != nil {
		return nil, false, err
	}
	for _, r := range records[:min(len(records), most)] {
		id := im.ClientID(r.Key[len(timerSend):])
		h, m, ok := decodeHeld(id, r.Value)
		if !ok {
			return nil, false, im.Errorf(im.Internal, "a scheduled message cannot be read")
		}
		list = append(list, Schedule{ID: id, At: h.At, To: h.To, Msg: m, HasFlags: h.HasFlags, Failed: h.Failed})
	}
	return list, len(records) > most, nil
}

// Unschedule takes a scheduled send away, or one that failed. One that is not there,
// because it was sent or never was, is NotFound: the caller learns that it is too late.
//
// Errors: NotFound; Limited; those of the store.
func (s *Session) Unschedule(ctx context.Context, id im.ClientID) error {
	return s.dropTimer(ctx, timerSend, noteSchedule, id, "no such scheduled message: it may have been sent already")
}

// dropTimer removes a timer with its note.
func (s *Session) dropTimer(ctx context.Context, timer, note string, id im.ClientID, none string) error {
	if err := s.here(); err != nil {
		return err
	}
	if err := im.CheckClientID(id); err != nil {
		return err
	}
	if err := s.charge(); err != nil {
		return err
	}
	if err := s.c.timers.enter(ctx, s.user); err != nil {
		return err
	}
	defer s.c.timers.leave(s.user)
	_, waits, err := s.c.st.Get(store.TimerRecord, s.user, timer+string(id))
	if err != nil {
		return err
	}
	_, told, err := s.c.st.Get(store.NoteRecord, s.user, note+string(id))
	if err != nil {
		return err
	}
	if !waits && !told {
		return im.Errorf(im.NotFound, "%s", none)
	}
	return s.putNote(ctx, &store.NoteOp{Key: note + string(id), Drop: []store.Record{{Kind: store.TimerRecord, User: s.user, Key: timer + string(id)}}})
}

// dropNote removes a note if it is there.
func (s *Session) dropNote(ctx context.Context, key string) error {
	_, ok, err := s.c.st.Get(store.NoteRecord, s.user, key)
	if err != nil || !ok {
		return err
	}
	return s.putNote(ctx, &store.NoteOp{Key: key})
}

// fireSend sends what is due.
func (c *Core) fireSend(ctx context.Context, now int64, r store.Record) error {
	id := im.ClientID(r.Key[len(timerSend):])
	h, m, ok := decodeHeld(id, r.Value)
	if !ok {
		c.log.Error("a scheduled message cannot be read: it is removed", "user", r.User, "id", id)
		return c.do(ctx, &store.PutOp{Records: []store.Record{{Kind: r.Kind, User: r.User, Key: r.Key}}})
	}
	if h.At > now || h.Failed != "" { // it was altered since it was listed
		return nil
	}
	s := &Session{c: c, user: r.User, app: h.App, later: true, self: im.DirectAddress(r.User)}
	err := s.SendWait(ctx, &Send{To: h.To, Msg: m, HasFlags: h.HasFlags})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	note := noteSchedule + string(id)
	if err == nil {
		drop := []store.Record{{Kind: r.Kind, User: r.User, Key: r.Key}}
		return c.putNote(ctx, &store.NoteOp{User: r.User, Key: note, Drop: drop}, nil)
	}
	e := im.AsError(err)
	if e.Code.Retryable() {
		c.log.Info("a scheduled message cannot be sent now", "user", r.User, "err", err)
		h.Tries++
		r.Value = h.encode(m.Body)
		return c.postpone(ctx, now, r, h.Tries)
	}
	// He is told first: should that be all that comes to the disk, it is found out
	// again, and the note is the same.
	value := mustJSON(scheduledNote{At: h.At, To: h.To, Failed: e.Text, Code: e.Code})
	if err := c.putNote(ctx, &store.NoteOp{User: r.User, Key: note, Value: value}, nil); err != nil {
		return err
	}
	h.Failed = e.Text
	r.Value, r.Due = h.encode(m.Body), 0
	return c.do(ctx, &store.PutOp{Records: []store.Record{r}})
}

func encodeHeld(v *Schedule, app bool) []byte {
	m := v.Msg
	h := heldSend{At: v.At, To: v.To, App: app, HasFlags: v.HasFlags, Flags: m.Flags, Type: m.Type, Digest: m.Digest, Push: m.Push,
		ReplyTo: m.ReplyTo, Thread: m.Thread, Expires: m.Expires, For: m.To, Burn: m.Burn, Pairs: m.Expansion}
	if n := m.Mentions; n != nil {
		h.Named, h.All, h.Users, h.Roles = true, n.All, n.Users, n.Roles
	}
	return h.encode(m.Body)
}

func (h *heldSend) encode(body []byte) []byte {
	head := mustJSON(h)
	b := binary.AppendUvarint(make([]byte, 0, len(head)+len(body)+3), uint64(len(head)))
	return append(append(b, head...), body...)
}

// decodeHeld reads what encode wrote; the message is the caller's own.
func decodeHeld(id im.ClientID, b []byte) (heldSend, *im.Message, bool) {
	var h heldSend
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return h, nil, false
	}
	head, body := b[n:n+int(size)], b[n+int(size):]
	if json.Unmarshal(head, &h) != nil {
		return h, nil, false
	}
	m := &im.Message{ID: id, Type: h.Type, Flags: h.Flags, Body: slices.Clone(body), Digest: h.Digest, Push: h.Push, ReplyTo: h.ReplyTo,
		Thread: h.Thread, Expires: h.Expires, To: h.For, Burn: h.Burn, Expansion: h.Pairs}
	if h.Named {
		m.Mentions = &im.Mentions{All: h.All, Users: h.Users, Roles: h.Roles}
	}
	return h, m, true
}
