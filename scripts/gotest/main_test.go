package main

import (
	"strings"
	"testing"
)

func summarize(lines ...string) (string, bool) {
	var out strings.Builder
	s := newSummary(&out)
	if err := s.read(strings.NewReader(strings.Join(lines, "\n"))); err != nil {
		return err.Error(), false
	}
	ok := s.report()
	return out.String(), ok
}

func TestSummary(t *testing.T) {
	pass := `{"Action":"pass","Package":"p","Test":"TestA"}`
	result := `{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`
	for _, c := range []struct {
		name  string
		lines []string
		ok    bool
		says  []string
		not   string
	}{
		{"pass", []string{`{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}`, pass, result, `{"Action":"pass","Package":"p"}`}, true, []string{"ok  \tp\t0.1s\n", "1 passed, 0 failed, 0 skipped"}, "noise"},
		{"skip", []string{pass, `{"Action":"output","Package":"p","Test":"TestB","Output":"no docker\n"}`, `{"Action":"skip","Package":"p","Test":"TestB"}`}, false, []string{"no docker", "skipped: p.TestB", "1 skipped"}, ""},
		{"fail", []string{pass, `{"Action":"output","Package":"p","Test":"TestB","Output":"why\n"}`, `{"Action":"fail","Package":"p","Test":"TestB"}`}, false, []string{"why\n", "failed: p.TestB", "1 failed"}, ""},
		{"no build", []string{pass, `{"Action":"build-output","ImportPath":"q","Output":"x.go:1: wrong\n"}`, `{"Action":"fail","Package":"q","FailedBuild":"q"}`}, false, []string{"x.go:1: wrong\n", "failed: q"}, ""},
		{"panic", []string{pass, `{"Action":"output","Package":"p","Test":"TestB","Output":"panic: why\n"}`, `{"Action":"fail","Package":"p"}`}, false, []string{"did not end: p.TestB\npanic: why\n"}, ""},
		{"no test files", []string{pass, `{"Action":"skip","Package":"q"}`}, true, nil, "skipped: q"},
		{"nothing ran", []string{`{"Action":"skip","Package":"q"}`}, false, []string{"No test ran"}, ""},
		{"not JSON", []string{"go: cannot", pass}, true, []string{"go: cannot"}, ""},
	} {
		out, ok := summarize(c.lines...)
		if ok != c.ok {
			t.Errorf("%s: ok is %v:\n%s", c.name, ok, out)
		}
		for _, s := range c.says {
			if !strings.Contains(out, s) {
				t.Errorf("%s: does not say %q:\n%s", c.name, s, out)
			}
		}
		if c.not != "" && strings.Contains(out, c.not) {
			t.Errorf("%s: says %q:\n%s", c.name, c.not, out)
		}
	}
}

// What is kept of a test that prints for ever is bounded, and is the end of it.
func TestKept(t *testing.T) {
	s := newSummary(new(strings.Builder))
	line := strings.Repeat("x", 1000)
	for range 10_000 {
		s.add(event{Action: "output", Package: "p", Test: "T", Output: line})
	}
	s.add(event{Action: "output", Package: "p", Test: "T", Output: "panic"})
	kept := string(s.kept["p\x00T"])
	if len(kept) > maxKept || !strings.HasSuffix(kept, "panic") {
		t.Errorf("%d bytes kept", len(kept))
	}
}
