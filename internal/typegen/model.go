package typegen

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/anser-im/anser/internal/im"
)

// kind is what a value is.
type kind uint8

const (
	anything kind = iota // any JSON value
	text
	integer
	float
	boolean
	list   // of elem
	dict   // of elem, by name
	record // with fields: has a name
	words  // one of some texts: has a name
	mixed  // one of variants; has a name where tag is set
)

// node is a shape. Those with a name are declared once.
type node struct {
	kind     kind
	name     string // of its declaration
	part     string // object name of the type that it is of
	doc      string
	elem     *node
	fields   []field
	values   []string // of words
	variants []*node  // of mixed
	tag      string   // of mixed: the field by which variants, all records, are told apart
	tags     []string // the text of it in each variant
	null     bool     // may be null
	fixed    string   // text: the only one it may be; "" = any
	ref      bool     // stands for the declaration of that name, which may not be built yet
	to       *node    // with ref
}

type field struct {
	json     string // its name in JSON
	name     string // in the language, made unique
	doc      string
	of       *node
	required bool
	loops    bool // it leads back to what it stands in, through nothing but records
}

// file is what code is made from.
type file struct {
	types []*typ
	decls []*node // in the order in which they are to stand
	names *names
}

// typ is a message type.
type typ struct {
	im.MessageType
	name  string // of what stands for it in the language
	body  *node  // nil = it has no schema
	words []sought
}

// sought is a field that is searched.
type sought struct {
	f    *field
	list bool
}

// base are the keys that every body may have, which are declared once for all (in Go by
// client.Base), and the shape in which they are.
var base = map[string]kind{"user": record, "mentionedInfo": record, "extra": text, "burnDuration": integer}

var jsonTypes = map[string]kind{"object": record, "string": text, "integer": integer}

// The most of what is declared for one type: a schema cannot ask for more than it has
// places, but references can name the same place in many.
const (
	maxDecls  = 2000
	maxShapes = 20_000
)

// build makes the model of types, by name.
func build(types []im.MessageType, reserved []string) (*file, error) {
	types = slices.Clone(types)
	slices.SortFunc(types, func(a, b im.MessageType) int { return strings.Compare(a.Name, b.Name) })
	f := &file{names: newNames(reserved)}
	short := map[string]int{}
	for _, t := range types {
		if t.Name == "" || len(t.Name) > 64 || strings.ContainsFunc(t.Name, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("%q is no object name: 1-64 printable ASCII characters", t.Name)
		}
		short[shortName(t.Name)]++
	}
	for i, t := range types {
		if i > 0 && types[i-1].Name == t.Name {
			return nil, fmt.Errorf("the type %s is given twice", t.Name)
		}
		name := shortName(t.Name)
		if short[name] > 1 {
			name = pascal(t.Name)
		}
		out := &typ{MessageType: t, name: f.names.take(name)}
		f.types = append(f.types, out)
	}
	for _, t := range f.types {
		if len(t.Schema) == 0 {
			continue
		}
		b := &builder{f: f, root: json.RawMessage(t.Schema), named: map[string]*node{}, rootName: t.name, object: t.Name}
		body, err := b.top(t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
		t.body = body
	}
	f.untie()
	for _, d := range f.decls {
		for i := range d.fields {
			d.fields[i].loops = leads(d.fields[i].of, d, map[*node]bool{})
		}
	}
	for _, t := range f.types {
		t.searched()
	}
	return f, nil
}

// untie cuts shapes without a name that hold themselves (a list of such lists): there
// they are any value. Those with a name may.
func (f *file) untie() {
	done := map[*node]bool{}
	var cut func(n *node, above map[*node]bool) bool // false: n is above itself
	child := func(c **node, above map[*node]bool) {
		if *c != nil && !cut(*c, above) {
			*c = &node{doc: (*c).doc}
		}
	}
	cut = func(n *node, above map[*node]bool) bool {
		switch {
		case above[n]:
			return false
		case n.name != "" || done[n]:
			return true
		}
		above[n] = true
		child(&n.elem, above)
		child(&n.to, above)
		for i := range n.variants {
			child(&n.variants[i], above)
		}
		delete(above, n)
		done[n] = true
		return true
	}
	for _, t := range f.types {
		if t.body != nil {
			cut(t.body, map[*node]bool{})
		}
	}
	for _, d := range f.decls {
		for i := range d.fields {
			child(&d.fields[i].of, map[*node]bool{})
		}
		for i := range d.variants {
			child(&d.variants[i], map[*node]bool{})
		}
	}
}

// searched finds the fields of the top that are searched.
func (t *typ) searched() {
	if t.body == nil || t.body.kind != record {
		return
	}
	for _, p := range t.Search {
		name, ok := strings.CutPrefix(p, "/")
		if !ok || strings.ContainsAny(name, "/~") {
			continue
		}
		for i := range t.body.fields {
			f := &t.body.fields[i]
			if f.json != name {
				continue
			}
			switch of := f.of; {
			case of.kind == text && !of.null:
				t.words = append(t.words, sought{f, false})
			case of.kind == list && of.elem.kind == text && !of.elem.null && !of.null:
				t.words = append(t.words, sought{f, true})
			}
		}
	}
}

// leads says whether n is, or holds by value, to.
func leads(n, to *node, seen map[*node]bool) bool {
	n = n.real()
	if n == to {
		return true
	}
	if seen[n] {
		return false
	}
	seen[n] = true
	switch n.kind {
	case record:
		for _, f := range n.fields {
			if leads(f.of, to, seen) {
				return true
			}
		}
	case mixed:
		for _, v := range n.variants {
			if leads(v, to, seen) {
				return true
			}
		}
	}
	return false
}

// real is what a node stands for.
func (n *node) real() *node {
	for n.ref {
		n = n.to
	}
	return n
}

// builder makes the shapes of one schema.
type builder struct {
	f        *file
	root     json.RawMessage
	rootName string
	object   string           // the type's name
	named    map[string]*node // by reference
	depth    int
	decls    int
	shapes   int
}

// top makes the body of a type, which has the type's own name.
func (b *builder) top(t *typ) (*node, error) {
	s, err := read(b.root, 0)
	if err != nil {
		return nil, err
	}
	at := &node{}
	b.named["#"] = at
	if s.doc == "" {
		s.doc = t.Title["en"]
	}
	got, err := b.shape(s, "", true)
	if err != nil {
		return nil, err
	}
	*at = *got
	if len(b.f.decls) > 0 { // what was declared as got is at now
		for i, d := range b.f.decls {
			if d == got {
				b.f.decls[i] = at
			}
		}
	}
	return at, nil
}

// declare gives n a name and a place.
func (b *builder) declare(n *node, path string, top bool) error {
	if b.decls++; b.decls > maxDecls {
		return fmt.Errorf("it takes more than %d declarations", maxDecls)
	}
	n.name, n.part = b.rootName, b.object
	if !top {
		n.name = b.f.names.take(b.rootName + path)
	}
	b.f.decls = append(b.f.decls, n)
	return nil
}

// shape is what a schema says of a value. path is the name that it would have within
// the type's own.
func (b *builder) shape(s *schema, path string, top bool) (n *node, err error) {
	if b.depth++; b.depth > maxLevels {
		return nil, fmt.Errorf("it is more than %d levels deep", maxLevels)
	}
	defer func() { b.depth-- }()
	if b.shapes++; b.shapes > maxShapes {
		return nil, fmt.Errorf("it has more than %d shapes", maxShapes)
	}
	switch {
	case s.ref != "":
		n, err = b.reference(s)
	case len(s.all) == 1 && s.all[0].ref != "" && len(s.props) == 0 && len(s.required) == 0:
		n, err = b.reference(&schema{ref: s.all[0].ref, doc: s.doc})
	case len(s.all) > 0:
		n, err = b.merged(s, path, top)
	case len(s.enum) > 0:
		n, err = b.enumerated(s, path, top)
	case len(s.any) > 0 && len(s.props) == 0:
		n, err = b.union(s, path, top)
	default:
		n, err = b.plain(s, path, top)
	}
	if err == nil && n.doc == "" && !n.ref {
		n.doc = s.doc
	}
	return n, err
}

// reference is the shape of another place, declared once under the name of its place.
func (b *builder) reference(s *schema) (*node, error) {
	if n := b.named[s.ref]; n != nil {
		return &node{ref: true, to: n, doc: s.doc}, nil
	}
	raw, name, err := find(b.root, s.ref)
	if err != nil {
		return nil, err
	}
	if name == "" { // "#" in another writing
		return &node{ref: true, to: b.named["#"], doc: s.doc}, nil
	}
	target, err := read(raw, 0)
	if err != nil {
		return nil, err
	}
	at := &node{}
	b.named[s.ref] = at
	got, err := b.shape(target, pascal(name), false)
	if err != nil {
		return nil, err
	}
	if got.real() == at {
		*at = node{kind: anything} // it says nothing but that it is itself
		return at, nil
	}
	*at = *got
	for i, d := range b.f.decls {
		if d == got {
			b.f.decls[i] = at
		}
	}
	return &node{ref: true, to: at, doc: s.doc}, nil
}

// merged puts what allOf says together, as far as it is of objects.
func (b *builder) merged(s *schema, path string, top bool) (*node, error) {
	flat := *s
	flat.all, flat.ref = nil, ""
	flat.props, flat.required = slices.Clone(s.props), map[string]bool{}
	for k := range s.required {
		flat.required[k] = true
	}
	seen := map[string]bool{}
	var gather func(list []*schema, depth int) error
	gather = func(list []*schema, depth int) error {
		for _, p := range list {
			if p.ref != "" {
				if depth > maxLevels || seen[p.ref] {
					continue
				}
				seen[p.ref] = true
				raw, _, err := find(b.root, p.ref)
				if err != nil {
					return err
				}
				r, err := read(raw, 0)
				if err != nil {
					return err
				}
				if err := gather([]*schema{r}, depth+1); err != nil {
					return err
				}
				continue
			}
			for _, q := range p.props {
				if !slices.ContainsFunc(flat.props, func(have property) bool { return have.name == q.name }) {
					flat.props = append(flat.props, q)
				}
			}
			for k := range p.required {
				flat.required[k] = true
			}
			if flat.types == nil {
				flat.types = p.types
			}
			if flat.items == nil {
				flat.items = p.items
			}
			if flat.enum == nil {
				flat.enum = p.enum
			}
			if flat.more == nil {
				flat.more = p.more
			}
			flat.conditional = flat.conditional || p.conditional || len(p.any) > 0
			if err := gather(p.all, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := gather(s.all, 0); err != nil {
		return nil, err
	}
	return b.shape(&flat, path, top)
}

// enumerated is one of some values.
func (b *builder) enumerated(s *schema, path string, top bool) (*node, error) {
	n := &node{kind: words, doc: s.doc}
	numbers := 0
	for _, raw := range s.enum {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case string:
			if !slices.Contains(n.values, v) {
				n.values = append(n.values, v)
			}
		case nil:
			n.null = true
		case float64:
			numbers++
			if v != float64(int64(v)) {
				n.kind = float
			} else if n.kind == words {
				n.kind = integer
			}
		case bool:
			n.kind = boolean
		default:
			n.kind = anything
		}
	}
	switch {
	case n.kind == words && len(n.values) == 1 && len(s.enum) == 1:
		return &node{kind: text, fixed: n.values[0]}, nil
	case n.kind == words && len(n.values) > 0:
		return n, b.declare(n, path, top)
	case (n.kind == integer || n.kind == float) && len(n.values) == 0 && numbers+len(n.values) >= len(s.enum)-1:
		return &node{kind: n.kind, null: n.null}, nil
	case n.kind == boolean && len(n.values) == 0 && numbers == 0:
		return &node{kind: boolean, null: n.null}, nil
	}
	return &node{kind: anything}, nil
}

// union is one of several shapes.
func (b *builder) union(s *schema, path string, top bool) (*node, error) {
	out := &node{kind: mixed, doc: s.doc}
	if s.conditional {
		return &node{kind: anything}, nil
	}
	var rest []*schema
	for _, v := range s.any {
		switch {
		case v.never:
		case len(v.types) == 1 && v.types[0] == "null":
			out.null = true
		default:
			rest = append(rest, v)
		}
	}
	if len(rest) == 0 {
		return &node{kind: anything}, nil
	}
	if len(rest) == 1 {
		n, err := b.shape(rest[0], path, top)
		if err != nil {
			return nil, err
		}
		if !out.null {
			return n, nil
		}
		if n.ref {
			return &node{ref: true, to: n.to, doc: n.doc, null: true}, nil
		}
		n.null = true
		return n, nil
	}
	// One list of words where all are words.
	if all := wordsOf(rest); all != nil {
		n, err := b.enumerated(&schema{enum: all, doc: s.doc}, path, top)
		if err == nil {
			n.null = n.null || out.null
		}
		return n, err
	}
	out.tag, out.tags = b.discriminator(rest)
	if out.tag != "" {
		if err := b.declare(out, path, top); err != nil {
			return nil, err
		}
	}
	for i, v := range rest {
		name := fmt.Sprintf("%sOption%d", path, i+1)
		if out.tag != "" {
			name = path + pascal(out.tags[i])
		} else if v.title != "" {
			name = path + pascal(v.title)
		}
		n, err := b.shape(v, name, false)
		if err != nil {
			return nil, err
		}
		if out.tag != "" && n.real().kind != record {
			out.tag = "" // the place is taken, and what stands there is any value
		}
		out.variants = append(out.variants, n)
	}
	return out, nil
}

// wordsOf are the texts of schemas that are nothing but texts; nil if one is not.
func wordsOf(list []*schema) []json.RawMessage {
	var out []json.RawMessage
	for _, s := range list {
		if len(s.enum) == 0 || s.ref != "" {
			return nil
		}
		for _, raw := range s.enum {
			if raw[0] != '"' {
				return nil
			}
		}
		out = append(out, s.enum...)
	}
	return out
}

// discriminator is the field by which objects are told apart: required, and another
// text in each.
func (b *builder) discriminator(list []*schema) (string, []string) {
	consts := make([]map[string]string, len(list))
	for i, s := range list {
		for hops := 0; s.ref != "" && hops < 10; hops++ {
			raw, _, err := find(b.root, s.ref)
			if err != nil {
				return "", nil
			}
			if s, err = read(raw, 0); err != nil {
				return "", nil
			}
		}
		consts[i] = map[string]string{}
		for _, p := range s.props {
			var v string
			if len(p.s.enum) == 1 && s.required[p.name] && json.Unmarshal(p.s.enum[0], &v) == nil && v != "" {
				consts[i][p.name] = v
			}
		}
	}
	var names []string
	for name := range consts[0] {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var tags []string
		for _, c := range consts {
			if v, ok := c[name]; ok && !slices.Contains(tags, v) {
				tags = append(tags, v)
			}
		}
		if len(tags) == len(list) {
			return name, tags
		}
	}
	return "", nil
}

// plain is a schema of one type, or of none.
func (b *builder) plain(s *schema, path string, top bool) (*node, error) {
	n := &node{}
	types := slices.Clone(s.types)
	types = slices.DeleteFunc(types, func(t string) bool {
		n.null = n.null || t == "null"
		return t == "null"
	})
	if slices.Contains(types, "number") {
		types = slices.DeleteFunc(types, func(t string) bool { return t == "integer" })
	}
	switch {
	case len(types) > 1:
		n.kind = mixed
		for _, t := range types {
			one := *s
			one.types = []string{t}
			v, err := b.plain(&one, path, false)
			if err != nil {
				return nil, err
			}
			n.variants = append(n.variants, v)
		}
		return n, nil
	case len(types) == 0 && len(s.props) > 0:
		types = []string{"object"}
	case len(types) == 0 && s.items != nil:
		types = []string{"array"}
	case len(types) == 0:
		return &node{}, nil // null is any value too
	}
	switch types[0] {
	case "string":
		n.kind = text
	case "integer":
		n.kind = integer
	case "number":
		n.kind = float
	case "boolean":
		n.kind = boolean
	case "array":
		if s.prefix || s.items == nil || s.items.never {
			n.kind, n.elem = list, &node{}
			return n, nil
		}
		e, err := b.shape(s.items, singular(path), false)
		if err != nil {
			return nil, err
		}
		n.kind, n.elem = list, e
	case "object":
		if len(s.props) == 0 && !top {
			n.kind, n.elem = dict, &node{}
			if s.more != nil {
				e, err := b.shape(s.more, path+"Value", false)
				if err != nil {
					return nil, err
				}
				n.elem = e
			}
			return n, nil
		}
		n.kind, n.doc = record, s.doc
		if err := b.declare(n, path, top); err != nil {
			return nil, err
		}
		for _, p := range s.props {
			if p.s.never {
				continue
			}
			if k, ok := base[p.name]; ok && top && len(p.s.types) == 1 && jsonTypes[p.s.types[0]] == k {
				n.fields = append(n.fields, field{json: p.name, of: &node{kind: k}}) // every body has it: nothing to declare
				continue
			}
			of, err := b.shape(p.s, path+pascal(p.name), false)
			if err != nil {
				return nil, err
			}
			doc := p.s.doc
			if p.s.deprecated {
				doc = strings.TrimSpace("Deprecated: " + doc)
			}
			n.fields = append(n.fields, field{json: p.name, doc: doc, of: of, required: s.required[p.name]})
		}
	default:
		return nil, fmt.Errorf("%q is no type", types[0])
	}
	return n, nil
}
