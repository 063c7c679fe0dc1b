package core

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Notes are what a user's own devices share: drafts, saved messages, reminders that
// were told, what he wants to be notified of. Each is a JSON object under a key, and
// every change of one stands in the log of "me", so that devices that were away get it
// with the Changes of "me".
//
// Keys of notes, up to their first '/'.
const (
	noteDraft    = "draft/"     // and the address: a begun message
	noteNotify   = "notify"     // what he wants to be notified of
	noteQuiet    = "quiet/"     // and the address: quiet hours of one conversation
	noteSaved    = "saved/"     // and the address, '/' and the number: a message kept for later
	noteReminder = "reminder/"  // and the id: a reminder that was told
	noteSchedule = "scheduled/" // and the id: a scheduled send that could not be sent
)

// putNote writes a note of the session's user and tells his other devices. Where op
// sets no bound of its own, all notes together are at most Limits.MaxNotes.
//
// Errors: as store.NoteOp.
func (s *Session) putNote(ctx context.Context, op *store.NoteOp) error {
	op.User, op.Device = s.user, s.device
	if op.Most == 0 && op.Value != nil {
		op.Most = max(s.c.cfg.Limits.MaxNotes, 0)
	}
	return s.c.putNote(ctx, op, s)
}

// putNote writes a note of op.User and tells his devices but except.
func (c *Core) putNote(ctx context.Context, op *store.NoteOp, except *Session) error {
	then := op.Done
	op.Done = func() {
		if then != nil {
			then()
		}
		if op.Err == nil && op.Moved {
			op.Change.Key, op.Change.Value = op.Key, op.Value
			c.tellUser(op.User, im.Me, &hub.Event{Conv: op.At, Ver: op.Change.Ver, Change: &op.Change}, except)
		}
	}
	return c.do(ctx, op)
}

// notes lists u's notes whose keys begin with prefix, those above prefix+after, at
// most limit.
func (c *Core) notes(u im.UserID, prefix, after string, limit int) ([]store.Record, error) {
	return c.listOf(store.NoteRecord, u, prefix, after, limit)
}

// listOf is notes for any kind of record.
func (c *Core) listOf(k store.RecordKind, u im.UserID, prefix, after string, limit int) ([]store.Record, error) {
	list, err := c.st.List(k, u, prefix+after, limit)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if !strings.HasPrefix(list[i].Key, prefix) {
			return list[:i], nil
		}
	}
	return list, nil
}

// validText says whether s is text of one or more lines.
func validText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' })
}
