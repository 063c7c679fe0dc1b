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
// Errors: those of resolve; NotFound if there is no such message for this user;
// Denied for messages of others and after the recall window, with CodeRole where a
// role is in the way; Limited; Conflict if the client id was used otherwise.
func (s *Session) Recall(ctx context.Context, q RecallRequest) (Recalled, error) {
	d := xxhash.New()
	hashNumber(d, uint64(im.Recall))
	hashNumber(d, uint64(q.Seq))
	ch := changing{s: s, conv: q.Conv, seq: q.Seq, id: q.ID, hash: d.Sum64()}
	done, err := ch.run(ctx, func(ref *convRef, m *im.Message) (*store.ChangeOp, error) {
		if err := s.mayRecall(ref, m); err != nil {
			return nil, err
		}
		if m.Recalled {
			return nil, nil
		}
		return &store.ChangeOp{Kind: im.Recall, Silent: q.Silent}, nil
	})
	return Recalled{Changed: done}, err
}

func (s *Session) mayRecall(ref *convRef, m *im.Message) error {
	if s.app {
		return nil
	}
	if m.Sender == s.user {
		if m.Recalled { // it was in time when it was
			return nil
		}
		return s.c.within(s.c.cfg.Limits.RecallWindow, m, "recalled")
	}
	if ref.kind != im.Group {
		return im.Errorf(im.Denied, "only who sent a message may recall it")
	}
	if err := ref.atLeast(im.Admin, "recall messages of others"); err != nil {
		return err
	}
	row, _, err := s.c.st.Row(ref.conv, m.Sender)
	if err == nil && row.Role >= ref.row.Role {
		return im.Errorf(im.Denied, "%s is %s of the group: you may not recall their messages", m.Sender, row.Role).WithCode(im.CodeRole)
	}
	return err
}
