package server

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
)

//go:generate go test -count=1 -run ^TestConfigDocs$ . -update

// configPage is docs/CONFIGURATION.md.
func configPage() []byte {
	var b bytes.Buffer
	b.WriteString(`# All settings

<!-- Made by "go generate ./internal/server" from the comments of the Config fields. Change those, not this page. -->

` + "`anser serve`" + ` needs no configuration. What you want otherwise goes into one YAML file, given by ` +
		"`--config FILE`" + ` (or ` + "`ANSER_CONFIG`" + `). Unknown and double keys are errors that show the line, so a
misspelt setting never goes unseen. Times are written ` + "`500ms`, `30s`, `5m`, `12h`" + `, sizes ` + "`64KiB`, `16MiB`, `2GiB`" + `.

- A flag wins over its environment variable, that over the file, the file over the default.
- Any single value can be given as ` + "`--set limits.send_rate=50`" + `.
- ` + "`anser serve --print-config`" + ` prints what is in force, with these comments, as a file that you can start from.

`)
	page(&b, reflect.ValueOf(Config{}.Defaults()), configSettings(), "")
	return b.Bytes()
}

func page(b *bytes.Buffer, v reflect.Value, settings []setting, path string) {
	b.WriteString("| setting | takes | meaning |\n| --- | --- | --- |\n")
	for _, s := range settings {
		if s.subs == nil {
			fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", path, s.key, takes(v.Field(s.index)), cell(s.doc))
		}
	}
	b.WriteByte('\n')
	for _, s := range settings {
		if s.subs == nil {
			continue
		}
		fmt.Fprintf(b, "%s `%s%s`\n\n%s\n\n", strings.Repeat("#", 2+strings.Count(path, ".")), path, s.key, strings.ReplaceAll(s.doc, "\n", " "))
		page(b, v.Field(s.index), s.subs, path+s.key+".")
	}
}

// cell is text for a table of Markdown.
func cell(s string) string {
	return strings.NewReplacer("\n", " ", "|", "\\|", "<", "&lt;").Replace(s)
}

// takes says what kind of value a setting takes, and its default where that is known
// here.
func takes(v reflect.Value) string {
	kind := ""
	switch {
	case v.Type() == durationType:
		kind = "time"
	case v.Kind() == reflect.Slice:
		kind = "list"
	case v.Kind() == reflect.Map:
		kind = "table"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.Kind() == reflect.String:
		kind = "text"
	default:
		kind = "number"
	}
	if v.IsZero() || v.Kind() == reflect.Slice {
		return kind
	}
	return fmt.Sprintf("%s, default `%s`", kind, valueText(v, "byte"))
}
