package mobile

import (
	"context"
	"errors"
	"time"

	"github.com/anser-im/anser/client"
)

// Outgoing is a message to be sent.
type Outgoing struct {
	ID            string // empty = a new one
	Type          string // empty = an:text
	Flags         int    // -1 = the type's default; NewOutgoing sets that
	Body          []byte
	Digest        string
	MentionsAll   bool
	Mentions      *Strings // may be null
	ReplyTo       int64
	Thread        int64
	ExpiresMillis int64
	BurnSeconds   int64    // direct: kept so long once the peer has read it; 0 = it does not burn
	MentionRoles  *Strings // owner, admin; may be null
	PushText      string
	To            *Strings // only for these members of a group; null = all
}

// NewOutgoing makes an empty message with the flags of its type.
func NewOutgoing() *Outgoing { return &Outgoing{Flags: -1} }

func (m *Outgoing) message() (client.Outgoing, error) {
	if m == nil {
		return client.Outgoing{}, errors.New("0: the message is null")
	}
	out := client.Outgoing{ID: m.ID, Type: m.Type, Body: m.Body, Digest: m.Digest, Mentions: m.Mentions.slice(),
		MentionsAll: m.MentionsAll, ReplyTo: number(m.ReplyTo), Thread: number(m.Thread), Push: m.PushText, To: m.To.slice(),
		MentionRoles: m.MentionRoles.slice(), Burn: time.Duration(min(max(m.BurnSeconds, 0), 1<<30)) * time.Second}
	if m.Flags >= 0 {
		out.Flags = new(client.Flags(m.Flags))
	}
	if m.ExpiresMillis > 0 {
		out.Expires = time.UnixMilli(m.ExpiresMillis)
	}
	return out, nil
}

// number makes a message number of what a phone says; below 0 is none.
func number(n int64) uint64 { return uint64(max(n, 0)) }

func (c *Client) ctx() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), c.timeout)
}

// SendText queues a text message and answers its client id. OnSent or OnFailed tells how
// it ended.
func (c *Client) SendText(conv, text string) (id string, err error) {
	defer guard(&err)
	return c.send(conv, client.Text(text))
}

// Send queues a message and answers its client id.
func (c *Client) Send(conv string, m *Outgoing) (id string, err error) {
	defer guard(&err)
	out, err := m.message()
	if err != nil {
		return "", err
	}
	return c.send(conv, out)
}

func (c *Client) send(conv string, m client.Outgoing) (string, error) {
	p, err := c.c.Send(context.Background(), conv, m)
	if err != nil {
		return "", coded(err)
	}
	return p.ID, nil
}

// Cancel gives up a message that waits; false if it does not.
func (c *Client) Cancel(conv, id string) (waited bool) {
	defer mute()
	return c.c.Cancel(conv, id)
}

// Outbox lists what waits to be accepted.
func (c *Client) Outbox() (l *Outbox) {
	l = new(Outbox)
	defer mute()
	return &Outbox{c.c.Outbox()}
}

// History reads at most limit messages that come before the number before; 0 = the
// newest.
func (c *Client) History(conv string, before int64, limit int) (p *Page, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	r, err := c.c.History(ctx, conv, number(before), limit)
	if err != nil {
		return nil, coded(err)
	}
	return pageOf(r), nil
}

// Range reads from the number from up to to, 0 = the newest; at most limit messages.
func (c *Client) Range(conv string, from, to int64, limit int) (p *Page, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	r, err := c.c.Range(ctx, conv, number(from), number(to), limit)
	if err != nil {
		return nil, coded(err)
	}
	return pageOf(r), nil
}

// Read marks a conversation as read up to seq, 0 = all of it.
func (c *Client) Read(conv string, seq int64) (i *Info, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	m, err := c.c.Read(ctx, conv, number(seq))
	if err != nil {
		return nil, coded(err)
	}
	i = &Info{Conv: conv}
	i.mine(&m)
	return i, nil
}

// Recall takes a message back.
func (c *Client) Recall(conv string, seq int64) (ver int64, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Recall(ctx, conv, number(seq))
	return int64(v.Ver), coded(err)
}

// Edit gives a message another body, digest and mentions.
func (c *Client) Edit(conv string, seq int64, m *Outgoing) (ver int64, err error) {
	defer guard(&err)
	out, err := m.message()
	if err != nil {
		return 0, err
	}
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Edit(ctx, conv, number(seq), out)
	return int64(v), coded(err)
}

// EditText gives a text message another text.
func (c *Client) EditText(conv string, seq int64, text string) (ver int64, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Edit(ctx, conv, number(seq), client.Text(text))
	return int64(v), coded(err)
}

// Conversation asks how a conversation stands.
func (c *Client) Conversation(conv string) (r *Conversation, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Conversation(ctx, conv)
	if err != nil {
		return nil, coded(err)
	}
	return conversationOf(v), nil
}

// Conversations asks for all of them, newest first.
func (c *Client) Conversations() (l *Conversations, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Conversations(ctx)
	if err != nil {
		return nil, coded(err)
	}
	return &Conversations{list: v}, nil
}

// Mentions lists the unread messages that name this user.
func (c *Client) Mentions(conv string, limit int) (l *Numbers, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Mentions(ctx, conv, limit)
	if err != nil {
		return nil, coded(err)
	}
	return &Numbers{v}, nil
}

// Signal sends something that passes by.
func (c *Client) Signal(conv, kind string, body []byte, ttlMillis int64) (err error) {
	defer guard(&err)
	return coded(c.c.Signal(conv, kind, body, time.Duration(min(max(ttlMillis, 0), 60_000))*time.Millisecond))
}

// Typing tells the others that this user is typing.
func (c *Client) Typing(conv string) (err error) {
	defer guard(&err)
	return coded(c.c.Typing(conv))
}

// Devices lists this user's devices.
func (c *Client) Devices() (l *Devices, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.Devices(ctx)
	if err != nil {
		return nil, coded(err)
	}
	return &Devices{v}, nil
}

// Kick ends the session of one of this user's devices; revoke ends its tokens too.
func (c *Client) Kick(device, reason string, revoke bool) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.Kick(ctx, device, reason, revoke))
}

// Block refuses what user sends directly.
func (c *Client) Block(user string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.Block(ctx, user))
}

// Unblock ends a block.
func (c *Client) Unblock(user string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.Unblock(ctx, user))
}

// Blocks lists at most limit blocked users after the id after; ask again with the last
// one until none comes.
func (c *Client) Blocks(after string, limit int) (l *Strings, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, _, err := c.c.Blocks(ctx, after, limit)
	if err != nil {
		return nil, coded(err)
	}
	return &Strings{v}, nil
}

// GroupCreate makes a group and answers its address. members and the settings may be
// null or empty; the same id again answers the same group.
func (c *Client) GroupCreate(id, name string, members *Strings, join, history string) (conv string, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	conv, _, err = c.c.GroupCreate(ctx, client.NewGroup{ID: id, Name: name, Members: members.slice(), Join: join, History: history})
	return conv, coded(err)
}

// GroupMembers lists members after the user id after.
func (c *Client) GroupMembers(conv, after string, limit int) (l *Members, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, more, err := c.c.GroupMembers(ctx, conv, after, limit)
	if err != nil {
		return nil, coded(err)
	}
	return &Members{More: more, list: v}, nil
}

// GroupAdd adds users and answers those who are not to be added by this user.
func (c *Client) GroupAdd(conv string, users *Strings) (refused *Strings, err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	v, err := c.c.GroupAdd(ctx, conv, users.slice()...)
	if err != nil {
		return nil, coded(err)
	}
	return &Strings{v}, nil
}

// GroupRemove removes users.
func (c *Client) GroupRemove(conv string, users *Strings) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.GroupRemove(ctx, conv, users.slice()...))
}

// GroupRole gives a member the role admin, member, or owner.
func (c *Client) GroupRole(conv, user, role string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.GroupRole(ctx, conv, user, role))
}

// GroupRename gives a group another name.
func (c *Client) GroupRename(conv, name string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	_, err = c.c.GroupUpdate(ctx, conv, client.GroupUpdate{Name: &name})
	return coded(err)
}

// GroupSettings changes who may join and what a newcomer sees; empty = as before.
func (c *Client) GroupSettings(conv, join, history string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	_, err = c.c.GroupUpdate(ctx, conv, client.GroupUpdate{Join: join, History: history})
	return coded(err)
}

// Join enters an open group.
func (c *Client) Join(conv string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.Join(ctx, conv))
}

// Leave leaves a group.
func (c *Client) Leave(conv string) (err error) {
	defer guard(&err)
	ctx, cancel := c.ctx()
	defer cancel()
	return coded(c.c.Leave(ctx, conv))
}
