package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/anser-im/anser/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The targets below hold decoders to three things: no panic, errors of our kind only,
// and what was read can be written and read again, equal.

func ours(t *testing.T, err error) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Text == "" || e.Reason() == "" {
		t.Fatalf("an error of another kind: %v (%T)", err, err)
	}
}

// sameAgain writes m in format f, reads it, and wants it equal.
func sameAgain(t *testing.T, f wire.Format, m wire.Body) {
	t.Helper()
	enc, err := f.MarshalBody(m)
	if err != nil {
		t.Fatalf("%v: %v", m, err)
	}
	back := m.ProtoReflect().New().Interface().(wire.Body)
	if err := f.UnmarshalBody(enc, back); err != nil || !proto.Equal(back, m) {
		t.Fatalf("%v\nread back as\n%v\nfrom %q: %v", m, back, enc, err)
	}
}

func FuzzNext(f *testing.F) {
	for _, s := range samples() {
		enc, err := wire.Binary.Append(nil, embed(f, wire.Binary, s))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc, 0)
		f.Add(enc[:len(enc)/2], 16)
	}
	f.Add([]byte("\x07\x83\x80\x80\x00abc"), 3)
	f.Add([]byte("\x07\xff\xff\xff\xff\x0f"), 0)
	f.Add([]byte("GET / HTTP/1.1\r\n"), 0)
	f.Fuzz(func(t *testing.T, buf []byte, max int) {
		got, n, err := wire.Next(buf, max)
		if err == wire.ErrShort {
			if n != 0 && n <= len(buf) {
				t.Fatalf("short at %d bytes, and the frame has %d", len(buf), n)
			}
			return
		}
		if err != nil {
			ours(t, err)
			return
		}
		limit := max
		if limit <= 0 {
			limit = wire.MaxFrame
		}
		if n < 2 || n > len(buf) || len(got.Body) > limit || got.Type == 0 || got.Flags&^3 != 0 {
			t.Fatalf("%+v, %d of %d bytes", got, n, len(buf))
		}
		for i := range n { // told as early as the bytes allow, and never otherwise
			if _, _, err := wire.Next(buf[:i], max); err != wire.ErrShort {
				t.Fatalf("%d of %d bytes: %v", i, n, err)
			}
		}
	})
}

func FuzzReassembler(f *testing.F) {
	frame := wire.AppendRaw(nil, wire.TypeRes, 0, bytes.Repeat([]byte("talk "), 300))
	small, err := wire.AppendCompressed(nil, frame)
	if err != nil {
		f.Fatal(err)
	}
	for _, whole := range [][]byte{frame, small} {
		cut, err := wire.AppendSplit(nil, whole, 10)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
		f.Add(cut)
		f.Add(append(cut[:12:12], append([]byte{1, 0}, cut[12:]...)...))
	}
	f.Add([]byte{0x27, 1, 1, 0x07, 0, 0x27, 1, 2, 0x05, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		const max, room = 4096, 1 << 16
		budget := wire.NewBudget(room)
		r := wire.Reassembler{Max: max, Budget: budget}
		for len(stream) > 0 {
			frame, n, err := wire.Next(stream, max)
			if err != nil {
				break
			}
			stream = stream[n:]
			whole, ok, err := r.Add(frame)
			if err != nil {
				ours(t, err)
				break
			}
			if r.Pending() > max || ok && (whole.Flags != 0 || len(whole.Body) > max) {
				t.Fatalf("%d bytes pending; frame %v of %d bytes", r.Pending(), whole.Type, len(whole.Body))
			}
		}
		r.Close()
		if !budget.Take(room) {
			t.Fatal("bytes of the budget are gone")
		}
	})
}

func FuzzDecompress(f *testing.F) {
	small, err := wire.AppendCompressed(nil, wire.AppendRaw(nil, wire.TypeRes, 0, bytes.Repeat([]byte("talk "), 300)))
	if err != nil {
		f.Fatal(err)
	}
	whole, _, err := wire.Next(small, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Body)
	f.Add(append(whole.Body[:len(whole.Body):len(whole.Body)], whole.Body...)) // two frames
	for name, bomb := range bombs(f) {
		if len(bomb) < 1<<10 {
			f.Log(name)
			f.Add(bomb)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const max = 1 << 14
		r := wire.Reassembler{Max: max}
		whole, ok, err := r.Add(wire.Frame{Type: wire.TypeRes, Flags: wire.FlagZstd, Body: body})
		if err != nil {
			ours(t, err)
		} else if !ok || len(whole.Body) > max || whole.Flags != 0 {
			t.Fatalf("%v, %d bytes", ok, len(whole.Body))
		}
	})
}

func FuzzBinary(f *testing.F) {
	kinds := bodies(f)
	for _, s := range append(samples(), verbSamples()...) {
		enc, err := wire.Binary.MarshalBody(embed(f, wire.Binary, s))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc, uint8(s.body.ProtoReflect().Descriptor().Index()))
	}
	f.Add([]byte("\x0b\x0c"), uint8(0)) // a group
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		m := kinds[int(kind)%len(kinds)].ProtoReflect().New().Interface().(wire.Body)
		if err := wire.Binary.UnmarshalBody(b, m); err != nil {
			ours(t, err)
			return
		}
		theirs := m.ProtoReflect().New().Interface().(wire.Body)
		if err := proto.Unmarshal(b, theirs); err != nil {
			t.Fatalf("the library refuses what we take: %v", err)
		}
		if !proto.Equal(known(theirs), known(m)) {
			t.Fatalf("the library reads\n%v\nand we\n%v", theirs, m)
		}
		sameAgain(t, wire.Binary, m)
		if plain(m) {
			sameAgain(t, wire.JSON, m)
		}
	})
}

// known is m without the fields of another version, whose bytes each decoder keeps in
// a way of its own.
func known(m wire.Body) proto.Message {
	c := proto.Clone(m)
	walk(c.ProtoReflect(), func(m protoreflect.Message) { m.SetUnknown(nil) })
	return c
}

// plain says whether m can be said in JSON as it is: a request's body may be
// protobuf, and fields of another version are not passed on.
func plain(m wire.Body) bool {
	known := true
	switch m := m.(type) {
	case *wire.Req:
		known = len(m.Body) == 0
	case *wire.Res:
		known = len(m.Body) == 0
	}
	walk(m.ProtoReflect(), func(m protoreflect.Message) {
		known = known && len(m.GetUnknown()) == 0
		if l, ok := m.Interface().(*wire.Limits); ok { // JSON has no word for NaN and infinity
			known = known && l.SendRate-l.SendRate == 0 && l.SignalRate-l.SignalRate == 0
		}
	})
	return known
}

// walk calls do with m and every message inside it.
func walk(m protoreflect.Message, do func(protoreflect.Message)) {
	do(m)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Kind() != protoreflect.MessageKind:
		case fd.IsList():
			for i := range v.List().Len() {
				walk(v.List().Get(i).Message(), do)
			}
		default:
			walk(v.Message(), do)
		}
		return true
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range samples() {
		enc, err := wire.JSON.Append(nil, embed(f, wire.JSON, s))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc)
		f.Add([]byte("[" + string(enc) + " , {\"t\":\"ping\"}]"))
	}
	f.Add([]byte(`{"t":"send","body":[[[[1e5]]]],"id":"\ud83d\ude00"}`))
	f.Add([]byte(`{"t":"send","t":"send"}`))
	f.Fuzz(func(t *testing.T, unit []byte) {
		frames := 0
		err := wire.JSON.Each(unit, 0, func(fr wire.Frame) error {
			frames++
			if !json.Valid(fr.Body) {
				t.Fatalf("a frame that is no JSON: %q", fr.Body)
			}
			m := wire.New(fr.Type)
			if m == nil {
				return nil
			}
			if err := wire.JSON.Decode(fr, m); err != nil {
				ours(t, err)
				return nil
			}
			enc, err := wire.JSON.Append(nil, m)
			if err != nil {
				t.Fatalf("%v: %v", m, err)
			}
			if again := one(t, wire.JSON, enc); again.Type != fr.Type {
				t.Fatalf("%v became %v", fr.Type, again.Type)
			}
			sameAgain(t, wire.JSON, m)
			sameAgain(t, wire.Binary, m)
			return nil
		})
		if err != nil {
			ours(t, err)
		} else if frames == 0 || !json.Valid(unit) {
			t.Fatalf("%d frames in %q", frames, unit)
		}
	})
}

func FuzzJSONBody(f *testing.F) {
	kinds := bodies(f)
	for _, s := range append(samples(), verbSamples()...) {
		enc, err := wire.JSON.MarshalBody(embed(f, wire.JSON, s))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc, uint8(s.body.ProtoReflect().Descriptor().Index()))
	}
	f.Add([]byte(`{"seqs":["1",2,3.0,null]}`), uint8((&wire.MentionsResponse{}).ProtoReflect().Descriptor().Index()))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		m := kinds[int(kind)%len(kinds)].ProtoReflect().New().Interface().(wire.Body)
		if err := wire.JSON.UnmarshalBody(b, m); err != nil {
			ours(t, err)
			return
		}
		if len(b) > 0 && !json.Valid(b) {
			t.Fatalf("taken, and no JSON: %q", b)
		}
		sameAgain(t, wire.JSON, m)
		sameAgain(t, wire.Binary, m)
	})
}

// FuzzRaw holds the rule of bodies in JSON against encoding/json: a body that stands
// there as it is makes the frame valid JSON and comes out byte by byte; what
// encoding/json refuses is never put there.
func FuzzRaw(f *testing.F) {
	for _, s := range []string{"", "{}", " {}", "nul", `"\ud800"`, "\"\xff\"", "1e400", "[1,]", "-", "01", `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		unit, err := wire.JSON.Append(nil, &wire.Send{Id: "1", Body: body})
		if err != nil || !json.Valid(unit) {
			t.Fatalf("%s: %v", unit, err)
		}
		raw := bytes.Contains(unit, []byte(`,"body":`))
		if raw && !json.Valid(body) {
			t.Fatalf("no JSON: %q in %s", body, unit)
		}
		var back wire.Send
		if err := wire.JSON.Decode(one(t, wire.JSON, unit), &back); err != nil || !bytes.Equal(back.Body, body) {
			t.Fatalf("%q came back as %q: %v", body, back.Body, err)
		}
	})
}
