package typegen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// schema is a JSON Schema as far as code is made from it, with properties in their
// order.
type schema struct {
	never bool // false: no value at all

	types       []string // type
	title, doc  string
	ref         string
	enum        []json.RawMessage // of enum and const
	props       []property
	required    map[string]bool
	more        *schema // additionalProperties, or the one of patternProperties; nil = anything
	closed      bool    // additionalProperties: false
	items       *schema
	prefix      bool // prefixItems: places differ
	all         []*schema
	any         []*schema // anyOf or oneOf
	conditional bool      // if, not and the like: shapes that depend on each other
	deprecated  bool
}

type property struct {
	name string
	s    *schema
}

// maxLevels is how deep a schema may be; the registry takes fewer.
const maxLevels = 100

// read reads a schema. Unknown keywords say nothing of a shape.
func read(raw json.RawMessage, depth int) (*schema, error) {
	if depth > maxLevels {
		return nil, fmt.Errorf("the schema is more than %d levels deep", maxLevels)
	}
	raw = bytes.TrimSpace(raw)
	switch string(raw) {
	case "true":
		return &schema{}, nil
	case "false":
		return &schema{never: true}, nil
	}
	s := &schema{}
	pairs, err := object(raw)
	if err != nil {
		return nil, err
	}
	sub := func(to **schema, v json.RawMessage) (err error) {
		*to, err = read(v, depth+1)
		return err
	}
	list := func(v json.RawMessage) (out []*schema, err error) {
		var raws []json.RawMessage
		if err := json.Unmarshal(v, &raws); err != nil {
			return nil, err
		}
		for _, r := range raws {
			e, err := read(r, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		return out, nil
	}
	var pattern *schema
	patterns := 0
	for _, p := range pairs {
		v := p.value
		switch p.name {
		case "type":
			var one string
			if json.Unmarshal(v, &one) == nil {
				s.types = []string{one}
			} else {
				err = json.Unmarshal(v, &s.types)
			}
		case "title":
			err = json.Unmarshal(v, &s.title)
		case "description":
			err = json.Unmarshal(v, &s.doc)
		case "deprecated":
			err = json.Unmarshal(v, &s.deprecated)
		case "$ref":
			err = json.Unmarshal(v, &s.ref)
		case "const":
			s.enum = []json.RawMessage{v}
		case "enum":
			err = json.Unmarshal(v, &s.enum)
		case "required":
			var names []string
			if err = json.Unmarshal(v, &names); err == nil {
				s.required = map[string]bool{}
				for _, n := range names {
					s.required[n] = true
				}
			}
		case "properties":
			var props []pair
			if props, err = object(v); err != nil {
				break
			}
			for _, q := range props {
				e, err := read(q.value, depth+1)
				if err != nil {
					return nil, err
				}
				s.props = append(s.props, property{q.name, e})
			}
		case "additionalProperties", "unevaluatedProperties":
			if string(bytes.TrimSpace(v)) == "false" {
				s.closed = true
			} else if p.name == "additionalProperties" {
				err = sub(&s.more, v)
			}
		case "patternProperties":
			var props []pair
			if props, err = object(v); err != nil {
				break
			}
			for _, q := range props {
				patterns++
				if pattern, err = read(q.value, depth+1); err != nil {
					return nil, err
				}
			}
		case "items":
			err = sub(&s.items, v)
		case "prefixItems":
			s.prefix = true
		case "allOf":
			s.all, err = list(v)
		case "anyOf", "oneOf":
			if s.any != nil {
				s.conditional = true
			}
			s.any, err = list(v)
		case "if", "then", "else", "not", "dependentSchemas":
			s.conditional = true
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if patterns == 1 && (s.more == nil || s.closed) && len(s.props) == 0 {
		s.more = pattern
	}
	return s, nil
}

// pair is a name of an object and its value.
type pair struct {
	name  string
	value json.RawMessage
}

// object reads an object in its order.
func object(raw json.RawMessage) ([]pair, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, fmt.Errorf("%.40s is no object", raw)
	}
	var out []pair
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		p := pair{name: t.(string)} // names are strings, or Token fails
		if err := d.Decode(&p.value); err != nil {
			return nil, err
		}
		if seen[p.name] {
			return nil, fmt.Errorf("%q stands twice", p.name)
		}
		seen[p.name] = true
		out = append(out, p)
	}
	return out, nil
}

// find is the schema that a reference leads to: "#", or "#/" and a JSON pointer (RFC
// 6901), or "#" and an anchor.
func find(root json.RawMessage, ref string) (json.RawMessage, string, error) {
	frag, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, "", fmt.Errorf("the reference %q leads out of the schema", ref)
	}
	if frag == "" {
		return root, "", nil
	}
	if frag[0] != '/' {
		at, name, err := findAnchor(root, frag, 0)
		if err == nil && at == nil {
			err = fmt.Errorf("the anchor %q is not there", frag)
		}
		return at, name, err
	}
	at, name := root, ""
	for _, part := range strings.Split(frag[1:], "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(unpercent(part))
		next := json.RawMessage(nil)
		if trimmed := bytes.TrimSpace(at); len(trimmed) > 0 && trimmed[0] == '[' {
			var list []json.RawMessage
			if err := json.Unmarshal(at, &list); err != nil {
				return nil, "", err
			}
			if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(list) {
				next = list[i]
			}
		} else if pairs, err := object(at); err == nil {
			for _, p := range pairs {
				if p.name == name {
					next = p.value
				}
			}
		}
		if next == nil {
			return nil, "", fmt.Errorf("the reference %q leads nowhere", ref)
		}
		at = next
	}
	return at, name, nil
}

func findAnchor(at json.RawMessage, anchor string, depth int) (json.RawMessage, string, error) {
	if depth > maxLevels {
		return nil, "", nil
	}
	pairs, err := object(at)
	if err != nil {
		var list []json.RawMessage
		if json.Unmarshal(at, &list) == nil {
			for _, e := range list {
				if got, name, _ := findAnchor(e, anchor, depth+1); got != nil {
					return got, name, nil
				}
			}
		}
		return nil, "", nil
	}
	for _, p := range pairs {
		var s string
		if p.name == "$anchor" && json.Unmarshal(p.value, &s) == nil && s == anchor {
			return at, anchor, nil
		}
	}
	for _, p := range pairs {
		if slices.Contains([]string{"enum", "const", "default", "examples"}, p.name) {
			continue
		}
		if got, name, _ := findAnchor(p.value, anchor, depth+1); got != nil {
			return got, name, nil
		}
	}
	return nil, "", nil
}

// unpercent takes the escapes of a URL's fragment out, as far as they are any.
func unpercent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
