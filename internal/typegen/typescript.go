package typegen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/anser-im/anser/internal/im"
)

// TypeScript writes a module: an interface for each type and a constant beside it with
// the type's name and flags, and a type Bodies that leads from names to bodies.
//
// The error says which type code cannot be made from, and why.
func TypeScript(types []im.MessageType) ([]byte, error) {
	f, err := build(types, []string{"Array", "Base", "Bodies", "Body", "Error", "Object", "Omit", "Record", "String", "Number", "Boolean", "Type"})
	if err != nil {
		return nil, err
	}
	w := tsWriter{f: f, types: map[*node]string{}}
	w.file()
	return w.b.Bytes(), nil
}

type tsWriter struct {
	b     bytes.Buffer
	f     *file
	types map[*node]string // of shapes without a name, once written
}

// maxInline is how long a shape may be that is written where it is used.
const maxInline = 4000

func (w *tsWriter) p(format string, args ...any) { fmt.Fprintf(&w.b, format, args...) }

func (w *tsWriter) doc(indent, text string) {
	switch lines := comment(text); len(lines) {
	case 0:
	case 1:
		w.p("%s/** %s */\n", indent, lines[0])
	default:
		w.p("%s/**\n", indent)
		for _, l := range lines {
			w.p("%s\n", strings.TrimRight(indent+" * "+l, " "))
		}
		w.p("%s */\n", indent)
	}
}

const tsBase = `/** What a body of any type may have besides. */
export interface Base {
  /** Who sends it, as the sender wants to be seen. */
  user?: { id?: string; name?: string; portrait?: string; extra?: string };
  /** Whom it mentions: 1 everybody, 2 those in userIdList. */
  mentionedInfo?: { type?: 1 | 2; userIdList?: string[]; mentionedContent?: string };
  /** The app's own. */
  extra?: string;
  /** Seconds for which it is there once it was read. */
  burnDuration?: number;
}
`

func (w *tsWriter) file() {
	w.p("// %s\n\n%s", Generated, tsBase)
	for _, d := range w.f.decls {
		switch {
		case d.kind == record:
			w.record(d)
		case d.kind == words:
			w.p("\n")
			w.doc("", d.doc)
			w.p("export type %s = %s;\n", d.name, quoteAll(d.values))
		case d.kind == mixed && d.tag != "":
			w.p("\n")
			w.doc("", d.doc)
			var list []string
			for _, v := range d.variants {
				list = append(list, w.typeOf(v))
			}
			w.p("export type %s = %s;\n", d.name, strings.Join(list, " | "))
		}
	}
	for _, t := range w.f.types {
		if t.body != nil && t.body.name == t.name {
			continue
		}
		w.p("\n")
		if t.body == nil {
			w.doc("", t.Title["en"])
			w.p("export type %s = unknown;\n", t.name)
			continue
		}
		w.doc("", t.body.doc)
		w.p("export type %s = %s;\n", t.name, w.typeOf(t.body))
	}
	for _, t := range w.f.types {
		w.p("\nexport const %s = { type: %s, flags: %d } as const;\n", t.name, quote(t.Name), t.Flags)
	}
	w.p("\n/** Bodies by the name of their type. */\nexport interface Bodies {\n")
	for _, t := range w.f.types {
		w.p("  %s: %s;\n", quote(t.Name), t.name)
	}
	w.p("}\n\n/** The body of a type: Body<%s>. */\nexport type Body<T extends keyof Bodies> = Bodies[T];\n", w.example())
}

func (w *tsWriter) example() string {
	if len(w.f.types) == 0 {
		return `"acme:card"`
	}
	return strings.ReplaceAll(quote(w.f.types[0].Name), "*/", "* /")
}

func (w *tsWriter) record(d *node) {
	w.p("\n")
	w.doc("", d.doc)
	w.p("export interface %s", d.name)
	for _, t := range w.f.types {
		if t.body != d {
			continue
		}
		var own []string // keys that mean something else here
		for _, f := range d.fields {
			if k, ok := base[f.json]; ok && f.of.real().kind != k {
				own = append(own, f.json)
			}
		}
		if len(own) > 0 {
			w.p(" extends Omit<Base, %s>", quoteAll(own))
		} else {
			w.p(" extends Base")
		}
	}
	w.p(" {\n")
	root := false
	for _, t := range w.f.types {
		root = root || t.body == d
	}
	for _, f := range d.fields {
		if k, ok := base[f.json]; ok && root && f.of.real().kind == k {
			continue
		}
		doc := f.doc
		if doc == "" && f.of.kind == text {
			doc = f.of.doc
		}
		w.doc("  ", doc)
		optional := "?"
		if f.required {
			optional = ""
		}
		w.p("  %s%s: %s;\n", key(f.json), optional, w.typeOf(f.of))
	}
	w.p("}\n")
}

var tsName = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

func key(name string) string {
	if tsName.MatchString(name) {
		return name
	}
	return quote(name)
}

// quote is a string literal of JSON, which TypeScript reads as well.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""` // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func quoteAll(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, quote(s))
	}
	return strings.Join(out, " | ")
}

func (w *tsWriter) typeOf(n *node) string {
	null := n.nullable()
	n = n.real()
	t, known := w.types[n]
	if !known {
		if t = w.plainType(n); len(t) > maxInline {
			t = "unknown"
		}
		w.types[n] = t
	}
	if null && t != "unknown" && !strings.HasSuffix(t, "null") {
		t += " | null"
	}
	return t
}

// plainType is typeOf, without null.
func (w *tsWriter) plainType(n *node) string {
	t := "unknown"
	switch n.kind {
	case text:
		if t = "string"; n.fixed != "" {
			t = quote(n.fixed)
		}
	case integer, float:
		t = "number"
	case boolean:
		t = "boolean"
	case list:
		t = w.typeOf(n.elem)
		if strings.Contains(t, "|") {
			t = "(" + t + ")"
		}
		t += "[]"
	case dict:
		t = "Record<string, " + w.typeOf(n.elem) + ">"
	case record, words:
		t = n.name
	case mixed:
		if n.tag != "" {
			t = n.name
			break
		}
		var list []string
		seen := map[string]bool{}
		for _, v := range n.variants {
			if s := w.typeOf(v); !seen[s] {
				seen[s] = true
				list = append(list, s)
			}
		}
		if seen["unknown"] {
			return "unknown"
		}
		t = strings.Join(list, " | ")
	}
	return t
}
