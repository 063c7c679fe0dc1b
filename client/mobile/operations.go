package mobile

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/anser-im/anser/client"
)

// Call makes any verb of the API by its name ("Reactions"), with request and answer as
// JSON in the names of the schema (docs/PROTOCOL.md): 64-bit numbers are strings.
func (c *Client) Call(method, request string) (answer string, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	b, err := c.c.Call(ctx, method, []byte(request))
	return string(b), coded(err)
}

// fields is a request, by the names of the schema.
type fields map[string]any

// call makes a verb. Fields that are empty are left out.
func (c *Client) call(method string, f fields) (answer string, err error) {
	for k, v := range f {
		switch v := v.(type) {
		case int64:
			f[k] = strconv.FormatUint(number(v), 10)
		case int:
			f[k] = min(max(v, 0), 1<<20)
		case *Strings:
			f[k] = append([]string{}, v.slice()...)
		}
	}
	b, err := json.Marshal(f)
	if err != nil {
		return "", coded(err)
	}
	return c.Call(method, string(b))
}

// does makes a verb whose answer says nothing of use.
func (c *Client) does(method string, f fields) error {
	_, err := c.call(method, f)
	return err
}

// RecallSilently takes a message back and leaves nothing in its place. It answers JSON:
// ver, and former, what it said, where it may be written anew.
func (c *Client) RecallSilently(conv string, seq int64) (answer string, err error) {
	defer guard(&err)
	return c.call("Recall", fields{"conv": conv, "seq": seq, "silent": true})
}

// RecallForEdit takes a message back and answers what it said, to be written anew; null
// where the time for that is over.
func (c *Client) RecallForEdit(conv string, seq int64) (former *Message, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	r, err := c.c.Recall(ctx, conv, number(seq))
	return messageOf(r.Former), coded(err)
}

// EditHistory tells what a message said before its edits behind the one with the number
// after. JSON: formers, more.
func (c *Client) EditHistory(conv string, seq, after int64, limit int) (answer string, err error) {
	defer guard(&err)
	return c.call("EditHistory", fields{"conv": conv, "seq": seq, "after": after, "limit": limit})
}

// DeleteForMe deletes the messages from..to for this user alone, on all his devices; to 0
// = to the newest.
func (c *Client) DeleteForMe(conv string, from, to int64) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	_, err = c.c.DeleteRange(ctx, conv, number(from), number(to))
	return coded(err)
}

// DeleteForAll deletes the messages from..to for everybody, at most 1000 numbers, and
// answers how many are gone.
func (c *Client) DeleteForAll(conv string, from, to int64) (count int, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	d, err := c.c.DeleteRangeForAll(ctx, conv, number(from), number(to))
	return d.Count, coded(err)
}

// Undelete brings back a message that was deleted for all.
func (c *Client) Undelete(conv string, seq int64) (ver int64, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Undelete(ctx, conv, number(seq))
	return int64(v), coded(err)
}

// React puts a sign of this user on a message: an emoji or a word.
func (c *Client) React(conv string, seq int64, sign string) (ver int64, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.React(ctx, conv, number(seq), sign)
	return int64(v), coded(err)
}

// Unreact takes it away.
func (c *Client) Unreact(conv string, seq int64, sign string) (ver int64, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Unreact(ctx, conv, number(seq), sign)
	return int64(v), coded(err)
}

// WhoReacted lists who put which sign on a message; key empty = any. Behind afterKey and
// afterUser of the last one of the page before. JSON: reacted, more.
func (c *Client) WhoReacted(conv string, seq int64, key, afterKey, afterUser string, limit int) (answer string, err error) {
	defer guard(&err)
	return c.call("Reactions", fields{"conv": conv, "seq": seq, "key": key, "after_key": afterKey, "after_user": afterUser, "limit": limit})
}

// PinMessage pins a message for everybody, or takes it down.
func (c *Client) PinMessage(conv string, seq int64, on bool) (err error) {
	defer guard(&err)
	return c.does("Pin", fields{"conv": conv, "seq": seq, "off": !on})
}

// Pins lists the pinned messages.
func (c *Client) Pins(conv string) (l *Messages, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Pins(ctx, conv)
	if err != nil {
		return nil, coded(err)
	}
	return &Messages{v}, nil
}

// Expand gives a key of a message a value; an empty one removes it.
func (c *Client) Expand(conv string, seq int64, key, value string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	_, err = c.c.Expand(ctx, conv, number(seq), map[string]string{key: value})
	return coded(err)
}

// MessageAt reads one message; null if it is not there for this user.
func (c *Client) MessageAt(conv string, seq int64) (m *Message, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	l, err := c.c.Messages(ctx, conv, number(seq))
	if err != nil || len(l) == 0 {
		return nil, coded(err)
	}
	return messageOf(l[0]), nil
}

// Around reads the messages around the number seq.
func (c *Client) Around(conv string, seq int64, limit int) (p *Page, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	r, err := c.c.Around(ctx, conv, number(seq), limit)
	if err != nil {
		return nil, coded(err)
	}
	return pageOf(r), nil
}

// Answers reads the answers to a message behind the number after.
func (c *Client) Answers(conv string, seq, after int64, limit int) (l *Messages, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, _, err := c.c.Replies(ctx, conv, number(seq), number(after), limit)
	if err != nil {
		return nil, coded(err)
	}
	return &Messages{v}, nil
}

// Threads lists the threads of a conversation, the liveliest first. JSON: threads, more.
func (c *Client) Threads(conv string, before int64, limit int) (answer string, err error) {
	defer guard(&err)
	return c.call("Threads", fields{"conv": conv, "before": before, "limit": limit})
}

// ThreadHistory reads messages of a thread that come before the number before, 0 = the
// newest; ascending.
func (c *Client) ThreadHistory(conv string, root, before int64, limit int) (l *Messages, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, _, err := c.c.ThreadHistory(ctx, conv, number(root), number(before), limit)
	if err != nil {
		return nil, coded(err)
	}
	return &Messages{v}, nil
}

// ThreadRead marks a thread as read up to seq.
func (c *Client) ThreadRead(conv string, root, seq int64) (err error) {
	defer guard(&err)
	return c.does("ThreadSet", fields{"conv": conv, "root": root, "read": seq})
}

// ThreadFollow puts a thread into this user's list, or takes it from there.
func (c *Client) ThreadFollow(conv string, root int64, on bool) (err error) {
	defer guard(&err)
	return c.does("ThreadSet", fields{"conv": conv, "root": root, "follow": on})
}

// ThreadLevel sets what he is notified of in it.
func (c *Client) ThreadLevel(conv string, root int64, level string) (err error) {
	defer guard(&err)
	return c.does("ThreadSet", fields{"conv": conv, "root": root, "level": level})
}

// Forward sends messages on to the addresses to; merged makes one message of them, with
// a title. id makes a retry the same; empty = a new one. JSON: forwarded, one for each
// address.
func (c *Client) Forward(id, conv string, seqs *Seqs, to *Strings, merged bool, title string) (answer string, err error) {
	defer guard(&err)
	return c.call("Forward", fields{"id": id, "conv": conv, "seqs": seqs.texts(), "to": to, "merged": merged, "title": title})
}

// Seqs is a list of message numbers to be asked for.
type Seqs struct{ list []uint64 }

// NewSeqs makes an empty list.
func NewSeqs() *Seqs { return new(Seqs) }

// Add appends seq.
func (l *Seqs) Add(seq int64) {
	if l != nil {
		l.list = append(l.list, number(seq))
	}
}

func (l *Seqs) texts() []string {
	out := []string{}
	if l != nil {
		for _, n := range l.list {
			out = append(out, strconv.FormatUint(n, 10))
		}
	}
	return out
}

// Vote votes for options of a poll; none takes the votes back.
func (c *Client) Vote(conv string, seq int64, options *Strings) (err error) {
	defer guard(&err)
	return c.does("Vote", fields{"conv": conv, "seq": seq, "options": options})
}

// PollClose ends a poll of this user's.
func (c *Client) PollClose(conv string, seq int64) (err error) {
	defer guard(&err)
	return c.does("PollClose", fields{"conv": conv, "seq": seq})
}

// StreamGet asks what came of a message that comes in parts. JSON: text, next, done, seq.
func (c *Client) StreamGet(conv, id string) (answer string, err error) {
	defer guard(&err)
	return c.call("StreamGet", fields{"conv": conv, "id": id})
}

// ReadCounts asks how many have read messages of a group. JSON: counts.
func (c *Client) ReadCounts(conv string, seqs *Seqs) (answer string, err error) {
	defer guard(&err)
	return c.call("ReadCounts", fields{"conv": conv, "seqs": seqs.texts()})
}

// ReadList lists who has read a message of a group, or who has not, behind the user after.
// JSON: users, more, as_of.
func (c *Client) ReadList(conv string, seq int64, unread bool, after string, limit int) (answer string, err error) {
	defer guard(&err)
	return c.call("ReadList", fields{"conv": conv, "seq": seq, "unread": unread, "after": after, "limit": limit})
}

// Report tells the app of a message, and answers the report's id.
func (c *Client) Report(conv string, seq int64, reason, text string) (id string, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	id, err = c.c.Report(ctx, conv, number(seq), reason, text)
	return id, coded(err)
}

// ReportUser tells the app of a user.
func (c *Client) ReportUser(user, reason, text string) (id string, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	id, err = c.c.ReportUser(ctx, user, reason, text)
	return id, coded(err)
}

// Schedule has the server send a message at a time, and answers its id: the same again
// replaces it.
func (c *Client) Schedule(conv string, m *Outgoing, atMillis int64) (id string, err error) {
	defer guard(&err)
	out, err := m.message()
	if err != nil {
		return "", err
	}
	ctx, cancel := c.ctx()
	defer cancel()
	s, err := c.c.Schedule(ctx, conv, out, time.UnixMilli(atMillis))
	return s.ID, coded(err)
}

// ListScheduled lists what waits to be sent behind the id after. JSON: scheduled, more.
func (c *Client) ListScheduled(after string, limit int) (answer string, err error) {
	defer guard(&err)
	return c.call("Scheduled", fields{"after": after, "limit": limit})
}

// Unschedule takes one away.
func (c *Client) Unschedule(id string) (err error) {
	defer guard(&err)
	return c.does("Unschedule", fields{"id": id})
}

// Remind has this user told of something at a time (OnNoted), and answers its id: the
// same again replaces it. conv and seq may be empty.
func (c *Client) Remind(id string, atMillis int64, conv string, seq int64, text string) (_ string, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	r, err := c.c.Remind(ctx, client.Reminder{ID: id, At: time.UnixMilli(atMillis), Conv: conv, Seq: number(seq), Text: text})
	return r.ID, coded(err)
}

// Reminders lists them behind the id after. JSON: reminders, more.
func (c *Client) Reminders(after string, limit int) (answer string, err error) {
	defer guard(&err)
	return c.call("Reminders", fields{"after": after, "limit": limit})
}

// Unremind takes one away.
func (c *Client) Unremind(id string) (err error) {
	defer guard(&err)
	return c.does("Unremind", fields{"id": id})
}

// Save keeps a message for later.
func (c *Client) Save(conv string, seq int64, note string) (err error) {
	defer guard(&err)
	return c.does("Save", fields{"conv": conv, "seq": seq, "note": note})
}

// Unsave ends that.
func (c *Client) Unsave(conv string, seq int64) (err error) {
	defer guard(&err)
	return c.does("Unsave", fields{"conv": conv, "seq": seq})
}

// ListSaved lists what was kept, from the cursor after on. JSON: saved, next.
func (c *Client) ListSaved(after string, limit int) (answer string, err error) {
	defer guard(&err)
	return c.call("Saved", fields{"after": after, "limit": limit})
}

// Kept reads what is kept on this device of a conversation (Options.Keep), without asking
// the server: at most limit messages before the message before, null = the newest;
// ascending.
func (c *Client) Kept(conv string, before *Message, limit int) (l *Messages) {
	l = new(Messages)
	defer mute()
	var at *client.Message
	if before != nil {
		at = before.m
	}
	return &Messages{c.c.Kept(conv, at, limit)}
}

// Search looks through what is kept on this device, the newest first; conv empty = in all
// conversations.
func (c *Client) Search(text, conv string, limit int) (l *Messages) {
	l = new(Messages)
	defer mute()
	return &Messages{c.c.Search(client.Search{Text: text, Conv: conv, Limit: limit})}
}

// Insert puts a message on this device alone behind the message number after, 0 = behind
// the newest.
func (c *Client) Insert(conv, messageType string, body []byte, after int64) (m *Message, err error) {
	defer guard(&err)
	v, err := c.c.Insert(conv, client.Insertion{Type: messageType, Body: body, After: number(after)})
	return messageOf(v), coded(err)
}

// RemoveInserted takes such a message away.
func (c *Client) RemoveInserted(conv, id string) (err error) {
	defer guard(&err)
	return coded(c.c.RemoveInserted(conv, id))
}

// SetLocal sets a field of the application's own on a message that is kept here; an empty
// value removes it.
func (c *Client) SetLocal(conv string, seq int64, name, value string) (err error) {
	defer guard(&err)
	return coded(c.c.SetLocal(conv, number(seq), map[string]string{name: value}))
}
