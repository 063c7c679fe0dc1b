package core

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// PollType is the type of polls. Its body is what poll reads.
const PollType = "an:poll"

// closedKey is the key of a poll's expansion that says when it was closed, Unix
// milliseconds. Clients do not set keys that begin with ownKeys.
const (
	closedKey = "an.closed"
	ownKeys   = "an."
)

// poll is the body of a poll, as far as rules need it.
type poll struct {
	Options []struct {
		ID string `json:"id"` // 1-59 bytes
	} `json:"options"`
	Multiple  bool  `json:"multiple"`  // one may choose more than one
	Max       int   `json:"max"`       // with Multiple: at most so many; 0 = all
	Anonymous bool  `json:"anonymous"` // nobody but the app is told who voted for what
	Closes    int64 `json:"closes"`    // Unix milliseconds; 0 = when it is closed by hand
}

func (p *poll) has(option string) bool {
	for i := range p.Options {
		if p.Options[i].ID == option {
			return true
		}
	}
	return false
}

// pollOf reads the poll in m.
//
// Errors: NotFound if it was recalled; Invalid if it is none.
func pollOf(m *im.Message) (*poll, error) {
	if m.Recalled {
		return nil, im.Errorf(im.NotFound, "the message was recalled")
	}
	p := new(poll)
	if m.Type != PollType || json.Unmarshal(m.Body, p) != nil {
		return nil, im.Errorf(im.Invalid, "the message is no poll (%s)", PollType)
	}
	return p, nil
}

// closed says whether the poll in m takes no more votes at now.
func (p *poll) closed(m *im.Message, now int64) bool {
	return p.Closes != 0 && p.Closes <= now || expansion(m, closedKey) != ""
}

// expansion is the value of a key of m's expansion; "" if it is not there.
func expansion(m *im.Message, key string) string {
	for i := range m.Expansion {
		if m.Expansion[i].Key == key {
			return m.Expansion[i].Value
		}
	}
	return ""
}

// anonymous says whether m is a poll whose voters are not told. Of one whose body
// cannot be read any more (it was recalled) nobody is told.
func anonymous(m *im.Message) bool {
	if m.Type != PollType {
		return false
	}
	p, err := pollOf(m)
	return err != nil || p.Anonymous
}

// secretVotes says whether ch is votes that only who cast them is told of.
func secretVotes(ch *im.Change) bool {
	vote := func(key string) bool { return strings.HasPrefix(key, im.VotePrefix) }
	return (slices.ContainsFunc(ch.Added, vote) || slices.ContainsFunc(ch.Removed, vote)) && anonymous(ch.Msg)
}

// withoutVotes is keys but for votes.
func withoutVotes(keys []string) []string {
	var rest []string
	for _, k := range keys {
		if !strings.HasPrefix(k, im.VotePrefix) {
			rest = append(rest, k)
		}
	}
	return rest
}

// Vote votes in a poll. It replaces what the user voted for before; no options take
// his votes back. Who sees a poll may vote, also who is muted.
//
// Errors: those of resolve; NotFound if there is no such message for this user;
// Invalid for what is no poll, options that it has not, and more of them than it
// allows; Denied with CodeTooLate once it is closed, and with CodeNotAccepted in a
// conversation whose peer blocks the user; Limited; Conflict if the client id was
// used otherwise.
func (s *Session) Vote(ctx context.Context, conv im.Address, seq im.Seq, options []string, id im.ClientID) (Changed, error) {
	options = slices.Compact(slices.Sorted(slices.Values(options)))
	d := xxhash.New()
	hashNumber(d, uint64(im.React))
	hashNumber(d, uint64(seq))
	hashString(d, im.VotePrefix)
	for _, o := range options {
		hashString(d, o)
	}
	ch := changing{s: s, conv: conv, seq: seq, id: id, hash: d.Sum64()}
	return ch.run(ctx, func(ref *convRef, m *im.Message) (*store.ChangeOp, error) {
		p, err := pollOf(m)
		if err != nil {
			return nil, err
		}
		most := 1
		if p.Multiple {
			if most = p.Max; most <= 0 {
				most = len(p.Options)
			}
		}
		switch {
		case p.closed(m, s.c.Now().UnixMilli()):
			return nil, im.Errorf(im.Denied, "the poll is closed").WithCode(im.CodeTooLate)
		case len(options) > most:
			return nil, im.Errorf(im.Invalid, "the poll takes at most %d of its options from everyone", most)
		}
		var add []string
		for _, o := range options {
			if !p.has(o) {
				return nil, im.Errorf(im.Invalid, "the poll has no such option: %q", clip(o))
			}
			add = append(add, im.VotePrefix+o)
		}
		if err := s.mayAnswer(ref); err != nil {
			return nil, err
		}
		return &store.ChangeOp{Kind: im.React, Remove: []string{im.VotePrefix + "*"}, Add: add}, nil
	})
}

// PollClose ends a poll for good: its key "an.closed" says when. Who sent it may, and
// who may recall it for being of a higher role. One that is closed already is no
// error.
//
// Errors: those of resolve; NotFound if there is no such message for this user;
// Invalid for what is no poll; Denied for polls of others; Limited; Conflict if the
// client id was used otherwise.
func (s *Session) PollClose(ctx context.Context, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
	d := xxhash.New()
	hashNumber(d, uint64(im.Expand))
	hashNumber(d, uint64(seq))
	hashString(d, closedKey)
	ch := changing{s: s, conv: conv, seq: seq, id: id, hash: d.Sum64()}
	return ch.run(ctx, func(ref *convRef, m *im.Message) (*store.ChangeOp, error) {
		if _, err := pollOf(m); err != nil {
			return nil, err
		}
		if m.Sender != s.user {
			if err := s.mayRule(ref, m, "close polls of others"); err != nil {
				return nil, err
			}
		}
		if expansion(m, closedKey) != "" {
			return nil, nil
		}
		now := strconv.FormatInt(s.c.Now().UnixMilli(), 10)
		return &store.ChangeOp{Kind: im.Expand, Set: []im.Pair{{Key: closedKey, Value: now}}}, nil
	})
}
