package core

import (
	"context"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Recall takes a message back: body, digest, mentions and its earlier bodies are
// gone for everybody, and it no longer counts as unread. One recalls messages of
// one's own; in a group, the owner and admins also those of lesser roles and of who
// is no longer in it, at any time. A message that is recalled already is no error.
//
// Its sender gets back what it was, to write it anew, for Limits.ReeditWindow after
// it was sent, and only in the answer that did it: it is kept nowhere.
//
// Errors: those of resolve; NotFound if there is no such message for this user;
// Denied for messages of others and after the recall window, with CodeRole where a
// role is in the way; Limited; Conflict if the client id was used otherwise.
func (s *Session) Recall(ctx context.Context, q RecallRequest) (Recalled, error) {
	d := xxhash.New()
	hashNumber(d, uint64(im.Recall))
	hashNumber(d, uint64(q.Seq))
	ch := changing{s: s, conv: q.Conv, seq: q.Seq, id: q.ID, hash: d.Sum64()}
	var was *im.Message
	done, err := ch.run(ctx, func(ref *convRef, m *im.Message) (*store.ChangeOp, error) {
		if err := s.mayRecall(ref, m); err != nil {
			return nil, err
		}
		if m.Recalled {
			return nil, nil
		}
		was = m
		return &store.ChangeOp{Kind: im.Recall, Silent: q.Silent}, nil
	})
	a := Recalled{Changed: done}
	if err == nil && !done.Dup && was.Sender == s.user && s.c.reedits(was) {
		a.Former = was
	}
	return a, err
}

// reedits says whether the sender of m is given back what it says when he recalls it.
func (c *Core) reedits(m *im.Message) bool {
	window := c.cfg.Limits.ReeditWindow
	return window > 0 && c.Now().UnixMilli()-m.Time <= window.Milliseconds()
}

// mayRecall says whether the session's user may recall m, and so delete it for all.
func (s *Session) mayRecall(ref *convRef, m *im.Message) error {
	if m.Sender == s.user && !s.app {
		if m.Recalled { // it was in time when it was
			return nil
		}
		return s.c.within(s.c.cfg.Limits.RecallWindow, m, "recalled")
	}
	return s.mayRule(ref, m, "recall messages of others")
}

// mayRule says whether the session's user may do to m, which is another's, what only
// higher roles may.
func (s *Session) mayRule(ref *convRef, m *im.Message, what string) error {
	if s.app {
		return nil
	}
	if ref.kind != im.Group {
		return im.Errorf(im.Denied, "only who sent a message may do that")
	}
	if err := ref.atLeast(im.Admin, what); err != nil {
		return err
	}
	row, _, err := s.c.st.Row(ref.conv, m.Sender)
	if err == nil && !ref.above(row.Role) {
		return im.Errorf(im.Denied, "%s is %s of the group: you may not %s", m.Sender, row.Role, what).WithCode(im.CodeRole)
	}
	return err
}
