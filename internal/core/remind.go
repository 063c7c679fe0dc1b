package core

import (
	"context"
	"encoding/json"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// ReminderType is the type of the message with which push is woken for a reminder. It
// stands in no conversation.
const ReminderType = "an:reminder"

// reminderNote is a reminder as it is stored, and the note "reminder/" and the id once
// it was told.
type reminderNote struct {
	At    int64      `json:"at"`
	Conv  im.Address `json:"conv,omitempty"`
	Seq   im.Seq     `json:"seq,omitempty"`
	Text  string     `json:"text,omitempty"`
	Fired int64      `json:"fired,omitempty"`
}

func (n *reminderNote) reminder(id im.ClientID) Reminder {
	return Reminder{ID: id, At: n.At, Conv: n.Conv, Seq: n.Seq, Text: n.Text, Fired: n.Fired}
}

// Remind has the user told of something at a time: all his devices get the note
// "reminder/" and the id, and push is woken if none is there. The same id again
// replaces it, also one that was told.
//
// Errors: those of resolve for Conv; NotFound if there is no such message for him;
// Invalid for a time that has passed or is more than a year ahead; TooLarge for a text
// of more than 1,024 bytes, and for more than Limits.MaxTimers; Limited; those of the
// store.
func (s *Session) Remind(ctx context.Context, v Reminder) (Reminder, error) {
	if err := s.here(); err != nil {
		return Reminder{}, err
	}
	if err := s.checkReminder(&v); err != nil {
		return Reminder{}, err
	}
	if err := s.charge(); err != nil {
		return Reminder{}, err
	}
	if err := s.c.timers.enter(ctx, s.user); err != nil {
		return Reminder{}, err
	}
	defer s.c.timers.leave(s.user)
	key := timerRemind + string(v.ID)
	if _, told, err := s.c.st.Get(store.NoteRecord, s.user, noteReminder+string(v.ID)); err != nil {
		return Reminder{}, err
	} else if !told { // else it takes that one's place
		if err := s.room(key); err != nil {
			return Reminder{}, err
		}
	}
	v.Fired = 0
	value := mustJSON(reminderNote{At: v.At, Conv: v.Conv, Seq: v.Seq, Text: v.Text})
	put := store.Record{Kind: store.TimerRecord, User: s.user, Key: key, Value: value, Due: v.At}
	if err := s.c.do(ctx, &store.PutOp{Records: []store.Record{put}}); err != nil {
		return Reminder{}, err
	}
	s.c.timers.due(v.At)
	return v, s.dropNote(ctx, noteReminder+string(v.ID))
}

func (s *Session) checkReminder(v *Reminder) error {
	if err := im.CheckClientID(v.ID); err != nil {
		return err
	}
	if err := s.checkAt(v.At); err != nil {
		return err
	}
	if err := checkText("text", v.Text); err != nil {
		return err
	}
	if v.Conv == "" {
		if v.Seq != 0 {
			return im.Errorf(im.Invalid, "a number without a conversation names no message")
		}
		return nil
	}
	ref, err := s.resolve(v.Conv)
	if err != nil {
		return err
	}
	if v.Seq != 0 {
		m, err := s.shownAt(&ref, v.Seq)
		if err == nil && m == nil {
			err = im.Errorf(im.NotFound, "no such message")
		}
		return err
	}
	return nil
}

// Reminders lists the user's reminders by id, those above after, at most most (0 = 50;
// at most 200): those that wait, and those that were told and not taken away. more
// says that there are others.
//
// Errors: those of the store.
func (s *Session) Reminders(ctx context.Context, after im.ClientID, most int) (list []Reminder, more bool, err error) {
	if err := s.here(); err != nil {
		return nil, false, err
	}
	most = limit(most, defaultTimers, maxTimersPage)
	waiting, err := s.c.listOf(store.TimerRecord, s.user, timerRemind, string(after), most+1)
	if err != nil {
		return nil, false, err
	}
	told, err := s.c.notes(s.user, noteReminder, string(after), most+1)
	if err != nil {
		return nil, false, err
	}
	for len(waiting)+len(told) > 0 {
		if len(list) == most {
			return list, true, nil
		}
		var r store.Record
		var id string
		w, t := "", ""
		if len(waiting) > 0 {
			w = waiting[0].Key[len(timerRemind):]
		}
		if len(told) > 0 {
			t = told[0].Key[len(noteReminder):]
		}
		if len(told) == 0 || len(waiting) > 0 && w <= t {
			r, id = waiting[0], w
			waiting = waiting[1:]
			if len(told) > 0 && w == t { // it was told, and waits anew
				told = told[1:]
			}
		} else {
			r, id = told[0], t
			told = told[1:]
		}
		var n reminderNote
		if err := json.Unmarshal(r.Value, &n); err != nil {
			return nil, false, im.Wrap(im.Internal, err, "a reminder cannot be read")
		}
		list = append(list, n.reminder(im.ClientID(id)))
	}
	return list, false, nil
}

// Unremind takes a reminder away, one that waits or was told.
//
// Errors: NotFound if there is none; Limited; those of the store.
func (s *Session) Unremind(ctx context.Context, id im.ClientID) error {
	return s.dropTimer(ctx, timerRemind, noteReminder, id, "no such reminder")
}

// fireReminder tells what is due. The note and the end of the timer are one commit, so
// it is told once.
func (c *Core) fireReminder(ctx context.Context, now int64, r store.Record) error {
	var n reminderNote
	drop := []store.Record{{Kind: r.Kind, User: r.User, Key: r.Key}}
	if err := json.Unmarshal(r.Value, &n); err != nil {
		c.log.Error("a reminder cannot be read: it is removed", "user", r.User, "key", r.Key, "err", err)
		return c.do(ctx, &store.PutOp{Records: drop})
	}
	if n.At > now { // it was altered since it was listed
		return nil
	}
	n.Fired = now
	id := im.ClientID(r.Key[len(timerRemind):])
	op := &store.NoteOp{User: r.User, Key: noteReminder + string(id), Value: mustJSON(n), Drop: drop}
	if err := c.putNote(ctx, op, nil); err != nil {
		return err
	}
	if c.cfg.Waker != nil && !c.online(r.User) {
		c.cfg.Waker.Wake(r.User, op.At, &im.Message{ID: id, Type: ReminderType, Flags: im.Persist, Time: now, Body: op.Value, Digest: cutLine(oneLine(n.Text))})
	}
	return nil
}
