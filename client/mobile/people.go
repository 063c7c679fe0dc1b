package mobile

import (
	"encoding/json"
	"time"

	"github.com/anser-im/anser/client"
)

// List lists conversations as they are shown: pinned ones first, then the newest, from
// the cursor after (Conversations.Next) on. filter is JSON in the names of the schema
// (kinds, tag, unread, mentions, pinned, archived, hidden, not_muted); empty = all but
// hidden and archived ones.
func (c *Client) List(after string, limit, messages int, filter string) (l *Conversations, err error) {
	defer guard(&err)
	q := client.ListQuery{After: after, Limit: limit, Messages: messages}
	if q.Filter, err = filterOf(filter); err != nil {
		return nil, coded(err)
	}
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.List(ctx, q)
	if err != nil {
		return nil, coded(err)
	}
	return &Conversations{Next: v.Next, list: v.Conversations}, nil
}

func filterOf(text string) (client.Filter, error) {
	var f struct {
		Kinds    []string `json:"kinds"`
		Tag      string   `json:"tag"`
		Unread   bool     `json:"unread"`
		Mentions bool     `json:"mentions"`
		Pinned   bool     `json:"pinned"`
		Archived bool     `json:"archived"`
		Hidden   bool     `json:"hidden"`
		NotMuted bool     `json:"not_muted"`
	}
	if text == "" {
		return client.Filter{}, nil
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return client.Filter{}, err
	}
	return client.Filter(f), nil
}

// set sets one thing of a conversation.
func (c *Client) set(conv string, s client.SetConversation) (*Info, error) {
	ctx, cancel := c.ctx()
	defer cancel()
	m, err := c.c.Set(ctx, conv, s)
	if err != nil {
		return nil, coded(err)
	}
	i := &Info{Conv: conv}
	i.mine(&m)
	return i, nil
}

// SetPinned puts a conversation at the top of the list, or takes it from there.
func (c *Client) SetPinned(conv string, on bool) (i *Info, err error) {
	defer guard(&err)
	return c.set(conv, client.SetConversation{Pinned: &on})
}

// SetLevel sets what this user is notified of: all, mentions, me, at_all, none; empty =
// as inherited.
func (c *Client) SetLevel(conv, level string) (i *Info, err error) {
	defer guard(&err)
	return c.set(conv, client.SetConversation{Level: &level})
}

// SetHidden takes a conversation out of the list until something new comes.
func (c *Client) SetHidden(conv string, on bool) (i *Info, err error) {
	defer guard(&err)
	return c.set(conv, client.SetConversation{Hidden: &on})
}

// SetArchived puts a conversation into the archive, or takes it out.
func (c *Client) SetArchived(conv string, on bool) (i *Info, err error) {
	defer guard(&err)
	return c.set(conv, client.SetConversation{Archived: &on})
}

// SetMarked marks a conversation unread by hand.
func (c *Client) SetMarked(conv string, on bool) (i *Info, err error) {
	defer guard(&err)
	return c.set(conv, client.SetConversation{Marked: &on})
}

// SetTags puts a conversation into folders; none = into none.
func (c *Client) SetTags(conv string, tags *Strings) (i *Info, err error) {
	defer guard(&err)
	list := append([]string{}, tags.slice()...)
	return c.set(conv, client.SetConversation{Tags: &list})
}

// SetRemark gives a conversation a name of this user's own.
func (c *Client) SetRemark(conv, remark string) (i *Info, err error) {
	defer guard(&err)
	return c.set(conv, client.SetConversation{Remark: &remark})
}

// Unread are totals over conversations, for a badge.
type Unread struct {
	Messages      int64
	Conversations int
	Mentions      int64
	All           int64 // unread @all messages
	Marked        int   // marked by hand and without unread messages
	Direct        int64 // messages in conversations of two
	Groups        int64 // messages in groups
}

// UnreadTotals asks for them; filter as in List.
func (c *Client) UnreadTotals(filter string) (u *Unread, err error) {
	defer guard(&err)
	f, err := filterOf(filter)
	if err != nil {
		return nil, coded(err)
	}
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Unread(ctx, f)
	if err != nil {
		return nil, coded(err)
	}
	return &Unread{Messages: int64(v.Messages), Conversations: v.Conversations, Mentions: int64(v.Mentions), All: int64(v.All),
		Marked: v.Marked, Direct: int64(v.Kinds["direct"]), Groups: int64(v.Kinds["group"])}, nil
}

// SetDraft keeps what this user has begun to write, on all his devices; empty removes it.
func (c *Client) SetDraft(conv string, body []byte, replyTo int64) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	_, err = c.c.SetDraft(ctx, client.Draft{Conv: conv, Body: body, ReplyTo: number(replyTo)})
	return coded(err)
}

// Draft is what this user has begun to write in a conversation.
type Draft struct {
	Conv    string
	Body    []byte
	ReplyTo int64
	Millis  int64 // when it was kept
}

// Drafts is a list of them.
type Drafts struct {
	More bool // ask again after the last one's Conv
	list []client.Draft
}

// Len is how many there are.
func (l *Drafts) Len() int {
	if l == nil {
		return 0
	}
	return len(l.list)
}

// Get is number i, from 0; null if there is none.
func (l *Drafts) Get(i int) *Draft {
	if i < 0 || i >= l.Len() {
		return nil
	}
	d := l.list[i]
	return &Draft{Conv: d.Conv, Body: d.Body, ReplyTo: int64(d.ReplyTo), Millis: millis(d.Time)}
}

// ListDrafts lists them, behind the conversation after.
func (c *Client) ListDrafts(after string, limit int) (l *Drafts, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, more, err := c.c.Drafts(ctx, after, limit)
	if err != nil {
		return nil, coded(err)
	}
	return &Drafts{More: more, list: v}, nil
}

// Notify asks what this user is notified of where a conversation says nothing. JSON:
// notify with all, direct, group, quiet.
func (c *Client) Notify() (answer string, err error) {
	defer guard(&err)
	return c.call("Notify", fields{})
}

// SetNotify sets all of it. JSON with all, direct, group, quiet.
func (c *Client) SetNotify(notify string) (err error) {
	defer guard(&err)
	return c.does("SetNotify", fields{"notify": json.RawMessage(notify)})
}

// Quiet asks for the quiet hours of one conversation. JSON: quiet.
func (c *Client) Quiet(conv string) (answer string, err error) {
	defer guard(&err)
	return c.call("Quiet", fields{"conv": conv})
}

// SetQuiet sets them: JSON with start, minutes, zone, level, days; empty = as for all.
func (c *Client) SetQuiet(conv, quiet string) (err error) {
	defer guard(&err)
	f := fields{"conv": conv}
	if quiet != "" {
		f["quiet"] = json.RawMessage(quiet)
	}
	return c.does("SetQuiet", f)
}

// SetProfile changes what this user tells of himself: JSON with name, portrait, fields, a
// list of key, value, visible. What is absent stays. The answer is JSON: profile.
func (c *Client) SetProfile(profile string) (answer string, err error) {
	defer guard(&err)
	return c.Call("SetProfile", profile)
}

// Profiles asks for the profiles of users. JSON: profiles.
func (c *Client) Profiles(users *Strings) (answer string, err error) {
	defer guard(&err)
	return c.call("Profiles", fields{"users": users})
}

// SetAllowMode takes direct messages only from those on the list, or again from all.
func (c *Client) SetAllowMode(on bool) (err error) {
	defer guard(&err)
	return c.does("SetAllowMode", fields{"on": on})
}

// Allow puts a user on the list.
func (c *Client) Allow(user string) (err error) {
	defer guard(&err)
	return c.does("Allow", fields{"user": user})
}

// Disallow takes one off.
func (c *Client) Disallow(user string) (err error) {
	defer guard(&err)
	return c.does("Disallow", fields{"user": user})
}

// Allowed lists who is on it, behind the user after. JSON: users, on, more.
func (c *Client) Allowed(after string, limit int) (answer string, err error) {
	defer guard(&err)
	return c.call("Allowed", fields{"after": after, "limit": limit})
}

// SetPresence changes what this user tells of his being here: JSON with status, online,
// last_seen. What is absent stays.
func (c *Client) SetPresence(presence string) (err error) {
	defer guard(&err)
	_, err = c.Call("SetPresence", presence)
	return err
}

// Presence asks whether users are here. JSON: presences.
func (c *Client) Presence(users *Strings) (answer string, err error) {
	defer guard(&err)
	return c.call("Presence", fields{"users": users})
}

// Watch has this device told when users come and go, by OnSignal with the kind presence. JSON:
// presences, until.
func (c *Client) Watch(users *Strings, seconds int) (answer string, err error) {
	defer guard(&err)
	return c.call("Watch", fields{"users": users, "seconds": seconds})
}

// Unwatch ends that; none = for all.
func (c *Client) Unwatch(users *Strings) (err error) {
	defer guard(&err)
	return c.does("Unwatch", fields{"users": users})
}

// Recording tells the others that this user is recording something spoken.
func (c *Client) Recording(conv string) (err error) {
	defer guard(&err)
	return coded(c.c.Recording(conv))
}

// GroupMute forbids members to send until a time; 0 lifts that.
func (c *Client) GroupMute(conv string, users *Strings, untilMillis int64) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	var until time.Time
	if untilMillis > 0 {
		until = time.UnixMilli(untilMillis)
	}
	return coded(c.c.GroupMute(ctx, conv, until, users.slice()...))
}

// GroupMuteAll forbids everybody but owner and admins to send, or allows it again.
func (c *Client) GroupMuteAll(conv string, on bool) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.GroupMuteAll(ctx, conv, on))
}

// GroupNick sets a member's name in a group; user empty = this user's.
func (c *Client) GroupNick(conv, user, nick string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.GroupNickOf(ctx, conv, user, nick))
}

// Types lists the types of message that the server knows, changed after a version. JSON:
// types, version.
func (c *Client) Types(since int64) (answer string, err error) {
	defer guard(&err)
	return c.call("Types", fields{"since": since})
}
