package types

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestAlone(t *testing.T) {
	r, err := Alone(card())
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Digest(message("acme:card", `{"title":"Bike"}`), "zh"); d != "[卡片] Bike" {
		t.Errorf("%q", d)
	}
	if d := r.Digest(message("an:image", `{}`), "en"); d != "[Image]" {
		t.Errorf("%q", d)
	}
	if err := r.Check(message("acme:card", `{}`), false); err == nil {
		t.Error("it takes a body that breaks the schema")
	}
	bad := card()
	bad.Schema = []byte("{")
	if _, err := Alone(bad); err == nil || !strings.Contains(err.Error(), "acme:card") {
		t.Errorf("%v", err)
	}
}

// Validate looks at the body of an:text too, which a send does not.
func TestValidate(t *testing.T) {
	for _, typ := range Builtin() {
		if typ.Name == "an:text" {
			if err := Validate(typ, []byte(`{"content":5}`)); err == nil || !strings.Contains(err.Text, "/content must be a string") {
				t.Errorf("an:text: %v", err)
			}
		}
	}
	small := card()
	small.MaxBytes = 5
	if err := Validate(small, []byte(`{"title":"x","price":1}`)); err == nil || err.Kind != im.TooLarge {
		t.Errorf("too long: %v", err)
	}
	if err := Validate(im.MessageType{Name: "acme:any"}, []byte("\x00")); err != nil {
		t.Errorf("without a schema: %v", err)
	}
	if err := Validate(im.MessageType{}, nil); err == nil {
		t.Error("a type without a name is one")
	}
}

// What FileOf writes is read again as it was, for the server's types as well.
func TestFileOf(t *testing.T) {
	full := card()
	full.MaxBytes, full.Clients, full.Flags = 99, false, 0
	full.Push = map[string]string{"en": "<b>"}
	for _, typ := range append(Builtin(), full, im.MessageType{Name: "acme:bare", Flags: im.Status, Clients: true}) {
		typ.Name = strings.Replace(typ.Name, reserved, "own:", 1)
		typ.Built = false
		b, err := FileOf(typ)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := ReadFile(path)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		want, err := newEntry(clone(typ))
		if err != nil {
			t.Fatal(err)
		}
		if !same(f.Type, want.t) {
			t.Errorf("%s came back as %+v", typ.Name, f.Type)
		}
	}
}
