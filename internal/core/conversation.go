package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

// Conversation is one line of the user's list, as it is now, without messages.
//
// Errors: those of resolve.
func (s *Session) Conversation(ctx context.Context, conv im.Address) (Conversation, error) {
	ref, err := s.resolve(conv)
	if err != nil {
		return Conversation{}, err
	}
	return s.listLine(&ref.head, &ref.row)
}
