//go:build unix

package pebblestore_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// BenchmarkOpen opens a store of 200,000 conversations and a million messages, once
// after Close and once as kill -9 would leave it with half a memtable in the log.
func BenchmarkOpen(b *testing.B) {
	home := b.TempDir()
	db, err := pebblestore.Open(pebblestore.Config{Dir: home + "/s", MinFree: -1})
	if err != nil {
		b.Fatal(err)
	}
	s, err := db.App(pebblestore.DefaultApp)
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1024)
	const convs, sends = 200_000, 1_000_000
	at := make([]im.ConvID, convs)
	for i := range sends + cap(done) {
		if i >= cap(done) {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		if i >= sends {
			continue
		}
		c := i % convs
		op := send(fmt.Sprint("a", c), fmt.Sprint("b", c), fmt.Sprint(i), "a hundred bytes or so of what people say to each other when they have nothing to say but still write")
		if i >= convs {
			op.Conv = at[c]
		}
		op.Done = func() { at[c] = op.At; done <- op.Err }
		if err := s.Submit(op); err != nil {
			b.Fatal(err)
		}
	}
	if out, err := exec.Command("cp", "-a", home+"/s", home+"/killed").CombinedOutput(); err != nil {
		b.Fatalf("%v %s", err, out)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"s", "killed"} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				dir := home + "/once"
				if out, err := exec.Command("cp", "-a", home+"/"+name, dir).CombinedOutput(); err != nil {
					b.Fatalf("%v %s", err, out)
				}
				cpu0, began := cpu(b), time.Now()
				db, err := pebblestore.Open(pebblestore.Config{Dir: dir, MinFree: -1})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(began).Seconds(), "open-s")
				b.ReportMetric(float64(cpu(b)-cpu0)/1e9, "open-cpu-s")
				db.Close()
				os.RemoveAll(dir)
			}
		})
	}
}
