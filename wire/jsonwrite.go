package wire

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func appendDouble(dst []byte, num protowire.Number, v float64) []byte {
	dst = protowire.AppendTag(dst, num, protowire.Fixed64Type)
	return protowire.AppendFixed64(dst, math.Float64bits(v))
}

// appendMembers appends the members of a JSON object for pb, which our own generated
// code has encoded: fields in order of their numbers, those of one list together.
// comma says that a member stands before them already. Unknown fields are left out.
func appendMembers(dst, pb []byte, m *message, comma bool) ([]byte, error) {
	for len(pb) > 0 {
		num, typ, n := protowire.ConsumeTag(pb)
		if n < 0 {
			return dst, protowire.ParseError(n)
		}
		f := m.field(num)
		if f == nil {
			size := protowire.ConsumeFieldValue(num, typ, pb[n:])
			if size < 0 {
				return dst, protowire.ParseError(size)
			}
			pb = pb[n+size:]
			continue
		}
		var err error
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		if !f.repeated {
			if dst, pb, err = appendMember(dst, pb[n:], f); err != nil {
				return dst, err
			}
			continue
		}
		dst = append(append(dst, f.quoted...), '[')
		if f.kind != protoreflect.MessageKind && f.kind != protoreflect.StringKind { // packed
			list, size := protowire.ConsumeBytes(pb[n:])
			if size < 0 {
				return dst, protowire.ParseError(size)
			}
			pb = pb[n+size:]
			for first := true; len(list) > 0; first = false {
				if !first {
					dst = append(dst, ',')
				}
				if dst, list, err = appendValue(dst, list, f); err != nil {
					return dst, err
				}
			}
			dst = append(dst, ']')
			continue
		}
		for first := true; ; first = false {
			if !first {
				dst = append(dst, ',')
			}
			if dst, pb, err = appendValue(dst, pb[n:], f); err != nil {
				return dst, err
			}
			if num, _, n = protowire.ConsumeTag(pb); n < 0 || num != f.num {
				break
			}
		}
		dst = append(dst, ']')
	}
	return dst, nil
}

// appendMember appends one field with its key. pb begins with its value and is
// answered without it.
func appendMember(dst, pb []byte, f *field) (_, rest []byte, err error) {
	if f.kind != protoreflect.BytesKind {
		return appendValue(append(dst, f.quoted...), pb, f)
	}
	v, n := protowire.ConsumeBytes(pb)
	if n < 0 {
		return dst, pb, protowire.ParseError(n)
	}
	switch {
	case f.embedded:
		if !isJSON(v, maxEmbeddedDepth) {
			return dst, pb, malformed("a request's or answer's body is no JSON: encode it with JSON.AppendBody")
		}
		dst = append(append(dst, f.quoted...), v...)
	case isJSON(v, MaxBodyDepth):
		dst = append(append(dst, f.quoted...), v...)
	default:
		dst = append(dst, '"')
		dst = append(dst, f.name...)
		dst = append(dst, `_base64":"`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, v), '"')
	}
	return dst, pb[n:], nil
}

// maxEmbeddedDepth leaves room for the frame, and an array of frames, around a
// request's body.
const maxEmbeddedDepth = MaxJSONDepth - 2

// appendValue appends one value of f.
func appendValue(dst, pb []byte, f *field) (_, rest []byte, err error) {
	switch f.kind {
	case protoreflect.MessageKind, protoreflect.StringKind:
		v, n := protowire.ConsumeBytes(pb)
		if n < 0 {
			return dst, pb, protowire.ParseError(n)
		}
		if f.kind == protoreflect.StringKind {
			return appendQuoted(dst, v), pb[n:], nil
		}
		dst, err = appendMembers(append(dst, '{'), v, f.sub, false)
		return append(dst, '}'), pb[n:], err
	case protoreflect.DoubleKind:
		v, n := protowire.ConsumeFixed64(pb)
		if n < 0 {
			return dst, pb, protowire.ParseError(n)
		}
		x := math.Float64frombits(v)
		if math.IsNaN(x) || math.IsInf(x, 0) { // JSON has no word for them
			return append(dst, '0'), pb[n:], nil
		}
		return strconv.AppendFloat(dst, x, 'g', -1, 64), pb[n:], nil
	default:
		v, n := protowire.ConsumeVarint(pb)
		if n < 0 {
			return dst, pb, protowire.ParseError(n)
		}
		switch f.kind {
		case protoreflect.BoolKind:
			dst = strconv.AppendBool(dst, v != 0)
		case protoreflect.Int64Kind:
			dst = append(strconv.AppendInt(append(dst, '"'), int64(v), 10), '"')
		case protoreflect.Uint64Kind:
			dst = append(strconv.AppendUint(append(dst, '"'), v, 10), '"')
		default:
			dst = strconv.AppendUint(dst, v, 10)
		}
		return dst, pb[n:], nil
	}
}

// appendQuoted appends s as a JSON string: only quotes, backslashes and control
// characters are escaped, and what is not UTF-8 becomes U+FFFD.
func appendQuoted[S []byte | string](dst []byte, s S) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
	}
	return append(dst, '"')
}
