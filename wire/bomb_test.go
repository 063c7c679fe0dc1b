package wire_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/anser-im/anser/wire"
	"github.com/klauspost/compress/zstd"
)

// bombs are bodies of compressed frames that stand for much more than they are, or say
// so. RFC 8878 §3.1.1 has the format.
func bombs(t testing.TB) map[string][]byte {
	t.Helper()
	zeros := make([]byte, 64<<20)
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	var stream bytes.Buffer // without the size in its header
	w, err := zstd.NewWriter(&stream, zstd.WithWindowSize(zstd.MaxWindowSize>>5))
	if err == nil {
		_, err = w.Write(zeros)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	// A frame of runs: each block of 4 bytes stands for up to 128 KiB of one byte.
	runs := func(descriptor byte, header ...byte) []byte {
		b := append([]byte{0x28, 0xb5, 0x2f, 0xfd, descriptor}, header...)
		for i := range 512 {
			block := uint32(128<<10)<<3 | 1<<1 // §3.1.1.2: size, type RLE
			if i == 511 {
				block |= 1
			}
			b = append(b, byte(block), byte(block>>8), byte(block>>16), 'x')
		}
		return b
	}
	size := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	return map[string][]byte{
		"zeros, size told":                       enc.EncodeAll(zeros, nil),
		"zeros, size not told":                   stream.Bytes(),
		"runs, window of 1 KiB":                  runs(0x00, 0x00),
		"runs, window of 1 MiB":                  runs(0x00, 0x50),
		"runs, window of 2 TiB":                  runs(0x00, 0xff),
		"runs, size told 1 MiB":                  runs(0xe0, size(1<<20)...),
		"runs, size told 1":                      runs(0xe0, size(1)...),
		"runs, window of 2 TiB, size told 60000": runs(0xc0, append([]byte{0xff}, size(60000)...)...),
		"runs, size told 2^63":                   runs(0xe0, size(1<<63)...),
		"nothing, size told 1 MiB":               append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}, size(1<<20)...),
		"a thousand frames":                      bytes.Repeat(enc.EncodeAll(zeros[:1<<20], nil), 1000),
	}
}

// allocated is how many bytes do takes from the heap in all.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What unfolds beyond the limit is refused, at the cost of the limit at most,
// however it says or hides its size.
func TestBombs(t *testing.T) {
	all := bombs(t)
	var warm wire.Reassembler // the decoder itself, once per process
	if _, _, err := warm.Add(wire.Frame{Type: wire.TypeRes, Flags: wire.FlagZstd, Body: all["runs, window of 1 MiB"]}); err == nil {
		t.Fatal("taken")
	}
	for name, body := range all {
		for _, max := range []int{wire.MaxFirstFrame, wire.MaxFrame} {
			r := wire.Reassembler{Max: max}
			var err error
			took := allocated(func() {
				_, _, err = r.Add(wire.Frame{Type: wire.TypeRes, Flags: wire.FlagZstd, Body: body})
			})
			if err == nil {
				t.Errorf("%s: taken within %d bytes", name, max)
				continue
			}
			code(t, err)
			if took > uint64(max+64<<10) {
				t.Errorf("%s: %d bytes were allocated; the limit is %d", name, took, max)
			}
		}
	}
}

// What decoding allocates is bounded by the bytes of the frame, whatever is in them.
func TestDecodeAmplification(t *testing.T) {
	for _, c := range []struct {
		name string
		m    wire.Body
		unit []byte // repeated to fill a frame
		f    wire.Format
		head string
		tail string
	}{
		{"empty strings", new(wire.SendOptions), []byte{0x3a, 0}, wire.Binary, "", ""},
		{"empty messages", new(wire.Push), []byte{0x12, 0}, wire.Binary, "", ""},
		{"numbers of one byte", new(wire.MentionsResponse), []byte{0x08, 1}, wire.Binary, "", ""},
		{"groups", new(wire.Ack), []byte{0x0b}, wire.Binary, "", ""},
		{"unknown fields", new(wire.Ack), []byte{0x78, 0}, wire.Binary, "", ""},
		{"empty strings", new(wire.SendOptions), []byte(`"",`), wire.JSON, `{"to":[`, `""]}`},
		{"empty objects", new(wire.Push), []byte(`{},`), wire.JSON, `{"events":[`, `{}]}`},
		{"unknown keys", new(wire.Push), []byte(`"a":[],`), wire.JSON, `{`, `"a":[]}`},
		{"levels", new(wire.Push), []byte(`[`), wire.JSON, `{"x":`, ``},
		{"escapes", new(wire.Send), []byte(`\u00e9`), wire.JSON, `{"id":"`, `"}`},
	} {
		const parts = 1<<14 - 2 // the most that is taken; beyond it nothing is decoded
		full := (wire.MaxFrame - len(c.head) - len(c.tail)) / len(c.unit)
		for _, n := range []int{parts, full} {
			unit := []byte(c.head + string(bytes.Repeat(c.unit, n)) + c.tail)
			took := allocated(func() { _ = c.f.UnmarshalBody(unit, c.m) })
			t.Logf("%s %s: %d KiB of %d", c.f.Subprotocol(), c.name, took>>10, len(unit)>>10)
			if took > 8<<20 {
				t.Errorf("%s %s: a frame of %d bytes made %d", c.f.Subprotocol(), c.name, len(unit), took)
			}
		}
	}
}
