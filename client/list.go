package client

import (
	"context"

	"github.com/anser-im/anser/wire"
)

// Filter picks conversations. Zero fields pick all but hidden and archived ones.
type Filter struct {
	Kinds    []string // wire.KindDirect, KindGroup; nil = all
	Tag      string   // only those with this tag
	Unread   bool     // only with unread messages, or marked
	Mentions bool     // only with unread mentions
	Pinned   bool     // only pinned ones
	Archived bool     // those in the archive instead
	Hidden   bool     // hidden ones too
	NotMuted bool     // only those whose level is not none
}

func (f Filter) wire() *wire.Filter {
	return &wire.Filter{Kinds: f.Kinds, Tag: f.Tag, Unread: f.Unread, Mentions: f.Mentions, Pinned: f.Pinned,
		Archived: f.Archived, Hidden: f.Hidden, NotMuted: f.NotMuted}
}

// ListQuery asks for a part of the list of conversations.
type ListQuery struct {
	After    string // List.Next of the part before; empty = from the top
	Limit    int    // 0 = 50; at most 200
	Messages int    // newest messages for each (Conversation.Recent); at most 20
	Filter   Filter
}

// List is a part of the list of conversations, in the order in which it is shown:
// pinned ones first, then those with the newest message.
type List struct {
	Conversations []*Conversation
	Next          string // empty = that was all
}

// List asks the server for this user's conversations as they are shown: a screen at a
// time, so that the first is there at once, however many there are.
func (c *Client) List(ctx context.Context, q ListQuery) (*List, error) {
	r := new(wire.ConversationsResponse)
	err := c.do(ctx, wire.MethodConversations, &wire.ConversationsRequest{After: q.After, Limit: count(q.Limit),
		Messages: count(q.Messages), Filter: q.Filter.wire()}, r, true)
	if err != nil {
		return nil, err
	}
	out := &List{Next: r.Next}
	for _, w := range r.Conversations {
		out.Conversations = append(out.Conversations, conversationOf(w))
	}
	return out, nil
}

// SetConversation says what a conversation is to be to this user, on all his devices;
// nil = as before.
type SetConversation struct {
	Pinned   *bool     // at the top of the list
	Level    *string   // what he is notified of: wire.LevelAll ...; empty = as inherited
	Hidden   *bool     // out of the list until something new comes
	Archived *bool     // in the archive
	Marked   *bool     // unread, whatever was read
	Tags     *[]string // folders, 1-40 bytes each, at most 20
	Remark   *string   // his own name for it; at most 128 bytes
}

// Set sets what a conversation is to this user, and answers his row of it then. His other
// devices are told by EventInfo.
func (c *Client) Set(ctx context.Context, conv string, s SetConversation) (Mine, error) {
	req := &wire.SetRequest{Conv: conv, Pinned: s.Pinned, Level: s.Level, Hidden: s.Hidden, Archived: s.Archived,
		Marked: s.Marked, Remark: s.Remark}
	if s.Tags != nil {
		req.Tags = &wire.Tags{Names: *s.Tags}
	}
	r := new(wire.SetResponse)
	if err := c.do(ctx, wire.MethodSet, req, r, true); err != nil {
		return Mine{}, err
	}
	if m := mineOf(r.Mine); m != nil {
		return *m, nil
	}
	return Mine{}, nil
}

// Pin puts a conversation at the top of the list, or takes it from there.
func (c *Client) Pin(ctx context.Context, conv string, on bool) (Mine, error) {
	return c.Set(ctx, conv, SetConversation{Pinned: &on})
}

// NotifyLevel sets what this user is notified of in a conversation: wire.LevelAll,
// LevelMentions, LevelMe, LevelAtAll, LevelNone; empty = as inherited.
func (c *Client) NotifyLevel(ctx context.Context, conv, level string) (Mine, error) {
	return c.Set(ctx, conv, SetConversation{Level: &level})
}

// Hide takes a conversation out of the list until something new comes.
func (c *Client) Hide(ctx context.Context, conv string) (Mine, error) {
	return c.Set(ctx, conv, SetConversation{Hidden: new(true)})
}

// MarkUnread marks a conversation unread, whatever was read; Read takes that back.
func (c *Client) MarkUnread(ctx context.Context, conv string) (Mine, error) {
	return c.Set(ctx, conv, SetConversation{Marked: new(true)})
}

// Unread are totals over conversations, as they stand now: for a badge.
type Unread struct {
	Messages      uint64            // unread messages
	Conversations int               // conversations with any
	Mentions      uint64            // unread mentions of this user by name
	All           uint64            // unread @all messages
	Marked        int               // marked by hand and without unread messages
	Kinds         map[string]uint64 // messages by kind of conversation: wire.KindDirect ...
}

// Unread asks for the totals over the conversations that f picks.
func (c *Client) Unread(ctx context.Context, f Filter) (Unread, error) {
	r := new(wire.UnreadResponse)
	if err := c.do(ctx, wire.MethodUnread, &wire.UnreadRequest{Filter: f.wire()}, r, true); err != nil {
		return Unread{}, err
	}
	out := Unread{Messages: r.Messages, Conversations: int(r.Conversations), Mentions: r.Mentions, All: r.All,
		Marked: int(r.Marked), Kinds: make(map[string]uint64)}
	for _, k := range r.Kinds {
		out.Kinds[k.Kind] = k.Count
	}
	return out, nil
}
