package core

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
)

// Bounds of what a message carries besides its body.
const (
	maxType   = 64   // bytes of an object name
	maxDigest = 1024 // bytes of a digest, and of a text for push
	maxTo     = 100  // members that a message to some only is for
)

// check looks at what a client may put into a message, without asking anybody else,
// and completes it. What its type says is asked later, once it is charged for.
//
// Errors: Invalid, TooLarge.
func (s *Session) check(snd *Send) *im.Error {
	m := snd.Msg
	if m == nil {
		return im.Errorf(im.Invalid, "there is no message")
	}
	if err := im.CheckClientID(m.ID); err != nil {
		return im.AsError(err)
	}
	if snd.Skip != "" {
		if err := im.CheckClientID(snd.Skip); err != nil {
			return im.AsError(err)
		}
	}
	if err := checkType(m.Type); err != nil {
		return err
	}
	given := noFlags
	if snd.HasFlags {
		given = byte(m.Flags)
	}
	flags, err := s.c.flags(snd)
	if err != nil {
		return im.AsError(err)
	}
	lim := &s.c.cfg.Limits
	if len(m.Body) > lim.MaxBody {
		return im.Errorf(im.TooLarge, "the message is %d bytes long; at most %d are allowed: send it as a file", len(m.Body), lim.MaxBody)
	}
	if err := checkLine("digest", m.Digest); err != nil {
		return err
	}
	if err := checkLine("text for push", m.Push); err != nil {
		return err
	}
	if snd.origin == nil { // whom another named, and what he let burn, stays behind
		s.reserved(snd)
	}
	if err := checkMentions(m.Mentions, lim.MaxMentions); err != nil {
		return err
	}
	if len(m.To) > maxTo {
		return im.Errorf(im.TooLarge, "the message is for %d members only; at most %d can be named", len(m.To), maxTo)
	}
	for _, u := range m.To {
		if err := im.CheckName("user id", string(u)); err != nil {
			return im.AsError(err)
		}
	}
	if m.Expires < 0 {
		return im.Errorf(im.Invalid, "expires is a time, in milliseconds since 1970")
	}
	if snd.hash = snd.stands; snd.hash == 0 {
		snd.hash = hashOf(m.Type, given, m.Body)
	}
	if snd.to = m.To; len(m.To) == 0 {
		snd.to = nil
	}
	m.Sender, m.Device, m.Flags = s.user, s.device, flags
	m.Seq, m.Ver, m.N, m.NA, m.Time, m.Edited, m.Recalled, m.RecallBy = 0, 0, 0, 0, 0, 0, false, ""
	m.Silent, m.Deleted, m.Reactions, m.Expansion, m.Pin, m.Origin = false, false, nil, nil, nil, snd.origin
	snd.named = m.Mentions
	return nil
}

// flags are the client's, or the default of the type.
func (c *Core) flags(snd *Send) (im.Flags, error) {
	if snd.HasFlags {
		return snd.Msg.Flags.Check()
	}
	if c.cfg.Types != nil {
		if f, ok := c.cfg.Types.Flags(snd.Msg.Type); ok {
			return f.Check()
		}
	}
	return im.DefaultFlags, nil
}

// checkType looks at an object name: 1-64 printable ASCII bytes. What core itself
// says, nobody else does.
func checkType(t string) *im.Error {
	if t == "" {
		return im.Errorf(im.Invalid, "the message has no type: an:text is plain text")
	}
	if len(t) > maxType {
		return im.Errorf(im.TooLarge, "the type is %d bytes long; at most %d are allowed", len(t), maxType)
	}
	for i := range len(t) {
		if t[i] <= ' ' || t[i] > '~' {
			return im.Errorf(im.Invalid, "the type holds a byte that is not printable ASCII: %#02x", t[i])
		}
	}
	if t == GroupType {
		return im.Errorf(im.Invalid, "messages of the type %s are the server's own", GroupType)
	}
	return nil
}

// checkLine looks at one line of text for people.
func checkLine(what, s string) *im.Error {
	switch {
	case len(s) > maxDigest:
		return im.Errorf(im.TooLarge, "the %s is %d bytes long; at most %d are allowed", what, len(s), maxDigest)
	case !utf8.ValidString(s):
		return im.Errorf(im.Invalid, "the %s is not valid UTF-8", what)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 }):
		return im.Errorf(im.Invalid, "the %s holds a control character or a line end", what)
	}
	return nil
}

func checkMentions(m *im.Mentions, most int) *im.Error {
	if m == nil {
		return nil
	}
	if most >= 0 && len(m.Users) > most {
		return im.Errorf(im.TooLarge, "the message mentions %d users; at most %d are allowed", len(m.Users), most)
	}
	for _, u := range m.Users {
		if err := im.CheckName("user id", string(u)); err != nil {
			return im.AsError(err)
		}
	}
	return checkRoles(m.Roles)
}

// noFlags stands in a hash for flags that were not given.
const noFlags byte = 0xFF

// hashOf tells what a client sent under an id from anything else.
func hashOf(typ string, flags byte, body []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	var head [maxType + 2]byte
	n := copy(head[:], typ)
	head[n+1] = flags // after a 0, which no type holds
	d.Write(head[:n+2])
	d.Write(body)
	return d.Sum64()
}
