package client

import (
	"context"
	"time"

	"github.com/anser-im/anser/wire"
)

// Recalled is the outcome of a recall.
type Recalled struct {
	Ver    uint64   // number of the change
	Former *Message // what it said, to write it anew: for its sender, and for a while only; else nil
}

// RecallOption is how a message is taken back.
type RecallOption func(*wire.RecallRequest)

// Silently leaves no trace: applications show nothing in the message's place.
func Silently(r *wire.RecallRequest) { r.Silent = true }

// Recall takes a message back; its body, digest and mentions are gone for everybody, and
// from its edits as well. Its sender may, within the app's time for it, and owner and
// admins of a group. The answer stands for the event: EventChange tells of the changes of
// others, and of this user's other devices; where Options.Keep is set, of one's own too.
//
// Errors: *Error with CodeNotFound, CodeDenied, CodeRole, or CodeTooLate once the time is
// over.
func (c *Client) Recall(ctx context.Context, conv string, seq uint64, options ...RecallOption) (Recalled, error) {
	req := &wire.RecallRequest{Conv: conv, Seq: seq, Id: newID()}
	for _, o := range options {
		o(req)
	}
	r := new(wire.RecallResponse)
	if err := c.do(ctx, wire.MethodRecall, req, r, true); err != nil {
		return Recalled{}, err
	}
	c.changed(conv, r.Ver, false)
	out := Recalled{Ver: r.Ver}
	if r.Former != nil {
		out.Former = messageOf(conv, r.Former)
	}
	return out, nil
}

// Edit gives a message another body and digest, and, if it names any, other mentions.
// Type and flags of m are not used. It answers the number of the change. The sender may,
// within the app's time for it.
//
// Errors: *Error with CodeNotFound, CodeDenied, CodeSchema, CodeTooLate.
func (c *Client) Edit(ctx context.Context, conv string, seq uint64, m Outgoing) (ver uint64, err error) {
	req := &wire.EditRequest{Conv: conv, Seq: seq, Id: m.ID, Body: m.Body, Digest: m.Digest, Mentions: m.mentions()}
	if req.Id == "" {
		req.Id = newID()
	}
	return c.change(ctx, wire.MethodEdit, conv, req)
}

// change makes a verb that answers with the number of one change.
func (c *Client) change(ctx context.Context, method, conv string, req wire.Body) (ver uint64, err error) {
	r := new(wire.ChangeResponse)
	if err := c.do(ctx, method, req, r, true); err != nil {
		return 0, err
	}
	c.changed(conv, r.Ver, false)
	return r.Ver, nil
}

// changed notes a change of our own: it is settled, or, where what is kept here must
// follow, read like those of others.
func (c *Client) changed(conv string, ver uint64, many bool) {
	if ver != 0 {
		c.inbox.put(item{own: &ownChange{conv, ver, many}}, 0)
	}
}

// Former is what a message said before an edit.
type Former struct {
	Ver    uint64    // of the edit that replaced it
	Time   time.Time // since when it said so; zero = since it was sent
	Body   []byte
	Digest string
}

// EditHistory reads what a message said before its edits, the oldest first: those behind
// the one with the number after (0 = from the first), at most limit (0 = 50, at most
// 200). Of a recalled message nothing is left.
func (c *Client) EditHistory(ctx context.Context, conv string, seq, after uint64, limit int) (formers []Former, more bool, err error) {
	r := new(wire.EditHistoryResponse)
	err = c.do(ctx, wire.MethodEditHistory, &wire.EditHistoryRequest{Conv: conv, Seq: seq, After: after, Limit: count(limit)}, r, true)
	for _, f := range r.Formers {
		formers = append(formers, Former{Ver: f.Ver, Time: timeOf(f.Time), Body: f.Body, Digest: f.Digest})
	}
	return formers, r.More, err
}

// Deleted is the outcome of a deletion.
type Deleted struct {
	Count int    // messages that are gone for all, or numbers that are hidden from this user
	Ver   uint64 // for all: the newest change
	Mine  Mine   // this user's row after it
}

// Delete deletes messages for this user alone, on all his devices: EventDeleted tells
// them, this one too. At most 100 numbers.
func (c *Client) Delete(ctx context.Context, conv string, seqs ...uint64) (Deleted, error) {
	return c.delete(ctx, &wire.DeleteRequest{Conv: conv, Seqs: seqs})
}

// DeleteRange is Delete for the numbers from..to; to 0 = to the newest message. From 1 on
// it clears the conversation.
func (c *Client) DeleteRange(ctx context.Context, conv string, from, to uint64) (Deleted, error) {
	return c.delete(ctx, &wire.DeleteRequest{Conv: conv, Range: &wire.SeqRange{From: from, To: to}})
}

// DeleteForAll deletes messages for everybody: whoever may recall a message may. They
// leave no trace, and Undelete brings them back. At most 100 numbers. EventChange tells
// of each, also on this device.
//
// Errors: *Error as with Recall; nothing is deleted if one of them may not be.
func (c *Client) DeleteForAll(ctx context.Context, conv string, seqs ...uint64) (Deleted, error) {
	return c.delete(ctx, &wire.DeleteRequest{Conv: conv, Seqs: seqs, ForAll: true})
}

// DeleteRangeForAll is DeleteForAll for the numbers from..to, at most 1000 of them.
func (c *Client) DeleteRangeForAll(ctx context.Context, conv string, from, to uint64) (Deleted, error) {
	return c.delete(ctx, &wire.DeleteRequest{Conv: conv, Range: &wire.SeqRange{From: from, To: to}, ForAll: true})
}

func (c *Client) delete(ctx context.Context, req *wire.DeleteRequest) (Deleted, error) {
	r := new(wire.DeleteResponse)
	if err := c.do(ctx, wire.MethodDelete, req, r, true); err != nil {
		return Deleted{}, err
	}
	c.changed(req.Conv, r.Ver, true)
	c.rowIs(req.Conv, r.Mine)
	out := Deleted{Count: int(r.Count), Ver: r.Ver}
	if m := mineOf(r.Mine); m != nil {
		out.Mine = *m
	}
	return out, nil
}

// rowIs takes note of this user's row of a conversation after a verb of this device.
func (c *Client) rowIs(conv string, m *wire.Mine) {
	if m != nil {
		c.inbox.put(item{mine: &ownRow{conv, m}}, 0)
	}
}

// Undelete brings back what was deleted for all, at most 100 messages: whoever may delete
// them may. It answers the number of the newest change.
func (c *Client) Undelete(ctx context.Context, conv string, seqs ...uint64) (ver uint64, err error) {
	r := new(wire.ChangeResponse)
	if err := c.do(ctx, wire.MethodUndelete, &wire.UndeleteRequest{Conv: conv, Seqs: seqs}, r, true); err != nil {
		return 0, err
	}
	c.changed(conv, r.Ver, true)
	return r.Ver, nil
}

// React puts signs of this user on a message: emojis or words of 1-64 bytes, at most 20.
// The same again changes nothing.
func (c *Client) React(ctx context.Context, conv string, seq uint64, signs ...string) (ver uint64, err error) {
	return c.change(ctx, wire.MethodReact, conv, &wire.ReactRequest{Conv: conv, Seq: seq, Add: signs, Id: newID()})
}

// Unreact takes signs of this user away.
func (c *Client) Unreact(ctx context.Context, conv string, seq uint64, signs ...string) (ver uint64, err error) {
	return c.change(ctx, wire.MethodReact, conv, &wire.ReactRequest{Conv: conv, Seq: seq, Remove: signs, Id: newID()})
}

// Reacted is one user's reaction.
type Reacted struct {
	User string
	Key  string
	Time time.Time
}

// Reactions lists who put which sign on a message, by sign and user: of one sign only,
// or of all where key is empty; behind the one that was the last of the page before (the
// zero Reacted = from the first), at most limit (0 = 100, at most 1000).
func (c *Client) Reactions(ctx context.Context, conv string, seq uint64, key string, after Reacted, limit int) (list []Reacted, more bool, err error) {
	r := new(wire.ReactionsResponse)
	err = c.do(ctx, wire.MethodReactions, &wire.ReactionsRequest{Conv: conv, Seq: seq, Key: key,
		AfterKey: after.Key, AfterUser: after.User, Limit: count(limit)}, r, true)
	for _, x := range r.Reacted {
		list = append(list, Reacted{User: x.User, Key: x.Key, Time: timeOf(x.Time)})
	}
	return list, r.More, err
}

// count is a limit as the wire has it.
func count(limit int) uint32 { return uint32(min(max(limit, 0), 1<<20)) }

// PinMessage pins a message in its conversation for everybody. In a group owner and
// admins may.
func (c *Client) PinMessage(ctx context.Context, conv string, seq uint64) (ver uint64, err error) {
	return c.change(ctx, wire.MethodPin, conv, &wire.PinRequest{Conv: conv, Seq: seq, Id: newID()})
}

// UnpinMessage takes it down.
func (c *Client) UnpinMessage(ctx context.Context, conv string, seq uint64) (ver uint64, err error) {
	return c.change(ctx, wire.MethodPin, conv, &wire.PinRequest{Conv: conv, Seq: seq, Off: true, Id: newID()})
}

// Pins lists the pinned messages of a conversation.
func (c *Client) Pins(ctx context.Context, conv string) ([]*Message, error) {
	list, _, err := c.listed(ctx, wire.MethodPins, conv, &wire.PinsRequest{Conv: conv})
	return list, err
}

// listed makes a verb that answers with messages.
func (c *Client) listed(ctx context.Context, method, conv string, req wire.Body) (list []*Message, more bool, err error) {
	r := new(wire.MessagesResponse)
	if err := c.do(ctx, method, req, r, true); err != nil {
		return nil, false, err
	}
	list = attach(messagesOf(conv, r.Messages), r.Extras)
	c.tellKept(conv, list)
	return list, r.More, nil
}

// Expand adds keys to a message that was sent, or gives them another value; an empty
// value removes one. At most 20 at once and 300 in all; a key has 1-32 bytes, a value at
// most 4096. Everybody in the conversation may, and sees them: Message.Expansion.
func (c *Client) Expand(ctx context.Context, conv string, seq uint64, keys map[string]string) (ver uint64, err error) {
	req := &wire.ExpandRequest{Conv: conv, Seq: seq, Id: newID()}
	for _, p := range pairsOf(keys) {
		if p.Value == "" {
			req.Remove = append(req.Remove, p.Key)
		} else {
			req.Set = append(req.Set, p)
		}
	}
	return c.change(ctx, wire.MethodExpand, conv, req)
}

// Messages reads messages by their numbers, at most 200: those that are there for this
// user.
func (c *Client) Messages(ctx context.Context, conv string, seqs ...uint64) ([]*Message, error) {
	list, _, err := c.listed(ctx, wire.MethodMessages, conv, &wire.MessagesRequest{Conv: conv, Seqs: seqs})
	return list, err
}

// Replies reads the answers to a message (Outgoing.ReplyTo), the oldest first: those
// behind the number after, at most limit (0 = 50, at most 200). How many there are stands
// in Message.Extra of what History reads.
func (c *Client) Replies(ctx context.Context, conv string, seq, after uint64, limit int) (list []*Message, more bool, err error) {
	return c.listed(ctx, wire.MethodReplies, conv, &wire.RepliesRequest{Conv: conv, Seq: seq, After: after, Limit: count(limit)})
}

// Forward says what is to be sent on.
type Forward struct {
	ID     string   // client id: the same again is the same forward; empty = a new one
	Conv   string   // where from
	Seqs   []uint64 // ascending; at most 100
	To     []string // addresses; at most 20
	Merged bool     // one an:merged message (MergedBody) instead of one each
	Title  string   // of the merged one
}

// Forwarded is what became of one address.
type Forwarded struct {
	Conv string
	Seqs []uint64 // numbers of the new messages
	Err  error    // nil = all were sent; else *Error
}

// Forward sends what was said in one conversation to others, one by one or merged. The
// server does it: nothing is downloaded. It answers for each address in order.
func (c *Client) Forward(ctx context.Context, f Forward) ([]Forwarded, error) {
	if f.ID == "" {
		f.ID = newID()
	}
	r := new(wire.ForwardResponse)
	err := c.do(ctx, wire.MethodForward, &wire.ForwardRequest{Id: f.ID, Conv: f.Conv, Seqs: f.Seqs, To: f.To,
		Merged: f.Merged, Title: f.Title}, r, true)
	if err != nil {
		return nil, err
	}
	var out []Forwarded
	for _, w := range r.Forwarded {
		x := Forwarded{Conv: w.Conv, Seqs: w.Seqs}
		if w.Code != wire.CodeOK {
			x.Err = refusal(w.Code, w.Message, 0)
		}
		out = append(out, x)
	}
	return out, nil
}

// Report tells the app of a message that should not be there: reason has 1-64 bytes
// (spam, abuse ...), text at most 1024. It answers the report's id.
func (c *Client) Report(ctx context.Context, conv string, seq uint64, reason, text string) (id string, err error) {
	return c.report(ctx, &wire.ReportRequest{Conv: conv, Seq: seq, Reason: reason, Text: text})
}

// ReportUser tells the app of a user.
func (c *Client) ReportUser(ctx context.Context, user, reason, text string) (id string, err error) {
	return c.report(ctx, &wire.ReportRequest{User: user, Reason: reason, Text: text})
}

func (c *Client) report(ctx context.Context, req *wire.ReportRequest) (string, error) {
	r := new(wire.ReportResponse)
	err := c.do(ctx, wire.MethodReport, req, r, true)
	return r.Id, err
}

// ReadCount says how many members of a group have read a message, without its sender.
type ReadCount struct {
	Seq    uint64
	Read   int
	Unread int
	AsOf   time.Time // when it was counted: some seconds ago at most
}

// ReadCounts asks how many have read messages of a group, at most 100 of them.
func (c *Client) ReadCounts(ctx context.Context, conv string, seqs ...uint64) ([]ReadCount, error) {
	r := new(wire.ReadCountsResponse)
	err := c.do(ctx, wire.MethodReadCounts, &wire.ReadCountsRequest{Conv: conv, Seqs: seqs}, r, true)
	var out []ReadCount
	for _, x := range r.Counts {
		out = append(out, ReadCount{Seq: x.Seq, Read: int(x.Read), Unread: int(x.Unread), AsOf: timeOf(x.AsOf)})
	}
	return out, err
}

// ReadList is a page of those who have, or have not, read a message.
type ReadList struct {
	Users []string // by user id
	More  bool
	AsOf  time.Time
}

// ReadBy lists the members of a group who have read a message, by user id behind after,
// at most limit (0 = 100, at most 1000).
func (c *Client) ReadBy(ctx context.Context, conv string, seq uint64, after string, limit int) (ReadList, error) {
	return c.readList(ctx, &wire.ReadListRequest{Conv: conv, Seq: seq, After: after, Limit: count(limit)})
}

// UnreadBy lists those who have not.
func (c *Client) UnreadBy(ctx context.Context, conv string, seq uint64, after string, limit int) (ReadList, error) {
	return c.readList(ctx, &wire.ReadListRequest{Conv: conv, Seq: seq, Unread: true, After: after, Limit: count(limit)})
}

func (c *Client) readList(ctx context.Context, req *wire.ReadListRequest) (ReadList, error) {
	r := new(wire.ReadListResponse)
	err := c.do(ctx, wire.MethodReadList, req, r, true)
	return ReadList{Users: r.Users, More: r.More, AsOf: timeOf(r.AsOf)}, err
}
