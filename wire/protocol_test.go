package wire_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/anser-im/anser/wire"
)

// docs/PROTOCOL.md is what others write clients from. The tests below hold its
// examples, its tables and its reference to the code.

const document = "../docs/PROTOCOL.md"

func readDocument(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// examples are the frames of the document by the name of their block.
func examples(t *testing.T, f wire.Format) map[string]wire.Body {
	body := func(m wire.Body) []byte {
		b, err := f.MarshalBody(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	text := []byte(`{"content":"hello"}`)
	return map[string]wire.Body{
		"hello": &wire.Hello{Version: wire.Version, Token: "<token>", NextS: 30,
			Device: &wire.Device{Id: "phone-1", Class: wire.ClassPhone}, Caps: &wire.Caps{Fragments: true}},
		"welcome": &wire.Welcome{Session: "s7kq", Epoch: "e2ma", ServerTime: 1790000000000,
			Heartbeat:    &wire.Heartbeat{ForegroundMs: 30000, PongMs: 10000, SecondPongMs: 5000, GraceMs: 10000},
			WindowEvents: 256, WindowBytes: 262144, SendCredit: 64, MaxFrame: wire.MaxFrame, User: "alice", Device: "phone-1"},
		"send":    &wire.Send{Id: "0199a1b2-0001", Conv: "u/bob", Type: "an:text", Body: text},
		"sendack": &wire.SendAck{Id: "0199a1b2-0001", Conv: "u/bob", Seq: 7, Time: 1790000000123, N: 7},
		"push": &wire.Push{Number: 1, Events: []*wire.Event{{Conv: "u/alice", Seq: 7, Message: &wire.Message{
			Seq: 7, N: 7, Time: 1790000000123, Id: "0199a1b2-0001", Sender: "alice", Device: "phone-1",
			Type: "an:text", Flags: wire.FlagPersist | wire.FlagCount, Body: text}}}},
		"ack":         &wire.Ack{Push: 1},
		"ping":        &wire.Ping{},
		"pong_stuck":  &wire.Pong{Health: uint32(wire.HealthStuck)},
		"req":         &wire.Req{Id: 1, Method: wire.MethodRead, Body: body(&wire.ReadRequest{Conv: "u/alice"})},
		"res":         &wire.Res{Id: 1, Body: body(&wire.ReadResponse{Mine: &wire.Mine{From: 1, Read: 7}})},
		"res_refused": &wire.Res{Id: 1, Code: wire.CodeNotFound, Message: "no such conversation, or you are not in it"},
	}
}

func TestProtocolExamples(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```(hex|json) (\\w+)\n(.*?)^```$").FindAllStringSubmatch(readDocument(t), -1)
	bytesOf := regexp.MustCompile(`^[0-9a-f]{2}( [0-9a-f]{2})*`)
	seen := map[string]bool{}
	for _, b := range blocks {
		kind, name, text := b[1], b[2], b[3]
		f, want := formats["json"], strings.TrimSpace(text)
		if kind == "hex" {
			f, want = formats["bin"], ""
			for line := range strings.Lines(text) {
				want += strings.ReplaceAll(bytesOf.FindString(line), " ", "")
			}
		}
		m, ok := examples(t, f)[name]
		if !ok {
			t.Errorf("the example %s %s is not in this test", kind, name)
			continue
		}
		seen[name] = true
		enc, err := f.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		got := string(enc)
		if kind == "hex" {
			got = hex.EncodeToString(enc)
		}
		if got != want {
			t.Errorf("%s %s:\ndocument %s\ncode     %s", kind, name, want, got)
		}
	}
	for name := range examples(t, wire.JSON) {
		if !seen[name] {
			t.Errorf("the document has no example %q", name)
		}
	}
}

func TestProtocolTables(t *testing.T) {
	doc := readDocument(t)
	for ty := wire.TypePing; ty < wire.TypeExt; ty++ {
		row := fmt.Sprintf("| %d | %s | %s |", ty, strings.ToUpper(ty.String()), wire.New(ty).ProtoReflect().Descriptor().Name())
		if !strings.Contains(doc, row) {
			t.Errorf("the table of frames has no row %q", row)
		}
	}
	for name, code := range constants(t, "Code") {
		if n, _ := strconv.Atoi(code); n > 0 && !strings.Contains(doc, "\n| "+code+" | ") {
			t.Errorf("the table of errors has no row for %s, %s", code, name)
		}
	}
	for name, reason := range constants(t, "Reason") {
		if !strings.Contains(doc, "\n| `"+strings.Trim(reason, `"`)+"` | ") {
			t.Errorf("the table of GOAWAY has no row for %s, %s", reason, name)
		}
	}
	for _, name := range []string{wire.SubprotocolBinary, wire.SubprotocolJSON, wire.Path, wire.FeatureZstd} {
		if !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("%q is not mentioned", name)
		}
	}
}

// constants finds the package's constants whose names begin with prefix, and their
// values as they are written.
func constants(t *testing.T, prefix string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range []string{"errors.go", "names.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == 1 && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, prefix) {
				if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
					found[spec.Names[0].Name] = lit.Value
				}
			}
			return true
		})
	}
	if len(found) < 5 {
		t.Fatalf("only %d constants %s...", len(found), prefix)
	}
	return found
}

const (
	referenceBegin = "<!-- made from wire/anser.proto: go test ./wire -run Reference -update -->\n"
	referenceEnd   = "<!-- end of what was made -->\n"
)

// The reference is made from the comments of the schema.
func TestProtocolReference(t *testing.T) {
	doc := readDocument(t)
	before, rest, ok := strings.Cut(doc, referenceBegin)
	if !ok {
		t.Fatal("the beginning of the reference is not marked")
	}
	_, after, ok := strings.Cut(rest, referenceEnd)
	if !ok {
		t.Fatal("the end of the reference is not marked")
	}
	want := before + referenceBegin + reference(t) + referenceEnd + after
	if doc == want {
		return
	}
	if !*update {
		t.Fatal("the reference is not what wire/anser.proto says: go test ./wire -run Reference -update")
	}
	if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func reference(t *testing.T) string {
	t.Helper()
	schema, err := os.ReadFile("anser.proto")
	if err != nil {
		t.Fatal(err)
	}
	frames, verbs, ok := bytes.Cut(schema, []byte("// ---------------------------------------------------------------- verbs"))
	if !ok {
		t.Fatal("the schema has no part for verbs")
	}
	var out strings.Builder
	out.WriteString("\n### Frames and what is in them\n")
	messages(t, &out, string(frames))
	out.WriteString("\n### Verbs\n\n| `Req.method` | request | answer |\n|---|---|---|\n")
	for _, v := range wire.Verbs() {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", v.Name,
			v.NewRequest().ProtoReflect().Descriptor().Name(), v.NewResponse().ProtoReflect().Descriptor().Name())
	}
	messages(t, &out, string(verbs))
	out.WriteString("\n")
	return out.String()
}

// messages writes a table for each message in a part of the schema.
func messages(t *testing.T, out *strings.Builder, schema string) {
	t.Helper()
	message := regexp.MustCompile(`(?ms)((?:^//[^\n]*\n)*)^message (\w+) \{(.*?)\}$`)
	field := regexp.MustCompile(`^\s+((?:repeated |optional )?[\w.]+) (\w+) = (\d+);\s*// (.*)$`)
	all := message.FindAllStringSubmatch(schema, -1)
	if len(all) != strings.Count(schema, "\nmessage ") {
		t.Fatalf("%d messages were understood", len(all))
	}
	for _, m := range all {
		fmt.Fprintf(out, "\n#### %s\n\n", m[2])
		if comment := strings.TrimSpace(strings.ReplaceAll(m[1], "// ", "")); comment != "" {
			out.WriteString(comment + "\n\n")
		}
		lines := strings.Split(strings.Trim(m[3], "\n"), "\n")
		if m[3] == "" {
			out.WriteString("It has no fields.\n")
			continue
		}
		out.WriteString("| # | field | type | |\n|---|---|---|---|\n")
		for _, line := range lines {
			f := field.FindStringSubmatch(line)
			if f == nil {
				t.Fatalf("%s: a field without a comment that says what it means: %q", m[2], line)
			}
			fmt.Fprintf(out, "| %s | `%s` | %s | %s |\n", f[3], f[2], f[1], f[4])
		}
	}
}
