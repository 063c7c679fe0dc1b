package types

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

const cardYAML = `# A card of something to be sold.
name: acme:card
title: {en: Card, zh-CN: 卡片}
flags: [persist, count]
max_bytes: 4096
digest:
  en: "[Card] {title}, {photos, plural, one {# photo} other {# photos}}"
  zh-CN: "[卡片] {title}，{photos} 张照片"
push: "{user.name} has a card for you"
search: [/title]
schema:
  type: object
  required: [title, price]
  properties:
    title: {type: string, minLength: 1, description: What is sold}
    price: {type: number, minimum: 0}
    photos: {type: array, items: {type: string}}
`

const cardJSON = `{
	"name": "acme:two", "server_only": true, "flags": 1,
	"digest": "[Two] \ud83d\ude00 \/",
	"schema": {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}}
}`

func TestReadDir(t *testing.T) {
	d := dir(t, map[string]string{
		"card.yaml": cardYAML, "two.json": cardJSON, "three.yml": "name: acme:three\nschema: three.schema.json\n",
		"three.schema.json": `{"type":"array"}`, "README.md": "no type", ".hidden.yaml": "no: type",
		"four.yaml": "name: acme:four\nflags: command\n",
	})
	if err := os.Mkdir(filepath.Join(d, "sub.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := ReadDir(d)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]im.MessageType{}
	for _, f := range files {
		got[f.Type.Name] = f.Type
	}
	if len(got) != 4 {
		t.Fatalf("%d types: %v", len(got), got)
	}
	card := got["acme:card"]
	if card.Flags != 3 || card.MaxBytes != 4096 || !card.Clients || card.Title["zh-CN"] != "卡片" || card.Push["en"] != "{user.name} has a card for you" || card.Search[0] != "/title" {
		t.Errorf("%+v", card)
	}
	if want := `{"type":"object","required":["title","price"],"properties":{"title":{"type":"string","minLength":1,"description":"What is sold"},"price":{"type":"number","minimum":0},"photos":{"type":"array","items":{"type":"string"}}}}`; string(card.Schema) != want {
		t.Errorf("the schema is %s", card.Schema)
	}
	two := got["acme:two"]
	if two.Flags != 1 || two.Clients || two.Digest["en"] != "[Two] 😀 /" || string(two.Schema) != `{"type":"object","properties":{"b":{"type":"string"},"a":{}}}` {
		t.Errorf("%+v %s", two, two.Schema)
	}
	if string(got["acme:three"].Schema) != `{"type":"array"}` || got["acme:three"].Flags != 3 || got["acme:four"].Flags != 0 {
		t.Errorf("%+v", got)
	}

	r, _ := open(t, Config{Files: files})
	m := message("acme:card", `{"title":"Bike","price":5,"photos":["1"],"user":{"name":"Bo"}}`)
	if err := r.Check(m, false); err != nil || m.Digest != "[Card] Bike, 1 photo" || m.Push != "Bo has a card for you" {
		t.Errorf("%q %q %v", m.Digest, m.Push, err)
	}
	if got := r.Digest(m, "zh"); got != "[卡片] Bike，1 张照片" {
		t.Errorf("in Chinese: %q", got)
	}
}

// A file that is wrong is told by its name, the line, and what is wrong.
func TestFilesRefused(t *testing.T) {
	base := "name: acme:x\n"
	for _, c := range []struct{ name, text, says string }{
		{"x.yaml", "", "x.yaml:1: "},
		{"x.yaml", "- a\n", "a type is an object"},
		{"x.yaml", "title: X\n", "x.yaml:1: name: is missing"},
		{"x.yaml", "\n\nname: an:text\n", "x.yaml:3: name: names that begin with an:"},
		{"x.yaml", base + "digets: x\n", `x.yaml:2: the key "digets" is not known`},
		{"x.yaml", base + "name: acme:y\n", "x.yaml:2: "},
		{"x.yaml", base + "flags: [persist, keep]\n", `x.yaml:2: flags "keep" is none of`},
		{"x.yaml", base + "flags: 9\n", "x.yaml:2: flags:"},
		{"x.yaml", base + "flags: {}\n", "x.yaml:2: flags takes a list"},
		{"x.yaml", base + "max_bytes: many\n", "x.yaml:2: max_bytes takes a whole number"},
		{"x.yaml", base + "server_only: 1\n", "x.yaml:2: server_only takes true or false"},
		{"x.yaml", base + "digest:\n  en: ok\n  fr: '{title'\n", "x.yaml:4: digest: in fr, at character"},
		{"x.yaml", base + "digest: [a]\n", "x.yaml:2: digest takes a text"},
		{"x.yaml", base + "search: [title]\n", "x.yaml:2: search:"},
		{"x.yaml", base + "schema:\n  type: object\n  properties:\n    a: {}\n    b:\n      type: strong\n", "x.yaml:7: schema: the schema at /properties/b/type must be one of"},
		{"x.yaml", base + "schema: /etc/passwd\n", "x.yaml:2: schema: is \"/etc/passwd\""},
		{"x.yaml", base + "schema: ../x.schema.json\n", "x.yaml:2: schema: "},
		{"x.yaml", base + "schema: none.schema.json\n", "x.yaml:2: schema: "},
		{"x.yaml", base + "schema: [\n", "x.yaml:2: "},
		{"x.yaml", base + "schema: &a [*a]\n", "x.yaml:"},
		{"x.json", "{\n\"name\": \"acme:x\",\n\"digest\" \"x\"}", "x.json:3: "},
		{"x.json", "{\n\"name\": \"acme:x\",\n\"flagz\": 1}", `x.json:3: the key "flagz"`},
		{"x.json", "{\n\"name\": \"acme:x\",\n\t\"schema\": {\n\t\t\"type\": 5}}", "x.json:4: schema: the schema at /type"},
		{"x.json", "{\"name\": \"acme:x\", \"name\": \"acme:y\"}", "twice"},
		{"x.json", strings.Repeat(" ", maxFile+1), "larger than"},
	} {
		d := dir(t, map[string]string{c.name: c.text})
		files, err := ReadDir(d)
		if err == nil {
			t.Errorf("%q is taken: %+v", c.text, files)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%q: %q is not in: %v", c.text, c.says, err)
		}
	}
	if _, err := ReadDir(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there is read")
	}
	d := dir(t, map[string]string{"a.yaml": base, "b.yaml": base})
	if _, err := ReadDir(d); err == nil || !strings.Contains(err.Error(), "a.yaml") || !strings.Contains(err.Error(), "b.yaml") {
		t.Errorf("one name in two files: %v", err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add(cardYAML, false)
	f.Add(cardJSON, true)
	f.Add("name: acme:x\nschema: &a\n  items: {<<: {b: 1}}\n", false)
	f.Add("? [a]\n: b\n", false)
	f.Fuzz(func(t *testing.T, text string, isJSON bool) {
		typ, err := parseFile([]byte(text), isJSON, func(string) ([]byte, error) { return []byte("{}"), nil })
		if err != nil {
			if err.Error() == "" {
				t.Error("refused without a word")
			}
			return
		}
		if _, err := newEntry(typ); err != nil {
			t.Errorf("what was read is refused: %v", err)
		}
	})
}
