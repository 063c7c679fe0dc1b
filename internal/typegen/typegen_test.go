package typegen

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/types"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample are the types of testdata/types.
func sample(t testing.TB) []im.MessageType {
	t.Helper()
	files, err := types.ReadDir("testdata/types")
	if err != nil {
		t.Fatal(err)
	}
	var out []im.MessageType
	for _, f := range files {
		out = append(out, f.Type)
	}
	return out
}

func made(t testing.TB, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func all(t testing.TB, list []im.MessageType) map[string][]byte {
	t.Helper()
	goCode, err := Go(list, GoOptions{})
	made(t, goCode, err)
	ts, err := TypeScript(list)
	made(t, ts, err)
	swift, err := Swift(list)
	made(t, swift, err)
	return map[string][]byte{"messages.go.golden": goCode, "types.ts": ts, "Types.swift": swift}
}

func TestGolden(t *testing.T) {
	list := sample(t)
	got := all(t, list)
	slices.Reverse(list)
	for name, b := range all(t, list) {
		if !bytes.Equal(b, got[name]) {
			t.Errorf("%s is another in another order of the types", name)
		}
	}
	for name, b := range got {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, want) {
			t.Errorf("%s differs: run go test ./internal/typegen -update, and read what changed", path)
		}
	}
}

// program uses the code that was made: what it is given comes out again as it was, and
// the SDK knows the types.
const program = `package main

import (
	"fmt"
	"os"

	"example.com/app/messages"
	"github.com/anser-im/anser/client"
)

func main() {
	if err := messages.Register(); err != nil {
		panic(err)
	}
	m := &client.Message{Type: os.Args[1], Body: []byte(os.Args[2])}
	v := m.Value()
	fmt.Printf("%T\n", v)
	out, err := client.Encode(v)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", out.Body)
	if s, ok := v.(client.Searchable); ok {
		fmt.Printf("%q\n", s.SearchableWords())
	}
}
`

// The Go that is made is built in a module of an app's, vetted and run.
func TestD10_GoCompilesAndRuns(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	// The app requires what the SDK does, in the same versions, and the SDK itself.
	text := regexp.MustCompile(`(?m)^tool .*$`).ReplaceAllString(string(mod), "")
	text = strings.Replace(text, "module github.com/anser-im/anser", "module example.com/app", 1)
	text += "\nrequire github.com/anser-im/anser v0.0.0\n\nreplace github.com/anser-im/anser => " + root + "\n"
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	code, err := Go(sample(t), GoOptions{})
	made(t, code, err)
	if err := os.Mkdir(filepath.Join(dir, "messages"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"go.mod": []byte(text), "go.sum": sum, "main.go": []byte(program), "messages/messages.go": code} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	goRun := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	goRun("vet", "./...")
	bin := filepath.Join(dir, "app")
	goRun("build", "-o", bin, ".")
	for _, c := range []struct{ typ, body, goType, words string }{
		{"acme:card", `{"title":"Bike","price":0,"state":"on hold","tags":["a","b"],"seller":{"id":"bo","boss":{"id":"al"}},"position":[1,2],"count":0,"negotiable":false,"prices":{"x":{"amount":1,"currency":"EUR"}},"shape":{"kind":"box","w":1,"h":2,"inside":{"kind":"circle","r":3}},"related":[{"title":"T","price":1,"state":"open","seller":{"id":"x"},"position":[]}],"both":{"amount":1,"currency":"USD","tax":2},"price_list-2":[[1],[2]],"标题":"x","unknown":{"kept":[1]}}`, "*messages.AcmeCard", `["Bike" "a" "b"]`},
		{"acme:card", `{"title":"x","price":1.5,"state":"new state","seller":{"id":"bo"},"position":[],"shape":{"kind":"star","points":5},"id":7,"data":[null]}`, "*messages.AcmeCard", `["x"]`},
		{"acme:event", `{"op":"join","who":"bob"}`, "*messages.Event", ""},
		{"acme:event", `{"op":"dance"}`, "*messages.Event", ""},
		{"acme:score-board.v2", `[1,2,3]`, "*messages.ScoreBoardV2", ""},
		{"acme:state", `"typing"`, "*messages.State", ""},
		{"acme:free", `{"any":[1]}`, "*messages.Free", ""},
		{"shop:card", `{"type":"a","self":false,"base":"b","default":0}`, "*messages.ShopCard", ""},
	} {
		out, err := exec.Command(bin, c.typ, c.body).CombinedOutput()
		if err != nil {
			t.Errorf("%s %s: %v\n%s", c.typ, c.body, err, out)
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if lines[0] != c.goType {
			t.Errorf("%s is a %s, not a %s", c.typ, lines[0], c.goType)
		}
		if !sameJSON(t, lines[1], c.body) {
			t.Errorf("%s: %s came out as %s", c.typ, c.body, lines[1])
		}
		if c.words != "" && (len(lines) < 3 || lines[2] != c.words) {
			t.Errorf("%s: the words are %q", c.typ, lines[2:])
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return bytes.Equal(p, q)
}

// usage is TypeScript that uses the types: what is wrong is marked, and has to be
// found.
const usage = `import { AcmeCard, Body, Bodies, Event, ScoreBoardV2 } from "./types";

const card: AcmeCard = {
  title: "Bike", price: 5, state: "on hold", seller: { id: "bo" }, position: [1, 2],
  shape: { kind: "box", w: 1, h: 2, inside: { kind: "circle", r: 3 } },
  buyer: null, related: [], "标题": "x", mentionedInfo: { type: 1 },
};
const event: Body<"acme:event"> = { op: "join", who: card.title };
const name: keyof Bodies = AcmeCard.type;
const points: ScoreBoardV2 = [1, 2];
function area(c: AcmeCard): number {
  if (c.shape?.kind === "circle") return c.shape.r * c.shape.r * 3;
  return c.shape ? c.shape.w * c.shape.h : points.length;
}
function who(e: Event): string | undefined { return e.op === "join" ? e.who : e.why; }
console.log(name, area(card), who(event));

// @ts-expect-error: state is none of them
const wrong1: AcmeCard["state"] = "lost";
// @ts-expect-error: r is of a circle
const wrong2: AcmeCard["shape"] = { kind: "box", w: 1, r: 2 };
// @ts-expect-error: price is missing
const wrong3: Body<"acme:card"> = { title: "x", state: "open", seller: { id: "x" }, position: [] };
// @ts-expect-error: not a type
const wrong4: keyof Bodies = "acme:none";
console.log(wrong1, wrong2, wrong3, wrong4);
`

// The TypeScript that is made, for the app's types and the server's, passes the
// strictest settings of the compiler.
func TestD10_TypeScriptCompiles(t *testing.T) {
	tsc, err := filepath.Abs("../../.bin/npm-typescript/node_modules/.bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tsc); err != nil {
		t.Fatalf("the TypeScript compiler is missing; scripts/install.sh installs it: %v", err)
	}
	dir := t.TempDir()
	own, err := TypeScript(sample(t))
	made(t, own, err)
	builtin, err := TypeScript(types.Builtin())
	made(t, builtin, err)
	for name, b := range map[string][]byte{"types.ts": own, "builtin.ts": builtin, "usage.ts": []byte(usage),
		"tsconfig.json": []byte(`{"compilerOptions": {"strict": true, "exactOptionalPropertyTypes": true, "noUncheckedIndexedAccess": true, "noEmit": true, "target": "es2022", "module": "es2022", "moduleResolution": "bundler", "lib": ["es2022", "dom"], "types": []}, "include": ["*.ts"]}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(tsc, "-p", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}

// Code is made for the server's own types too.
func TestBuiltinTypes(t *testing.T) {
	got := all(t, types.Builtin())
	for _, want := range []string{"export interface Poll extends Base", `"an:text": Text;`, "options: PollOption[];"} {
		if !strings.Contains(string(got["types.ts"]), want) {
			t.Errorf("the TypeScript lacks %q", want)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct{ schema, says string }{
		{`{"$ref":"other.json"}`, "leads out"},
		{`{"$ref":"#/$defs/none"}`, "leads nowhere"},
		{`{"type":"strong"}`, "no type"},
		{`[`, "acme:x"},
		{`5`, "no object"},
	} {
		if _, err := Go([]im.MessageType{{Name: "acme:x", Schema: []byte(c.schema)}}, GoOptions{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.schema, err)
		}
	}
	if _, err := Go(nil, GoOptions{Package: "a b"}); err == nil {
		t.Error("a package name of two words is taken")
	}
	if _, err := TypeScript([]im.MessageType{{Name: "a:b"}, {Name: "a:b"}}); err == nil {
		t.Error("a type that is given twice is taken")
	}
}

// No schema makes it panic, and the Go that is made is as gofmt has it.
func FuzzGenerate(f *testing.F) {
	for _, t := range append(sample(f), types.Builtin()...) {
		f.Add(t.Name, string(t.Schema))
	}
	f.Add("x:1", `{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"type":"null"}]}}}`)
	f.Add(":", `{"properties":{"":{},"a b":{},"A-B":{"enum":["","x","X"]},"*/":{"description":"*/ //"}}}`)
	f.Add("a:type", `{"allOf":[{"$ref":"#"},{"$anchor":"x","items":{"$ref":"#x"}}]}`)
	f.Fuzz(func(t *testing.T, name, schema string) {
		list := []im.MessageType{{Name: name, Schema: []byte(schema), Title: map[string]string{"en": schema}, Search: []string{"/a", "/title"}}}
		if code, err := Go(list, GoOptions{}); err == nil {
			clean, err := format.Source(code)
			if err != nil || !bytes.Equal(clean, code) {
				t.Errorf("not as gofmt has it: %v\n%s", err, code)
			}
		} else if strings.Contains(err.Error(), "this is a bug") {
			t.Error(err)
		}
		TypeScript(list)
		Swift(list)
	})
}

// What a schema says of itself stays in its comment, however it is cut.
func TestCommentsEndWhereTheyEnd(t *testing.T) {
	for _, s := range []string{"*/", "/*/", "*/*/", "/*/*/", "**/", "/**/", "*\u200b/", "*\x00/", "/*\x01/ run(); /*", "a\n/\n*\n/", "*\r/"} {
		lines := comment("one " + s + " run()")
		for _, l := range lines {
			if strings.Contains(l, "*/") || strings.Contains(l, "/*") {
				t.Errorf("%q becomes %q", s, lines)
			}
		}
		ts, err := TypeScript([]im.MessageType{{Name: "acme:x", Schema: []byte(`{"type":"object","properties":{"a":{"type":"string","description":` + quote(s+" run(); "+s) + `}}}`)}})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(string(ts), "\n") {
			if i := strings.Index(l, "*/"); i >= 0 && strings.Contains(l[i:], "run()") {
				t.Errorf("%q runs: %s", s, l)
			}
		}
	}
}
