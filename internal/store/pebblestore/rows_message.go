package pebblestore

import (
	"math"

	"github.com/anser-im/anser/internal/im"
)

// stored is a message and what only the store has to know of it.
type stored struct {
	*im.Message
	called bool // it added to NA when it was sent, whatever an edit made of its mentions
}

// counted says whether it added to N when it was sent.
func (m stored) counted() bool { return m.Flags&im.Count != 0 && m.To == nil }

// Which of a message's rarer fields follow.
const (
	hasVer = 1 << iota
	hasDigest
	hasMentions
	hasAll
	hasReplyTo
	hasThread
	hasExpires
	hasPush
	hasTo
	isRecalled
	isEdited
	wasCalled
	isSilent
	isDeleted
	hasBurn
	hasReactions
	hasExpansion
	hasPin
	hasOrigin
	hasRoles
	knownMessage = 1<<iota - 1
)

// types are those that take one byte in a row instead of their name. What is here
// stays where it is for good; new ones go to the end.
var types = [...]string{"", "an:text", "an:image", "an:voice", "an:video", "an:file", "an:group", "an:card", "an:location", "an:call"}

var typeNumbers = func() map[string]byte {
	m := map[string]byte{}
	for i, t := range types {
		if i > 0 {
			m[t] = byte(i)
		}
	}
	return m
}()

// appendMessage encodes m; its number is in the key. The body is the rest of the row.
func appendMessage(b []byte, m stored) []byte {
	var has uint64
	set := func(is bool, bit uint64) {
		if is {
			has |= bit
		}
	}
	set(m.Ver != 0, hasVer)
	set(m.Digest != "", hasDigest)
	set(m.Mentions != nil, hasMentions)
	set(m.Mentions != nil && m.Mentions.All, hasAll)
	set(m.ReplyTo != 0, hasReplyTo)
	set(m.Thread != 0, hasThread)
	set(m.Expires != 0, hasExpires)
	set(m.Push != "", hasPush)
	set(m.To != nil, hasTo)
	set(m.Recalled, isRecalled)
	set(m.Edited != 0, isEdited)
	set(m.called, wasCalled)
	set(m.Silent, isSilent)
	set(m.Deleted, isDeleted)
	set(m.Burn != 0, hasBurn)
	set(len(m.Reactions) > 0, hasReactions)
	set(len(m.Expansion) > 0, hasExpansion)
	set(m.Pin != nil, hasPin)
	set(m.Origin != nil, hasOrigin)
	set(m.Mentions != nil && len(m.Mentions.Roles) > 0, hasRoles)

	b = append(b, rowVersion)
	b = appendUint(b, has)
	b = append(b, byte(m.Flags))
	b = appendUint(b, uint64(m.Time))
	b = appendUint(b, uint64(m.Seq)-m.N)
	b = appendUint(b, uint64(m.Seq)-m.NA)
	b = appendPacked(b, m.ID)
	b = appendText(b, m.Sender)
	b = appendText(b, m.Device)
	if n := typeNumbers[m.Type]; n != 0 {
		b = append(b, n)
	} else {
		b = appendText(append(b, 0), m.Type)
	}
	if has != 0 {
		b = appendRare(b, m, has)
	}
	return append(b, m.Body...)
}

func appendRare(b []byte, m stored, has uint64) []byte {
	if has&hasVer != 0 {
		b = appendUint(b, uint64(m.Ver))
	}
	if has&hasDigest != 0 {
		b = appendText(b, m.Digest)
	}
	if has&hasMentions != 0 {
		b = appendUsers(b, m.Mentions.Users)
	}
	if has&hasReplyTo != 0 {
		b = appendUint(b, uint64(m.ReplyTo))
	}
	if has&hasThread != 0 {
		b = appendUint(b, uint64(m.Thread))
	}
	if has&hasExpires != 0 {
		b = appendUint(b, uint64(m.Expires))
	}
	if has&hasPush != 0 {
		b = appendText(b, m.Push)
	}
	if has&hasTo != 0 {
		b = appendUsers(b, m.To)
	}
	if has&isRecalled != 0 {
		b = appendText(b, m.RecallBy)
	}
	if has&isEdited != 0 {
		b = appendUint(b, uint64(m.Edited))
	}
	if has >= hasBurn {
		b = appendParts(b, m, has)
	}
	return b
}

// decodeMessage decodes the row of number seq, whose memory becomes the message's.
func decodeMessage(key []byte, seq im.Seq, row []byte) (stored, error) {
	d := dec{b: row}
	d.begin()
	has := d.num()
	m := &im.Message{Seq: seq}
	m.Flags = im.Flags(d.u8())
	m.Time = int64(d.num())
	m.N = d.below(uint64(seq))
	m.NA = d.below(uint64(seq))
	m.ID = d.clientID(d.num())
	m.Sender = im.UserID(d.str())
	m.Device = im.DeviceID(d.str())
	switch n := d.u8(); {
	case n == 0:
		m.Type = d.str()
	case int(n) < len(types):
		m.Type = types[n]
	default:
		d.fail()
	}
	if has != 0 {
		decodeRare(&d, m, has)
	}
	if d.bad || has&^knownMessage != 0 {
		return stored{}, errRow(key, "message")
	}
	if len(d.b) > 0 {
		m.Body = d.b[:len(d.b):len(d.b)]
	}
	return stored{m, has&wasCalled != 0}, nil
}

func decodeRare(d *dec, m *im.Message, has uint64) {
	if has&hasVer != 0 {
		m.Ver = im.Ver(d.num())
	}
	if has&hasDigest != 0 {
		m.Digest = d.str()
	}
	if has&hasMentions != 0 {
		m.Mentions = &im.Mentions{All: has&hasAll != 0, Users: d.users()}
	}
	if has&hasReplyTo != 0 {
		m.ReplyTo = im.Seq(d.num())
	}
	if has&hasThread != 0 {
		m.Thread = im.Seq(d.num())
	}
	if has&hasExpires != 0 {
		m.Expires = int64(d.num())
	}
	if has&hasPush != 0 {
		m.Push = d.str()
	}
	if has&hasTo != 0 {
		m.To = d.users()
		if m.To == nil {
			m.To = []im.UserID{}
		}
	}
	if has&isRecalled != 0 {
		m.Recalled = true
		m.RecallBy = im.UserID(d.str())
	}
	if has&isEdited != 0 {
		m.Edited = int64(d.num())
	}
	m.Silent, m.Deleted = has&isSilent != 0, has&isDeleted != 0
	if has >= hasBurn {
		decodeParts(d, m, has)
	}
}

// appendParts appends the parts that fewest have.
func appendParts(b []byte, m stored, has uint64) []byte {
	if has&hasBurn != 0 {
		b = appendUint(b, uint64(m.Burn))
	}
	if has&hasReactions != 0 {
		b = appendReactions(b, m.Reactions)
	}
	if has&hasExpansion != 0 {
		b = appendPairs(b, m.Expansion)
	}
	if has&hasPin != 0 {
		b = appendPin(b, m.Pin)
	}
	if has&hasOrigin != 0 {
		b = appendOrigin(b, m.Origin)
	}
	if has&hasRoles != 0 {
		b = appendRoles(b, m.Mentions.Roles)
	}
	return b
}

func decodeParts(d *dec, m *im.Message, has uint64) {
	if has&hasBurn != 0 {
		n := d.num()
		if n > math.MaxUint32 {
			d.fail()
		}
		m.Burn = uint32(n)
	}
	if has&hasReactions != 0 {
		m.Reactions = d.reactions()
	}
	if has&hasExpansion != 0 {
		m.Expansion = d.pairs()
	}
	if has&hasPin != 0 {
		m.Pin = d.pin()
	}
	if has&hasOrigin != 0 {
		m.Origin = d.origin()
	}
	if has&hasRoles != 0 {
		if m.Mentions == nil {
			d.fail()
			return
		}
		m.Mentions.Roles = d.roles()
	}
}

func appendUsers(b []byte, users []im.UserID) []byte {
	b = appendUint(b, uint64(len(users)))
	for _, u := range users {
		b = appendText(b, u)
	}
	return b
}

func (d *dec) users() []im.UserID {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	out := make([]im.UserID, n)
	for i := range out {
		out[i] = im.UserID(d.str())
	}
	return out
}
