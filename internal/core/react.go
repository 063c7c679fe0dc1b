package core

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxReaction      = 64 // bytes of a key
	maxKeys          = 20 // keys that come, or go, in one request
	defaultReactions = 100
	maxReactions     = 1000
)

// React adds and takes away reactions of the user's: one of each key. What is there
// already, or is not, is no error. Everybody who may see a message may react to it,
// but who is muted, or whom the receiver blocks.
//
// Errors: those of resolve; NotFound if there is no such message for this user, or it
// was recalled; Denied for what the server itself said, with CodeMuted or
// CodeNotAccepted; Invalid or TooLarge for bad keys, too many of them, and more
// different ones than Limits.MaxReactions on the message; Limited; Conflict if the
// client id was used otherwise.
func (s *Session) React(ctx context.Context, q ReactRequest) (Changed, error) {
	if err := checkReactions(q.Add, q.Remove); err != nil {
		return Changed{}, err
	}
	ch := changing{s: s, conv: q.Conv, seq: q.Seq, id: q.ID, hash: q.hash()}
	return ch.run(ctx, func(ref *convRef, m *im.Message) (*store.ChangeOp, error) {
		if m.Recalled {
			return nil, im.Errorf(im.NotFound, "the message was recalled")
		}
		if err := s.maySay(ref); err != nil {
			return nil, err
		}
		return &store.ChangeOp{Kind: im.React, Add: q.Add, Remove: q.Remove, Most: max(s.c.cfg.Limits.MaxReactions, 0)}, nil
	})
}

func checkReactions(add, remove []string) *im.Error {
	if len(add) > maxKeys || len(remove) > maxKeys {
		return im.Errorf(im.TooLarge, "at most %d reactions come, and as many go, in one request", maxKeys)
	}
	if len(add)+len(remove) == 0 {
		return im.Errorf(im.Invalid, "there is no reaction to add or to take away")
	}
	for _, key := range slices.Concat(add, remove) {
		if err := checkReaction(key); err != nil {
			return err
		}
	}
	for _, key := range add {
		if slices.Contains(remove, key) {
			return im.Errorf(im.Invalid, "the reaction %q is to come and to go", key)
		}
	}
	return nil
}

// checkReaction looks at a key: 1-64 bytes of text. "*" at its end means all that
// begin so to the store.
func checkReaction(key string) *im.Error {
	switch {
	case key == "" || len(key) > maxReaction:
		return im.Errorf(im.Invalid, "a reaction is 1 to %d bytes long", maxReaction)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl) || strings.HasSuffix(key, "*"):
		return im.Errorf(im.Invalid, "a reaction is a sign or a word of UTF-8, without control characters and without * at its end")
	case strings.HasPrefix(key, im.VotePrefix):
		return im.Errorf(im.Invalid, "votes in polls are made with Vote")
	}
	return nil
}

// hash is of what the client asked for, so that its id cannot be used for another.
func (q *ReactRequest) hash() uint64 {
	d := xxhash.New()
	hashNumber(d, uint64(im.React))
	hashNumber(d, uint64(q.Seq))
	hashNumber(d, uint64(len(q.Add)))
	for _, key := range slices.Concat(q.Add, q.Remove) {
		hashString(d, key)
	}
	return d.Sum64()
}

// Reactions lists who reacted to a message, by key and then by user, those above
// (AfterKey, AfterUser). Of the votes in an anonymous poll a user sees his own only.
//
// Errors: those of resolve; NotFound if there is no such message for this user.
func (s *Session) Reactions(ctx context.Context, q ReactionsQuery) (list []im.Reacted, more bool, err error) {
	ref, m, err := s.seen(q.Conv, q.Seq)
	if err != nil {
		return nil, false, err
	}
	most := limit(q.Limit, defaultReactions, maxReactions)
	ask := store.ReactionQuery{Conv: ref.conv, Seq: q.Seq, Key: q.Key, AfterKey: q.AfterKey, AfterUser: q.AfterUser, Limit: most + 1}
	switch {
	case !anonymous(m) || s.app:
		list, err = s.c.st.Reactions(ask)
	case strings.HasPrefix(q.Key, im.VotePrefix):
		ask.User = s.user
		list, err = s.c.st.Reactions(ask)
	case q.Key != "":
		list, err = s.c.st.Reactions(ask)
	default:
		list, err = s.withOwnVotes(ask)
	}
	if err != nil {
		return nil, false, err
	}
	return list[:min(len(list), most)], len(list) > most, nil
}

// withOwnVotes asks for reactions to an anonymous poll: of the votes, which stand
// together, for the user's alone.
func (s *Session) withOwnVotes(ask store.ReactionQuery) ([]im.Reacted, error) {
	const beyond = im.VotePrefix + "\xff" // above every vote: keys are UTF-8
	var list []im.Reacted
	add := func(q store.ReactionQuery, want func(key string) bool) error {
		q.Limit = ask.Limit - len(list)
		got, err := s.c.st.Reactions(q)
		for _, r := range got {
			if want(r.Key) {
				list = append(list, r)
			}
		}
		return err
	}
	if ask.AfterKey < im.VotePrefix {
		if err := add(ask, func(key string) bool { return key < im.VotePrefix }); err != nil || len(list) == ask.Limit {
			return list, err
		}
	}
	if ask.AfterKey < beyond {
		own := ask
		own.User = s.user
		if own.AfterKey < im.VotePrefix {
			own.AfterKey, own.AfterUser = im.VotePrefix, ""
		}
		if err := add(own, func(key string) bool { return strings.HasPrefix(key, im.VotePrefix) }); err != nil || len(list) == ask.Limit {
			return list, err
		}
		ask.AfterKey, ask.AfterUser = beyond, ""
	}
	err := add(ask, func(string) bool { return true })
	return list, err
}

// seen is a message that the session's user may see now, and the conversation it is
// in.
//
// Errors: those of resolve; NotFound.
func (s *Session) seen(conv im.Address, seq im.Seq) (convRef, *im.Message, error) {
	ref, err := s.resolve(conv)
	if err != nil {
		return ref, nil, err
	}
	m, err := s.c.see(&ref, seq)
	if err == nil && m == nil {
		err = errNoMessage()
	}
	return ref, m, err
}

func errNoMessage() *im.Error { return im.Errorf(im.NotFound, "no such message") }

// see is a message of ref as its user may see it now; nil if he may not, or there is
// none.
func (c *Core) see(ref *convRef, seq im.Seq) (*im.Message, error) {
	if ref.conv == 0 || seq == 0 || seq > ref.head.Seq {
		return nil, nil
	}
	m, ok, err := c.st.Message(ref.conv, seq)
	if err != nil || !ok || !c.visible(m, &ref.row) {
		return nil, err
	}
	return m, nil
}
