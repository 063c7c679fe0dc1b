package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/printer"
	"github.com/goccy/go-yaml/token"
)

// maxConfig is the most bytes of a configuration file.
const maxConfig = 1 << 20

// ReadConfig reads a configuration file over c: what the file does not name stays as
// it is. Unknown and double keys are errors, and every error shows the line.
//
// Errors: a StartError with ExitConfig.
func ReadConfig(path string, c *Config) error {
	f, err := os.Open(path)
	if err != nil {
		return failf(ExitConfig, "the configuration file cannot be read: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return failf(ExitConfig, "the configuration file %s cannot be read: %w", path, err)
	}
	if len(b) > maxConfig {
		return failf(ExitConfig, "the configuration file %s is larger than %d bytes: is it the right one?", path, maxConfig)
	}
	if err := ParseConfig(b, c); err != nil {
		return failf(ExitConfig, "%s: %w", path, err)
	}
	return nil
}

// ParseConfig is ReadConfig for the bytes of a file.
func ParseConfig(b []byte, c *Config) error {
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // some editors begin files with it
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return errors.New(strings.TrimRight(yaml.FormatError(err, false, true), "\n"))
	}
	docs := 0
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType || d.Body.Type() == ast.NullType {
			continue
		}
		if docs++; docs > 1 {
			return at(d.Body, "a configuration file is one YAML document; here a second one begins")
		}
		if err := readSection(d.Body, reflect.ValueOf(c).Elem(), configSettings()); err != nil {
			return err
		}
	}
	return nil
}

// configSettings lists all there is to set.
func configSettings() []setting { return settingsOf(reflect.TypeFor[Config](), nil) }

// at is an error about a node, with its line and a caret.
func at(n ast.Node, format string, args ...any) error { return atToken(n.GetToken(), format, args...) }

func atToken(t *token.Token, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if t == nil {
		return errors.New(text)
	}
	var p printer.Printer
	return fmt.Errorf("[%d:%d] %s\n%s", t.Position.Line, t.Position.Column, text, strings.TrimRight(p.PrintErrorToken(t, false), "\n"))
}

// readSection reads a mapping into v, a struct with these settings.
func readSection(n ast.Node, v reflect.Value, settings []setting) error {
	pairs, err := mapping(n)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		key := p.Key.GetToken().Value
		s := find(settings, key)
		if s == nil {
			return at(p.Key, "unknown key %q%s", key, meant(key, settings))
		}
		if p.Value.Type() == ast.NullType {
			continue // nothing said: as before
		}
		f := v.Field(s.index)
		if s.subs != nil {
			err = readSection(p.Value, f, s.subs)
		} else {
			err = readValue(p.Value, f, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func find(settings []setting, key string) *setting {
	for i := range settings {
		if settings[i].key == key {
			return &settings[i]
		}
	}
	return nil
}

// mapping gives the pairs of a mapping node.
func mapping(n ast.Node) ([]*ast.MappingValueNode, error) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	}
	return nil, at(n, "here belong lines of the form \"key: value\"")
}

// readValue reads one value into v.
func readValue(n ast.Node, v reflect.Value, key string) error {
	switch v.Kind() {
	case reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			return at(n, "%s takes a list: [a, b], or lines that begin with \"- \"", key)
		}
		list := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
		for i, e := range seq.Values {
			if err := readValue(e, list.Index(i), key); err != nil {
				return err
			}
		}
		v.Set(list)
		return nil
	case reflect.Map:
		pairs, err := mapping(n)
		if err != nil {
			return err
		}
		m := reflect.MakeMap(v.Type())
		for _, p := range pairs {
			e := reflect.New(v.Type().Elem()).Elem()
			name := p.Key.GetToken().Value
			if err := readValue(p.Value, e, name); err != nil {
				return err
			}
			m.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
		}
		v.Set(m)
		return nil
	}
	text, ok := scalar(n)
	if !ok {
		return at(n, "%s takes one value", key)
	}
	if err := setText(v, text); err != nil {
		return at(n, "%s takes %v; this is %q", key, err, text)
	}
	return nil
}

// scalar gives the text of a plain value.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// setText sets a plain value from its text. The error says what it takes.
func setText(v reflect.Value, text string) error {
	if v.Type() == durationType {
		d, err := time.ParseDuration(text)
		if err != nil && text != "0" {
			return errors.New("a time like 500ms, 30s, 5m or 12h")
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch text {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return errors.New("true or false")
		}
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("a number")
		}
		v.SetFloat(f)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := number(text)
		if err != nil || v.OverflowInt(n) {
			return errors.New("a whole number, or a size like 64KiB, 16MiB or 2GiB")
		}
		v.SetInt(n)
	default: // unsigned
		n, err := number(text)
		if err != nil || n < 0 || v.OverflowUint(uint64(n)) {
			return errors.New("a whole number that is not negative, or a size like 64KiB")
		}
		v.SetUint(uint64(n))
	}
	return nil
}

// The units of sizes, the largest first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// number reads a whole number, with a unit of sizes or without.
func number(text string) (int64, error) {
	times := int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, times = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
	if err != nil {
		return 0, err
	}
	if p := n * times; p/times == n {
		return p, nil
	}
	return 0, strconv.ErrRange
}

// Set sets one value by its path in the file: "limits.send_rate" to "-1". A list is
// given with commas.
func (c *Config) Set(path, text string) error {
	v, settings := reflect.ValueOf(c).Elem(), configSettings()
	parts := strings.Split(path, ".")
	for i, key := range parts {
		s := find(settings, key)
		if s == nil {
			return fmt.Errorf("there is no setting %q%s", path, meant(key, settings))
		}
		v = v.Field(s.index)
		if s.subs != nil {
			settings = s.subs
			continue
		}
		if i != len(parts)-1 {
			return fmt.Errorf("there is no setting %q: %s holds no others", path, strings.Join(parts[:i+1], "."))
		}
		switch v.Kind() {
		case reflect.Slice:
			list := reflect.MakeSlice(v.Type(), 0, 1)
			for e := range strings.SplitSeq(text, ",") {
				if e = strings.TrimSpace(e); e != "" {
					list = reflect.Append(list, reflect.ValueOf(e).Convert(v.Type().Elem()))
				}
			}
			v.Set(list)
			return nil
		case reflect.Map:
			return fmt.Errorf("%s is a table: set it in the configuration file", path)
		}
		if err := setText(v, text); err != nil {
			return fmt.Errorf("%s takes %v; this is %q", path, err, text)
		}
		return nil
	}
	return fmt.Errorf("%s is a section: name one of its settings, like %s.%s", path, path, settings[0].key)
}

// meant guesses which key was meant; "" if none is near.
func meant(key string, settings []setting) string {
	best, near := "", 3 // more than two letters off is a guess
	for _, s := range settings {
		if d := distance(key, s.key); d < near {
			best, near = s.key, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}

// distance counts the letters to be changed, put in or left out to make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
