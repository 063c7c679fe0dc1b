package line

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anser-im/anser/internal/im"
)

// textType is what SEND sends.
const textType = "an:text"

// textBody is the body of a text message.
func textBody(text string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // "<" stays readable in every other client's logs
	e.Encode(struct {
		Content string `json:"content"`
	}{text}) // cannot fail: a string
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// digest is one line that stands for m: its text, or what of says of it, or its type.
func digest(m *im.Message, of func(*im.Message) string) string {
	switch {
	case m.Recalled:
		return "(recalled)"
	case m.Type == textType:
		var t struct {
			Content *string `json:"content"`
		}
		if json.Unmarshal(m.Body, &t) == nil && t.Content != nil {
			return clean(*t.Content)
		}
	}
	if d := of(m); d != "" {
		return clean(d)
	}
	return "[" + clean(m.Type) + "]"
}

// lineEnd stands for what would end a line: U+2424, SYMBOL FOR NEWLINE.
const lineEnd = '␤'

// clean makes s one line that says what it says and steers no terminal: ends of lines
// become U+2424, other controls and what turns the direction of text go.
func clean(s string) string {
	if plain(s) {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029:
			return lineEnd
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || bidi(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// plain says whether s needs no cleaning, for the common case.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// bidi says whether r is a Bidi_Control character (UAX #9, 2).
func bidi(r rune) bool {
	return r == 0x061C || r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// address reads what people type for a conversation: bob is u/bob.
func address(s string) im.Address {
	if s == string(im.Me) || strings.Contains(s, "/") {
		return im.Address(s)
	}
	return im.DirectAddress(im.UserID(s))
}

// word cuts the first word off s; white space around both is gone.
func word(s string) (first, rest string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], " \t")
	}
	return s, ""
}

// clip shortens what somebody typed for an error.
func clip(s string) string {
	s = clean(s)
	if len(s) <= 40 {
		return s
	}
	cut := 40
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
