package client

import (
	"context"
	"time"

	"github.com/anser-im/anser/wire"
)

// Scheduled is a message that will be sent.
type Scheduled struct {
	ID      string // client id, of the message too
	Conv    string
	Message Outgoing
	At      time.Time
	Failed  string // why it could not be sent when its time came; empty = it waits
}

func scheduledOf(s *wire.Scheduled) Scheduled {
	r := s.GetSend()
	out := Scheduled{ID: r.GetId(), Conv: r.GetConv(), At: timeOf(s.GetAt()), Failed: s.GetFailed()}
	out.Message = Outgoing{ID: r.GetId(), Type: r.GetType(), Body: r.GetBody()}
	if r != nil && r.Flags != nil {
		out.Message.Flags = new(Flags(*r.Flags))
	}
	if o := r.GetOptions(); o != nil {
		m := &out.Message
		m.Digest, m.ReplyTo, m.Thread, m.Expires, m.Push, m.To = o.Digest, o.ReplyTo, o.Thread, timeOf(o.Expires), o.Push, o.To
		m.Burn = time.Duration(o.BurnS) * time.Second
		if n := o.Mentions; n != nil {
			m.MentionsAll, m.Mentions, m.MentionRoles = n.All, n.Users, n.Roles
		}
	}
	return out
}

// Schedule has the server send a message at a time, at most a year ahead, whether this
// device is on then or not. The same id again replaces it: its text, its time.
//
// Errors: *Error as a send would have, and with CodeInvalid for a time that is past.
func (c *Client) Schedule(ctx context.Context, conv string, m Outgoing, at time.Time) (Scheduled, error) {
	if m.ID == "" {
		m.ID = newID()
	}
	if m.Type == "" {
		m.Type = TypeText
	}
	if err := c.check(conv, &m); err != nil {
		return Scheduled{}, err
	}
	r := new(wire.ScheduleResponse)
	if err := c.do(ctx, wire.MethodSchedule, &wire.ScheduleRequest{Send: m.request(conv), At: millis(at)}, r, true); err != nil {
		return Scheduled{}, err
	}
	if r.Scheduled == nil {
		return Scheduled{ID: m.ID, Conv: conv, Message: m, At: at}, nil
	}
	return scheduledOf(r.Scheduled), nil
}

// ListScheduled lists what waits to be sent, and what could not be, by id behind after;
// at most limit (0 = 50, at most 200).
func (c *Client) ListScheduled(ctx context.Context, after string, limit int) (list []Scheduled, more bool, err error) {
	r := new(wire.ScheduledResponse)
	err = c.do(ctx, wire.MethodScheduled, &wire.ScheduledRequest{After: after, Limit: count(limit)}, r, true)
	for _, s := range r.Scheduled {
		list = append(list, scheduledOf(s))
	}
	return list, r.More, err
}

// Unschedule takes one away.
func (c *Client) Unschedule(ctx context.Context, id string) error {
	return c.do(ctx, wire.MethodUnschedule, &wire.UnscheduleRequest{Id: id}, new(wire.Empty), true)
}

// Reminder is something to be told of at a time.
type Reminder struct {
	ID    string // client id; empty = a new one
	At    time.Time
	Conv  string    // empty = of nothing in particular
	Seq   uint64    // a message of it
	Text  string    // at most 1024 bytes
	Fired time.Time // when it was told; zero = it waits
}

func reminderOf(r *wire.Reminder) Reminder {
	return Reminder{ID: r.GetId(), At: timeOf(r.GetAt()), Conv: r.GetConv(), Seq: r.GetSeq(), Text: r.GetText(), Fired: timeOf(r.GetFired())}
}

// Remind has all devices of this user told of something at a time: EventNoted with the
// key reminder/<id>. The same id again replaces it.
func (c *Client) Remind(ctx context.Context, m Reminder) (Reminder, error) {
	if m.ID == "" {
		m.ID = newID()
	}
	r := new(wire.RemindResponse)
	err := c.do(ctx, wire.MethodRemind, &wire.RemindRequest{Reminder: &wire.Reminder{Id: m.ID, At: millis(m.At), Conv: m.Conv, Seq: m.Seq, Text: m.Text}}, r, true)
	if err != nil {
		return Reminder{}, err
	}
	if r.Reminder != nil {
		m = reminderOf(r.Reminder)
	}
	return m, nil
}

// Reminders lists this user's, those that were told too, by id behind after; at most
// limit (0 = 50, at most 200).
func (c *Client) Reminders(ctx context.Context, after string, limit int) (list []Reminder, more bool, err error) {
	r := new(wire.RemindersResponse)
	err = c.do(ctx, wire.MethodReminders, &wire.RemindersRequest{After: after, Limit: count(limit)}, r, true)
	for _, x := range r.Reminders {
		list = append(list, reminderOf(x))
	}
	return list, r.More, err
}

// Unremind takes one away.
func (c *Client) Unremind(ctx context.Context, id string) error {
	return c.do(ctx, wire.MethodUnremind, &wire.UnremindRequest{Id: id}, new(wire.Empty), true)
}

// Saved is a message that this user keeps for later.
type Saved struct {
	Conv    string
	Seq     uint64
	Note    string
	Time    time.Time // since when
	Message *Message  // as it is now; nil = it is gone
}

func savedOf(s *wire.Saved) Saved {
	out := Saved{Conv: s.GetConv(), Seq: s.GetSeq(), Note: s.GetNote(), Time: timeOf(s.GetTime())}
	if m := s.GetMessage(); m != nil {
		out.Message = messageOf(out.Conv, m)
	}
	return out
}

// Save keeps a message for later, with a note of at most 1024 bytes, for this user alone.
func (c *Client) Save(ctx context.Context, conv string, seq uint64, note string) (Saved, error) {
	r := new(wire.SaveResponse)
	if err := c.do(ctx, wire.MethodSave, &wire.SaveRequest{Conv: conv, Seq: seq, Note: note}, r, true); err != nil {
		return Saved{}, err
	}
	return savedOf(r.Saved), nil
}

// Unsave ends that.
func (c *Client) Unsave(ctx context.Context, conv string, seq uint64) error {
	return c.do(ctx, wire.MethodUnsave, &wire.UnsaveRequest{Conv: conv, Seq: seq}, new(wire.Empty), true)
}

// ListSaved lists what this user keeps, the newest first: from the cursor after (empty =
// from the first) on, at most limit (0 = 50, at most 200). next is the cursor of the rest;
// empty = that was all.
func (c *Client) ListSaved(ctx context.Context, after string, limit int) (list []Saved, next string, err error) {
	r := new(wire.SavedResponse)
	err = c.do(ctx, wire.MethodSaved, &wire.SavedRequest{After: after, Limit: count(limit)}, r, true)
	for _, s := range r.Saved {
		list = append(list, savedOf(s))
	}
	return list, r.Next, err
}
