package client

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anser-im/anser/wire"
)

// Local is what only this device knows of a message.
type Local struct {
	Fields map[string]string // the application's own: SetLocal

	ID    string    // of a message that Insert made; empty for those of the conversation
	After uint64    // it stands behind the message with this number
	Made  time.Time // when it was inserted
}

// Limits of what an application keeps on a message for itself.
const (
	maxFields   = 64
	maxFieldB   = 16 << 10 // bytes of all of them
	maxInserted = 64 << 10 // bytes of an inserted message's body
)

// Insertion is a message that stands on this device alone, among those of a conversation:
// "you are now chatting with support", "the call was missed".
type Insertion struct {
	ID     string // 1-64 printable ASCII bytes; the same again replaces it; empty = a new one
	Type   string // empty = an:text
	Body   []byte
	Digest string
	Sender string    // empty = this user
	Time   time.Time // zero = now
	After  uint64    // it stands behind the message with this number; 0 = behind the newest kept one
	Fields map[string]string
}

// Insert puts a message on this device alone into what is kept of a conversation
// (Options.Keep): Kept and Search find it, no server knows of it. It goes away with the
// messages that it stands between.
//
// Errors: *Error with CodeInvalid or CodeTooLarge, or with CodeUnsupported where nothing
// is kept; the store's.
func (c *Client) Insert(conv string, in Insertion) (*Message, error) {
	if in.ID == "" {
		in.ID = newID()
	}
	if in.Type == "" {
		in.Type = TypeText
	}
	if in.Time.IsZero() {
		in.Time = time.Now()
	}
	o := Outgoing{ID: in.ID, Type: in.Type, Digest: in.Digest}
	if err := c.check(conv, &o); err != nil {
		return nil, err
	}
	if err := checkFields(in.Fields); err != nil {
		return nil, err
	}
	if !allUTF8(in.Sender) || len(in.Body) > maxInserted {
		return nil, &Error{Code: wire.CodeTooLarge, Message: fmt.Sprintf("the body has more than %d bytes, or the sender is not UTF-8", maxInserted)}
	}
	c.locals.Lock()
	defer c.locals.Unlock()
	c.mu.Lock()
	if c.opt.Keep <= 0 {
		c.mu.Unlock()
		return nil, errNotKept
	}
	if in.Sender == "" {
		in.Sender = c.user
	}
	if s := c.kept[conv]; in.After == 0 && s != nil && len(s.order) > 0 {
		in.After = s.order[len(s.order)-1]
	}
	c.mu.Unlock()
	m := in.message(conv, time.Now())
	value, err := json.Marshal(insertedRecord{in, m.Local.Made})
	if err != nil {
		return nil, err
	}
	if err := c.write(op{keyInserted + conv + "\x00" + in.ID, value}); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shelf(conv).own[in.ID] = m
	return m.clone(), nil
}

// insertedRecord is an Insertion as it is kept.
type insertedRecord struct {
	Insertion
	Made time.Time
}

func (in *Insertion) message(conv string, made time.Time) *Message {
	return &Message{Conv: conv, ID: in.ID, Type: in.Type, Body: in.Body, Digest: in.Digest, Sender: in.Sender, Time: in.Time,
		Flags: wire.FlagPersist, Local: &Local{ID: in.ID, After: in.After, Made: made, Fields: maps.Clone(in.Fields)}}
}

// RemoveInserted takes away a message that Insert made.
func (c *Client) RemoveInserted(conv, id string) error {
	c.locals.Lock()
	defer c.locals.Unlock()
	if err := c.write(op{keyInserted + conv + "\x00" + id, nil}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.kept[conv]; s != nil {
		delete(s.own, id)
	}
	return nil
}

// errNotKept says that there is nothing here to put fields on.
var errNotKept = &Error{Code: wire.CodeUnsupported, Message: "nothing is kept on this device: see Options.Keep"}

// SetLocal sets fields of the application's own on a message that is kept here: it was
// played, it is unfolded, the file lies there. They stay on this device, through edits
// and restarts, as long as the message is kept. An empty value removes a field.
//
// Errors: *Error with CodeNotFound if the message is not kept, CodeTooLarge for more than
// 64 fields or 16 KiB; the store's.
func (c *Client) SetLocal(conv string, seq uint64, fields map[string]string) error {
	c.locals.Lock()
	defer c.locals.Unlock()
	c.mu.Lock()
	var m *Message
	if s := c.kept[conv]; s != nil {
		m = s.at[seq]
	}
	c.mu.Unlock()
	if m == nil {
		return &Error{Code: wire.CodeNotFound, Message: "that message is not kept on this device"}
	}
	all := make(map[string]string)
	if m.Local != nil {
		maps.Copy(all, m.Local.Fields)
	}
	for k, v := range fields {
		if v == "" {
			delete(all, k)
		} else {
			all[k] = v
		}
	}
	if err := checkFields(all); err != nil {
		return err
	}
	value, err := json.Marshal(all)
	if err != nil {
		return err
	}
	put := op{seqKey(keyLocal, conv, seq), value}
	local := &Local{Fields: all}
	if len(all) == 0 {
		put.value, local = nil, nil
	}
	if err := c.write(put); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.kept[conv]; s != nil && s.at[seq] != nil {
		m := s.at[seq].clone() // as it is now: it may have changed meanwhile
		m.Local = local
		s.at[seq] = m
	}
	return nil
}

func checkFields(fields map[string]string) error {
	n := 0
	for k, v := range fields {
		n += len(k) + len(v)
		if !allUTF8(k, v) {
			return &Error{Code: wire.CodeInvalid, Message: "a field is not UTF-8"}
		}
	}
	if len(fields) > maxFields || n > maxFieldB {
		return &Error{Code: wire.CodeTooLarge, Message: fmt.Sprintf("a message has at most %d fields of %d bytes in all", maxFields, maxFieldB)}
	}
	return nil
}

// write makes one change of the store, in a transaction of its own.
func (c *Client) write(o op) error {
	tx, err := c.opt.Store.Begin()
	if err != nil {
		return err
	}
	if err := putAll(tx, ops{o}); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

// keptRows gathers what the store holds of messages: a row may come before the one that
// it belongs to.
type keptRows struct {
	messages []*Message
	fields   map[string]map[string]string // by key, without its prefix
	inserted []*Message
}

// read takes one row. Rows of messages are skipped where nothing is kept any more.
func (r *keptRows) read(key string, value []byte, c *Client) error {
	switch {
	case strings.HasPrefix(key, keyDue):
		conv, seq, err := readSeqKey(keyDue, key)
		if err != nil || len(value) != 8 {
			return errRecord
		}
		c.due.set(dueAt{conv, seq, int64(binary.BigEndian.Uint64(value))})
	case c.opt.Keep <= 0:
	case strings.HasPrefix(key, keyKept):
		conv, seq, err := readSeqKey(keyKept, key)
		if err != nil {
			return err
		}
		m, err := readKept(conv, append([]byte(nil), value...))
		if err != nil || m.Seq != seq {
			return errRecord
		}
		r.messages = append(r.messages, m)
	case strings.HasPrefix(key, keyLocal):
		var f map[string]string
		if err := json.Unmarshal(value, &f); err != nil {
			return errRecord
		}
		if r.fields == nil {
			r.fields = make(map[string]map[string]string)
		}
		r.fields[key[len(keyLocal):]] = f
	case strings.HasPrefix(key, keyInserted):
		conv, _, _ := strings.Cut(key[len(keyInserted):], "\x00")
		var rec insertedRecord
		if err := json.Unmarshal(value, &rec); err != nil {
			return errRecord
		}
		r.inserted = append(r.inserted, rec.message(conv, rec.Made))
	}
	return nil
}

// place puts them where they belong.
func (r *keptRows) place(c *Client) {
	for _, m := range r.messages {
		if f := r.fields[seqKey("", m.Conv, m.Seq)]; f != nil {
			m.Local = &Local{Fields: f}
		}
		s := c.shelf(m.Conv)
		s.at[m.Seq] = m
		s.order = append(s.order, m.Seq)
	}
	for _, s := range c.kept {
		slices.Sort(s.order)
	}
	for _, m := range r.inserted {
		c.shelf(m.Conv).own[m.Local.ID] = m
	}
}
