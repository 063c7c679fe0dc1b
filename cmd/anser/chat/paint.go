package chat

import (
	"errors"
	"hash/fnv"
	"strings"
	"unicode"

	"github.com/anser-im/anser/client"
)

// paint colours text, or does not.
type paint bool

func (p paint) with(code, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) dim(s string) string  { return p.with("2", s) }
func (p paint) red(s string) string  { return p.with("31", s) }
func (p paint) bold(s string) string { return p.with("1", s) }
func (p paint) mark(s string) string { return p.with("1;33", s) } // what is unread

// nameColours are those that can be read on light and on dark.
var nameColours = []string{"36", "35", "32", "34", "33", "91", "95", "96"}

// name gives every user a colour of his own.
func (p paint) name(s string) string {
	h := fnv.New32a()
	h.Write([]byte(s))
	return p.with("1;"+nameColours[h.Sum32()%uint32(len(nameColours))], s)
}

// clean takes from s what steers a terminal or turns the direction of text; line ends
// stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r == 0x85 || r == 0x2028 || r == 0x2029:
			return '\n'
		case unicode.IsControl(r), r == 0x061C, r == 0x200E, r == 0x200F,
			r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// oneLine is clean without line ends.
func oneLine(s string) string { return strings.ReplaceAll(clean(s), "\n", "␤") }

func asError(err error, e **client.Error) bool { return errors.As(err, e) }
