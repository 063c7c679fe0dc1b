package pebblestore

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func epochOf(t *testing.T, dir string) im.Epoch {
	t.Helper()
	db, err := Open(Config{Dir: dir, Small: true, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.App(DefaultApp)
	if err != nil {
		t.Fatal(err)
	}
	e := s.Epoch()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return e
}

// A store keeps its epoch as long as its files are its own, and takes a new one when
// they were put back.
func TestIdentity(t *testing.T) {
	home := t.TempDir()
	dir, copied := filepath.Join(home, "store"), filepath.Join(home, "copy")
	first := epochOf(t, dir)
	if e := epochOf(t, dir); e != first {
		t.Fatal("a new epoch without need")
	}
	if out, err := exec.Command("cp", "-a", dir, copied).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	moved := filepath.Join(home, "moved")
	if err := os.Rename(dir, moved); err != nil { // within a file system files stay what they are
		t.Fatal(err)
	}
	if e := epochOf(t, moved); e != first {
		t.Fatal("a new epoch because the directory has another name")
	}
	second := epochOf(t, copied)
	if second == first {
		t.Fatal("a copy has the epoch of the store it was made of")
	}
	if e := epochOf(t, copied); e != second {
		t.Fatal("a new epoch at every opening")
	}
	// The copy is put back over the files of the store, file by file.
	if out, err := exec.Command("cp", "-a", copied+"/.", moved).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if e := epochOf(t, moved); e == first || e == second {
		t.Fatal("what was put back over a store keeps its epoch")
	}
	// Cut off while the file is made.
	if err := os.WriteFile(filepath.Join(copied, identityNew), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := epochOf(t, copied); e != second {
		t.Fatal("a new epoch after an opening that was cut off")
	}
}

// A file is known by the whole of its line.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		known, file string
		want        bool
	}{
		{"12 made 0;\n", "12 made 0;", true},
		{"7 made 5;\n12 made 0;", "12 made 0;", true},
		{"7 made 5;\n12 made 0;", "7 made 5;", true},
		{"112 made 0;\n", "12 made 0;", false},
		{"7 made 5;\n112 made 0;", "12 made 0;", false},
		{"12 made 0;\n", "", false},
		{"", "12 made 0;", false},
	} {
		if got := names([]byte(test.known), test.file); got != test.want {
			t.Errorf("%q in %q: %v", test.file, test.known, got)
		}
	}
}
