package wire

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// message is what the codecs know of a message of the schema, taken once from its
// descriptor, so that they walk bytes and not values.
type message struct {
	fields []*field          // by field number; nil where there is none
	byName map[string]*field // by JSON key; a bytes field has "body" and "body_base64"
}

type field struct {
	num      protowire.Number
	name     string
	quoted   []byte // `"name":`
	kind     protoreflect.Kind
	repeated bool
	base64   bool     // the key "..._base64" of a bytes field
	embedded bool     // a bytes field that is JSON in JSON, never base64: Req.body, Res.body
	sub      *message // of a message field
}

// messages holds the schema by index of the message in its file. Written in init,
// read only since.
var messages []*message

func init() {
	file_anser_proto_init() // its own init may come later than this one
	list := File_anser_proto.Messages()
	messages = make([]*message, list.Len())
	for i := range messages {
		messages[i] = new(message)
	}
	for i, m := range messages {
		d := list.Get(i)
		m.byName = make(map[string]*field)
		for j := range d.Fields().Len() {
			fd := d.Fields().Get(j)
			f := &field{
				num:      fd.Number(),
				name:     string(fd.Name()),
				quoted:   []byte(`"` + string(fd.Name()) + `":`),
				kind:     fd.Kind(),
				repeated: fd.IsList(),
			}
			if fd.Kind() == protoreflect.MessageKind {
				f.sub = messages[fd.Message().Index()]
			}
			for len(m.fields) <= int(f.num) {
				m.fields = append(m.fields, nil)
			}
			m.fields[f.num] = f
			m.byName[f.name] = f
			if f.kind == protoreflect.BytesKind {
				f.embedded = d.Name() == "Req" || d.Name() == "Res"
				if !f.embedded {
					g := *f
					g.base64 = true
					m.byName[f.name+"_base64"] = &g
				}
			}
		}
	}
}

func tableOf(m Body) *message {
	return messages[m.ProtoReflect().Descriptor().Index()]
}

func (m *message) field(num protowire.Number) *field {
	if num < 0 || int(num) >= len(m.fields) {
		return nil
	}
	return m.fields[num]
}

// maxParts bounds the messages and the members of lists inside one frame or body. Two
// bytes can ask for a whole struct, so the size of a frame alone does not bound what
// decoding it takes.
const maxParts = 1 << 14

func tooManyParts() *Error {
	return tooLarge("more than %d messages and members of lists in one frame", maxParts)
}

// check looks through b, an encoding of m, before it is decoded: strings are UTF-8
// and there are at most maxParts parts in it. What else may be wrong with b the
// decoder finds. It does not allocate.
func (m *message) check(b []byte, parts *int) *Error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber {
			return malformed("a protobuf tag is cut off or wrong")
		}
		b = b[n:]
		f := m.field(num)
		if f != nil && (f.repeated || f.kind == protoreflect.MessageKind) {
			if *parts++; *parts > maxParts {
				return tooManyParts()
			}
		}
		if typ != protowire.BytesType {
			n = protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return malformed("protobuf field %d is cut off or wrong", num)
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return malformed("protobuf field %d is cut off", num)
		}
		b = b[n:]
		if f == nil {
			continue
		}
		switch f.kind {
		case protoreflect.StringKind:
			if !utf8.Valid(v) {
				return malformed("field %q is not UTF-8", f.name)
			}
		case protoreflect.MessageKind:
			if err := f.sub.check(v, parts); err != nil {
				return err
			}
		}
	}
	return nil
}
