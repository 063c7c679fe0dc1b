package core

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxExpansionKey   = 32 // bytes
	maxExpansionValue = 4096
)

// Expand adds keys to a message that was sent, alters them, or takes some away.
// Everybody who may see a message may: its sender, the peer, and the members of a
// group; but not who is muted, or whom the receiver blocks. An empty value takes the
// key away. Keys that begin with "an." are the server's.
//
// Errors: those of resolve; NotFound if there is no such message for this user, or it
// was recalled; Denied for what the server itself said, with CodeMuted or
// CodeNotAccepted; Invalid or TooLarge for bad keys and values, more than 20 of them,
// and more than Limits.MaxExpansion or im.MaxExpansionBytes on the message; Limited;
// Conflict if the client id was used otherwise.
func (s *Session) Expand(ctx context.Context, q ExpandRequest) (Changed, error) {
	set, err := q.pairs()
	if err != nil {
		return Changed{}, err
	}
	ch := changing{s: s, conv: q.Conv, seq: q.Seq, id: q.ID, hash: hashPairs(q.Seq, set)}
	return ch.run(ctx, func(ref *convRef, m *im.Message) (*store.ChangeOp, error) {
		if m.Recalled {
			return nil, im.Errorf(im.NotFound, "the message was recalled")
		}
		if err := s.maySay(ref); err != nil {
			return nil, err
		}
		return &store.ChangeOp{Kind: im.Expand, Set: set, Most: max(s.c.cfg.Limits.MaxExpansion, 0), Bytes: im.MaxExpansionBytes}, nil
	})
}

// pairs is what the request asks of the store: keys that go have an empty value.
func (q *ExpandRequest) pairs() ([]im.Pair, error) {
	if len(q.Set) > maxKeys || len(q.Remove) > maxKeys {
		return nil, im.Errorf(im.TooLarge, "at most %d keys are set, and as many removed, in one request", maxKeys)
	}
	if len(q.Set)+len(q.Remove) == 0 {
		return nil, im.Errorf(im.Invalid, "there is no key to set or to remove")
	}
	all := make([]im.Pair, 0, len(q.Set)+len(q.Remove))
	all = append(all, q.Set...)
	for _, key := range q.Remove {
		all = append(all, im.Pair{Key: key})
	}
	seen := map[string]bool{}
	for i := range all {
		p := &all[i]
		if err := checkExpansion(p); err != nil {
			return nil, err
		}
		if seen[p.Key] {
			return nil, im.Errorf(im.Invalid, "the key %q is named twice", p.Key)
		}
		seen[p.Key] = true
	}
	return all, nil
}

func checkExpansion(p *im.Pair) error {
	if p.Key == "" || len(p.Key) > maxExpansionKey {
		return im.Errorf(im.Invalid, "a key of the expansion is 1 to %d bytes long", maxExpansionKey)
	}
	for i := range len(p.Key) {
		switch b := p.Key[i]; {
		case b >= '0' && b <= '9', b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z', strings.IndexByte("_.-+=", b) >= 0:
		default:
			return im.Errorf(im.Invalid, "a key of the expansion holds a byte that is none of A-Z a-z 0-9 _ . - + =: %#02x", b)
		}
	}
	if strings.HasPrefix(p.Key, ownKeys) {
		return im.Errorf(im.Invalid, "keys of the expansion that begin with %q are the server's", ownKeys)
	}
	if len(p.Value) > maxExpansionValue {
		return im.Errorf(im.TooLarge, "the value of %s is %d bytes long; at most %d are allowed", p.Key, len(p.Value), maxExpansionValue)
	}
	if !utf8.ValidString(p.Value) {
		return im.Errorf(im.Invalid, "the value of %s is not valid UTF-8", p.Key)
	}
	return nil
}

func hashPairs(seq im.Seq, set []im.Pair) uint64 {
	d := xxhash.New()
	hashNumber(d, uint64(im.Expand))
	hashNumber(d, uint64(seq))
	for _, p := range set {
		hashString(d, p.Key)
		hashString(d, p.Value)
	}
	return d.Sum64()
}
