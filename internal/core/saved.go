package core

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxNoteText  = 1024 // bytes of a text of the user's own
	defaultSaved = 50
	maxSaved     = 200
	notesChunk   = 1000
)

// savedNote is the note "saved/", the address, '/' and the number.
type savedNote struct {
	Note string `json:"note,omitempty"`
	Time int64  `json:"time"` // Unix milliseconds
}

func savedKey(conv im.Address, seq im.Seq) string {
	return noteSaved + string(conv) + "/" + strconv.FormatUint(uint64(seq), 10)
}

// Save keeps a message for later, with a word of the user's own. One that is kept
// already gets the new word and stays in its place. His other devices get the note
// "saved/", the address, '/' and the number.
//
// Errors: those of resolve; NotFound if there is no such message for him; TooLarge for
// a note of more than 1,024 bytes, and for too many notes; Invalid; Limited; those of
// the store.
func (s *Session) Save(ctx context.Context, v Saved) (Saved, error) {
	if err := checkText("note", v.Note); err != nil {
		return Saved{}, err
	}
	ref, err := s.resolve(v.Conv)
	if err != nil {
		return Saved{}, err
	}
	m, err := s.shownAt(&ref, v.Seq)
	if err != nil {
		return Saved{}, err
	}
	if m == nil {
		return Saved{}, im.Errorf(im.NotFound, "no such message")
	}
	if err := s.charge(); err != nil {
		return Saved{}, err
	}
	v.Msg, v.Time = m, s.c.Now().UnixMilli()
	key := savedKey(v.Conv, v.Seq)
	b, ok, err := s.c.st.Get(store.NoteRecord, s.user, key)
	if err != nil {
		return Saved{}, err
	}
	if ok {
		var was savedNote
		if json.Unmarshal(b, &was) == nil {
			v.Time = was.Time
		}
	}
	return v, s.putNote(ctx, &store.NoteOp{Key: key, Value: mustJSON(savedNote{Note: v.Note, Time: v.Time})})
}

// Unsave ends that. What is not kept is no error.
//
// Errors: Invalid if conv is no address; Limited; those of the store.
func (s *Session) Unsave(ctx context.Context, conv im.Address, seq im.Seq) error {
	if err := s.here(); err != nil {
		return err
	}
	if _, _, err := conv.Split(); err != nil {
		return err
	}
	if err := s.charge(); err != nil {
		return err
	}
	return s.putNote(ctx, &store.NoteOp{Key: savedKey(conv, seq)})
}

// Saved lists what the user keeps, the newest first, from the cursor of the answer
// before on ("" = from the newest), at most most (0 = 50; at most 200). next is "" if
// that was all. Msg is the message as it is now; nil if it is gone, or he no longer
// may see it.
//
// Errors: Invalid if after is no cursor; those of the store.
func (s *Session) Saved(ctx context.Context, after string, most int) (list []Saved, next string, err error) {
	if err := s.here(); err != nil {
		return nil, "", err
	}
	from := savedCursor{}
	if after != "" {
		if from, err = parseSavedCursor(after); err != nil {
			return nil, "", err
		}
	}
	all, err := s.allSaved(ctx)
	if err != nil {
		return nil, "", err
	}
	most = limit(most, defaultSaved, maxSaved)
	for i := range all {
		v := &all[i]
		at := savedCursor{v.Time, savedKey(v.Conv, v.Seq)}
		if after != "" && at.compare(from) <= 0 {
			continue
		}
		if len(list) == most {
			last := &list[most-1]
			return list, savedCursor{last.Time, savedKey(last.Conv, last.Seq)}.String(), nil
		}
		ref, err := s.resolve(v.Conv)
		if err == nil {
			v.Msg, err = s.shownAt(&ref, v.Seq)
		}
		if err != nil && !im.IsKind(err, im.NotFound) {
			return nil, "", err
		}
		list = append(list, *v)
	}
	return list, "", nil
}

// allSaved reads what the user keeps, the newest first: at most Limits.MaxNotes short
// notes.
func (s *Session) allSaved(ctx context.Context) ([]Saved, error) {
	var all []Saved
	for after := ""; ; {
		notes, err := s.c.notes(s.user, noteSaved, after, notesChunk)
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, im.Wrap(im.Unavailable, err, "the list was not read to its end")
		}
		for _, r := range notes {
			after = r.Key[len(noteSaved):]
			i := strings.LastIndexByte(after, '/')
			if i < 0 {
				continue
			}
			seq, err := strconv.ParseUint(after[i+1:], 10, 64)
			if err != nil {
				continue
			}
			var n savedNote
			if err := json.Unmarshal(r.Value, &n); err != nil {
				return nil, im.Wrap(im.Internal, err, "a saved message cannot be read")
			}
			all = append(all, Saved{Conv: im.Address(after[:i]), Seq: im.Seq(seq), Note: n.Note, Time: n.Time})
		}
		if len(notes) < notesChunk {
			break
		}
	}
	slices.SortFunc(all, func(a, b Saved) int {
		return savedCursor{a.Time, savedKey(a.Conv, a.Seq)}.compare(savedCursor{b.Time, savedKey(b.Conv, b.Seq)})
	})
	return all, nil
}

// shownAt is a message if the user is shown it; else nil.
func (s *Session) shownAt(ref *convRef, seq im.Seq) (*im.Message, error) {
	if ref.conv == 0 || seq == 0 || seq > ref.head.Seq {
		return nil, nil
	}
	m, ok, err := s.c.st.Message(ref.conv, seq)
	if err != nil || !ok || m.Deleted || ref.row.Hides(seq) || !s.c.visible(m, &ref.row) {
		return nil, err
	}
	return m, nil
}

// savedCursor is a place in the list of what is saved.
type savedCursor struct {
	time int64
	key  string
}

func (a savedCursor) compare(b savedCursor) int {
	return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(a.key, b.key))
}

func (a savedCursor) String() string {
	return strconv.FormatInt(a.time, 36) + ":" + a.key[len(noteSaved):]
}

func parseSavedCursor(s string) (savedCursor, error) {
	t, key, ok := strings.Cut(s, ":")
	n, err := strconv.ParseInt(t, 36, 64)
	if !ok || err != nil {
		return savedCursor{}, im.Errorf(im.Invalid, "after is no cursor of this list: take next of the answer before")
	}
	return savedCursor{n, noteSaved + key}, nil
}

// checkText looks at some lines that a user wrote for himself.
func checkText(what, s string) error {
	if len(s) > maxNoteText {
		return im.Errorf(im.TooLarge, "the %s is %d bytes long; at most %d are allowed", what, len(s), maxNoteText)
	}
	if !validText(s) {
		return im.Errorf(im.Invalid, "the %s is not valid UTF-8, or holds a control character", what)
	}
	return nil
}
