package client

import (
	"context"
	"time"

	"github.com/anser-im/anser/wire"
)

// Draft is what this user has begun to write in a conversation.
type Draft struct {
	Conv    string
	Body    []byte // the application's own format; at most 32 KiB
	ReplyTo uint64
	Time    time.Time // when it was kept
}

func draftOf(d *wire.Draft) Draft {
	return Draft{Conv: d.GetConv(), Body: d.GetBody(), ReplyTo: d.GetReplyTo(), Time: timeOf(d.GetTime())}
}

// SetDraft keeps what this user has begun to write; an empty body removes it. His other
// devices are told by EventNoted, with the key draft/<conv>.
func (c *Client) SetDraft(ctx context.Context, d Draft) (Draft, error) {
	r := new(wire.SetDraftResponse)
	err := c.do(ctx, wire.MethodSetDraft, &wire.SetDraftRequest{Draft: &wire.Draft{Conv: d.Conv, Body: d.Body, ReplyTo: d.ReplyTo}}, r, true)
	if err != nil {
		return Draft{}, err
	}
	return draftOf(r.Draft), nil
}

// Drafts lists this user's drafts, by conversation behind after; at most limit (0 = 50,
// at most 200).
func (c *Client) Drafts(ctx context.Context, after string, limit int) (list []Draft, more bool, err error) {
	r := new(wire.DraftsResponse)
	err = c.do(ctx, wire.MethodDrafts, &wire.DraftsRequest{After: after, Limit: count(limit)}, r, true)
	for _, d := range r.Drafts {
		list = append(list, draftOf(d))
	}
	return list, r.More, err
}

// Notify is what this user wants to be notified of, where a conversation or thread says
// nothing of its own.
type Notify struct {
	All    string // wire.LevelAll ...; empty = the app's default
	Direct string // in conversations of two; empty = as All
	Group  string // in groups; empty = as All
	Quiet  *Quiet // nil = no quiet hours
}

// Quiet are hours of the day in which another level holds.
type Quiet struct {
	Start   string         // "22:00"
	Minutes int            // 1-1440
	Zone    string         // IANA name: Asia/Shanghai
	Level   string         // empty = none
	Days    []time.Weekday // on which they begin; nil = every day
}

func (q *Quiet) wire() *wire.Quiet {
	if q == nil {
		return nil
	}
	out := &wire.Quiet{Start: q.Start, Minutes: count(q.Minutes), Zone: q.Zone, Level: q.Level}
	for _, d := range q.Days {
		out.Days = append(out.Days, uint32(d))
	}
	return out
}

func quietOf(w *wire.Quiet) *Quiet {
	if w == nil {
		return nil
	}
	q := &Quiet{Start: w.Start, Minutes: int(w.Minutes), Zone: w.Zone, Level: w.Level}
	for _, d := range w.Days {
		q.Days = append(q.Days, time.Weekday(d))
	}
	return q
}

// Notify asks what this user wants to be notified of.
func (c *Client) Notify(ctx context.Context) (Notify, error) {
	r := new(wire.NotifyResponse)
	err := c.do(ctx, wire.MethodNotify, new(wire.NotifyRequest), r, true)
	n := r.Notify
	return Notify{All: n.GetAll(), Direct: n.GetDirect(), Group: n.GetGroup(), Quiet: quietOf(n.GetQuiet())}, err
}

// SetNotify sets all of it.
func (c *Client) SetNotify(ctx context.Context, n Notify) error {
	return c.do(ctx, wire.MethodSetNotify, &wire.SetNotifyRequest{Notify: &wire.Notify{All: n.All, Direct: n.Direct, Group: n.Group, Quiet: n.Quiet.wire()}},
		new(wire.Empty), true)
}

// Quiet asks for the quiet hours of one conversation; nil = as for all.
func (c *Client) Quiet(ctx context.Context, conv string) (*Quiet, error) {
	r := new(wire.QuietResponse)
	err := c.do(ctx, wire.MethodQuiet, &wire.QuietRequest{Conv: conv}, r, true)
	return quietOf(r.Quiet), err
}

// SetQuiet sets the quiet hours of one conversation; nil = as for all.
func (c *Client) SetQuiet(ctx context.Context, conv string, q *Quiet) error {
	return c.do(ctx, wire.MethodSetQuiet, &wire.SetQuietRequest{Conv: conv, Quiet: q.wire()}, new(wire.Empty), true)
}
