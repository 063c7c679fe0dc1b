package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/anser-im/anser/wire"
)

// Pending is a message on its way.
type Pending struct {
	ID   string // client id
	Conv string

	done chan struct{} // closed when sent and err are set
	sent Sent
	err  error
}

func newPending(conv, id string) *Pending {
	return &Pending{ID: id, Conv: conv, done: make(chan struct{})}
}

// Sent is a message that the server has accepted and made durable.
type Sent struct {
	ID        string
	Conv      string
	Seq       uint64 // its number; 0 for a STATUS message
	N         uint64
	Time      time.Time
	Duplicate bool // it had been accepted before; Seq is that of the first time
}

// Done is closed when the message has been accepted or given up.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait waits until the message has been accepted. The error is the context's, *Error
// if the server refuses it, ErrTooOld, ErrPoison, ErrCancelled, or ErrOffline for a
// STATUS message whose connection broke.
func (p *Pending) Wait(ctx context.Context) (Sent, error) {
	select {
	case <-p.done:
		return p.sent, p.err
	case <-ctx.Done():
		return Sent{}, ctx.Err()
	}
}

// finish answers those who wait; called once.
func (p *Pending) finish(s Sent, err error) {
	p.sent, p.err = s, err
	close(p.done)
}

// Send queues a message for a conversation: u/<user> or g/<id>. When it returns, the
// message is in the store and will be sent, in the order of the calls, however often
// the connection breaks or the program restarts; EventSent or EventFailed tells how it
// ended. A message with an id that is in the outbox already is not queued twice.
//
// A STATUS message is for now: it is not kept, and fails with its connection.
//
// Errors: ErrOutboxFull; ErrOffline for a STATUS message; the store's; *Error with CodeInvalid, CodeNoType or CodeTooLarge for
// what no server would take.
func (c *Client) Send(ctx context.Context, conv string, m Outgoing) (*Pending, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tx, err := c.opt.Store.Begin()
	if err != nil {
		return nil, err
	}
	e, p, err := c.enqueue(tx, conv, m)
	if err != nil || e == nil {
		tx.Rollback()
		return p, err
	}
	if !e.status {
		err = tx.Commit()
	} else {
		tx.Rollback()
	}
	c.enqueued(e, err)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// SendValue is Send for a body in Go: of a type that is registered, or one of ours
// (&VoiceBody{...}). Use Encode to set more than the body.
func (c *Client) SendValue(ctx context.Context, conv string, v any) (*Pending, error) {
	m, err := Encode(v)
	if err != nil {
		return nil, err
	}
	return c.Send(ctx, conv, m)
}

// enqueue puts the message into the outbox and into tx. A nil entry with a Pending
// means that it is there already.
func (c *Client) enqueue(tx Tx, conv string, m Outgoing) (*entry, *Pending, error) {
	if m.Type == "" {
		m.Type = TypeText
	}
	if m.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, nil, err
		}
		m.ID = id.String()
	}
	if err := c.check(conv, &m); err != nil {
		return nil, nil, err
	}
	m.Body, m.Mentions, m.To = slices.Clone(m.Body), slices.Clone(m.Mentions), slices.Clone(m.To)
	m.MentionRoles = slices.Clone(m.MentionRoles)
	e := &entry{frame: m.frame(conv), created: time.Now()}
	e.status = e.frame.Flags != nil && *e.frame.Flags&wire.FlagStatus != 0
	e.size = e.frame.SizeVT() + 512
	if e.size > wire.MaxFrame {
		return nil, nil, &Error{Code: wire.CodeTooLarge, Message: fmt.Sprintf("the message has %d bytes", e.size-512)}
	}
	c.mu.Lock()
	if old := c.box.find(conv, m.ID); old != nil {
		c.mu.Unlock()
		return nil, old.pending, nil
	}
	if e.status && c.link == nil {
		c.mu.Unlock()
		return nil, nil, ErrOffline
	}
	e.order = c.box.next
	if !c.box.add(e) {
		c.mu.Unlock()
		return nil, nil, ErrOutboxFull
	}
	e.pending = newPending(conv, m.ID)
	c.pending[outKey(conv, m.ID)] = e.pending
	c.mu.Unlock()
	if e.status {
		return e, e.pending, nil
	}
	b, err := e.record()
	if err == nil {
		err = tx.Set(orderKey(e.order), b)
	}
	if err != nil {
		c.enqueued(e, err)
		return nil, nil, err
	}
	return e, e.pending, nil
}

// enqueued lets e go out once it is in the store, or takes it back.
func (c *Client) enqueued(e *entry, err error) {
	c.mu.Lock()
	if err == nil {
		e.kept = true
	} else {
		c.box.remove(e)
		delete(c.pending, outKey(e.frame.Conv, e.frame.Id))
	}
	c.mu.Unlock()
	if err != nil {
		e.pending.finish(Sent{}, err)
		return
	}
	poke(c.pumpNow)
}

// SendIn is Send as part of the transaction that OnEvents was given: an answer is
// queued if and only if the event it answers counts as taken, so a bot answers each
// message once whatever happens. It goes out when tx has been committed; if that fails,
// the Pending ends with the store's error.
func (c *Client) SendIn(tx Tx, conv string, m Outgoing) (*Pending, error) {
	c.mu.Lock()
	open := c.delivering != nil && c.delivering.tx == tx
	c.mu.Unlock()
	if !open {
		return nil, errors.New("anser: SendIn takes the transaction that OnEvents was given, until it returns")
	}
	e, p, err := c.enqueue(tx, conv, m)
	if e != nil {
		c.mu.Lock()
		c.delivering.sends = append(c.delivering.sends, e)
		c.mu.Unlock()
	}
	return p, err
}

// Cancel gives up a message that waits: false if it is not in the outbox. One that is
// just under way may still be accepted.
func (c *Client) Cancel(conv, id string) bool {
	c.mu.Lock()
	e := c.box.find(conv, id)
	if e != nil {
		e.cancelled = true
	}
	c.mu.Unlock()
	poke(c.pumpNow)
	return e != nil
}

// Queued is a message in the outbox.
type Queued struct {
	ID      string
	Conv    string
	Type    string
	Body    []byte
	Digest  string
	Created time.Time
	Pending *Pending
}

// Outbox lists what waits to be accepted, oldest first.
func (c *Client) Outbox() []Queued {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Queued
	for at := c.box.list.Front(); at != nil; at = at.Next() {
		e := at.Value.(*entry)
		q := Queued{ID: e.frame.Id, Conv: e.frame.Conv, Type: e.frame.Type, Body: slices.Clone(e.frame.Body),
			Created: e.created, Pending: e.pending}
		if e.frame.Options != nil {
			q.Digest = e.frame.Options.Digest
		}
		out = append(out, q)
	}
	return out
}

// maxLine is the most bytes of the name of a business conversation.
const maxLine = 20

// LineOf is the address of the business conversation with user that is called line:
// beside the plain one, with history and unread count of its own. line has 1-20 bytes.
func LineOf(user, line string) string { return "u/" + user + "/" + line }

// check refuses what no server would take.
func (c *Client) check(conv string, m *Outgoing) error {
	bad := func(format string, args ...any) error {
		return &Error{Code: wire.CodeInvalid, Message: fmt.Sprintf(format, args...)}
	}
	kind, id, ok := strings.Cut(conv, "/")
	line := ""
	if kind == "u" { // a business conversation has its name behind a second slash
		id, line, _ = strings.Cut(id, "/")
	}
	texts := slices.Concat([]string{conv, m.Type, m.Digest, m.Push}, m.Mentions, m.MentionRoles, m.To)
	switch {
	case !allUTF8(texts...):
		return bad("a text is not UTF-8") // the server would end the link over it
	case len(line) > maxLine:
		return bad("the name of the business conversation has %d bytes; at most %d are allowed", len(line), maxLine)
	case !ok || id == "" || !strings.Contains("ugrcs", kind) || len(kind) != 1 || len(id) > 64:
		return bad("%q is no address of a conversation: write u/<user> or g/<group>", conv)
	case len(m.ID) > 64:
		return bad("the client id has %d bytes; at most 64 are allowed", len(m.ID))
	case strings.ContainsFunc(m.ID, func(r rune) bool { return r <= ' ' || r > '~' }):
		return bad("the client id holds a space or a character that is not printable ASCII")
	case len(m.Type) > 64:
		return bad("the type has %d bytes; at most 64 are allowed", len(m.Type))
	case registered(m.Type) == nil && !c.types[m.Type]:
		return &Error{Code: wire.CodeNoType, Message: fmt.Sprintf("the type %q is not registered: see client.Register", m.Type)}
	}
	return nil
}

// allUTF8 says whether all of texts may stand in a frame.
func allUTF8(texts ...string) bool {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return false
		}
	}
	return true
}
