package im_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"golang.org/x/text/unicode/norm"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("x", 64)
	for _, s := range []string{"a", "49", "用户7", "+8613800138000", "a.b@c", "😀", "Ünïcode", long, strings.Repeat("é", 32), "-", "#", "..", "\\", "a:b"} {
		if err := im.CheckName("user id", s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for s, kind := range map[string]im.Kind{
		"":                        im.Invalid,
		long + "x":                im.TooLarge,
		strings.Repeat("é", 33):   im.TooLarge,
		"a b":                     im.Invalid,
		"a\u00a0b":                im.Invalid, // no-break space
		"a\u3000b":                im.Invalid, // ideographic space
		"a\tb":                    im.Invalid,
		"a\nb":                    im.Invalid,
		"a\x00":                   im.Invalid,
		"a\x7f":                   im.Invalid,
		"a\u0085":                 im.Invalid,
		"a/b":                     im.Invalid,
		"/":                       im.Invalid,
		"a\u202eb":                im.Invalid, // right-to-left override
		"a\u200fb":                im.Invalid,
		"a\u2066b":                im.Invalid,
		"a\u061cb":                im.Invalid,
		"\ufeffa":                 im.Invalid, // byte order mark
		"e\u0301":                 im.Invalid, // é in two runes: not NFC
		"\u1100\u1161":            im.Invalid, // Hangul in pieces
		"a\xff":                   im.Invalid,
		"\xed\xa0\x80":            im.Invalid, // half a surrogate pair
		strings.Repeat(" ", 1000): im.TooLarge,
	} {
		err := im.CheckName("user id", s)
		if !im.IsKind(err, kind) || !strings.Contains(err.Error(), "user id") {
			t.Errorf("%q: %v, want %v", s, err, kind)
		}
	}
}

func TestClientIDs(t *testing.T) {
	for _, s := range []im.ClientID{"1", "!", "~", "0199a1b2-7c3d-7000-8000-000000000001", im.ClientID(strings.Repeat("x", 64))} {
		if err := im.CheckClientID(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for s, kind := range map[im.ClientID]im.Kind{"": im.Invalid, im.ClientID(strings.Repeat("x", 65)): im.TooLarge, "a b": im.Invalid, "a\x7f": im.Invalid, "é": im.Invalid, "a\n": im.Invalid} {
		if err := im.CheckClientID(s); !im.IsKind(err, kind) {
			t.Errorf("%q: %v, want %v", s, err, kind)
		}
	}
}

func TestAddresses(t *testing.T) {
	for s, want := range map[im.Address]struct {
		kind im.ConvKind
		id   string
	}{
		"u/bob": {im.Direct, "bob"}, "u/me": {im.Direct, "me"}, "g/abc": {im.Group, "abc"}, "r/x": {im.Room, "x"},
		"u/bob/orders": {im.Direct, "bob"}, "c/x": {im.Channel, "x"}, "s/news": {im.System, "news"}, "me": {im.Self, ""},
	} {
		kind, id, err := s.Split()
		if err != nil || kind != want.kind || id != want.id {
			t.Errorf("%q: %v %q %v", s, kind, id, err)
		}
	}
	for _, s := range []im.Address{"", "/", "u", "u/", "bob", "x/bob", "U/bob", "u/a/", "u/a/b/c", "g/a/b", "u/a/b c", im.Address("u/a/" + strings.Repeat("x", im.MaxLine+1)), "me/", "Me", "u/a b", "uu/bob", im.Address("u/" + strings.Repeat("x", 65)), im.Address(strings.Repeat("用", 500)), "\xff/\xff"} {
		_, _, err := s.Split()
		var e *im.Error
		if !errors.As(err, &e) || e.Kind != im.Invalid && e.Kind != im.TooLarge {
			t.Errorf("%q: %v", s, err)
		} else if len(e.Text) > 200 || strings.ContainsRune(e.Text, '\n') {
			t.Errorf("%q: the text is not fit to be shown: %q", s, e.Text)
		}
	}
	if im.LineAddress("bob", "orders") != "u/bob/orders" || im.Address("u/bob/orders").Line() != "orders" || im.Address("g/x").Line() != "" || im.LineAddress("bob", "") != "u/bob" {
		t.Error("addresses of business conversations are made otherwise than they are read")
	}
	if im.DirectAddress("bob") != "u/bob" || im.GroupAddress("x") != "g/x" {
		t.Error("addresses are made otherwise than they are read")
	}
}

func TestMIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, conv := range []im.ConvID{1, 127, 128, 1<<32 + 1, 1<<64 - 1} {
		for _, seq := range []im.Seq{0, 1, 300, 1 << 40, 1<<64 - 1} {
			s := im.MID(conv, seq)
			if seen[s] || len(s) > 32 {
				t.Errorf("%d %d: %q", conv, seq, s)
			}
			seen[s] = true
			c, n, err := im.ParseMID(s)
			if err != nil || c != conv || n != seq {
				t.Errorf("%q is read as %d %d %v", s, c, n, err)
			}
		}
	}
	for _, s := range []string{"", "a", "ae", "AEAQ", "aeaq=", "aeaqaeaq", "1", strings.Repeat("a", 33), "\xff"} {
		if _, _, err := im.ParseMID(s); !im.IsKind(err, im.Invalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestMadeUp(t *testing.T) {
	a, b := im.NewGroupID(), im.NewGroupID()
	if a == b || len(a) != 16 || im.CheckName("group id", string(a)) != nil {
		t.Errorf("%q %q", a, b)
	}
	if e, f := im.NewEpoch(), im.NewEpoch(); e == f || len(e.String()) != 26 || e.String() == f.String() {
		t.Errorf("%v %v", e, f)
	}
}

// FuzzAddress: an address that is taken holds an id that is one, and nothing else.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"u/bob", "me", "g/abc", "u/用户7", "u/a/b", "", "/", "u/e\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		kind, id, err := im.Address(s).Split()
		if err != nil {
			if !im.IsKind(err, im.Invalid) && !im.IsKind(err, im.TooLarge) {
				t.Fatal(err)
			}
			return
		}
		if kind == im.Self {
			if s != "me" || id != "" {
				t.Fatalf("%q is the own log", s)
			}
			return
		}
		line := im.Address(s).Line()
		if line != "" && (kind != im.Direct || len(line) > im.MaxLine || !norm.NFC.IsNormalString(line) || strings.ContainsAny(line, "/ \n\x00")) {
			t.Fatalf("%q: the line %q", s, line)
		} else if line != "" {
			line = "/" + line
		}
		if s[1:] != "/"+id+line || len(id) == 0 || len(id) > im.MaxID || !norm.NFC.IsNormalString(id) || strings.ContainsAny(id, "/ \n\x00") {
			t.Fatalf("%q: %v %q", s, kind, id)
		}
	})
}

// FuzzMID: what is taken is written again as it was.
func FuzzMID(f *testing.F) {
	f.Add(im.MID(1, 1))
	f.Add(im.MID(1<<64-1, 1<<64-1))
	f.Add("aeaq====")
	f.Fuzz(func(t *testing.T, s string) {
		conv, seq, err := im.ParseMID(s)
		if err != nil {
			return
		}
		c, n, err := im.ParseMID(im.MID(conv, seq))
		if err != nil || c != conv || n != seq {
			t.Fatalf("%q: %d %d, then %d %d %v", s, conv, seq, c, n, err)
		}
	})
}
