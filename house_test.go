// Package anser_test holds what is true of the module as a whole.
package anser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/anser-im/anser"

// room is a row of the house: what packages of that name may import of ours, and why
// no more. Names are paths in the module; a last element "*" stands for one element or
// more. The first row that fits counts.
type room struct {
	name    string
	imports []string
	why     string
}

// house is the map of docs/ARCHITECTURE.md as a table: imports point down. Only what
// is built into programs is looked at: tests may import what they need.
var house = []room{
	{"internal/im", nil,
		"everybody speaks of its nouns, so it can know nobody"},
	{"wire", nil,
		"it is public: a program that speaks the protocol takes it without the rest"},
	{"wire/*", []string{"wire"},
		"generated clients are as public as the schema that they are made from"},
	{"client/mobile", []string{"client"},
		"it is a face of the SDK for phones and adds nothing to it"},
	{"client", []string{"wire"},
		"it is public and built into applications: nothing of a server belongs there"},
	{"client/*", []string{"client", "wire"},
		"parts of the SDK are as public as the SDK"},

	{"internal/store", []string{"internal/im"},
		"its interfaces are promises; whoever keeps them comes below"},
	{"internal/store/storetest", []string{"internal/store", "internal/store/memstore", "internal/im"},
		"it holds stores to their promises through the interfaces alone; memstore is its model"},
	{"internal/store/storebench", []string{"internal/store", "internal/store/pebblestore", "internal/im"},
		"it drives the store that is measured, and nothing above it"},
	{"internal/store/*", []string{"internal/store", "internal/im"},
		"a store keeps things and never decides who may"},

	{"internal/hub", []string{"internal/im"},
		"it hands out what it is given and asks no store and no rule"},
	{"internal/types", []string{"internal/im", "internal/store"},
		"it knows what messages of a type look like, and not who sends them; core declares what it asks of it"},
	{"internal/typegen", []string{"internal/im"},
		"it writes code from schemas, and needs no server to do so"},
	{"internal/auth", []string{"internal/im"},
		"it declares the account store that it needs; the server plugs it in"},
	{"internal/core", []string{"internal/im", "internal/store", "internal/hub", "internal/auth"},
		"rules know no protocol: bytes, topics, stanzas and status codes end at the doors"},

	{"internal/gate", []string{"internal/im"},
		"listeners, limits and drains are the same for every door, so they know none"},
	{"internal/gate/rpc", []string{"internal/core", "internal/im", "wire"},
		"plumbing that doors share: what a verb of the schema is in core, and nothing of connections"},
	{"internal/gate/*", []string{"internal/gate", "internal/gate/rpc", "internal/core", "internal/im", "internal/auth", "wire"},
		"a door reads a unit, calls one verb and writes the answer; it knows no other door and no store"},

	{"internal/server", []string{"internal/*", "wire"},
		"the one room that names concrete types and plugs them together"},
	{"internal/faults", nil,
		"it holds tests that do harm to the program from outside, and knows nothing of its inside"},
	{"internal/testkit/servertest", []string{"internal/server", "internal/store", "internal/testkit"},
		"tests of other rooms run a whole server, and touch it from outside alone"},
	{"internal/testkit", nil,
		"helpers of all tests can lean on none of them"},

	{"cmd/anser/bench", []string{"wire"},
		"what is measured is the server: the load tool speaks the protocol itself, without the SDK"},
	{"cmd/anser/chat", []string{"client", "wire"},
		"the terminal client is an application like any other"},
	{"cmd/anser/types", []string{"internal/types", "internal/typegen", "internal/im", "wire"},
		"types are checked and made into code without a server; with one, it is asked over HTTP"},
	{"cmd/anser", []string{"internal/server", "client", "wire", "cmd/anser/*"},
		"a program only starts things"},
	{"docs/examples/*", []string{"client", "wire"},
		"they show what an application does, which has the public rooms alone"},
	{"scripts/*", nil,
		"tools of the build do without what they build"},
}

// onlyTests are packages that no program is built with.
var onlyTests = []string{"internal/testkit", "internal/testkit/servertest", "internal/faults", "internal/store/storetest"}

// pkg is a package as `go list -json` has it.
type pkg struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
}

func TestHouse(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,GoFiles", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 5 {
		t.Fatalf("go list knows only %d packages", len(pkgs))
	}
	for _, broken := range check(pkgs) {
		t.Error(broken)
	}
}

// check names every import that the house does not allow.
func check(pkgs []pkg) (broken []string) {
	for _, p := range pkgs {
		name, ok := local(p.ImportPath)
		if !ok || len(p.GoFiles) == 0 {
			continue
		}
		i := slices.IndexFunc(house, func(r room) bool { return match(r.name, name) })
		if i < 0 {
			broken = append(broken, fmt.Sprintf("%s has no row in the house (house_test.go): say what it may import, and why", name))
			continue
		}
		for _, path := range p.Imports {
			imported, ok := local(path)
			switch {
			case !ok:
			case slices.Contains(onlyTests, imported) && !slices.Contains(onlyTests, name):
				broken = append(broken, fmt.Sprintf("%s imports %s, which is for tests only", name, imported))
			case !slices.ContainsFunc(house[i].imports, func(pattern string) bool { return match(pattern, imported) }):
				broken = append(broken, fmt.Sprintf("%s imports %s; it may import %q of ours: %s", name, imported, house[i].imports, house[i].why))
			}
		}
	}
	return broken
}

// local is an import path within the module; false if it is another's.
func local(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func match(pattern, name string) bool {
	if dir, last := path.Split(pattern); last == "*" {
		return strings.HasPrefix(name, dir) && len(name) > len(dir)
	}
	return pattern == name
}

// The table is worth something only if it finds what it should.
func TestHouseFinds(t *testing.T) {
	of := func(name string, imports ...string) pkg {
		p := pkg{ImportPath: module + "/" + name, GoFiles: []string{"x.go"}, Imports: []string{"fmt", "golang.org/x/text/unicode/norm"}}
		for _, i := range imports {
			p.Imports = append(p.Imports, module+"/"+i)
		}
		return p
	}
	for _, p := range []pkg{
		of("internal/gate/line", "internal/gate", "internal/core", "internal/im"),
		of("internal/server", "internal/gate/line", "internal/store/pebblestore", "wire"),
		of("cmd/anser", "cmd/anser/bench", "client"),
		of("internal/store/storetest", "internal/store/memstore"),
	} {
		if broken := check([]pkg{p}); len(broken) != 0 {
			t.Errorf("%s: %q", p.ImportPath, broken)
		}
	}
	for _, c := range []struct {
		p    pkg
		says string
	}{
		{of("internal/gate/line", "internal/gate/native"), "no other door"},
		{of("internal/gate/native", "internal/store"), "no store"},
		{of("internal/core", "wire"), "rules know no protocol"},
		{of("internal/store/pebblestore", "internal/core"), "never decides who may"},
		{of("internal/store", "internal/store/memstore"), "below"},
		{of("client", "internal/im"), "public"},
		{of("cmd/anser/bench", "client"), "without the SDK"},
		{of("internal/server", "internal/testkit"), "tests only"},
		{of("internal/attic"), "no row"},
	} {
		broken := check([]pkg{c.p})
		if len(broken) != 1 || !strings.Contains(broken[0], c.says) {
			t.Errorf("%s: %q", c.p.ImportPath, broken)
		}
	}
}

// docs/DEPENDENCIES.md has a row for every module that is required directly, with the
// version of go.mod, and none for others.
func TestDependencies(t *testing.T) {
	doc, err := os.ReadFile("docs/DEPENDENCIES.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{} // module to version
	for line := range strings.Lines(string(doc)) {
		if cell := strings.Split(line, "|"); len(cell) > 3 && strings.Contains(cell[1], ".") {
			rows[strings.TrimSpace(cell[1])] = strings.TrimSpace(cell[2])
		}
	}
	for _, r := range mod.Require {
		row, ok := rows[r.Path]
		if r.Indirect && !ok { // a tool's module is indirect, and may have a row
			continue
		}
		if row != r.Version {
			t.Errorf("%s %s: the table has version %q", r.Path, r.Version, row)
		}
		delete(rows, r.Path)
	}
	for module := range rows {
		t.Errorf("%s is in the table and not required", module)
	}
}

// Links of the documents to other files lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)`)
	found := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			if to := string(m[1]); !strings.Contains(to, "://") {
				found++
				if _, err := os.Stat(filepath.Join(filepath.Dir(name), to)); err != nil {
					t.Errorf("%s: the link to %s leads nowhere", name, to)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 10 {
		t.Errorf("only %d links were found", found)
	}
}
