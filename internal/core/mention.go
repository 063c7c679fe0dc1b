package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

const (
	defaultMentions = 100
	maxMentions     = 1000
)

// Mentions lists the messages that name this user and that he has not read,
// ascending.
//
// Errors: those of resolve.
func (s *Session) Mentions(ctx context.Context, conv im.Address, most int) ([]im.Seq, error) {
	ref, err := s.resolve(conv)
	if err != nil || ref.conv == 0 {
		return nil, err
	}
	seqs, err := s.c.st.Mentions(s.user, ref.conv, ref.row.Read, limit(most, defaultMentions, maxMentions))
	if err != nil {
		return nil, err
	}
	for i, seq := range seqs {
		if seq > ref.head.Seq { // newer than the state this answer is of
			return seqs[:i], nil
		}
	}
	return seqs, nil
}
