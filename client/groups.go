package client

import (
	"context"
	"time"

	"github.com/anser-im/anser/wire"
)

// NewGroup is a group to be made.
type NewGroup struct {
	ID      string   // client id: the same again answers the same group; empty = a new one
	Name    string   // at most 128 bytes
	Members []string // besides this user; at most 1000 here
	Join    string   // wire.JoinInvite (default), wire.JoinOpen
	History string   // wire.HistoryJoined (default), wire.HistoryAll
}

// GroupCreate makes a group, of which this user is the owner, and answers its address.
func (c *Client) GroupCreate(ctx context.Context, g NewGroup) (conv string, group *Group, err error) {
	if g.ID == "" {
		g.ID = newID()
	}
	r := new(wire.GroupResponse)
	err = c.do(ctx, wire.MethodGroupCreate, &wire.GroupCreateRequest{
		Id: g.ID, Name: g.Name, Members: g.Members, Join: g.Join, History: g.History}, r, true)
	return r.Conv, groupOf(r.Group), err
}

// Member is a member of a group.
type Member struct {
	User, Role string
	Online     bool
	Nick       string    // his name in this group
	MutedUntil time.Time // he may not send before; zero = he may
}

// GroupMembers lists members by user id from after on, at most limit (0 = 100, at most
// 1000); more says that there are others.
func (c *Client) GroupMembers(ctx context.Context, conv, after string, limit int) (members []Member, more bool, err error) {
	r := new(wire.GroupMembersResponse)
	err = c.do(ctx, wire.MethodGroupMembers, &wire.GroupMembersRequest{Conv: conv, After: after, Limit: uint32(max(limit, 0))}, r, true)
	for _, m := range r.Members {
		members = append(members, Member{User: m.User, Role: m.Role, Online: m.Online, Nick: m.Nick, MutedUntil: timeOf(m.MutedUntil)})
	}
	return members, r.More, err
}

// GroupAdd adds users, at most 1000; refused are those who blocked this user.
func (c *Client) GroupAdd(ctx context.Context, conv string, users ...string) (refused []string, err error) {
	r := new(wire.GroupChangeResponse)
	err = c.do(ctx, wire.MethodGroupAdd, &wire.GroupAddRequest{Conv: conv, Users: users}, r, true)
	return r.Refused, err
}

// GroupRemove removes users.
func (c *Client) GroupRemove(ctx context.Context, conv string, users ...string) error {
	return c.do(ctx, wire.MethodGroupRemove, &wire.GroupRemoveRequest{Conv: conv, Users: users}, new(wire.GroupChangeResponse), true)
}

// GroupRole gives a member a role: wire.RoleAdmin, RoleMember, or RoleOwner, which hands
// the group over.
func (c *Client) GroupRole(ctx context.Context, conv, user, role string) error {
	return c.do(ctx, wire.MethodGroupRole, &wire.GroupRoleRequest{Conv: conv, User: user, Role: role}, new(wire.GroupChangeResponse), true)
}

// GroupUpdate is what to change of a group; empty parts stay.
type GroupUpdate struct {
	Name    *string
	Join    string
	History string
}

// GroupUpdate changes a group's name or settings.
func (c *Client) GroupUpdate(ctx context.Context, conv string, u GroupUpdate) (*Group, error) {
	r := new(wire.GroupResponse)
	err := c.do(ctx, wire.MethodGroupUpdate, &wire.GroupUpdateRequest{Conv: conv, Name: u.Name, Join: u.Join, History: u.History}, r, true)
	return groupOf(r.Group), err
}

// Join enters an open group.
func (c *Client) Join(ctx context.Context, conv string) error {
	return c.do(ctx, wire.MethodJoin, &wire.JoinRequest{Conv: conv}, new(wire.GroupChangeResponse), true)
}

// Leave leaves a group. An owner hands it over by leaving; the last one out closes it.
func (c *Client) Leave(ctx context.Context, conv string) error {
	return c.do(ctx, wire.MethodLeave, &wire.LeaveRequest{Conv: conv}, new(wire.GroupChangeResponse), true)
}

// GroupMute forbids members to send until a time; the zero time lifts that. Owner and
// admins may, and only to those whose role is lower. At most 100 users a call.
func (c *Client) GroupMute(ctx context.Context, conv string, until time.Time, users ...string) error {
	return c.do(ctx, wire.MethodGroupMute, &wire.GroupMuteRequest{Conv: conv, Users: users, Until: millis(until)},
		new(wire.GroupChangeResponse), true)
}

// GroupMuteAll forbids everybody but owner and admins to send, or allows it again.
func (c *Client) GroupMuteAll(ctx context.Context, conv string, mute bool) error {
	return c.do(ctx, wire.MethodGroupMute, &wire.GroupMuteRequest{Conv: conv, All: &mute}, new(wire.GroupChangeResponse), true)
}

// GroupNick sets this user's name in a group, at most 128 bytes; empty = none.
func (c *Client) GroupNick(ctx context.Context, conv, nick string) error {
	return c.GroupNickOf(ctx, conv, "", nick)
}

// GroupNickOf sets another member's name in a group; owner and admins may.
func (c *Client) GroupNickOf(ctx context.Context, conv, user, nick string) error {
	return c.do(ctx, wire.MethodGroupNick, &wire.GroupNickRequest{Conv: conv, User: user, Nick: nick}, new(wire.GroupChangeResponse), true)
}
