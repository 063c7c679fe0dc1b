package wire

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// jsonReader turns a JSON object into the protobuf bytes of the same message, which
// the generated code then decodes. So there is one decoder of each message, and what
// JSON can ask for is bounded in one place.
type jsonReader struct {
	b     []byte
	parts int    // messages and members of lists so far; at most maxParts
	tmp   []byte // an unescaped string
}

// object appends the message m at b[i], and answers where it ends.
func (r *jsonReader) object(dst []byte, i, depth int, m *message) ([]byte, int, *Error) {
	if byteAt(r.b, i) != '{' {
		return dst, i, jsonError(i, "an object is missing")
	}
	if depth <= 0 {
		return dst, i, jsonError(i, "too many levels")
	}
	i = skipSpace(r.b, i+1)
	if byteAt(r.b, i) == '}' {
		return dst, i + 1, nil
	}
	var seen uint64 // by field number: all are far below 64
	for {
		key, escaped, value, err := scanKey(r.b, i)
		if err != nil {
			return dst, value, err
		}
		if escaped {
			if key, err = unquote(nil, key, i); err != nil {
				return dst, i, err
			}
		}
		if f := m.byName[string(key)]; f == nil {
			i, err = scanValue(r.b, value, depth-1)
		} else {
			if seen&(1<<f.num) != 0 {
				return dst, i, jsonError(i, "the field "+f.name+" stands twice")
			}
			seen |= 1 << f.num
			dst, i, err = r.member(dst, value, depth-1, f)
		}
		if err != nil {
			return dst, i, err
		}
		more := false
		if i, more, err = scanNext(r.b, i, '}'); err != nil || !more {
			return dst, i, err
		}
	}
}

// member appends the value of field f at b[i]. null is an absent field, except where
// the value is taken as it is.
func (r *jsonReader) member(dst []byte, i, depth int, f *field) ([]byte, int, *Error) {
	if byteAt(r.b, i) == 'n' && (f.kind != protoreflect.BytesKind || f.base64 || f.embedded) {
		end, err := scanWord(r.b, i, "null")
		return dst, end, err
	}
	if !f.repeated {
		return r.value(dst, i, depth, f)
	}
	if byteAt(r.b, i) != '[' {
		return dst, i, jsonError(i, "the field "+f.name+" takes an array")
	}
	if depth <= 0 {
		return dst, i, jsonError(i, "too many levels")
	}
	i = skipSpace(r.b, i+1)
	if byteAt(r.b, i) == ']' {
		return dst, i + 1, nil
	}
	for {
		var err *Error
		if dst, i, err = r.value(dst, i, depth-1, f); err != nil {
			return dst, i, err
		}
		more := false
		if i, more, err = scanNext(r.b, i, ']'); err != nil || !more {
			return dst, i, err
		}
	}
}

func (r *jsonReader) value(dst []byte, i, depth int, f *field) ([]byte, int, *Error) {
	if f.repeated || f.kind == protoreflect.MessageKind {
		if r.parts++; r.parts > maxParts {
			return dst, i, tooManyParts()
		}
	}
	switch f.kind {
	case protoreflect.MessageKind:
		if byteAt(r.b, i) != '{' {
			return dst, i, jsonError(i, "the field "+f.name+" takes an object")
		}
		dst = protowire.AppendTag(dst, f.num, protowire.BytesType)
		start := len(dst)
		dst, end, err := r.object(dst, i, depth, f.sub)
		return insertLength(dst, start), end, err
	case protoreflect.StringKind:
		s, end, err := r.str(i, f)
		if err != nil {
			return dst, end, err
		}
		dst = protowire.AppendTag(dst, f.num, protowire.BytesType)
		return protowire.AppendBytes(dst, s), end, nil
	case protoreflect.BytesKind:
		return r.body(dst, i, depth, f)
	case protoreflect.BoolKind:
		word, v := "false", uint64(0)
		if byteAt(r.b, i) == 't' {
			word, v = "true", 1
		}
		end, err := scanWord(r.b, i, word)
		if err != nil {
			return dst, i, jsonError(i, "the field "+f.name+" takes true or false")
		}
		dst = protowire.AppendTag(dst, f.num, protowire.VarintType)
		return protowire.AppendVarint(dst, v), end, nil
	case protoreflect.DoubleKind:
		end, err := scanNumber(r.b, i)
		if err != nil {
			return dst, i, jsonError(i, "the field "+f.name+" takes a number")
		}
		v, perr := strconv.ParseFloat(string(r.b[i:end]), 64)
		if perr != nil || end-i > maxNumber {
			return dst, i, jsonError(i, "the number of the field "+f.name+" is out of range")
		}
		return appendDouble(dst, f.num, v), end, nil
	default:
		v, end, err := r.integer(i, f)
		if err != nil {
			return dst, end, err
		}
		dst = protowire.AppendTag(dst, f.num, protowire.VarintType)
		return protowire.AppendVarint(dst, v), end, nil
	}
}

// str reads a string; the answer holds until the next one.
func (r *jsonReader) str(i int, f *field) ([]byte, int, *Error) {
	if byteAt(r.b, i) != '"' {
		return nil, i, jsonError(i, "the field "+f.name+" takes a string")
	}
	end, escaped, err := scanString(r.b, i)
	if err != nil {
		return nil, end, err
	}
	s := r.b[i+1 : end-1]
	if escaped {
		r.tmp, err = unquote(r.tmp[:0], s, i)
		s = r.tmp
	}
	return s, end, err
}

// body reads a body: the JSON value itself, byte by byte, or base64.
func (r *jsonReader) body(dst []byte, i, depth int, f *field) ([]byte, int, *Error) {
	if !f.base64 {
		end, err := scanValue(r.b, i, depth)
		if err != nil {
			return dst, end, err
		}
		dst = protowire.AppendTag(dst, f.num, protowire.BytesType)
		return protowire.AppendBytes(dst, r.b[i:end]), end, nil
	}
	s, end, err := r.str(i, f)
	if err != nil {
		return dst, end, err
	}
	for _, c := range s {
		if c == '\r' || c == '\n' { // the package would pass over them
			return dst, i, jsonError(i, "the field "+f.name+"_base64 is no base64")
		}
	}
	dst = protowire.AppendTag(dst, f.num, protowire.BytesType)
	start := len(dst)
	dst, berr := base64.StdEncoding.Strict().AppendDecode(dst, s)
	if berr != nil {
		return dst, i, jsonError(i, "the field "+f.name+"_base64 is no base64")
	}
	return insertLength(dst, start), end, nil
}

const (
	maxNumber = 64      // bytes of a number's text
	maxExact  = 1 << 53 // beyond it JSON numbers lose digits in many languages
)

// integer reads a 32 or 64 bit integer: a string of digits, or a number that is one.
func (r *jsonReader) integer(i int, f *field) (uint64, int, *Error) {
	text, end := r.b[:0], i
	quoted := byteAt(r.b, i) == '"'
	var err *Error
	if quoted {
		text, end, err = r.str(i, f)
	} else if end, err = scanNumber(r.b, i); err == nil {
		text = r.b[i:end]
	}
	if err == nil && len(text) <= maxNumber {
		if !quoted {
			text = trimZeros(text)
		}
		v, ok := parseInteger(text, f.kind)
		exact := v <= maxExact || f.kind == protoreflect.Int64Kind && -v <= maxExact
		if ok && (quoted || exact) {
			return v, end, nil
		}
	}
	switch f.kind {
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		return 0, i, jsonError(i, "the field "+f.name+" takes an integer of 64 bits, as a string if above 2^53")
	}
	return 0, i, jsonError(i, "the field "+f.name+" takes an integer of 32 bits")
}

// trimZeros takes a fraction of zeros off a number: some languages write 7.0.
func trimZeros(text []byte) []byte {
	if whole, fraction, ok := bytes.Cut(text, []byte{'.'}); ok && len(bytes.TrimRight(fraction, "0")) == 0 {
		return whole
	}
	return text
}

// parseInteger reads digits, with a minus before them where the kind has one.
func parseInteger(text []byte, kind protoreflect.Kind) (uint64, bool) {
	if kind == protoreflect.Int64Kind {
		if byteAt(text, 0) == '+' {
			return 0, false
		}
		v, err := strconv.ParseInt(string(text), 10, 64)
		return uint64(v), err == nil
	}
	bits := 64
	if kind == protoreflect.Uint32Kind {
		bits = 32
	}
	v, err := strconv.ParseUint(string(text), 10, bits)
	return v, err == nil
}

// insertLength puts the length of dst[start:] before it.
func insertLength(dst []byte, start int) []byte {
	n := len(dst) - start
	k := sizeUvarint(uint64(n))
	var room [10]byte
	dst = append(dst, room[:k]...)
	copy(dst[start+k:], dst[start:start+n])
	appendUvarint(dst[:start], uint64(n))
	return dst
}
