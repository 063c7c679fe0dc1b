package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// The scanner below follows RFC 8259 to the letter: it is what decides whether a
// body may stand in JSON as it is. Each function takes the index of the first byte
// and answers the index behind the last one. None allocates.

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// byteAt is 0 behind the end: no JSON token begins with it.
func byteAt(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

func jsonError(i int, what string) *Error {
	return malformed("JSON, byte %d: %s", i, what)
}

// scanValue passes over one value. depth is how many levels of arrays and objects it
// may have.
func scanValue(b []byte, i, depth int) (int, *Error) {
	switch c := byteAt(b, i); c {
	case '"':
		end, _, err := scanString(b, i)
		return end, err
	case '{', '[':
		if depth <= 0 {
			return i, jsonError(i, "too many levels")
		}
		closing := c + 2 // '}' and ']' stand two behind '{' and '['
		i = skipSpace(b, i+1)
		if byteAt(b, i) == closing {
			return i + 1, nil
		}
		for {
			if c == '{' {
				var err *Error
				if _, _, i, err = scanKey(b, i); err != nil {
					return i, err
				}
			}
			var err *Error
			if i, err = scanValue(b, i, depth-1); err != nil {
				return i, err
			}
			more := false
			if i, more, err = scanNext(b, i, closing); err != nil || !more {
				return i, err
			}
		}
	case 't':
		return scanWord(b, i, "true")
	case 'f':
		return scanWord(b, i, "false")
	case 'n':
		return scanWord(b, i, "null")
	default:
		return scanNumber(b, i)
	}
}

// scanKey passes over a key and its colon: the next value begins at value. key is
// what stands between the quotes.
func scanKey(b []byte, i int) (key []byte, escaped bool, value int, err *Error) {
	if byteAt(b, i) != '"' {
		return nil, false, i, jsonError(i, "a key in quotes is missing")
	}
	end, escaped, err := scanString(b, i)
	if err != nil {
		return nil, false, end, err
	}
	key = b[i+1 : end-1]
	i = skipSpace(b, end)
	if byteAt(b, i) != ':' {
		return nil, false, i, jsonError(i, "a colon is missing")
	}
	return key, escaped, skipSpace(b, i+1), nil
}

// scanNext passes over what follows a member: a comma, then more is true and i at the
// next member; or the closing byte.
func scanNext(b []byte, i int, closing byte) (next int, more bool, err *Error) {
	i = skipSpace(b, i)
	switch byteAt(b, i) {
	case ',':
		i = skipSpace(b, i+1)
		if byteAt(b, i) == closing {
			return i, false, jsonError(i, "a comma with nothing behind it")
		}
		return i, true, nil
	case closing:
		return i + 1, false, nil
	}
	return i, false, jsonError(i, "a comma or the closing bracket is missing")
}

func scanWord(b []byte, i int, word string) (int, *Error) {
	if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
		return i + len(word), nil
	}
	return i, jsonError(i, "no JSON value")
}

func scanNumber(b []byte, i int) (int, *Error) {
	start := i
	if byteAt(b, i) == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for c := byteAt(b, i); c >= '0' && c <= '9'; c = byteAt(b, i) {
			i++
		}
		return i > from
	}
	if byteAt(b, i) == '0' {
		i++
	} else if !digits() {
		return start, jsonError(start, "no JSON value")
	}
	if byteAt(b, i) == '.' {
		i++
		if !digits() {
			return i, jsonError(i, "a digit is missing")
		}
	}
	if c := byteAt(b, i); c == 'e' || c == 'E' {
		i++
		if c := byteAt(b, i); c == '+' || c == '-' {
			i++
		}
		if !digits() {
			return i, jsonError(i, "a digit is missing")
		}
	}
	return i, nil
}

// scanString passes over a string with its quotes and says whether it has escapes.
// It must be UTF-8 without unescaped control characters.
func scanString(b []byte, i int) (end int, escaped bool, err *Error) {
	for i++; i < len(b); {
		c := b[i]
		switch {
		case c == '"':
			return i + 1, escaped, nil
		case c == '\\':
			escaped = true
			switch byteAt(b, i+1) {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if _, ok := hex4(b, i+2); !ok {
					return i, escaped, jsonError(i, `\u takes four hexadecimal digits`)
				}
				i += 6
			default:
				return i, escaped, jsonError(i, "no such escape")
			}
		case c < 0x20:
			return i, escaped, jsonError(i, "a control character stands in a string")
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return i, escaped, jsonError(i, "not UTF-8")
			}
			i += n
		}
	}
	return i, escaped, jsonError(i, "a string does not end")
}

func hex4(b []byte, i int) (rune, bool) {
	if len(b)-i < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unquote appends to dst what the inside of a scanned string stands for. at is its
// place, for the error: half a surrogate pair is no character.
func unquote(dst, s []byte, at int) ([]byte, *Error) {
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(s, i+1)
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if byteAt(s, i+1) == '\\' && byteAt(s, i+2) == 'u' {
					low, _ = hex4(s, i+3)
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return dst, jsonError(at, "half a surrogate pair in a string")
				}
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default: // " \ /
			dst = append(dst, c)
		}
		i++
	}
	return dst, nil
}

// isJSON says whether b is one JSON value of at most depth levels with nothing
// around it, so that it comes out of a JSON frame byte by byte as it went in.
func isJSON(b []byte, depth int) bool {
	end, err := scanValue(b, 0, depth)
	return err == nil && end == len(b)
}
