package wire_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anser-im/anser/wire"
)

// feed gives a stream to r and answers the whole frames.
func feed(t testing.TB, r *wire.Reassembler, stream []byte) (got []wire.Frame, err error) {
	for len(stream) > 0 {
		f, n, err := wire.Next(stream, 0)
		if err != nil {
			t.Fatal(err)
		}
		stream = stream[n:]
		f, ok, err := r.Add(f)
		if err != nil {
			return got, err
		}
		if ok {
			got = append(got, f)
		}
	}
	return got, nil
}

func noise(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(b)
	return b
}

func TestSplitAndJoin(t *testing.T) {
	text := []byte(strings.Repeat("a line of talk, again and again. ", 8000))
	for name, body := range map[string][]byte{
		"empty": nil, "small": []byte("abc"), "one": noise(wire.FragmentSize), "two": noise(wire.FragmentSize + 1),
		"large": noise(700 << 10), "text": text, "max": noise(wire.MaxFrame),
	} {
		frame := wire.AppendRaw(nil, wire.TypeRes, 0, body)
		small, err := wire.AppendCompressed(nil, frame)
		if err != nil {
			t.Fatal(err)
		}
		if name == "text" && (len(small) > len(text)/10 || small[0] != 0x16) {
			t.Errorf("text of %d bytes became %d, first byte 0x%02x", len(text), len(small), small[0])
		}
		if name != "text" && !bytes.Equal(small, frame) {
			t.Errorf("%s: compressed though it gained nothing", name)
		}
		for _, whole := range [][]byte{frame, small} {
			for _, size := range []int{0, 100, 1 << 20} {
				cut, err := wire.AppendSplit([]byte("x"), whole, size)
				if err != nil {
					t.Fatal(err)
				}
				var r wire.Reassembler
				got, err := feed(t, &r, cut[1:])
				if err != nil || len(got) != 1 || got[0].Type != wire.TypeRes || got[0].Flags != 0 || !bytes.Equal(got[0].Body, body) {
					t.Fatalf("%s in pieces of %d: %d frames, %v", name, size, len(got), err)
				}
				if r.Pending() != 0 {
					t.Error("bytes are left")
				}
			}
		}
	}
}

func TestBetweenFragments(t *testing.T) {
	more := wire.AppendRaw(nil, wire.TypeRes, wire.FlagMore, []byte("ab"))
	last := wire.AppendRaw(nil, wire.TypeRes, 0, []byte("cd"))
	ack, _ := wire.Binary.Append(nil, &wire.Ack{Push: 3})
	bye, _ := wire.Binary.Append(nil, &wire.GoAway{Reason: wire.ReasonDrain})
	var r wire.Reassembler
	got, err := feed(t, &r, bytes.Join([][]byte{more, {1, 0}, {0x12, 0}, ack, bye, more, last}, nil))
	if err != nil || len(got) != 5 || string(got[4].Body) != "ababcd" || got[1].Health != wire.HealthSlow {
		t.Errorf("%v %v", got, err)
	}
	for name, c := range map[string]struct {
		stream [][]byte
		code   uint32
	}{
		"another type":        {[][]byte{more, {0x07, 0}}, wire.CodeMalformed},
		"hello":               {[][]byte{more, {0x03, 0}}, wire.CodeMalformed},
		"ext":                 {[][]byte{more, {0x0f, 0}}, wire.CodeMalformed},
		"compressed in half":  {[][]byte{more, {0x16, 1, 0}}, wire.CodeMalformed},
		"empty":               {[][]byte{{0x26, 0}}, wire.CodeMalformed},
		"empty later":         {[][]byte{more, {0x26, 0}}, wire.CodeMalformed},
		"a large piece":       {[][]byte{wire.AppendRaw(nil, wire.TypeRes, wire.FlagMore, make([]byte, wire.FragmentSize+1))}, wire.CodeFrameSize},
		"too much":            {slicesOf(more, 600), wire.CodeFrameSize},
		"no zstd":             {[][]byte{{0x16, 3, 1, 2, 3}}, wire.CodeMalformed},
		"no zstd in the last": {[][]byte{{0x36, 1, 1}, {0x16, 1, 1}}, wire.CodeMalformed},
	} {
		b := wire.NewBudget(1 << 20)
		r := wire.Reassembler{Max: 1024, Budget: b}
		_, err := feed(t, &r, bytes.Join(c.stream, nil))
		if name == "a large piece" {
			r.Max = 0
		}
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if code(t, err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if r.Pending() != 0 || !b.Take(1<<20) {
			t.Errorf("%s: bytes are held after an error", name)
		}
	}
}

func slicesOf(b []byte, n int) (out [][]byte) {
	for range n {
		out = append(out, b)
	}
	return out
}

func TestBudget(t *testing.T) {
	budget := wire.NewBudget(100)
	more := wire.Frame{Type: wire.TypeRes, Flags: wire.FlagMore, Body: make([]byte, 60)}
	a, b := wire.Reassembler{Budget: budget}, wire.Reassembler{Budget: budget}
	if _, ok, err := a.Add(more); ok || err != nil {
		t.Fatal(ok, err)
	}
	_, _, err := b.Add(more)
	if err == nil || code(t, err) != wire.CodeBusy {
		t.Fatal(err)
	}
	a.Close()
	if _, _, err := b.Add(more); err != nil {
		t.Errorf("what was given back is not there: %v", err)
	}
	f, ok, err := b.Add(wire.Frame{Type: wire.TypeRes})
	if !ok || err != nil || len(f.Body) != 60 {
		t.Error(ok, err)
	}
	if !budget.Take(100) {
		t.Error("a finished frame is still counted")
	}
}

// What unfolds beyond the limit is refused without unfolding it.
func TestBomb(t *testing.T) {
	bomb, err := wire.AppendCompressed(nil, wire.AppendRaw(nil, wire.TypeRes, 0, make([]byte, 64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := wire.Next(bomb, 0)
	if err != nil || len(f.Body) > 64<<10 {
		t.Fatal(len(f.Body), err)
	}
	for _, body := range [][]byte{f.Body, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00}, f.Body[5:]...)} {
		var r wire.Reassembler
		f.Body = body
		if _, _, err := r.Add(f); err == nil {
			t.Error("64 MiB were unfolded")
		} else {
			code(t, err)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	for name, frame := range map[string][]byte{
		"nothing":  nil,
		"half":     {7, 5, 1},
		"two":      {1, 0, 1, 0},
		"fragment": {0x27, 1, 1},
		"hello":    wire.AppendRaw(nil, wire.TypeHello, 0, make([]byte, 100)),
		"ack":      wire.AppendRaw(nil, wire.TypeAck, 0, make([]byte, 100)),
	} {
		if _, err := wire.AppendSplit(nil, frame, 50); err == nil {
			t.Errorf("%s: cut", name)
		}
	}
}
