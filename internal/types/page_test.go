package types

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

var update = flag.Bool("update", false, "write the tables of docs/MESSAGES.md anew")

const page = "../../docs/MESSAGES.md"

// The tables of docs/MESSAGES.md are those of the schemas:
//
//	go test ./internal/types -run TestMessagesPage -update
func TestMessagesPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := text
	for name, make := range map[string]func() string{"overview": overview, "reserved": reservedTable, "bodies": bodiesPart} {
		want = between(t, want, name, make())
	}
	if bytes.Equal(text, want) {
		return
	}
	if !*update {
		t.Fatal("the tables are not what the schemas say: run the test with -update")
	}
	if err := os.WriteFile(page, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The example of docs/MESSAGES.md is a type, and refuses what the page says it does.
func TestMessagesPageExample(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	file, rest, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the page has no example")
	}
	typ, err := parseFile([]byte(file), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ = strings.Cut(rest, "anser types check types/card.yaml '")
	body, rest, _ := strings.Cut(rest, "'\n# ")
	says, _, _ := strings.Cut(rest, "\n")
	if err := Validate(typ, []byte(body)); err == nil || err.Text != says {
		t.Errorf("%s: %v; the page says %q", body, err, says)
	}
	r, err := Alone(typ)
	if err != nil {
		t.Fatal(err)
	}
	m := message("acme:card", `{"title":"Bike","price":5,"user":{"name":"Bo"}}`)
	if err := r.Check(m, false); err != nil || m.Digest != "[Card] Bike, no photos" || m.Push != "Bo has something for you: Bike" {
		t.Errorf("%v %q %q", err, m.Digest, m.Push)
	}
}

// between puts text between two marks.
func between(t *testing.T, page []byte, name, text string) []byte {
	begin, end := []byte("<!-- "+name+": made from the schemas -->\n"), []byte("<!-- end of "+name+" -->")
	i, j := bytes.Index(page, begin), bytes.Index(page, end)
	if i < 0 || j < i {
		t.Fatalf("the page has no place for %s", name)
	}
	return bytes.Join([][]byte{page[:i], begin, []byte(text), page[j:]}, nil)
}

func overview() string {
	var b strings.Builder
	b.WriteString("| type | flags | digest | in Chinese | RongCloud |\n| --- | --- | --- | --- | --- |\n")
	for _, x := range examples {
		typ := builtinType(x.name)
		en, zh := typ.Digest["en"], typ.Digest["zh-CN"]
		if len(typ.Digest) == 0 {
			en, zh = "["+typ.Title["en"]+"]", "["+typ.Title["zh-CN"]+"]"
		}
		if x.name == "an:group" {
			en, zh = "what happened", "发生了什么"
		}
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s | %s |\n", x.name, anchor(x.name), flagsText(typ.Flags), code(en), code(zh), x.rong)
	}
	return b.String()
}

func code(s string) string {
	if strings.ContainsAny(s, "{[") {
		return "`" + s + "`"
	}
	return s
}

func anchor(name string) string { return strings.NewReplacer(":", "", ".", "").Replace(name) }

func flagsText(f im.Flags) string {
	switch f {
	case 0:
		return "0: command"
	case im.Persist:
		return "1: kept"
	case im.Persist | im.Count:
		return "3: kept, counted"
	case im.Status:
		return "16: status"
	}
	return fmt.Sprint(uint8(f))
}

func builtinType(name string) im.MessageType {
	for _, t := range Builtin() {
		if t.Name == name {
			return t
		}
	}
	return im.MessageType{}
}

func reservedTable() string {
	b, err := builtinFiles.ReadFile("builtin/" + reservedFile)
	must(err)
	var out strings.Builder
	table(&out, b, nil, nil)
	return out.String()
}

func bodiesPart() string {
	common := map[string]bool{}
	b, err := builtinFiles.ReadFile("builtin/" + reservedFile)
	must(err)
	for _, f := range fieldsOf(b) {
		common[f.name] = true
	}
	var out strings.Builder
	for _, x := range examples {
		typ := builtinType(x.name)
		var s subschema
		must(json.Unmarshal(typ.Schema, &s))
		fmt.Fprintf(&out, "### %s\n\n%s", x.name, s.Description)
		if unchecked[x.name] {
			out.WriteString(" The server does not look at the body.")
		}
		if !typ.Clients {
			out.WriteString(" Clients may not send it.")
		}
		out.WriteString("\n\n")
		table(&out, s.Properties, s.Required, common)
		fmt.Fprintf(&out, "\n```json\n%s\n```\n\n", x.body)
	}
	return out.String()
}

// subschema is what the page tells of one.
type subschema struct {
	Type        any
	Description string
	Required    []string
	Properties  json.RawMessage
	Items       *subschema
	Enum        []any
	Minimum     *float64
	Maximum     *float64
	MinLength   *int
	MaxLength   *int
	MinItems    *int
	MaxItems    *int
}

type field struct {
	name string
	subschema
}

// fieldsOf lists properties in their order.
func fieldsOf(props json.RawMessage) []field {
	if len(props) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(props))
	_, err := d.Token()
	must(err)
	var out []field
	for d.More() {
		name, err := d.Token()
		must(err)
		f := field{name: name.(string)}
		must(d.Decode(&f.subschema))
		out = append(out, f)
	}
	return out
}

func table(out *strings.Builder, props json.RawMessage, required []string, less map[string]bool) {
	out.WriteString("| field | takes | meaning |\n| --- | --- | --- |\n")
	rows(out, "", props, required, less)
}

func rows(out *strings.Builder, path string, props json.RawMessage, required []string, less map[string]bool) {
	for _, f := range fieldsOf(props) {
		if less[f.name] && path == "" {
			continue
		}
		name := path + f.name
		takes := f.takes()
		for _, r := range required {
			if r == f.name {
				takes += ", **required**"
			}
		}
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", name, takes, strings.ReplaceAll(f.Description, "|", "\\|"))
		rows(out, name+".", f.Properties, f.Required, nil)
		if f.Items != nil {
			rows(out, name+"[].", f.Items.Properties, f.Items.Required, nil)
		}
	}
}

// takes says what a field takes.
func (s *subschema) takes() string {
	var word string
	switch t := s.Type.(type) {
	case nil:
		return "any value"
	case string:
		word = map[string]string{"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "array": "list", "object": "object"}[t]
	case []any:
		word = "text or whole number"
	}
	if s.Items != nil && s.Items.Type != "object" {
		word += " of " + map[string]string{"text": "texts", "whole number": "whole numbers"}[(&subschema{Type: s.Items.Type}).takes()]
		if i := s.Items; i.Minimum != nil && i.Maximum != nil {
			word += fmt.Sprintf(" %v-%v", *i.Minimum, *i.Maximum)
		}
	}
	switch {
	case len(s.Enum) > 0:
		var list []string
		for _, e := range s.Enum {
			list = append(list, fmt.Sprintf("`%v`", e))
		}
		word = strings.Join(list, ", ")
	case s.Minimum != nil && s.Maximum != nil:
		word += fmt.Sprintf(", %v to %v", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		word += fmt.Sprintf(", from %v", *s.Minimum)
	case s.MinLength != nil && s.MaxLength != nil:
		word += fmt.Sprintf(", %d-%d characters", *s.MinLength, *s.MaxLength)
	case s.MaxLength != nil:
		word += fmt.Sprintf(", at most %d characters", *s.MaxLength)
	case s.MinLength != nil:
		word += ", not empty"
	case s.MinItems != nil && s.MaxItems != nil:
		word += fmt.Sprintf(", %d-%d", *s.MinItems, *s.MaxItems)
	case s.MaxItems != nil:
		word += fmt.Sprintf(", at most %d", *s.MaxItems)
	}
	return word
}
