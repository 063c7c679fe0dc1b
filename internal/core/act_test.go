package core

import (
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// TestActOnMessages: for a member, the app does to messages of others, long after, what
// that member could not; it reads and changes nothing that he does not see.
func TestActOnMessages(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now, Limits: im.Limits{RecallWindow: time.Minute, EditWindow: time.Minute, UndeleteWindow: time.Minute}})
	ctx := t.Context()
	group := w.group("ann", "bob", "carol")
	w.say("ann", "u/bob", "hello")
	for _, conv := range []im.Address{group, "u/ann"} { // as bob says them
		of := conv
		if conv == "u/ann" {
			of = "u/bob"
		}
		seq, second := w.say("ann", of, "one"), w.say("ann", of, "two")
		now.add(3_600_000)
		deed := func(s *Session) map[string]error {
			errs := map[string]error{}
			_, errs["edit"] = s.Edit(ctx, EditRequest{Conv: conv, Seq: seq, ID: w.id(), Body: []byte("edited")})
			_, errs["pin"] = s.Pin(ctx, conv, seq, true, "")
			_, errs["expand"] = s.Expand(ctx, ExpandRequest{Conv: conv, Seq: seq, Set: []im.Pair{{Key: "k", Value: "v"}}})
			_, errs["delete"] = s.Delete(ctx, DeleteRequest{Conv: conv, Seqs: []im.Seq{seq}, ForAll: true})
			_, errs["undelete"] = s.Undelete(ctx, conv, []im.Seq{seq})
			_, errs["recall"] = s.Recall(ctx, RecallRequest{Conv: conv, Seq: second})
			return errs
		}
		for name, err := range deed(w.as("bob")) {
			if err == nil && name != "expand" && name != "undelete" && // of what was not deleted
				!(conv == "u/ann" && name == "pin") {
				t.Errorf("%s: bob may %s", conv, name)
			}
		}
		for name, err := range deed(w.act("bob")) {
			if err != nil {
				t.Errorf("%s: the app may not %s: %v", conv, name, err)
			}
		}
		r, _, err := w.as("carol").Page(ctx, PageQuery{Conv: conv, From: seq})
		if conv == group {
			w.ok(err)
			if len(r.Messages) != 2 || string(r.Messages[0].Body) != "edited" || r.Messages[0].Sender != "ann" || !r.Messages[1].Recalled || r.Messages[1].RecallBy != "bob" {
				t.Errorf("carol sees %+v", r.Messages)
			}
		} else {
			w.refused(err, im.NotFound)
		}
	}

	some := w.say("ann", group, "for carol", func(m *im.Message) { m.To = []im.UserID{"carol"} })
	app := w.act("bob")
	for name, err := range map[string]error{
		"edit":   second(app.Edit(ctx, EditRequest{Conv: group, Seq: some, ID: w.id(), Body: []byte("x")})),
		"recall": second(app.Recall(ctx, RecallRequest{Conv: group, Seq: some})),
		"react":  second(app.React(ctx, ReactRequest{Conv: group, Seq: some, Add: []string{"+1"}})),
		"as eve": second(w.act("eve").Recall(ctx, RecallRequest{Conv: group, Seq: 2})),
	} {
		if !im.IsKind(err, im.NotFound) {
			t.Errorf("%s of what bob does not see: %v", name, err)
		}
	}
	_, err := app.Recall(ctx, RecallRequest{Conv: group, Seq: 1}) // what the server said
	w.refused(err, im.Denied)
}

func second[T any](_ T, err error) error { return err }
