package client

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/anser-im/anser/wire"
)

// Thread is a line of a conversation's list of threads. A message belongs to a thread
// by Outgoing.Thread, the number of the message that began it.
type Thread struct {
	Root      uint64   // number of the message that began it
	First     *Message // that message; nil = not for this user, or gone
	Last      *Message // its newest message
	Count     int      // messages in it
	LastSeq   uint64
	LastTime  time.Time
	Read      uint64 // this user has read up to this number
	Unread    int    // messages of others above it, to at most 1000
	Following bool
	Level     string // what he is notified of; empty = as inherited
}

func threadOf(conv string, t *wire.Thread) *Thread {
	if t == nil {
		return &Thread{}
	}
	out := &Thread{Read: t.Read, Unread: int(t.Unread), Following: t.Following, Level: t.Level}
	if e := t.Extra; e != nil {
		out.Root, out.Count, out.LastSeq, out.LastTime = e.Seq, int(e.Thread), e.ThreadLast, timeOf(e.ThreadTime)
	}
	if t.Root != nil {
		out.First = messageOf(conv, t.Root)
	}
	if t.Last != nil {
		out.Last = messageOf(conv, t.Last)
	}
	return out
}

// Threads lists the threads of a conversation, the liveliest first: those whose newest
// message stands before the number before (0 = from the top; LastSeq of the last one of
// the page before), at most limit (0 = 20, at most 100).
func (c *Client) Threads(ctx context.Context, conv string, before uint64, limit int) (list []*Thread, more bool, err error) {
	r := new(wire.ThreadsResponse)
	err = c.do(ctx, wire.MethodThreads, &wire.ThreadsRequest{Conv: conv, Before: before, Limit: count(limit)}, r, true)
	for _, t := range r.Threads {
		list = append(list, threadOf(conv, t))
	}
	return list, r.More, err
}

// ThreadHistory reads at most limit (0 = 50, at most 200) messages of a thread that come
// before the number before, 0 = the newest; ascending.
func (c *Client) ThreadHistory(ctx context.Context, conv string, root, before uint64, limit int) (list []*Message, more bool, err error) {
	if before == 1 {
		return nil, false, nil
	}
	req := &wire.ThreadPageRequest{Conv: conv, Root: root, Backward: true, Limit: count(limit)}
	if before > 1 {
		req.To = before - 1
	}
	list, more, err = c.listed(ctx, wire.MethodThreadPage, conv, req)
	ascending(list)
	return list, more, err
}

// ThreadRange reads messages of a thread from the number from up to to (0 = the newest),
// the oldest first.
func (c *Client) ThreadRange(ctx context.Context, conv string, root, from, to uint64, limit int) (list []*Message, more bool, err error) {
	return c.listed(ctx, wire.MethodThreadPage, conv, &wire.ThreadPageRequest{Conv: conv, Root: root, From: from, To: to, Limit: count(limit)})
}

// ThreadSettings are what a thread is to be to this user; nil = as before.
type ThreadSettings struct {
	Read   *uint64 // read up to this number
	Follow *bool   // in his list of threads, or not
	Level  *string // what he is notified of: wire.LevelAll ...; empty = as inherited
}

// ThreadSet sets what a thread is to this user, and answers what it is then.
func (c *Client) ThreadSet(ctx context.Context, conv string, root uint64, s ThreadSettings) (*Thread, error) {
	r := new(wire.ThreadResponse)
	err := c.do(ctx, wire.MethodThreadSet, &wire.ThreadSetRequest{Conv: conv, Root: root, Read: s.Read, Follow: s.Follow, Level: s.Level}, r, true)
	if err != nil {
		return nil, err
	}
	return threadOf(conv, r.Thread), nil
}

// ascending puts messages in the order of their numbers.
func ascending(list []*Message) {
	slices.SortFunc(list, func(a, b *Message) int { return cmp.Compare(a.Seq, b.Seq) })
}

// Vote votes for options of a poll (PollBody); the votes before are replaced, and none
// takes them back. What has been voted stands in Message.Reactions: PollBody.Count.
//
// Errors: *Error with CodeNotFound, CodeInvalid for an option that the poll has not, or
// more than it allows; CodeTooLate once it is closed.
func (c *Client) Vote(ctx context.Context, conv string, seq uint64, options ...string) (ver uint64, err error) {
	return c.change(ctx, wire.MethodVote, conv, &wire.VoteRequest{Conv: conv, Seq: seq, Options: options, Id: newID()})
}

// PollClose ends a poll of this user's.
func (c *Client) PollClose(ctx context.Context, conv string, seq uint64) (ver uint64, err error) {
	return c.change(ctx, wire.MethodPollClose, conv, &wire.PollCloseRequest{Conv: conv, Seq: seq, Id: newID()})
}
