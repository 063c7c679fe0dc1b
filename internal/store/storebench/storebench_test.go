package storebench_test

import (
	"context"
	"errors"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/storebench"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	phases := map[string]bool{}
	o := storebench.Options{Dir: dir + "/s", Preload: 3000, Conversations: 200, Messages: 5000, Batch: 300,
		Progress: func(done, total int, phase string) {
			phases[phase] = true
			if total > 0 && done > total {
				t.Errorf("%s: %d of %d", phase, done, total)
			}
		}}
	r, err := storebench.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed() || r.Accepted != 5000 || r.Sent != 5000 || !r.Settled {
		t.Fatalf("%+v", r)
	}
	if r.Seconds <= 0 || r.AcceptedPerS <= 0 || r.SettledCPU < r.CPU || r.SettledBytes <= 128 || r.OpenSeconds <= 0 || r.Page.Max < r.Page.P50 || r.Page.P50 <= 0 || r.SendsPerCommit < 1 {
		t.Fatalf("%+v", r)
	}
	for _, want := range []string{"making conversations", "loading", "sending", "reading pages"} {
		if !phases[want] {
			t.Errorf("no progress of %q", want)
		}
	}
	if _, err := storebench.Run(context.Background(), o); !im.IsKind(err, im.Invalid) {
		t.Fatalf("on a store that is there: %v", err)
	}
}

func TestRunEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := storebench.Options{Dir: t.TempDir() + "/s", Conversations: 50, Messages: 1 << 30,
		Progress: func(done, _ int, phase string) {
			if phase == "sending" && done > 20_000 {
				cancel()
			}
		}}
	if _, err := storebench.Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
