package core

import (
	"context"
	"encoding/json"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxDraft      = 32 << 10
	defaultDrafts = 50
	maxDrafts     = 200
)

// draftNote is the note "draft/" and the address. The body is base64.
type draftNote struct {
	Body    []byte `json:"body"`
	ReplyTo im.Seq `json:"reply_to,omitempty"`
	Time    int64  `json:"time"` // Unix milliseconds
}

// SetDraft keeps what the user has begun to write in a conversation, for all his
// devices; an empty body removes it. The conversation need not have begun.
//
// Errors: those of resolve, but for that; Invalid for me; TooLarge for a draft of more
// than 32 KiB, and for too many notes; Limited; those of the store.
func (s *Session) SetDraft(ctx context.Context, d Draft) (Draft, error) {
	if err := s.here(); err != nil {
		return Draft{}, err
	}
	if len(d.Body) > maxDraft {
		return Draft{}, im.Errorf(im.TooLarge, "the draft is %d bytes long; at most %d are allowed", len(d.Body), maxDraft)
	}
	op := &store.NoteOp{Key: noteDraft + string(d.Conv)}
	if len(d.Body) > 0 {
		if _, err := s.reach(d.Conv); err != nil {
			return Draft{}, err
		}
		d.Time = s.c.Now().UnixMilli()
		op.Value = mustJSON(draftNote{Body: d.Body, ReplyTo: d.ReplyTo, Time: d.Time})
	} else { // also where he has left
		if _, _, err := d.Conv.Split(); err != nil {
			return Draft{}, err
		}
		d = Draft{Conv: d.Conv}
	}
	if err := s.charge(); err != nil {
		return Draft{}, err
	}
	return d, s.putNote(ctx, op)
}

// Drafts lists the user's drafts by address, those above after, at most most (0 = 50;
// at most 200); more says that there are others.
//
// Errors: those of the store.
func (s *Session) Drafts(ctx context.Context, after im.Address, most int) (list []Draft, more bool, err error) {
	if err := s.here(); err != nil {
		return nil, false, err
	}
	most = limit(most, defaultDrafts, maxDrafts)
	notes, err := s.c.notes(s.user, noteDraft, string(after), most+1)
	if err != nil {
		return nil, false, err
	}
	for _, r := range notes[:min(len(notes), most)] {
		var n draftNote
		if err := json.Unmarshal(r.Value, &n); err != nil {
			return nil, false, im.Wrap(im.Internal, err, "a draft cannot be read")
		}
		list = append(list, Draft{Conv: im.Address(r.Key[len(noteDraft):]), Body: n.Body, ReplyTo: n.ReplyTo, Time: n.Time})
	}
	return list, len(notes) > most, nil
}
