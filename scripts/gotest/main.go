// Command gotest runs `go test` and ends with status 1 if a test failed, did not
// build, or was skipped. Everything after its own flags goes to go test:
//
//	go run ./scripts/gotest -race ./...
//
// It prints go test's own line for each package, the output of tests that failed, and
// at the end how many passed, failed and were skipped. A skipped test is a promise
// that nobody looked at: what a test needs is installed by scripts/install.sh, and a
// test that could go on for hours does less of it every day (testkit.Soak) instead of
// nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
	s := newSummary(os.Stdout)
	readErr := s.read(out)
	err = cmd.Wait()
	if s.report() && err == nil && readErr == nil {
		return
	}
	for _, e := range []error{readErr, err} {
		if e != nil {
			fmt.Fprintln(os.Stderr, "gotest:", e)
		}
	}
	os.Exit(1)
}

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output, instead of Package
	Test        string // empty: the package itself
	Output      string
	FailedBuild string
}

// maxKept is how many bytes of output are kept of one test that may yet fail. Of a
// longer one the end is kept: that is where a panic stands.
const maxKept = 256 << 10

type summary struct {
	w                       io.Writer
	kept                    map[string][]byte // output of running tests, by package and test
	passed, failed, skipped int
	skips, fails            []string
}

func newSummary(w io.Writer) *summary {
	return &summary{w: w, kept: make(map[string][]byte)}
}

func (s *summary) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				s.add(e)
			} else {
				s.w.Write(line) // go's own complaint
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) add(e event) {
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "build-output":
		io.WriteString(s.w, e.Output)
	case "output":
		if e.Test == "" && isResult(e.Output) {
			io.WriteString(s.w, e.Output)
			return
		}
		b := append(s.kept[key], e.Output...)
		if len(b) > maxKept {
			b = append([]byte("...\n"), b[len(b)-maxKept/2:]...)
		}
		s.kept[key] = b
	case "fail":
		s.w.Write(s.kept[key])
		delete(s.kept, key)
		if e.Test == "" {
			s.unfinished(e.Package)
		}
		s.failed++
		s.fails = append(s.fails, name(e))
	case "skip":
		if e.Test != "" { // a package is "skipped" when it has no test files
			s.w.Write(s.kept[key])
			s.skipped++
			s.skips = append(s.skips, name(e))
		}
		delete(s.kept, key)
	case "pass":
		if e.Test != "" {
			s.passed++
		}
		delete(s.kept, key)
	}
}

// unfinished prints what tests have said that did not come to an end: one of them is
// where the package panicked or ran out of time.
func (s *summary) unfinished(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(s.kept)) {
		if test, ok := strings.CutPrefix(key, pkg+"\x00"); ok {
			fmt.Fprintf(s.w, "did not end: %s.%s\n", pkg, test)
			s.w.Write(s.kept[key])
			delete(s.kept, key)
		}
	}
}

// isResult says whether a line is go test's own about a package, which stands at the
// left margin: "ok  \tpkg\t0.1s", "FAIL\tpkg ...", "?   \tpkg\t[no test files]".
func isResult(line string) bool {
	for _, p := range []string{"ok  \t", "FAIL\t", "?   \t"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

func name(e event) string {
	if e.Test == "" {
		return e.Package
	}
	return e.Package + "." + e.Test
}

// report prints the end and says whether all is well.
func (s *summary) report() bool {
	for _, list := range []struct {
		word  string
		names []string
	}{{"failed", s.fails}, {"skipped", s.skips}} {
		slices.Sort(list.names)
		for _, n := range slices.Compact(list.names) {
			fmt.Fprintf(s.w, "%s: %s\n", list.word, n)
		}
	}
	fmt.Fprintf(s.w, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	if s.skipped > 0 {
		fmt.Fprintln(s.w, "A skipped test counts as a failure here: install what it needs, or take it out.")
	}
	if s.passed == 0 {
		fmt.Fprintln(s.w, "No test ran.")
	}
	return s.failed == 0 && s.skipped == 0 && s.passed > 0
}
