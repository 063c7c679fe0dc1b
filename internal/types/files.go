package types

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/anser-im/anser/internal/im"
)

// Bounds of files of types.
const (
	maxFile      = 256 << 10 // bytes
	maxFileDepth = 200       // of what YAML holds
	schemaEnding = ".schema.json"
)

// File is a type that came from a file.
type File struct {
	Path string
	Type im.MessageType
}

// ReadDir reads all types of a directory: files that end in .yaml, .yml or .json, each
// with one type, by name. Those that end in .schema.json are schemas that others name.
// What is below subdirectories is not read.
//
// Errors: plain ones for who wrote the files: file, line, what is wrong, what to do.
func ReadDir(dir string) ([]File, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the directory of message types cannot be read: %w", err)
	}
	var out []File
	where := map[string]string{}
	for _, d := range list {
		name := d.Name()
		if d.IsDir() || name[0] == '.' || strings.HasSuffix(name, schemaEnding) || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			continue
		}
		f, err := ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if first := where[f.Type.Name]; first != "" {
			return nil, fmt.Errorf("%s: the type %s is in %s too: remove one of the two", f.Path, f.Type.Name, first)
		}
		where[f.Type.Name] = f.Path
		out = append(out, f)
	}
	return out, nil
}

// ReadFile reads the type of one file, as ReadDir does.
func ReadFile(path string) (File, error) {
	b, err := readBounded(path)
	if err != nil {
		return File{}, err
	}
	t, err := parseFile(b, filepath.Ext(path) == ".json", func(name string) ([]byte, error) {
		if filepath.Base(name) != name || !strings.HasSuffix(name, schemaEnding) {
			return nil, fmt.Errorf("is %q; it takes the schema itself, or the name of a file beside this one that ends in %s", clip(name, 80), schemaEnding)
		}
		return readBounded(filepath.Join(filepath.Dir(path), name))
	})
	var fe *fileError
	switch {
	case err == nil:
		return File{path, t}, nil
	case errors.As(err, &fe):
		return File{}, fmt.Errorf("%s:%d: %w", path, fe.line, fe.err)
	}
	return File{}, fmt.Errorf("%s: %w", path, err)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("a file of a message type cannot be read: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("a file of a message type cannot be read: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes: is it the file of a message type?", path, maxFile)
	}
	return b, nil
}

// fileError is what is wrong with a file, and in which line.
type fileError struct {
	line int
	err  error
}

func (e *fileError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *fileError) Unwrap() error { return e.err }

// file is what stands in one.
type file struct {
	Name       string    `json:"name" yaml:"name"`
	Title      languages `json:"title" yaml:"title"`
	Flags      *flagList `json:"flags" yaml:"flags"`
	ServerOnly bool      `json:"server_only" yaml:"server_only"`
	MaxBytes   int       `json:"max_bytes" yaml:"max_bytes"`
	Digest     languages `json:"digest" yaml:"digest"`
	Push       languages `json:"push" yaml:"push"`
	Search     []string  `json:"search" yaml:"search"`
	Schema     rawJSON   `json:"schema" yaml:"schema"`
}

// fileKeys are the keys of file, for who misspelt one.
const fileKeys = "name, title, flags, server_only, max_bytes, digest, push, search, schema"

// languages are texts by language; one text alone is English.
type languages map[string]string

func (l *languages) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = languages{"en": one}
		return nil
	}
	var all map[string]string
	if err := json.Unmarshal(b, &all); err != nil {
		return errors.New("takes a text, or texts by language: {\"en\": \"...\", \"zh-CN\": \"...\"}")
	}
	*l = all
	return nil
}

// flagList are flags: a number, or words.
type flagList im.Flags

var flagWords = map[string]im.Flags{"persist": im.Persist, "count": im.Count, "status": im.Status, "command": 0}

func (f *flagList) UnmarshalJSON(b []byte) error {
	var n uint8
	if json.Unmarshal(b, &n) == nil {
		*f = flagList(n)
		return nil
	}
	var words []string
	if json.Unmarshal(b, &words) != nil {
		var one string
		if json.Unmarshal(b, &one) != nil {
			return errors.New("takes a list of persist, count, status, command, or their number")
		}
		words = []string{one}
	}
	*f = 0
	for _, w := range words {
		x, ok := flagWords[w]
		if !ok {
			return fmt.Errorf("%q is none of persist, count, status, command", clip(w, 40))
		}
		*f |= flagList(x)
	}
	return nil
}

// rawJSON is any value, in JSON.
type rawJSON []byte

func (r *rawJSON) UnmarshalJSON(b []byte) error {
	*r = bytes.Clone(b)
	return nil
}

// parseFile reads a type from the bytes of a file. A schema that is a string is the
// name of a file, which read gives; nil = none may be named.
//
// The error is a *fileError where a line can be told.
func parseFile(b []byte, isJSON bool, read func(name string) ([]byte, error)) (im.MessageType, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // some editors begin files with it
	lines := lineFinder(b, isJSON)
	if !isJSON {
		var err error
		if b, err = toJSON(b); err != nil {
			return im.MessageType{}, err
		}
	}
	if _, err := decode(b); err != nil {
		return im.MessageType{}, &fileError{jsonLine(b, err, isJSON), fmt.Errorf("the file %w", err)}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return im.MessageType{}, &fileError{1, errors.New("a type is an object with the keys " + fileKeys)}
	}
	var f file
	into := map[string]any{"name": &f.Name, "title": &f.Title, "flags": &f.Flags, "server_only": &f.ServerOnly, "max_bytes": &f.MaxBytes,
		"digest": &f.Digest, "push": &f.Push, "search": &f.Search, "schema": &f.Schema}
	takes := map[string]string{"name": "a text", "server_only": "true or false", "max_bytes": "a whole number", "search": "a list of JSON pointers: [/title, /author/name]"}
	for _, key := range sortedKeys(fields) {
		to := into[key]
		if to == nil {
			return im.MessageType{}, &fileError{lines(key), fmt.Errorf("the key %q is not known; a type has %s", clip(key, 40), fileKeys)}
		}
		if err := json.Unmarshal(fields[key], to); err != nil {
			if t := takes[key]; t != "" {
				err = fmt.Errorf("takes %s", t)
			}
			return im.MessageType{}, &fileError{lines(key), fmt.Errorf("%s %w", key, err)}
		}
	}
	t := im.MessageType{Name: f.Name, Flags: im.DefaultFlags, Digest: f.Digest, Push: f.Push, Title: f.Title,
		Search: f.Search, MaxBytes: f.MaxBytes, Clients: !f.ServerOnly}
	if f.Flags != nil {
		t.Flags = im.Flags(*f.Flags)
	}
	var elsewhere string
	switch {
	case len(f.Schema) == 0 || string(f.Schema) == "null":
	case json.Unmarshal(f.Schema, &elsewhere) == nil && read != nil:
		s, err := read(elsewhere)
		if err != nil {
			return t, &fileError{lines("schema"), fmt.Errorf("schema: %w", err)}
		}
		t.Schema = s
	default:
		t.Schema = f.Schema
	}
	if read != nil { // not the server's own
		if err := custom(t.Name); err != nil {
			return t, &fileError{lines("name"), fmt.Errorf("name: %w", err)}
		}
	}
	e, err := newEntry(t)
	if err != nil {
		return t, atLine(err, lines, elsewhere)
	}
	return e.t, nil
}

// atLine finds the line of what is wrong with a type.
func atLine(err error, lines func(...string) int, elsewhere string) error {
	var (
		te *typeError
		se *schemaError
		xe *textError
	)
	switch {
	case !errors.As(err, &te):
		return err
	case errors.As(err, &se) && elsewhere != "":
		return &fileError{lines("schema"), fmt.Errorf("%s: %w", elsewhere, err)}
	case errors.As(err, &se):
		path, _ := unescape(se.at)
		return &fileError{lines(append([]string{"schema"}, path...)...), err}
	case errors.As(err, &xe):
		return &fileError{lines(te.key, xe.lang), err}
	}
	return &fileError{lines(te.key), err}
}

// jsonLine is the line of a syntax error.
func jsonLine(b []byte, err error, isJSON bool) int {
	var se *json.SyntaxError
	var raw json.RawMessage
	if !isJSON || !errors.As(json.Unmarshal(b, &raw), &se) {
		return 1
	}
	return 1 + bytes.Count(b[:min(int(se.Offset), len(b))], []byte("\n"))
}

// lineFinder tells the line in which what a path leads to begins, or what is nearest
// above it.
func lineFinder(b []byte, isJSON bool) func(path ...string) int {
	if isJSON { // YAML holds JSON, but for tabs between values
		b = bytes.ReplaceAll(b, []byte("\t"), []byte(" "))
	}
	var root ast.Node
	if file, err := parser.ParseBytes(b, 0); err == nil && len(file.Docs) > 0 {
		root = file.Docs[0].Body
	}
	return func(path ...string) int {
		line, n := 1, root
		for _, p := range path {
			next := ast.Node(nil)
			switch c := n.(type) {
			case *ast.SequenceNode:
				if i, err := strconv.Atoi(p); err == nil && i >= 0 && i < len(c.Values) {
					next = c.Values[i]
					line = next.GetToken().Position.Line
				}
			case *ast.MappingNode:
				for _, v := range c.Values {
					if v.Key.GetToken().Value == p {
						next, line = v.Value, v.Key.GetToken().Position.Line
					}
				}
			case *ast.MappingValueNode:
				if c.Key.GetToken().Value == p {
					next, line = c.Value, c.Key.GetToken().Position.Line
				}
			}
			if next == nil {
				break
			}
			n = next
		}
		return line
	}
}

// toJSON makes JSON of YAML, with fields in their order.
func toJSON(b []byte) ([]byte, error) {
	var v any
	if err := yaml.UnmarshalWithOptions(b, &v, yaml.UseOrderedMap(), yaml.Strict()); err != nil {
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil {
			return nil, &fileError{ye.GetToken().Position.Line, errors.New(strings.TrimSpace(ye.GetMessage()))}
		}
		return nil, &fileError{1, errors.New(strings.TrimRight(yaml.FormatError(err, false, true), "\n"))}
	}
	var out bytes.Buffer
	if err := writeJSON(&out, v, 0); err != nil {
		return nil, &fileError{1, err}
	}
	return out.Bytes(), nil
}

func writeJSON(out *bytes.Buffer, v any, depth int) error {
	if depth > maxFileDepth || out.Len() > 4*maxFile {
		return errors.New("what the file holds is too deep, or too large")
	}
	switch v := v.(type) {
	case yaml.MapSlice:
		out.WriteByte('{')
		for i, item := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			key, err := json.Marshal(fmt.Sprint(item.Key))
			if err != nil {
				return err
			}
			out.Write(key)
			out.WriteByte(':')
			if err := writeJSON(out, item.Value, depth+1); err != nil {
				return err
			}
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeJSON(out, e, depth+1); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	default:
		b, err := marshal(v)
		if err != nil {
			return fmt.Errorf("%v has no place in JSON", v)
		}
		out.Write(b)
	}
	return nil
}

// FileOf writes a type as a file in JSON, which ReadFile reads again.
func FileOf(t im.MessageType) ([]byte, error) {
	type out struct {
		Name       string            `json:"name"`
		Title      map[string]string `json:"title,omitempty"`
		Flags      im.Flags          `json:"flags"`
		ServerOnly bool              `json:"server_only,omitempty"`
		MaxBytes   int               `json:"max_bytes,omitempty"`
		Digest     map[string]string `json:"digest,omitempty"`
		Push       map[string]string `json:"push,omitempty"`
		Search     []string          `json:"search,omitempty"`
		Schema     json.RawMessage   `json:"schema,omitempty"`
	}
	b, err := marshal(out{t.Name, t.Title, t.Flags, !t.Clients, t.MaxBytes, t.Digest, t.Push, t.Search, t.Schema})
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "  "); err != nil {
		return nil, err
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}
