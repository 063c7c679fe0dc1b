package types

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Bounds of templates.
const (
	maxTemplate  = 2000    // bytes
	maxNested    = 4       // plural and select in each other
	maxLanguages = 50      // of one text
	maxRendered  = 8 << 10 // bytes put together before they are made a line
)

// template is a text with fields. It is not altered after parse.
type template struct {
	lang  language.Tag // whose plural forms hold
	parts []part
	fixed string // the line, if there are no fields in it
	plain bool   // there are none
}

// part is text, or a field.
type part struct {
	text  string
	path  []string // nil = text
	kind  fieldKind
	forms []form // of plural and select
	hash  bool   // the number of the plural around it
}

type fieldKind uint8

const (
	plainField fieldKind = iota
	pluralField
	selectField
)

// form is one case of plural or select.
type form struct {
	name  string // one, other, =0, or the text that select compares
	parts []part
}

var pluralNames = map[string]plural.Form{"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, "other": plural.Other}

// parse reads a template in a language. The error says what is wrong, and where.
func parse(text string, lang language.Tag) (*template, error) {
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("is %d bytes long; at most %d are allowed", len(text), maxTemplate)
	}
	p := reader{s: text}
	parts, err := p.parts(0, false)
	if err != nil {
		return nil, fmt.Errorf("at character %d: %w", len([]rune(text[:min(p.i, len(text))]))+1, err)
	}
	t := &template{lang: lang, parts: parts}
	t.plain = !slices.ContainsFunc(parts, func(p part) bool { return p.path != nil })
	if t.plain {
		t.fixed = t.render(nil)
	}
	return t, nil
}

// reader reads a template.
type reader struct {
	s string
	i int
}

// parts reads text and fields up to the end, or within a form up to its brace.
func (p *reader) parts(depth int, counts bool) ([]part, error) {
	var out []part
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, part{text: text.String()})
			text.Reset()
		}
	}
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '\\' && p.i+1 < len(p.s) && strings.IndexByte(`\{}#`, p.s[p.i+1]) >= 0:
			text.WriteByte(p.s[p.i+1])
			p.i += 2
		case c == '{':
			flush()
			f, err := p.field(depth, counts)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		case c == '}' && depth == 0:
			return nil, fmt.Errorf(`a } closes nothing; the character itself is written \}`)
		case c == '}':
			flush()
			return out, nil
		case c == '#' && counts:
			flush()
			out = append(out, part{hash: true})
			p.i++
		default:
			text.WriteByte(c)
			p.i++
		}
	}
	if depth > 0 {
		return nil, fmt.Errorf("a { is not closed")
	}
	flush()
	return out, nil
}

// field reads {path}, {path, plural, ...} or {path, select, ...}.
func (p *reader) field(depth int, counts bool) (part, error) {
	p.i++
	f := part{}
	name := p.until(",}")
	f.path = strings.Split(name, ".")
	if name == "" || slices.Contains(f.path, "") || strings.ContainsAny(name, "{\\") {
		return f, fmt.Errorf(`%q is no field: {title}, {user.name} and {photos.0.name} are; a { itself is written \{`, name)
	}
	if p.take('}') {
		return f, nil
	}
	if !p.take(',') {
		return f, fmt.Errorf("a { is not closed")
	}
	switch kind := p.until(",}"); kind {
	case "plural":
		f.kind, counts = pluralField, true
	case "select":
		f.kind = selectField
	default:
		return f, fmt.Errorf("%q is neither plural nor select", kind)
	}
	if !p.take(',') {
		return f, fmt.Errorf("after plural or select comes a comma, and then its cases: one {# photo} other {# photos}")
	}
	if depth == maxNested {
		return f, fmt.Errorf("more than %d plurals and selects are in each other", maxNested)
	}
	for {
		p.spaces()
		if p.take('}') {
			break
		}
		g := form{name: p.until("{}")}
		if err := f.allows(g.name); err != nil {
			return f, err
		}
		if !p.take('{') {
			return f, fmt.Errorf("after the case %q comes its text in braces", g.name)
		}
		var err error
		if g.parts, err = p.parts(depth+1, counts); err != nil {
			return f, err
		}
		p.i++ // its brace
		f.forms = append(f.forms, g)
	}
	if f.form("other") == nil {
		return f, fmt.Errorf("the cases of {%s} lack other, which is for all that no case names", name)
	}
	return f, nil
}

// allows says what is wrong with the name of a case.
func (f *part) allows(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a case has no name")
	case f.form(name) != nil:
		return fmt.Errorf("the case %q stands twice", name)
	case f.kind == selectField:
	case name[0] == '=':
		if _, err := strconv.ParseFloat(name[1:], 64); err != nil {
			return fmt.Errorf("%q is no number: =0 is", name)
		}
	default:
		if _, ok := pluralNames[name]; !ok {
			return fmt.Errorf("%q is none of =N, zero, one, two, few, many, other", name)
		}
	}
	return nil
}

func (f *part) form(name string) *form {
	for i := range f.forms {
		if f.forms[i].name == name {
			return &f.forms[i]
		}
	}
	return nil
}

// until reads up to one of the bytes in ends, without white space around it.
func (p *reader) until(ends string) string {
	n := strings.IndexAny(p.s[p.i:], ends)
	if n < 0 {
		n = len(p.s) - p.i
	}
	s := p.s[p.i : p.i+n]
	p.i += n
	return strings.TrimSpace(s)
}

func (p *reader) take(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *reader) spaces() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

// render is the line for a body, as decode gives it.
func (t *template) render(body any) string {
	if t.fixed != "" {
		return t.fixed
	}
	var b strings.Builder
	t.write(&b, t.parts, body, "")
	return line(b.String())
}

func (t *template) write(b *strings.Builder, parts []part, body any, number string) {
	for i := range parts {
		p := &parts[i]
		if b.Len() > maxRendered {
			return
		}
		switch {
		case p.hash:
			b.WriteString(number)
			continue
		case p.path == nil:
			b.WriteString(p.text)
			continue
		}
		v := at(body, p.path)
		switch p.kind {
		case plainField:
			b.WriteString(show(v))
		case selectField:
			f := p.form(show(v))
			if f == nil {
				f = p.form("other")
			}
			t.write(b, f.parts, body, number)
		case pluralField:
			f, n := t.plural(p, v)
			t.write(b, f.parts, body, n)
		}
	}
}

// show is a value as text: cut to what a line can hold anyway.
func show(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > maxRendered {
			return strings.ToValidUTF8(v[:maxRendered], "")
		}
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return strconv.Itoa(len(v))
	}
	return ""
}

// plural picks the case for a value, and gives its number as text. What is missing is
// 0; what is no number has no case but other.
func (t *template) plural(p *part, v any) (*form, string) {
	if v == nil {
		v = json.Number("0")
	}
	text := show(v)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return p.form("other"), text
	}
	for i := range p.forms {
		if name := p.forms[i].name; name[0] == '=' {
			if x, err := strconv.ParseFloat(name[1:], 64); err == nil && x == n {
				return &p.forms[i], text
			}
		}
	}
	form := pluralForm(t.lang, text)
	for name, f := range pluralNames {
		if f == form {
			if g := p.form(name); g != nil {
				return g, text
			}
		}
	}
	return p.form("other"), text
}

// pluralForm is the plural category of a number as it is written (UTS #35, Language
// Plural Rules: n, i, v, w, f, t).
func pluralForm(lang language.Tag, number string) plural.Form {
	number = strings.TrimLeft(number, "+-")
	if strings.ContainsAny(number, "eE") {
		x, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return plural.Other
		}
		number = strconv.FormatFloat(x, 'f', -1, 64)
	}
	whole, fraction, _ := strings.Cut(number, ".")
	trimmed := strings.TrimRight(fraction, "0")
	return plural.Cardinal.MatchPlural(lang, digits(whole), len(fraction), len(trimmed), digits(fraction), digits(trimmed))
}

// digits reads a number of any length so that the rules, which look at the last six
// digits and at small numbers, find what they would in the whole.
func digits(s string) int {
	const most = 7
	large := 0
	if s = strings.TrimLeft(s, "0"); len(s) > most {
		s, large = s[len(s)-most:], 1e7
	}
	n, _ := strconv.Atoi(s)
	return n + large
}

// texts are one text in several languages.
type texts struct {
	by    map[string]*template // by language, in lower case
	names []string             // of by, sorted
}

// parseTexts reads templates by language. The error names the language.
func parseTexts(m map[string]string) (texts, error) {
	t := texts{}
	if len(m) > maxLanguages {
		return t, fmt.Errorf("has %d languages; at most %d are allowed", len(m), maxLanguages)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		tag, err := language.Parse(name)
		if err != nil || name == "" {
			return t, &textError{name, fmt.Errorf("%q is no language: en and zh-CN are", name)}
		}
		p, err := parse(m[name], tag)
		if err != nil {
			return t, &textError{name, err}
		}
		if t.by == nil {
			t.by = map[string]*template{}
		}
		key := strings.ToLower(name)
		if t.by[key] != nil {
			return t, &textError{name, fmt.Errorf("the language stands twice")}
		}
		t.by[key] = p
		t.names = append(t.names, key)
	}
	return t, nil
}

// textError is what is wrong with one language's text.
type textError struct {
	lang string
	err  error
}

func (e *textError) Error() string { return fmt.Sprintf("in %s, %v", e.lang, e.err) }
func (e *textError) Unwrap() error { return e.err }
