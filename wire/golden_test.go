package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anser-im/anser/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var update = flag.Bool("update", false, "write the golden files again")

var formats = map[string]wire.Format{"bin": wire.Binary, "json": wire.JSON}

// embed fills the bodies of the two samples that hold a verb's message, which each
// format encodes in its own way.
func embed(t testing.TB, f wire.Format, s sample) wire.Body {
	t.Helper()
	var err error
	switch m := s.body.(type) {
	case *wire.Req:
		m.Body, err = f.MarshalBody(&wire.ReadRequest{Conv: "u/bob", Seq: 1042})
	case *wire.Res:
		if m.Code == 0 {
			m.Body, err = f.MarshalBody(&wire.ReadResponse{Mine: &wire.Mine{From: 1, Read: 1042}})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return s.body
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSuffix(want, []byte("\n")), got) {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

// one reads a unit that holds one frame.
func one(t testing.TB, f wire.Format, unit []byte) wire.Frame {
	t.Helper()
	var got []wire.Frame
	if err := f.Each(unit, 0, func(f wire.Frame) error { got = append(got, f); return nil }); err != nil {
		t.Fatalf("%s: %v", unit, err)
	}
	if len(got) != 1 {
		t.Fatalf("%d frames in %q", len(got), unit)
	}
	return got[0]
}

func TestGolden(t *testing.T) {
	seen := map[wire.Type]bool{}
	for name, f := range formats {
		for _, s := range samples() {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				m := embed(t, f, s)
				enc, err := f.Append([]byte("x"), m)
				if err != nil {
					t.Fatal(err)
				}
				enc = enc[1:]
				if f == wire.Format(wire.Binary) {
					golden(t, s.name+".hex", []byte(hex.EncodeToString(enc)))
				} else {
					golden(t, s.name+".json", enc)
					if !json.Valid(enc) {
						t.Errorf("no JSON: %s", enc)
					}
				}
				fr := one(t, f, enc)
				if fr.Type != wire.TypeOf(m) || fr.Flags != 0 {
					t.Errorf("read back as %v, flags %d", fr.Type, fr.Flags)
				}
				seen[fr.Type] = true
				back := wire.New(fr.Type)
				if err := f.Decode(fr, back); err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(back, m) {
					t.Errorf("read back\n%v\nwant\n%v", back, m)
				}
			})
		}
	}
	for ty := wire.TypePing; ty < wire.TypeExt; ty++ {
		if !seen[ty] {
			t.Errorf("no sample of %v", ty)
		}
	}
}

func TestGoldenBodies(t *testing.T) {
	for _, s := range verbSamples() {
		for name, f := range formats {
			enc, err := f.MarshalBody(s.body)
			if err != nil {
				t.Fatal(err)
			}
			if name == "bin" {
				golden(t, s.name+".hex", []byte(hex.EncodeToString(enc)))
			} else {
				golden(t, s.name+".json", enc)
			}
			back := s.body.ProtoReflect().New().Interface().(wire.Body)
			if err := f.UnmarshalBody(enc, back); err != nil {
				t.Fatal(s.name, name, err)
			}
			if !proto.Equal(back, s.body) {
				t.Errorf("%s %s: read back %v", s.name, name, back)
			}
		}
	}
}

// The hand-written encoders give what the general ones give.
func TestPushByHand(t *testing.T) {
	for name, f := range formats {
		for _, n := range []int{0, 1, 3} {
			push := &wire.Push{}
			var events [][]byte
			for i := range n {
				m := message()
				m.Seq = uint64(i) * 1000 // the first without a number
				conv := strings.Repeat("u/bob\"é", i)
				push.Events = append(push.Events, &wire.Event{Conv: conv, Seq: m.Seq, Message: m})
				shared, err := f.MarshalBody(m)
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, f.AppendMessageEvent(nil, conv, m.Seq, shared))
			}
			for _, number := range []uint64{0, 7, 1 << 40} {
				push.Number = number
				want, err := f.Append(nil, push)
				if err != nil {
					t.Fatal(err)
				}
				if got := f.AppendPush([]byte("x"), number, events); !bytes.Equal(got[1:], want) {
					t.Errorf("%s:\n got %q\nwant %q", name, got[1:], want)
				}
			}
		}
	}
}

// Every request of the schema is asked by a verb, whose constant has its name.
func TestVerbs(t *testing.T) {
	asked := map[protoreflect.Name]bool{}
	for _, v := range wire.Verbs() {
		asked[v.NewRequest().ProtoReflect().Descriptor().Name()] = true
		if got, ok := wire.VerbOf(v.Name); !ok || got.Procedure() != v.Procedure() || v.NewResponse() == nil {
			t.Errorf("%s is not found by its name", v.Name)
		}
		if !strings.HasPrefix(v.Procedure(), "/anser.v1.") {
			t.Errorf("%s", v.Procedure())
		}
	}
	list := wire.File_anser_proto.Messages()
	for i := range list.Len() {
		if name := list.Get(i).Name(); strings.HasSuffix(string(name), "Request") && !asked[name] {
			t.Errorf("no verb asks with %s", name)
		}
	}
	if _, ok := wire.VerbOf("sync"); ok {
		t.Error("names of verbs have no other case")
	}
}
