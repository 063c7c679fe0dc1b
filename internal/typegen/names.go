package typegen

import (
	"fmt"
	"strings"
	"unicode"
)

// names gives out each identifier once.
type names struct{ taken map[string]bool }

func newNames(reserved []string) *names {
	n := &names{map[string]bool{}}
	for _, r := range reserved {
		n.taken[r] = true
	}
	return n
}

// take is want, or want with a number behind it.
func (n *names) take(want string) string {
	got := want
	for i := 2; n.taken[got]; i++ {
		got = fmt.Sprintf("%s%d", want, i)
	}
	n.taken[got] = true
	return got
}

// shortName is an object name without its app: acme:card is Card, an:location.live
// LocationLive.
func shortName(object string) string {
	if i := strings.LastIndexByte(object, ':'); i >= 0 && i < len(object)-1 {
		object = object[i+1:]
	}
	return pascal(object)
}

// initials are written in capitals, as Go has it.
var initials = map[string]string{"id": "ID", "url": "URL", "uri": "URI", "http": "HTTP", "https": "HTTPS", "api": "API", "json": "JSON", "html": "HTML", "ip": "IP", "uuid": "UUID", "sha256": "SHA256"}

// pascal makes an identifier that begins with a capital: price_list is PriceList, url
// URL, 3d X3d, 标题 X标题.
func pascal(s string) string {
	var b strings.Builder
	for _, w := range splitWords(s) {
		if up, ok := initials[strings.ToLower(w)]; ok {
			b.WriteString(up)
			continue
		}
		r := []rune(w)
		b.WriteRune(unicode.ToUpper(r[0]))
		b.WriteString(string(r[1:]))
	}
	out := b.String()
	if out == "" || !unicode.IsUpper([]rune(out)[0]) {
		out = "X" + out
	}
	return out
}

// camel is pascal with a small beginning: PriceList is priceList, URL url.
func camel(s string) string {
	words := splitWords(s)
	if len(words) == 0 {
		return "x"
	}
	first := strings.ToLower(words[0])
	out := first + strings.TrimPrefix(pascal(strings.Join(words, "_")), pascal(words[0]))
	if r := []rune(out)[0]; !unicode.IsLetter(r) && r != '_' {
		out = "x" + out
	}
	return out
}

// splitWords cuts at what is no letter or digit, and before capitals.
func splitWords(s string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, string(word))
			word = nil
		}
	}
	small := false
	for _, r := range s {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			small = false
			continue
		case unicode.IsUpper(r) && small:
			flush()
		}
		small = unicode.IsLower(r) || unicode.IsDigit(r)
		word = append(word, r)
	}
	flush()
	return out
}

// singular is what one of a list is called: Photos is Photo, Entries Entry.
func singular(s string) string {
	switch {
	case strings.HasSuffix(s, "ies") && len(s) > 4:
		return s[:len(s)-3] + "y"
	case strings.HasSuffix(s, "ss") || !strings.HasSuffix(s, "s") || len(s) < 3:
		return s + "Item"
	}
	return s[:len(s)-1]
}

// comment is text as lines that a comment may hold.
func comment(s string) []string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || r == 0x2028 || r == 0x2029 || r == 0xFEFF:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	// One after the other: what is put between the two of "/*" makes none of "*/" in "/*/".
	s = strings.ReplaceAll(strings.TrimSpace(s), "/*", "/ *")
	s = strings.ReplaceAll(s, "*/", "* /")
	if s == "" {
		return nil
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return lines
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
