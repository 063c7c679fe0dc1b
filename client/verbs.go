package client

import (
	"context"
	"time"

	"github.com/anser-im/anser/wire"
)

// Page is a part of a conversation's history.
type Page struct {
	From, To uint64     // every number in it that has no message here is settled
	Messages []*Message // ascending
	Head     Head
}

// History reads at most limit messages (0 = 50, at most 200) of a conversation that
// come before the number before; 0 = the newest. Numbers below Page.From remain; there
// are none when it is 1, or the page is empty.
func (c *Client) History(ctx context.Context, conv string, before uint64, limit int) (*Page, error) {
	req := &wire.PageRequest{Conv: conv, Backward: true, Limit: uint32(max(limit, 0))}
	if before == 1 {
		return &Page{}, nil
	}
	if before > 1 {
		req.From = before - 1
	}
	return c.page(ctx, req)
}

// Range reads from the number from up to to (0 = the newest), both inclusive, at most
// limit messages (0 = 50, at most 200): the oldest of them.
func (c *Client) Range(ctx context.Context, conv string, from, to uint64, limit int) (*Page, error) {
	return c.page(ctx, &wire.PageRequest{Conv: conv, From: from, To: to, Limit: uint32(max(limit, 0))})
}

// Around reads the messages around the number seq, to jump there: half of limit (0 = 50,
// at most 200) before it, the rest from it on.
func (c *Client) Around(ctx context.Context, conv string, seq uint64, limit int) (*Page, error) {
	return c.page(ctx, &wire.PageRequest{Conv: conv, Around: seq, Limit: uint32(max(limit, 0))})
}

func (c *Client) page(ctx context.Context, req *wire.PageRequest) (*Page, error) {
	r := new(wire.PageResponse)
	if err := c.do(ctx, wire.MethodPage, req, r, true); err != nil {
		return nil, err
	}
	p := &Page{}
	if r.Range != nil {
		p.From, p.To = r.Range.From, r.Range.To
		p.Messages = attach(messagesOf(req.Conv, r.Range.Messages), r.Range.Extras)
		c.tellKept(req.Conv, p.Messages)
	}
	if r.Head != nil {
		p.Head = *headOf(r.Head)
	}
	return p, nil
}

// Changes is a part of a conversation's change log.
type Changes struct {
	From, To uint64 // every change in it that is not here is not for this user
	List     []*Change
	Reset    bool   // the log no longer goes back that far: read the conversation anew, and go on from Ver
	Ver      uint64 // with Reset
	More     bool
}

// Changes reads the changes of a conversation from number from on, at most limit (0 =
// 200, at most 1000). The client does so by itself for what it delivers.
func (c *Client) Changes(ctx context.Context, conv string, from uint64, limit int) (*Changes, error) {
	r := new(wire.ChangesResponse)
	err := c.do(ctx, wire.MethodChanges, &wire.ChangesRequest{Conv: conv, FromVer: from, Limit: uint32(max(limit, 0))}, r, true)
	if err != nil {
		return nil, err
	}
	out := &Changes{From: r.FromVer, To: r.ToVer, Reset: r.Reset_, Ver: r.Ver, More: r.More}
	for _, ch := range r.Changes {
		out.List = append(out.List, changeOf(conv, ch))
	}
	return out, nil
}

// Read marks a conversation as read up to seq, 0 = all of it. A mark below the present
// one changes nothing.
func (c *Client) Read(ctx context.Context, conv string, seq uint64) (Mine, error) {
	r := new(wire.ReadResponse)
	if err := c.do(ctx, wire.MethodRead, &wire.ReadRequest{Conv: conv, Seq: seq}, r, true); err != nil {
		return Mine{}, err
	}
	c.rowIs(conv, r.Mine)
	if m := mineOf(r.Mine); m != nil {
		return *m, nil
	}
	return Mine{}, nil
}

// Conversation asks how a conversation stands.
func (c *Client) Conversation(ctx context.Context, conv string) (*Conversation, error) {
	r := new(wire.ConversationResponse)
	if err := c.do(ctx, wire.MethodConversation, &wire.ConversationRequest{Conv: conv}, r, true); err != nil {
		return nil, err
	}
	if r.Conversation == nil {
		return &Conversation{Conv: conv}, nil
	}
	return conversationOf(r.Conversation), nil
}

// Conversations asks for all conversations of this user, newest first, each with its
// last message.
func (c *Client) Conversations(ctx context.Context) ([]*Conversation, error) {
	var out []*Conversation
	token := ""
	for {
		r := new(wire.SyncResponse)
		if err := c.do(ctx, wire.MethodSync, &wire.SyncRequest{Token: token, Messages: 1, Limit: 1000}, r, true); err != nil {
			return nil, err
		}
		for _, w := range r.Conversations {
			if w.Conv != "me" && !w.Mine.GetLeft() {
				out = append(out, conversationOf(w))
			}
		}
		if !r.More {
			return out, nil
		}
		token = r.Token
	}
}

// Mentions lists the unread messages of a conversation that name this user, ascending,
// at most limit (0 = 100, at most 1000).
func (c *Client) Mentions(ctx context.Context, conv string, limit int) ([]uint64, error) {
	r := new(wire.MentionsResponse)
	err := c.do(ctx, wire.MethodMentions, &wire.MentionsRequest{Conv: conv, Limit: uint32(max(limit, 0))}, r, true)
	return r.Seqs, err
}

// DeviceInfo is one of this user's devices.
type DeviceInfo struct {
	ID, Class, OS, SDK string
	Online             bool
	LastSeen           time.Time
}

// Devices lists this user's devices.
func (c *Client) Devices(ctx context.Context) ([]DeviceInfo, error) {
	r := new(wire.DevicesResponse)
	if err := c.do(ctx, wire.MethodDevices, new(wire.DevicesRequest), r, true); err != nil {
		return nil, err
	}
	var out []DeviceInfo
	for _, d := range r.Devices {
		out = append(out, DeviceInfo{ID: d.Id, Class: d.Class, OS: d.Os, SDK: d.Sdk, Online: d.Online, LastSeen: timeOf(d.LastSeen)})
	}
	return out, nil
}

// Kick ends the session of one of this user's devices; revoke makes its tokens worthless
// as well.
func (c *Client) Kick(ctx context.Context, device, reason string, revoke bool) error {
	return c.do(ctx, wire.MethodKick, &wire.KickRequest{Device: device, Reason: reason, Revoke: revoke}, new(wire.Empty), false)
}

// Block refuses what user sends to this user directly.
func (c *Client) Block(ctx context.Context, user string) error {
	return c.do(ctx, wire.MethodBlock, &wire.BlockRequest{User: user}, new(wire.Empty), true)
}

// Unblock ends a block.
func (c *Client) Unblock(ctx context.Context, user string) error {
	return c.do(ctx, wire.MethodUnblock, &wire.UnblockRequest{User: user}, new(wire.Empty), true)
}

// Blocks lists whom this user has blocked, by user id, from after on; more says that
// there are others.
func (c *Client) Blocks(ctx context.Context, after string, limit int) (users []string, more bool, err error) {
	r := new(wire.BlocksResponse)
	err = c.do(ctx, wire.MethodBlocks, &wire.BlocksRequest{After: after, Limit: uint32(max(limit, 0))}, r, true)
	return r.Users, r.More, err
}
