package server

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Print writes c as a configuration file: every setting with its comment and the value
// in force. Zero values that stand for a default of their package are shown as 0; the
// comment says what that means.
func (c Config) Print(w io.Writer) error {
	var b bytes.Buffer
	printSection(&b, reflect.ValueOf(c), configSettings(), "")
	_, err := w.Write(b.Bytes())
	return err
}

func printSection(b *bytes.Buffer, v reflect.Value, settings []setting, indent string) {
	for i, s := range settings {
		if i > 0 && (s.doc != "" || s.subs != nil) {
			b.WriteByte('\n')
		}
		for line := range strings.Lines(s.doc) {
			b.WriteString(indent + "# " + strings.TrimRight(line, "\n") + "\n")
		}
		f := v.Field(s.index)
		if s.subs != nil {
			fmt.Fprintf(b, "%s%s:\n", indent, s.key)
			printSection(b, f, s.subs, indent+"  ")
			continue
		}
		fmt.Fprintf(b, "%s%s: %s\n", indent, s.key, strings.ReplaceAll(valueText(f, s.doc), "\n", "\n"+indent+"  "))
	}
}

// valueText is a value as the file has it; a list or table of several takes lines of
// its own, which begin with a line end.
func valueText(v reflect.Value, doc string) string {
	switch v.Kind() {
	case reflect.Slice:
		if v.Len() == 0 {
			return "[]"
		}
		var b strings.Builder
		for i := range v.Len() {
			b.WriteString("\n- " + valueText(v.Index(i), ""))
		}
		return b.String()
	case reflect.Map:
		if v.Len() == 0 {
			return "{}"
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		var b strings.Builder
		for _, k := range keys {
			b.WriteString("\n" + valueText(k, "") + ": " + valueText(v.MapIndex(k), ""))
		}
		return b.String()
	case reflect.Int, reflect.Int64:
		n := v.Int()
		if v.Type() == durationType {
			return durationText(time.Duration(n))
		}
		if strings.Contains(doc, "byte") || strings.Contains(doc, "iB") {
			for _, u := range sizeUnits {
				if n >= u.bytes && n%u.bytes == 0 {
					return fmt.Sprintf("%d%s", n/u.bytes, u.name)
				}
			}
		}
		return fmt.Sprint(n)
	case reflect.String:
		b, err := yaml.Marshal(v.String()) // quotes what YAML would read as something else
		if err != nil {
			return fmt.Sprintf("%q", v.String())
		}
		return strings.TrimRight(string(b), "\n")
	}
	return fmt.Sprint(v.Interface())
}

// durationText is d without the zero parts that time.Duration writes: 5m, not 5m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
