package types

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Bounds of a schema. They hold the time in which one is compiled to milliseconds.
const (
	maxSchema  = 32 << 10 // bytes
	maxNodes   = 4000     // JSON values in it
	maxPattern = 1000     // bytes of a regular expression
)

const (
	draft     = "https://json-schema.org/draft/2020-12/schema"
	schemaURL = "anser:///type" // what relative references are relative to; nothing is fetched from it
)

// schemaError is what is wrong with a schema, and where in it: a JSON pointer.
type schemaError struct {
	at   string
	text string
}

func (e *schemaError) Error() string {
	if e.at == "" {
		return "the schema " + e.text
	}
	return "the schema at " + e.at + " " + e.text
}

// compile makes a schema ready to check bodies. Formats are asserted; references lead
// to places within the schema or nowhere; regular expressions are Go's, which take
// time in proportion to what they look at.
//
// It answers how often one value of a body may be looked at, too. The error is a
// *schemaError.
func compile(schema []byte) (s *jsonschema.Schema, cost int, err error) {
	if len(schema) > maxSchema {
		return nil, 0, &schemaError{"", fmt.Sprintf("is %d bytes long; at most %d are allowed", len(schema), maxSchema)}
	}
	doc, err := decode(schema)
	if err != nil {
		return nil, 0, &schemaError{"", err.Error()}
	}
	nodes := 0
	if err := bound(doc, "", &nodes); err != nil {
		return nil, 0, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // no scheme: nothing is read from files or the network
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, 0, compileError(err)
	}
	s, err = c.Compile(schemaURL)
	if err != nil {
		return nil, 0, compileError(err)
	}
	if cost, err = checkCost(s); err != nil {
		return nil, 0, err
	}
	return s, cost, nil
}

// bound counts what is in a schema and looks at its regular expressions.
func bound(v any, at string, nodes *int) error {
	if *nodes++; *nodes > maxNodes {
		return &schemaError{"", fmt.Sprintf("holds more than %d values", maxNodes)}
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if p, ok := e.(string); ok {
				switch {
				case k == "pattern" && len(p) > maxPattern:
					return &schemaError{at + "/pattern", fmt.Sprintf("is %d bytes long; at most %d are allowed", len(p), maxPattern)}
				case k == "$schema" && p != draft && p != draft+"#":
					return &schemaError{at + "/$schema", fmt.Sprintf("is of another draft: write %s, or leave it out", draft)}
				case k == "$dynamicRef" || k == "$recursiveRef":
					return &schemaError{at + "/" + k, "is not taken, as what it leads to is not known beforehand: use $ref"}
				}
			}
			if k == "patternProperties" {
				if m, ok := e.(map[string]any); ok {
					for p := range m {
						if len(p) > maxPattern {
							return &schemaError{at + "/" + k, fmt.Sprintf("has a regular expression of %d bytes; at most %d are allowed", len(p), maxPattern)}
						}
					}
				}
			}
			if err := bound(e, at+"/"+escape(k), nodes); err != nil {
				return err
			}
		}
	case []any:
		for i, e := range v {
			if err := bound(e, fmt.Sprintf("%s/%d", at, i), nodes); err != nil {
				return err
			}
		}
	}
	return nil
}

// compileError says what the library found, in our words.
func compileError(err error) *schemaError {
	var (
		invalid *jsonschema.SchemaValidationError
		load    *jsonschema.LoadURLError
		scheme  *jsonschema.UnsupportedURLSchemeError
		regex   *jsonschema.InvalidRegexError
		pointer *jsonschema.JSONPointerNotFoundError
		anchor  *jsonschema.AnchorNotFoundError
		verr    *jsonschema.ValidationError
	)
	place := func(url string) string {
		_, frag, _ := strings.Cut(url, "#")
		return frag
	}
	switch {
	case errors.As(err, &invalid) && errors.As(invalid.Err, &verr):
		f := worst(verr)
		at := f.at
		if m, ok := f.kind.(*kind.Type); ok {
			return &schemaError{at, fmt.Sprintf("must be %s, not %s", wanted(m.Want), article(m.Got))}
		}
		return &schemaError{at, f.says}
	case errors.As(err, &regex):
		return &schemaError{place(regex.URL), fmt.Sprintf("has the regular expression %q, which is not one of Go's: %v", clip(regex.Regex, 80), regex.Err)}
	case errors.As(err, &scheme), errors.As(err, &load):
		url := ""
		if load != nil {
			url = load.URL
		}
		return &schemaError{"", fmt.Sprintf("refers to %q, and nothing is read from elsewhere: put it under $defs and refer to #/$defs/...", clip(url, 80))}
	case errors.As(err, &pointer):
		return &schemaError{"", fmt.Sprintf("refers to %s, which is not there", clip(place(pointer.URL), 80))}
	case errors.As(err, &anchor):
		return &schemaError{"", fmt.Sprintf("refers to %q, which is not there", clip(anchor.Reference, 80))}
	}
	return &schemaError{"", "cannot be used: " + line(strings.ReplaceAll(err.Error(), schemaURL, ""))}
}

// escape is a name as it stands in a JSON pointer (RFC 6901, section 3).
func escape(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// unescape splits a JSON pointer.
func unescape(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("%q is no JSON pointer: /title and /author/name are", clip(pointer, 40))
	}
	path := strings.Split(pointer[1:], "/")
	for i, p := range path {
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return path, nil
}

// compact takes the white space out of JSON, so that the same schema has the same
// bytes.
func compact(b []byte) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		return b // told by compile
	}
	return out.Bytes()
}
