package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// Store is "anser bench store".
type Store struct {
	Output
	Data          string `help:"Directory of the store; what it makes is left in place. Default: a fresh one, removed at the end." placeholder:"DIR" type:"path"`
	Preload       int64  `help:"Messages that are in the store before measuring begins. Default ${default}." default:"0" placeholder:"N"`
	Conversations int    `help:"Conversations that the messages are spread over at random. Default ${default}." default:"200000" placeholder:"N"`
	Messages      int64  `help:"Messages that are measured. Default ${default}." default:"1000000" placeholder:"N"`
	Batch         int    `help:"Messages of a commit. Default ${default}." default:"512" placeholder:"B"`
	Size          int    `help:"Bytes of a message body. Default ${default}." default:"128" placeholder:"B"`
}

// StoreOptions says what is to be done with a store.
type StoreOptions struct {
	Dir           string // of the store: there, and empty unless it is one of an earlier bench
	Preload       int64
	Conversations int
	Messages      int64
	Batch         int
	Size          int
}

// Run drives the store alone.
func (t *Store) Run(ctx context.Context, env *Env) error {
	if env.StoreRun == nil {
		return errors.New("this program was built without the store's bench")
	}
	if t.Preload < 0 || t.Messages < 1 || t.Conversations < 1 || t.Batch < 1 || t.Size < 1 {
		return errors.New("--messages, --conversations, --batch and --size are from 1, --preload from 0")
	}
	o := StoreOptions{Dir: t.Data, Preload: t.Preload, Conversations: t.Conversations, Messages: t.Messages, Batch: t.Batch, Size: t.Size}
	if o.Dir == "" {
		dir, err := os.MkdirTemp(freshParent(), "anser-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.Dir = dir
	}
	show := newStepper(newProgress(env.Stderr, t.Quiet))
	got, err := env.StoreRun(ctx, o, show.at)
	show.over()
	if err != nil {
		return err
	}
	rep := env.newReport("store")
	rep.Filesystem = filesystem(o.Dir)
	fields, err := merge(rep, got)
	if err != nil {
		return err
	}
	if err := env.writeAny(t.Output, fields, func(w io.Writer) { storeTable(w, t, got) }); err != nil {
		return err
	}
	var v struct {
		Lost       uint64 `json:"lost"`
		Duplicated uint64 `json:"duplicated"`
		OutOfOrder uint64 `json:"out_of_order"`
		Errors     uint64 `json:"errors"`
	}
	if err := json.Unmarshal(fields, &v); err != nil {
		return err
	}
	return (&Report{Lost: v.Lost, Duplicated: v.Duplicated, OutOfOrder: v.OutOfOrder, Errors: v.Errors}).sound()
}

// merge writes the report's description of the run and what the store found as one
// JSON object.
func merge(rep *Report, got any) (json.RawMessage, error) {
	found, err := json.Marshal(got)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	for _, v := range []struct {
		key string
		val any
	}{
		{"bench", rep.Bench}, {"version", rep.Version}, {"time", rep.Time}, {"command", rep.Command},
		{"cpu", rep.CPU}, {"cpus", rep.CPUs}, {"os", rep.OS}, {"load_average", rep.LoadAverage}, {"filesystem", rep.Filesystem},
	} {
		b, err := json.Marshal(v.val)
		if err != nil {
			return nil, err
		}
		all[v.key] = b
	}
	if err := json.Unmarshal(found, &all); err != nil { // adds to what is there
		return nil, fmt.Errorf("the store's bench answered no JSON object: %w", err)
	}
	return json.Marshal(all)
}

// storeTable prints what the store found for people: every field with its name, since
// the names say what they are.
func storeTable(w io.Writer, t *Store, got any) {
	fmt.Fprintf(w, "\nanser bench store: %s messages of %d bytes, %d to a batch, to %s conversations, over %s\n\n",
		group(uint64(t.Messages)), t.Size, t.Batch, group(uint64(t.Conversations)), group(uint64(t.Preload)))
	b, err := json.Marshal(got)
	if err != nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(b)) // in the order in which they stand
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return
		}
		fmt.Fprintf(w, "  %-30v %s\n", name, v)
	}
	fmt.Fprintln(w)
}

// stepper shows what a long call says of itself as phases.
type stepper struct {
	show *progress

	mu   sync.Mutex
	what string        // guarded by mu: the phase that is shown
	done func()        // guarded by mu: ends it
	n    *atomic.Int64 // guarded by mu: how far it is
}

func newStepper(p *progress) *stepper { return &stepper{show: p} }

// at is what a StoreRun calls.
func (s *stepper) at(what string, done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.what != what {
		if s.done != nil {
			s.done()
		}
		n := new(atomic.Int64)
		s.what, s.n, s.done = what, n, s.show.phase(what, total, n.Load)
	}
	s.n.Store(done)
}

// over ends the phase that is shown.
func (s *stepper) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done != nil {
		s.done()
		s.done = nil
	}
}
