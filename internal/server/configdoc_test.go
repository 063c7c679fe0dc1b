package server

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write configdocs.go, docs/CONFIGURATION.md and docs/METRICS.md anew")

const modulePath = "github.com/anser-im/anser/"

// The comments of --print-config and the page of all settings are made from the
// comments of the Config fields. This test makes them, and fails if what is in the
// tree is not that; with -update it writes them.
func TestConfigDocs(t *testing.T) {
	root := filepath.Join("..", "..")
	docs := map[string]string{}
	collectDocs(t, root, reflect.TypeFor[Config](), docs, map[string]map[string]string{})
	compare(t, "configdocs.go", docsSource(t, docs))

	was := configDocs
	configDocs = docs // the page is to be right even if configdocs.go is not
	defer func() { configDocs = was }()
	compare(t, filepath.Join(root, "docs", "CONFIGURATION.md"), configPage())
	compare(t, filepath.Join(root, "docs", "METRICS.md"), metricsPage())
}

// Every setting says what it means: the page is all that many will read.
func TestEverySettingIsDescribed(t *testing.T) {
	var walk func(path string, list []setting)
	walk = func(path string, list []setting) {
		for _, s := range list {
			if strings.TrimSpace(s.doc) == "" {
				t.Errorf("%s%s has no comment", path, s.key)
			}
			walk(path+s.key+".", s.subs)
		}
	}
	walk("", configSettings())
}

// Numbers, times and texts say their default, if not by the value that is shown.
func TestEverySettingSaysItsDefault(t *testing.T) {
	var walk func(path string, v reflect.Value, list []setting)
	walk = func(path string, v reflect.Value, list []setting) {
		for _, s := range list {
			f := v.Field(s.index)
			if s.subs != nil {
				walk(path+s.key+".", f, s.subs)
				continue
			}
			doc := strings.ToLower(s.doc)
			if f.IsZero() && f.Kind() != reflect.Bool && f.Kind() != reflect.Map && !strings.Contains(doc, "default") && !strings.Contains(doc, "0 = ") {
				t.Errorf("%s%s does not say its default: %s", path, s.key, s.doc)
			}
		}
	}
	walk("", reflect.ValueOf(Config{}.Defaults()), configSettings())
}

func compare(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the Config comments say: run \"go generate ./internal/server\"", path)
	}
}

// collectDocs fills docs for the fields of t and of the structs in it.
func collectDocs(t *testing.T, root string, typ reflect.Type, docs map[string]string, packages map[string]map[string]string) {
	t.Helper()
	pkg := typ.PkgPath()
	if packages[pkg] == nil {
		packages[pkg] = packageDocs(t, filepath.Join(root, filepath.FromSlash(strings.TrimPrefix(pkg, modulePath))))
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if !f.IsExported() || !settable(f.Type) || f.Tag.Get("config") == "-" {
			continue
		}
		docs[docKey(typ, f.Name)] = packages[pkg][typ.Name()+"."+f.Name]
		if f.Type.Kind() == reflect.Struct && strings.HasPrefix(f.Type.PkgPath(), modulePath) {
			collectDocs(t, root, f.Type, docs, packages)
		}
	}
}

// packageDocs reads the comments of all struct fields of a package: "Type.Field".
func packageDocs(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Go files in %s", dir)
	}
	out := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			st, ok := spec.Type.(*ast.StructType)
			if !ok {
				return false
			}
			for _, field := range st.Fields.List {
				text := field.Doc.Text()
				if text == "" {
					text = field.Comment.Text()
				}
				for _, id := range field.Names {
					out[spec.Name.Name+"."+id.Name] = wrap(describe(id.Name, text), 90)
				}
			}
			return false
		})
	}
	return out
}

// describe turns a comment for programmers into one for who writes the file: without
// the field's name in front, in which a comment may begin.
func describe(name, text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if rest, ok := strings.CutPrefix(text, name+" "); ok {
		for _, verb := range []string{"is ", "are ", "says ", "has "} {
			rest = strings.TrimPrefix(rest, verb)
		}
		text = rest
	}
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

func wrap(text string, width int) string {
	var b strings.Builder
	n := 0
	for i, w := range strings.Fields(text) {
		switch {
		case i == 0:
		case n+1+len(w) > width:
			b.WriteByte('\n')
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(w)
		n += len(w)
	}
	return b.String()
}

func docsSource(t *testing.T, docs map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("// Code generated by \"go generate ./internal/server\" from the comments of the Config fields. DO NOT EDIT.\n\npackage server\n\n")
	b.WriteString("// configDocs has the comment of each setting by import path, type and field.\nvar configDocs = map[string]string{\n")
	keys := make([]string, 0, len(docs))
	for k := range docs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, "%s: %s,\n", strconv.Quote(k), strconv.Quote(docs[k]))
	}
	b.WriteString("}\n")
	out, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return out
}
