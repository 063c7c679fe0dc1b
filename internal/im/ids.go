package im

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// UserID names a user within an app: 1-64 bytes of UTF-8 in NFC, chosen by the app,
// case-sensitive, compared byte by byte, without white space, control or bidi
// characters and without '/'.
type UserID string

// DeviceID names a device of a user, by the same rule as UserID.
type DeviceID string

// GroupID names a group, room or channel: 16 base32 characters when the server
// chose it, else by the rule of UserID.
type GroupID string

// ClientID names a send to the one who made it: 1-64 printable ASCII bytes. With
// the conversation and the sender it makes a retry the same message.
type ClientID string

// ConvID is the internal number of a conversation. It is never on the wire but in
// MID.
type ConvID uint64

// Seq is the number of a message in its conversation: 1 for the first, no gaps.
type Seq uint64

// Ver is the number of a change in its conversation's change log: 1 for the first.
type Ver uint64

// MVer is the number of a membership change in its conversation.
type MVer uint64

// Position says how far a store had got: the count of its commits.
type Position uint64

// Epoch is the random name of a store's life: cursors made under one epoch say
// nothing under another.
type Epoch [16]byte

// NewEpoch makes a random epoch.
func NewEpoch() Epoch {
	var e Epoch
	rand.Read(e[:]) // never fails: crypto/rand ends the process instead
	return e
}

// String is the epoch in base32, as clients see it.
func (e Epoch) String() string { return b32.EncodeToString(e[:]) }

var b32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewGroupID makes a random group id: 16 characters, 80 bits.
func NewGroupID() GroupID {
	var b [10]byte
	rand.Read(b[:])
	return GroupID(b32.EncodeToString(b[:]))
}

// MaxID is the most bytes of a user, device, group or client id.
const MaxID = 64

// CheckName says what is wrong with s as a user, device or group id, nil if nothing
// is. what names it in the error: "user id".
func CheckName(what, s string) error {
	switch {
	case s == "":
		return Errorf(Invalid, "the %s is empty", what)
	case len(s) > MaxID:
		return Errorf(TooLarge, "the %s is %d bytes long; at most %d are allowed", what, len(s), MaxID)
	case !utf8.ValidString(s):
		return Errorf(Invalid, "the %s is not valid UTF-8", what)
	}
	ascii := true
	for _, r := range s {
		if r >= utf8.RuneSelf {
			ascii = false
		}
		if r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) || isBidi(r) || r == 0xFEFF {
			return Errorf(Invalid, "the %s holds a character that is not allowed there: %U", what, r)
		}
	}
	if !ascii && !norm.NFC.IsNormalString(s) {
		return Errorf(Invalid, "the %s is not in Unicode normalisation form C", what)
	}
	return nil
}

// isBidi says whether r steers the direction of text (Unicode Bidi_Control), which
// lets one name look like another.
func isBidi(r rune) bool {
	return r == 0x061C || r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// CheckClientID says what is wrong with s as a client id, nil if nothing is.
func CheckClientID(s ClientID) error {
	if s == "" {
		return Errorf(Invalid, "the client id is empty")
	}
	if len(s) > MaxID {
		return Errorf(TooLarge, "the client id is %d bytes long; at most %d are allowed", len(s), MaxID)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return Errorf(Invalid, "the client id holds a byte that is not printable ASCII: %#02x", s[i])
		}
	}
	return nil
}

// Class is the class of a device. The multi-device policy counts sessions by it.
type Class string

// The classes. An absent class counts as Phone on the native door; the line door's is Line.
const (
	Phone   Class = "phone"
	Tablet  Class = "tablet"
	Desktop Class = "desktop"
	Web     Class = "web"
	Bot     Class = "bot"
	Line    Class = "line"
)

// CheckClass says whether c is one of the classes.
func CheckClass(c Class) error {
	switch c {
	case Phone, Tablet, Desktop, Web, Bot, Line:
		return nil
	}
	return Errorf(Invalid, "the device class %q is none of phone, tablet, desktop, web, bot, line", string(c))
}

// Address names a conversation as one user says it: u/bob, g/<id>, r/<id>, c/<id>,
// s/<name>, or me. It is split at the first '/'. A business conversation of two users,
// beside their plain one, has the name of its line behind a second '/': u/bob/orders.
type Address string

// Me is the address of the user's own change log.
const Me Address = "me"

// DirectAddress is the address of the conversation with u.
func DirectAddress(u UserID) Address { return Address("u/" + string(u)) }

// GroupAddress is the address of group g.
func GroupAddress(g GroupID) Address { return Address("g/" + string(g)) }

// MaxLine is the most bytes of the name of a business conversation.
const MaxLine = 20

// LineAddress is the address of the business conversation with u that is called line;
// "" is the plain one.
func LineAddress(u UserID, line string) Address {
	if line == "" {
		return DirectAddress(u)
	}
	return Address("u/" + string(u) + "/" + line)
}

// Line is the name of the business conversation; "" in any other address. It is good
// where Split has no error.
func (a Address) Line() string {
	if !strings.HasPrefix(string(a), "u/") {
		return ""
	}
	_, line, _ := strings.Cut(string(a[2:]), "/")
	return line
}

// Split takes the address apart: the kind and the id, which is checked; so is the
// name of a business conversation (Line). Me has the id "".
func (a Address) Split() (ConvKind, string, error) {
	if a == Me {
		return Self, "", nil
	}
	kind, id, ok := strings.Cut(string(a), "/")
	if !ok {
		return 0, "", Errorf(Invalid, "the address %q is none: write u/<user>, g/<group> or me", clip(string(a)))
	}
	var k ConvKind
	switch kind {
	case "u":
		k = Direct
	case "g":
		k = Group
	case "r":
		k = Room
	case "c":
		k = Channel
	case "s":
		k = System
	default:
		return 0, "", Errorf(Invalid, "the address %q is none: write u/<user>, g/<group> or me", clip(string(a)))
	}
	what := "group id"
	if k == Direct {
		what = "user id"
		var line string
		if id, line, ok = strings.Cut(id, "/"); ok {
			if err := CheckName("name of the business conversation", line); err != nil {
				return 0, "", err
			}
			if len(line) > MaxLine {
				return 0, "", Errorf(TooLarge, "the name of the business conversation is %d bytes long; at most %d are allowed", len(line), MaxLine)
			}
		}
	}
	if err := CheckName(what, id); err != nil {
		return 0, "", err
	}
	return k, id, nil
}

// clip shortens s for an error text and makes it safe to show.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) > 80 {
		cut := 80
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return s
}

// MID names a message to everyone alike: the conversation's number and seq in
// base32. It gives no right.
func MID(conv ConvID, seq Seq) string {
	var b [20]byte
	n := binary.PutUvarint(b[:], uint64(conv))
	n += binary.PutUvarint(b[n:], uint64(seq))
	return b32.EncodeToString(b[:n])
}

// ParseMID is the reverse of MID.
func ParseMID(s string) (ConvID, Seq, error) {
	if len(s) <= 32 {
		if b, err := b32.DecodeString(s); err == nil {
			conv, n := binary.Uvarint(b)
			if n > 0 {
				if seq, m := binary.Uvarint(b[n:]); m > 0 && n+m == len(b) {
					return ConvID(conv), Seq(seq), nil
				}
			}
		}
	}
	return 0, 0, Errorf(Invalid, "%q is no message id", clip(s))
}
