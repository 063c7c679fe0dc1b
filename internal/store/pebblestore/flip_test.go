package pebblestore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// One byte is flipped somewhere in a file. The store is then refused, or says of what
// it cannot read that it cannot; whatever it does serve is right, and nothing that was
// acknowledged is missing without a word.
func TestFlippedBytes(t *testing.T) {
	mem := vfs.NewCrashableMem()
	db, s := opened(t, mem, pebblestore.Config{}.Memtable(64<<10))
	const sends = 1500
	var conv im.ConvID
	body := func(i int) string { return fmt.Sprint("body of number ", i, strings.Repeat(" and more", i%20)) }
	waits := make(chan error, sends)
	for i := range sends {
		op := send("alice", "bob", fmt.Sprint(i+1), body(i+1))
		op.Done = func() { conv = op.At; waits <- op.Err }
		if err := s.Submit(op); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 {
			for range 50 {
				if err := <-waits; err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := db.Mark(); err != nil {
		t.Fatal(err)
	}
	cut := mem.CrashClone(vfs.CrashCloneCfg{}) // with a log that has to be read
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	outcomes := map[string]int{}
	for name, image := range map[string]vfs.FS{"closed": mem, "cut": cut} {
		files, err := image.List("data/store")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if file == "LOCK" {
				continue
			}
			for range 6 {
				fs := vfs.NewMem()
				if _, err := vfs.Clone(image, fs, "data", "data"); err != nil {
					t.Fatal(err)
				}
				at, ok := flip(t, fs, "data/store/"+file, rng)
				if !ok {
					break
				}
				what, err := serve(fs, conv, sends, body)
				if err != nil {
					t.Errorf("%s, byte %d of %s flipped: %v", name, at, file, err)
				}
				kind := file[strings.LastIndexAny(file, ".")+1:]
				if !strings.Contains(file, ".") || strings.HasPrefix(file, "marker") {
					kind = strings.SplitN(strings.SplitN(file, "-", 2)[0], ".", 2)[0]
				}
				outcomes[name+" "+kind+": "+what]++
			}
		}
	}
	t.Log(outcomes)
}

// flip flips one bit of a file; false if it is empty.
func flip(t *testing.T, fs vfs.FS, name string, rng *rand.Rand) (at int, ok bool) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	f.Close()
	if err != nil || len(b) == 0 {
		return 0, false
	}
	at = rng.IntN(len(b))
	b[at] ^= 1 << rng.IntN(8)
	out, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = out.Write(b)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return at, true
}

// serve opens what is there and reads all of it.
func serve(fs vfs.FS, conv im.ConvID, sends int, body func(int) string) (what string, err error) {
	var log lines
	db, err := pebblestore.Open(pebblestore.Config{Dir: "data/store", FS: fs, Small: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		if im.AsError(err).Kind == im.Internal {
			return "", fmt.Errorf("refused without a sentence: %w", err)
		}
		return "refused", nil
	}
	defer db.Close()
	s, err := db.App(pebblestore.DefaultApp)
	if err != nil {
		return "", err
	}
	failed, wrong := 0, 0
	for i := 1; i <= sends; i++ {
		m, ok, err := s.Message(conv, im.Seq(i))
		switch {
		case err != nil:
			failed++
		case !ok || string(m.Body) != body(i) || m.ID != im.ClientID(fmt.Sprint(i)):
			wrong++
		}
	}
	p, err := s.Page(store.PageQuery{Conv: conv, From: 1, To: 1 << 40, Limit: sends, Bytes: 1 << 30})
	if err == nil && len(p.Messages) != sends {
		wrong++
	}
	if wrong > 0 {
		return "", fmt.Errorf("%d of %d messages are missing or wrong without a word; log: %s", wrong, sends, log.String())
	}
	if failed > 0 {
		if !strings.Contains(log.String(), "damaged") {
			return "", errors.New("reads fail and the log names no file")
		}
		return "reads fail", nil
	}
	return "all served", nil
}

// lines is a log that may be written by any goroutine.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
