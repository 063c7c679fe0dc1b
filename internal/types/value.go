package types

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a body that is held to a schema.
const (
	maxDepth    = 64  // of objects and lists in each other
	maxNumber   = 100 // characters of a number
	maxExponent = 400 // of a number: what is above costs more to compare than it is worth
)

// decode reads a JSON body for the schema library: map[string]any, []any, string,
// json.Number, bool and nil. Other than encoding/json it refuses a name that stands
// twice in an object (of which readers would take one or the other), what is too
// deep, and numbers that are too large to reckon with.
//
// The error is a sentence's end: "is not JSON", "has ... ".
func decode(b []byte) (any, error) {
	v, _, err := decodeCount(b)
	return v, err
}

// decodeCount is decode, and tells how many values there are.
func decodeCount(b []byte) (v any, values int, err error) {
	if !json.Valid(b) {
		return nil, 0, invalidJSON(b)
	}
	d := decoder{b: b}
	if v = d.value(0); d.err != nil {
		return nil, 0, d.err
	}
	return v, d.values, nil
}

// invalidJSON says where b stops being JSON.
func invalidJSON(b []byte) error {
	var v json.RawMessage
	if err := json.Unmarshal(b, &v); err != nil {
		if se, ok := err.(*json.SyntaxError); ok {
			return fmt.Errorf("is not JSON: at byte %d, %s", se.Offset, se.Error())
		}
	}
	return fmt.Errorf("is not JSON")
}

// decoder goes through bytes that are known to be valid JSON.
type decoder struct {
	b   []byte
	i   int
	err error // the first; then what was read is not to be used

	values int // read so far
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// space goes to the next byte that is none.
func (d *decoder) space() byte {
	for d.b[d.i] == ' ' || d.b[d.i] == '\t' || d.b[d.i] == '\n' || d.b[d.i] == '\r' {
		d.i++
	}
	return d.b[d.i]
}

func (d *decoder) value(depth int) any {
	if depth > maxDepth {
		d.fail("is more than %d levels deep", maxDepth)
	}
	if d.err != nil {
		return nil
	}
	d.values++
	switch c := d.space(); c {
	case '{':
		return d.object(depth)
	case '[':
		d.i++
		list := []any{}
		if d.space() == ']' {
			d.i++
			return list
		}
		for d.err == nil {
			list = append(list, d.value(depth+1))
			if d.err != nil {
				break
			}
			c := d.space()
			d.i++
			if c == ']' {
				break
			}
		}
		return list
	case '"':
		return d.text()
	case 't':
		d.i += len("true")
		return true
	case 'f':
		d.i += len("false")
		return false
	case 'n':
		d.i += len("null")
		return nil
	}
	return d.number()
}

func (d *decoder) object(depth int) any {
	d.i++
	m := map[string]any{}
	if d.space() == '}' {
		d.i++
		return m
	}
	for {
		d.space()
		key := d.text()
		d.space()
		d.i++ // the colon
		v := d.value(depth + 1)
		if d.err != nil {
			return m
		}
		if _, twice := m[key]; twice {
			d.fail("has %s twice in one object", strconv.Quote(clip(key, 40)))
			return m
		}
		m[key] = v
		c := d.space()
		d.i++
		if c == '}' {
			return m
		}
	}
}

// text reads a string; d.i is at its first quote.
func (d *decoder) text() string {
	begin := d.i + 1
	for i := begin; ; i++ {
		switch c := d.b[i]; {
		case c == '"':
			d.i = i + 1
			return string(d.b[begin:i])
		case c == '\\' || c >= utf8.RuneSelf: // to be unescaped, or made valid
			end := i
			for ; d.b[end] != '"'; end++ {
				if d.b[end] == '\\' {
					end++
				}
			}
			d.i = end + 1
			var s string
			if err := json.Unmarshal(d.b[begin-1:end+1], &s); err != nil {
				d.fail("is not JSON: %w", err)
			}
			return s
		}
	}
}

func (d *decoder) number() any {
	begin := d.i
	for d.i < len(d.b) && strings.IndexByte("+-.0123456789eE", d.b[d.i]) >= 0 {
		d.i++
	}
	n := string(d.b[begin:d.i])
	if len(n) > maxNumber {
		d.fail("has a number of %d characters; at most %d are taken", len(n), maxNumber)
	}
	if e := strings.IndexAny(n, "eE"); e >= 0 {
		if x, err := strconv.Atoi(n[e+1:]); err != nil || x > maxExponent || x < -maxExponent {
			d.fail("has the number %s, whose exponent is above %d", clip(n, 40), maxExponent)
		}
	}
	return json.Number(n)
}

// at finds the value that a path of names and indexes leads to; nil if there is none.
func at(v any, path []string) any {
	for _, p := range path {
		switch c := v.(type) {
		case map[string]any:
			v = c[p]
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(c) {
				return nil
			}
			v = c[i]
		default:
			return nil
		}
	}
	return v
}
