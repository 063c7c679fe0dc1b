package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Store is "anser bench store".
type Store struct {
	Output
	Data          string `help:"Data directory that the store is made in; it is left in place, for \"anser bench pairs --data DIR --spread N\". It must hold no store yet. Default: a fresh one, removed at the end." placeholder:"DIR" type:"path"`
	Preload       int    `help:"Messages that are in the store before measuring begins. Default ${default}." default:"0" placeholder:"N"`
	Conversations int    `help:"Conversations that the messages are spread over at random. Default ${default}." default:"200000" placeholder:"N"`
	Messages      int    `help:"Messages that are measured. Default ${default}." default:"1000000" placeholder:"N"`
	Batch         int    `help:"Messages that are under way at once; what waits makes one commit. Default ${default}." default:"512" placeholder:"B"`
	Size          int    `help:"Bytes of a message body. Default ${default}." default:"128" placeholder:"B"`
}

// StoreOptions says what is to be done with a store.
type StoreOptions struct {
	Data          string // the data directory: there, without a store
	Preload       int
	Conversations int
	Messages      int
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
	if err := t.check(); err != nil {
		return err
	}
	o := StoreOptions{Data: t.Data, Preload: t.Preload, Conversations: t.Conversations, Messages: t.Messages, Batch: t.Batch, Size: t.Size}
	if o.Data == "" {
		dir, err := os.MkdirTemp(freshParent(), "anser-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.Data = dir
	} else if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return err
	}
	rep := env.newReport("store") // before the work: it tells the load that was there
	show := newStepper(newProgress(env.Stderr, t.Quiet))
	got, err := env.StoreRun(ctx, o, show.at)
	show.over()
	if err != nil {
		return err
	}
	rep.Filesystem = filesystem(o.Data)
	rep.Size, rep.Messages = t.Size, t.Messages
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

// merge writes what every bench reports, with what the store found over it, as one JSON
// object.
func merge(rep *Report, got any) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, v := range []any{rep, got} {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &all); err != nil { // adds to what is there
			return nil, fmt.Errorf("the store's bench answered no JSON object: %w", err)
		}
	}
	return json.Marshal(all)
}

// storeTable prints what the store found for people: every field under its name, since
// the names say what they are.
func storeTable(w io.Writer, t *Store, got any) {
	fmt.Fprintf(w, "\nanser bench store: %s messages of %d bytes, %d under way at once, to %s conversations, over %s\n\n",
		group(uint64(t.Messages)), t.Size, t.Batch, group(uint64(t.Conversations)), group(uint64(t.Preload)))
	b, err := json.Marshal(got)
	if err != nil {
		return
	}
	eachField(b, func(name string, v json.RawMessage) {
		text := plain(v)
		if len(v) > 0 && v[0] == '{' {
			var parts []string
			eachField(v, func(name string, v json.RawMessage) { parts = append(parts, name+" "+plain(v)) })
			text = strings.Join(parts, "  ")
		}
		fmt.Fprintf(w, "  %-28s %s\n", name, text)
	})
	fmt.Fprintln(w)
}

// eachField calls do with the fields of a JSON object in the order in which they stand.
func eachField(object []byte, do func(name string, v json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(object))
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
		do(fmt.Sprint(name), v)
	}
}

// plain writes a JSON number for people: whole ones with commas, others with three
// digits behind the point.
func plain(v json.RawMessage) string {
	n, err := strconv.ParseFloat(string(v), 64)
	switch {
	case err != nil:
		return string(v)
	case n >= 0 && n == math.Trunc(n) && n < 1e18:
		return group(uint64(n))
	}
	return strconv.FormatFloat(n, 'f', 3, 64)
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
