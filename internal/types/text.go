package types

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a line that stands for a message.
const (
	maxLine   = 500  // characters of a digest
	maxStored = 1024 // bytes of one that is stored with the message
)

// line makes s one line for people: what ends lines and other white space becomes one
// space, control characters and those that turn the direction of text go, and it is at
// most maxLine characters long.
func line(s string) string {
	if !plain(s) {
		s = squeeze(s)
	}
	return clip(s, maxLine)
}

// plain says whether s needs nothing but clipping, for the common case.
func plain(s string) bool {
	space := true // so that the first is none
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			if space {
				return false
			}
			space = true
		case c < ' ' || c >= 0x7f:
			return false
		default:
			space = false
		}
	}
	return !space || s == ""
}

func squeeze(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space, n := false, 0
	for _, r := range s { // invalid bytes come as U+FFFD
		switch {
		case unicode.IsSpace(r) || r == 0x2028 || r == 0x2029:
			space = n > 0
			continue
		case unicode.IsControl(r) || turns(r):
			continue
		}
		if space {
			b.WriteByte(' ')
			space, n = false, n+1
		}
		b.WriteRune(r)
		if n++; n > maxLine {
			break // the rest is clipped anyway
		}
	}
	return b.String()
}

// turns says whether r is a Bidi_Control character (UAX #9, 2), with which a line
// could pass for another.
func turns(r rune) bool {
	return r == 0x061C || r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// clip shortens s to n characters, the last of which says so.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n--; n == 0 { // the n-th begins here
			if _, size := utf8.DecodeRuneInString(s[i:]); i+size == len(s) {
				return s
			}
			return s[:i] + "…"
		}
	}
	return s
}

// stored shortens a line to what may be stored with a message.
func stored(s string) string {
	if len(s) <= maxStored {
		return s
	}
	cut := maxStored - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
