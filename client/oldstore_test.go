package client_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
)

// A store that was written before messages were kept here opens, goes on where it was,
// and sends what waited in it.
func TestOldStoreOpens(t *testing.T) {
	old, err := os.ReadFile("testdata/journal-before-kept")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	bubble(t, "old", func(t *testing.T, f *fake) {
		for _, text := range []string{"1", "2", "3"} { // the third came since
			f.post("u/bob", "bob", text, true)
		}
		f.edit("u/bob", 1, "one", true)
		f.post("g/x", "carol", "1", true)
		st := open(t, dir)
		if st.Damaged() != "" || st.Torn() != 0 {
			t.Fatal(st.Damaged(), st.Torn())
		}
		a := start(t, f, keep(10), func(o *client.Options) { o.Store = st })
		settle(5 * time.Second)
		if told := moves(a); told != "sent4 +3" && told != "+3 sent4" { // they come by two ways
			t.Errorf("told: %s", told)
		}
		same(t, "kept", shown(a, "u/bob"), "3:3 4:written by an older version")
		a.stop()
		st.Close()
	})
}
