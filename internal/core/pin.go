package core

import (
	"context"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Pin pins a message, or takes it down: for everybody in the conversation. In direct
// conversations both may; in groups the owner and admins, and any member with
// Config.MembersPin. What is so already is no error.
//
// Errors: those of resolve; NotFound if there is no such message for this user, or it
// was recalled; Denied for what the server itself said, with CodeRole, and with
// CodeNotAccepted if the peer blocks the user; TooLarge with Limits.MaxPins pinned;
// Limited; Conflict if the client id was used otherwise.
func (s *Session) Pin(ctx context.Context, conv im.Address, seq im.Seq, on bool, id im.ClientID) (Changed, error) {
	d := xxhash.New()
	hashNumber(d, uint64(im.Pinned))
	hashNumber(d, uint64(seq))
	if on {
		hashNumber(d, 1)
	}
	ch := changing{s: s, conv: conv, seq: seq, id: id, hash: d.Sum64()}
	return ch.run(ctx, func(ref *convRef, m *im.Message) (*store.ChangeOp, error) {
		if m.Recalled {
			return nil, im.Errorf(im.NotFound, "the message was recalled")
		}
		if ref.kind == im.Group && !s.c.cfg.MembersPin {
			if err := ref.atLeast(im.Admin, "pin messages"); err != nil {
				return nil, err
			}
		}
		if err := s.maySay(ref); err != nil {
			return nil, err
		}
		return &store.ChangeOp{Kind: im.Pinned, Pin: on, Most: max(s.c.cfg.Limits.MaxPins, 0)}, nil
	})
}

// Pins lists the pinned messages that the user may see, ascending. Nothing is covered
// by it: From and To are 0.
//
// Errors: those of resolve.
func (s *Session) Pins(ctx context.Context, conv im.Address) (Range, error) {
	ref, err := s.resolve(conv)
	if err != nil || ref.conv == 0 {
		return Range{}, err
	}
	seqs, err := s.c.st.Pins(ref.conv)
	if err != nil {
		return Range{}, err
	}
	list, err := s.c.seeAll(&ref, seqs)
	return Range{Messages: list}, err
}
