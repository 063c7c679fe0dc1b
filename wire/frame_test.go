package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/anser-im/anser/wire"
	"google.golang.org/protobuf/proto"
)

func code(t testing.TB, err error) uint32 {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *wire.Error", err, err)
	}
	return e.Code
}

func TestNextRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		buf  string
		max  int
		code uint32
	}{
		{"type 0", "\x00", 0, wire.CodeMalformed},
		{"flags on ping", "\x11\x00", 0, wire.CodeMalformed},
		{"flags on hello", "\x13", 0, wire.CodeMalformed},
		{"fragments of hello", "\x23", 0, wire.CodeMalformed},
		{"fragments of ack", "\x2a", 0, wire.CodeMalformed},
		{"fragments of goaway", "\x2c", 0, wire.CodeMalformed},
		{"reserved flag 4", "\x47", 0, wire.CodeMalformed},
		{"reserved flag 8", "\x87", 0, wire.CodeMalformed},
		{"five bytes of length", "\x07\x80\x80\x80\x80\x00", 0, wire.CodeMalformed},
		{"length above the default, no body yet", "\x07\x81\x80\x40", 0, wire.CodeFrameSize},
		{"length above the limit", "\x07\x0b", 10, wire.CodeFrameSize},
		{"MQTT", "\x10\x0c\x00\x04MQTT", 0, wire.CodeMalformed},
		{"HTTP, whose first byte would be CONNECT's or GET's", "GET / HTTP/1.1\r\n", 0, wire.CodeMalformed},
	} {
		_, n, err := wire.Next([]byte(c.buf), c.max)
		if err == nil || err == wire.ErrShort {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := code(t, err); got != c.code || n != 0 {
			t.Errorf("%s: code %d, n %d", c.name, got, n)
		}
	}
}

func TestNextTakes(t *testing.T) {
	f, n, err := wire.Next([]byte("\x07\x83\x80\x80\x00abcrest"), 3) // a length need not be its shortest form
	if err != nil || n != 8 || f.Type != wire.TypeSend || string(f.Body) != "abc" {
		t.Errorf("%v %d %v", f, n, err)
	}
	f, _, err = wire.Next([]byte{0x32, 0}, 0)
	if err != nil || f.Type != wire.TypePong || f.Health != wire.HealthStuck || f.Flags != 0 {
		t.Errorf("%v %v", f, err)
	}
	f, _, err = wire.Next([]byte{0x0f, 2, 0x80, 0x01}, 0) // EXT: any body
	if err != nil || f.Type != wire.TypeExt {
		t.Errorf("%v %v", f, err)
	}
}

// A frame cut off anywhere is short, never wrong, and says its length once it can.
func TestNextShort(t *testing.T) {
	for _, s := range samples() {
		enc, err := wire.Binary.Append(nil, embed(t, wire.Binary, s))
		if err != nil {
			t.Fatal(err)
		}
		for i := range enc {
			_, n, err := wire.Next(enc[:i], 0)
			if err != wire.ErrShort || n != 0 && n != len(enc) || i > 4 && n == 0 {
				t.Fatalf("%s, %d of %d bytes: n %d, %v", s.name, i, len(enc), n, err)
			}
			if i > 0 {
				if err := wire.Binary.Each(enc[:i], 0, func(wire.Frame) error { return nil }); code(t, err) != wire.CodeMalformed {
					t.Fatal(err)
				}
			}
		}
		for i := range enc[2:] { // a body cut off decodes or is refused, and does not panic
			m := wire.New(wire.TypeOf(s.body))
			if err := wire.Binary.UnmarshalBody(enc[2:2+i], m); err != nil {
				code(t, err)
			}
		}
	}
}

func TestEachStopsAtFirstError(t *testing.T) {
	unit := wire.AppendPing(wire.AppendPong(wire.AppendPing(nil), 0))
	stop := errors.New("stop")
	var got []wire.Type
	err := wire.Binary.Each(unit, 0, func(f wire.Frame) error {
		got = append(got, f.Type)
		if f.Type == wire.TypePong {
			return stop
		}
		return nil
	})
	if err != stop || len(got) != 2 {
		t.Errorf("%v %v", got, err)
	}
}

func TestUnknownFieldsArePassedOver(t *testing.T) {
	b, _ := wire.Binary.MarshalBody(&wire.Cancel{Id: 7})
	b = append(b, 0xfa, 0x3f, 3, 'n', 'e', 'w') // field 1023
	b = append(b, 0x98, 0x06, 5)                // field 99, a varint
	var m wire.Cancel
	if err := wire.Binary.UnmarshalBody(b, &m); err != nil || m.Id != 7 {
		t.Errorf("%v %v", &m, err)
	}
	if err := wire.JSON.UnmarshalBody([]byte(`{"new":{"a":[1,{}]},"id":"7","neu":null}`), &m); err != nil || m.Id != 7 {
		t.Errorf("%v %v", &m, err)
	}
	out, err := wire.JSON.Append(nil, &m)
	if err != nil || string(out) != `{"t":"cancel","id":"7"}` {
		t.Errorf("%s %v", out, err)
	}
	f := one(t, wire.JSON, []byte(`{"new":1,"t":"newer"}`))
	if f.Type != wire.TypeExt || wire.New(f.Type) != nil {
		t.Error("an unknown kind of frame is not passed over")
	}
}

func TestBinaryRefuses(t *testing.T) {
	var s wire.Send
	if err := wire.Binary.UnmarshalBody([]byte("\x0a\x02\xff\xfe"), &s); code(t, err) != wire.CodeMalformed {
		t.Error(err)
	}
	if err := wire.Binary.UnmarshalBody([]byte("\x08\x01"), &s); code(t, err) != wire.CodeMalformed { // id as a varint
		t.Error(err)
	}
	var a wire.Ack
	if err := wire.Binary.UnmarshalBody(bytes.Repeat([]byte{0x12, 0}, 1<<14), &a); err != nil {
		t.Error(err)
	}
	// Half a megabyte of two-byte messages would become forty.
	if err := wire.Binary.UnmarshalBody(bytes.Repeat([]byte{0x12, 0}, 1<<14+1), &a); code(t, err) != wire.CodeFrameSize {
		t.Error(err)
	}
	if err := wire.JSON.UnmarshalBody([]byte(`{"pulled":[{}`+strings.Repeat(",{}", 1<<14)+`]}`), &a); code(t, err) != wire.CodeFrameSize {
		t.Error(err)
	}
	if err := wire.Binary.Decode(wire.Frame{Type: wire.TypeSend, Flags: wire.FlagZstd}, &s); err == nil {
		t.Error("a compressed frame was decoded")
	}
	for _, f := range formats {
		if _, err := f.Append(nil, &wire.SyncRequest{}); err == nil {
			t.Error("a request is no frame")
		}
		if _, err := f.Append(nil, nil); err == nil {
			t.Error("nil is no frame")
		}
	}
}

// Decode empties what it is given: nothing of the frame before shines through.
func TestDecodeEmpties(t *testing.T) {
	for _, f := range formats {
		m := &wire.Send{Id: "old", Conv: "u/x", Skip: "y", Flags: ptr(uint32(3))}
		b, _ := f.Append(nil, &wire.Send{Id: "new"})
		if err := f.Decode(one(t, f, b), m); err != nil || !proto.Equal(m, &wire.Send{Id: "new"}) {
			t.Errorf("%v %v", m, err)
		}
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	send, _ := wire.Binary.Append(nil, &wire.Send{Id: "0199a1b2-0001", Conv: "u/bob", Type: "an:text", Body: make([]byte, 128)})
	ack := &wire.SendAck{Id: "0199a1b2-0001", Conv: "u/bob", Seq: 1042, Time: 1790000000123, N: 7}
	shared, _ := wire.Binary.MarshalBody(message())
	buf, event := make([]byte, 0, 4096), make([]byte, 0, 1024)
	events := make([][]byte, 1)
	var m wire.Send
	if n := testing.AllocsPerRun(100, func() {
		f, _, err := wire.Next(send, 0)
		if err != nil || wire.Binary.Decode(f, &m) != nil {
			t.Fatal(err)
		}
		buf, _ = wire.Binary.Append(buf[:0], ack)
		events[0] = wire.Binary.AppendMessageEvent(event[:0], "u/alice", 1042, shared)
		buf = wire.Binary.AppendPush(buf, 7, events)
	}); n != 0 {
		t.Errorf("%v allocations a send", n)
	}
}
