package wire_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/anser-im/anser/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// bodies makes one empty message of every kind that the schema has.
func bodies(t testing.TB) []wire.Body {
	t.Helper()
	var all []wire.Body
	list := wire.File_anser_proto.Messages()
	for i := range list.Len() {
		mt, err := protoregistry.GlobalTypes.FindMessageByName(list.Get(i).FullName())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, mt.New().Interface().(wire.Body))
	}
	return all
}

// fill gives m fields by chance: each is absent, at an edge of its range, or anything.
func fill(m protoreflect.Message, rng *rand.Rand) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case rng.IntN(3) == 0:
		case fd.IsList():
			list := m.Mutable(fd).List()
			for range rng.IntN(4) {
				if fd.Kind() == protoreflect.MessageKind {
					fill(list.AppendMutable().Message(), rng)
				} else {
					list.Append(value(fd, rng))
				}
			}
		case fd.Kind() == protoreflect.MessageKind:
			fill(m.Mutable(fd).Message(), rng)
		default:
			m.Set(fd, value(fd, rng))
		}
	}
}

func value(fd protoreflect.FieldDescriptor, rng *rand.Rand) protoreflect.Value {
	pick := func(edges ...uint64) uint64 {
		if i := rng.IntN(len(edges) + 1); i < len(edges) {
			return edges[i]
		}
		return rng.Uint64() >> rng.IntN(64)
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rng.IntN(2) == 0)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(pick(0, 1, 127, 128, math.MaxUint32)))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(pick(0, 1, 1<<53, 1<<53+1, math.MaxUint64))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(pick(0, 1, math.MaxInt64, 1<<63, math.MaxUint64)))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, 0.5, -1e-300, math.MaxFloat64, 20}[rng.IntN(5)])
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "u/bob", "用户7", "\"\\\x00\x1f\u2028</script>", "😀", string(make([]byte, 130))}[rng.IntN(6)])
	case protoreflect.BytesKind:
		switch parent := fd.Parent().Name(); {
		case parent == "Req" || parent == "Res": // of each format's own: see frames
			return protoreflect.ValueOfBytes(nil)
		default:
			return protoreflect.ValueOfBytes([]byte([]string{"", `{"content":"hello"}`, "\x00\xff", "null", " 1", `"\ud800"`, "[[[]]]"}[rng.IntN(7)]))
		}
	}
	panic(fmt.Sprintf("the schema has a field of a new kind: %v", fd))
}

// Every message of the schema, filled by chance, comes back equal from both formats;
// the protobuf library reads our bytes as we do, and we read its bytes; and the same
// message always gives the same text, which encoding/json takes.
func TestRoundTrips(t *testing.T) {
	for _, empty := range bodies(t) {
		name := string(empty.ProtoReflect().Descriptor().Name())
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(200) {
				m := empty.ProtoReflect().New().Interface().(wire.Body)
				fill(m.ProtoReflect(), rand.New(rand.NewPCG(seed, 1)))
				for name, f := range formats {
					enc, err := f.AppendBody([]byte("before"), m)
					if err != nil {
						t.Fatalf("%s, seed %d: %v", name, seed, err)
					}
					enc = enc[len("before"):]
					back := empty.ProtoReflect().New().Interface().(wire.Body)
					if err := f.UnmarshalBody(enc, back); err != nil || !proto.Equal(back, m) {
						t.Fatalf("%s, seed %d: %q: %v\n got %v\nwant %v", name, seed, enc, err, back, m)
					}
					again, err := f.MarshalBody(back)
					if err != nil || string(again) != string(enc) {
						t.Fatalf("%s, seed %d: %v\nthen %q\nnow  %q", name, seed, err, enc, again)
					}
					if name == "json" {
						if !json.Valid(enc) {
							t.Fatalf("seed %d: no JSON: %s", seed, enc)
						}
						continue
					}
					theirs := empty.ProtoReflect().New().Interface().(wire.Body)
					if err := proto.Unmarshal(enc, theirs); err != nil || !proto.Equal(theirs, m) {
						t.Fatalf("seed %d: the library reads %v, %v", seed, theirs, err)
					}
					enc, err = proto.Marshal(m)
					if err != nil {
						t.Fatal(err)
					}
					if err := f.UnmarshalBody(enc, back); err != nil || !proto.Equal(back, m) {
						t.Fatalf("seed %d: of the library's bytes we read %v, %v", seed, back, err)
					}
				}
			}
		})
	}
}

// Keys and the shape of values in JSON are the documented ones, for every field of the
// schema: taken from the text by encoding/json, which knows nothing of the schema.
func TestJSONShape(t *testing.T) {
	for _, m := range bodies(t) {
		fields := m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			fd := fields.Get(i)
			one := m.ProtoReflect().New()
			want := ""
			set := func(v protoreflect.Value, text string) {
				if fd.IsList() {
					one.Mutable(fd).List().Append(v)
					text = "[" + text + "]"
				} else {
					one.Set(fd, v)
				}
				want = text
			}
			key := string(fd.Name())
			switch fd.Kind() {
			case protoreflect.BoolKind:
				set(protoreflect.ValueOfBool(true), "true")
			case protoreflect.Uint32Kind:
				set(protoreflect.ValueOfUint32(math.MaxUint32), strconv.Itoa(math.MaxUint32))
			case protoreflect.Uint64Kind:
				set(protoreflect.ValueOfUint64(math.MaxUint64), `"18446744073709551615"`)
			case protoreflect.Int64Kind:
				set(protoreflect.ValueOfInt64(math.MinInt64), `"-9223372036854775808"`)
			case protoreflect.DoubleKind:
				set(protoreflect.ValueOfFloat64(0.5), "0.5")
			case protoreflect.StringKind:
				set(protoreflect.ValueOfString("é\n"), `"é\n"`)
			case protoreflect.BytesKind:
				set(protoreflect.ValueOfBytes([]byte("[1, 2]")), "[1, 2]")
			case protoreflect.MessageKind:
				if fd.IsList() {
					one.Mutable(fd).List().AppendMutable()
					want = "[{}]"
				} else {
					one.Mutable(fd)
					want = "{}"
				}
			}
			text, err := wire.JSON.MarshalBody(one.Interface().(wire.Body))
			if err != nil {
				t.Fatal(fd.FullName(), err)
			}
			var got map[string]json.RawMessage
			if err := json.Unmarshal(text, &got); err != nil || len(got) != 1 || string(got[key]) != want {
				t.Errorf("%s: %s, want %s under %q", fd.FullName(), text, want, key)
			}
		}
	}
}
