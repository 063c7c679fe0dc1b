package anser_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tests' names into docs/FEATURES.md again")

// featureRow is a line of docs/FEATURES.md: id, what, state, how, shown by.
var featureRow = regexp.MustCompile(`^\| ([A-T]\d+) \| (.*?) \| (works|partly|later) \| (.*?) \| ?(.*?) ?\|$`)

// TestFeatures: what docs/FEATURES.md says works is shown by tests that are there. A
// test that is named for a row (TestC7_...) stands in it by itself; others are named by
// hand.
func TestFeatures(t *testing.T) {
	tests := map[string]bool{}
	byRow := map[string][]string{}
	named := regexp.MustCompile(`(?m)^func (Test(?:([A-T]\d+)_)?\w*)\(`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go") && !strings.HasPrefix(path, filepath.Join("internal", "store", "storetest")):
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range named.FindAllStringSubmatch(string(b), -1) {
			if m[2] != "" && !tests[m[1]] {
				byRow[m[2]] = append(byRow[m[2]], m[1])
			}
			tests[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/FEATURES.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(doc), "\n")
	rows := 0
	for i, l := range lines {
		m := featureRow.FindStringSubmatch(l)
		if m == nil {
			if strings.HasPrefix(l, "| ") && regexp.MustCompile(`^\| [A-T]\d`).MatchString(l) {
				t.Errorf("a row of another shape: %s", l)
			}
			continue
		}
		rows++
		id, state := m[1], m[3]
		var shown []string
		for _, name := range strings.Fields(m[5]) {
			if !strings.HasPrefix(name, "Test"+id+"_") {
				shown = append(shown, name)
			}
		}
		own := byRow[id]
		slices.Sort(own)
		shown = append(own, shown...)
		delete(byRow, id)
		if state == "later" {
			if len(shown) > 0 {
				t.Errorf("%s is for later and shown by %v", id, shown)
			}
			continue
		}
		if len(shown) == 0 {
			t.Errorf("%s %s, and no test shows it", id, state)
		}
		for _, name := range shown {
			if !tests[name] {
				t.Errorf("%s is shown by %s, which is not there", id, name)
			}
		}
		want := "| " + strings.Join([]string{id, m[2], state, m[4], strings.Join(shown, " ")}, " | ") + " |"
		if want != l {
			if !*update {
				t.Errorf("the tests of %s are others: go test . -run Features -update", id)
			}
			lines[i] = want
		}
	}
	for id, names := range byRow {
		t.Errorf("%v: there is no row %s", names, id)
	}
	if rows < 140 {
		t.Errorf("only %d rows", rows)
	}
	if *update {
		if err := os.WriteFile("docs/FEATURES.md", []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
