package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// work is one row of the comparison: the same load on Anser and, where it has one, on
// the ceiling.
type work struct {
	name    string // as --only has it
	title   string
	anser   []string // behind "anser bench"
	ceiling []string // behind "ceiling"; nil = it has none
	figures []figure
	asked   bool // only when --only names it: it takes long, or needs --full
	once    bool // not --runs times
}

// full stands in the arguments of a work for the directory of --full.
const full = "{full}"

// figure is one number of a work with what we want of it.
type figure struct {
	title string
	field string  // of the JSON; "ack_ms.p50" is inside an object
	scale float64 // the JSON's number times this is what is shown
	goal  float64 // 0 = none
	more  bool    // at least the goal, not at most
}

const (
	us = 1
	kb = 1.0 / 1000
	k  = 1.0 / 1000
)

func pairsFigures(cpu, rate float64, ms []figure) []figure {
	return append([]figure{
		{"server CPU, us a message", "server_cpu_us_per_message", us, cpu, false},
		{"accepted, thousand/s", "accepted_per_s", k, rate, true},
	}, ms...)
}

func ackFigure(q string, goal float64) figure {
	return figure{"acknowledged, " + q + " ms", "ack_ms." + q, 1, goal, false}
}

// works is the table of goals.
var works = []work{
	{
		name: "pairs-1", title: "pairs, window 1",
		anser:   []string{"pairs", "--window=1", "--messages=400"},
		ceiling: []string{"pairs", "--window=1", "--messages=400"},
		figures: pairsFigures(30, 30, []figure{ackFigure("p50", 35), ackFigure("p99", 0)}),
	},
	{
		name: "pairs-1-5000", title: "pairs, window 1, 5,000/s by the clock",
		anser:   []string{"pairs", "--window=1", "--messages=75", "--rate=5000"},
		figures: []figure{ackFigure("p50", 0), ackFigure("p99", 3), {"server CPU, us a message", "server_cpu_us_per_message", us, 0, false}},
	},
	{
		name: "pairs-32", title: "pairs, window 32",
		anser:   []string{"pairs", "--window=32", "--messages=3000"},
		ceiling: []string{"pairs", "--window=32", "--messages=3000"},
		figures: pairsFigures(6, 200, []figure{ackFigure("p50", 0), {"out of order", "out_of_order", 1, 0, false}}),
	},
	{
		// Short of the 5 s after which a group this lively is told heads, and fetches.
		name: "fanout", title: "fan-out to a group of 1,000, window 4",
		anser:   []string{"fanout", "--messages=800"},
		ceiling: []string{"fanout", "--messages=800", "--window=4"},
		figures: []figure{
			{"server CPU, us a delivery", "server_cpu_us_per_message", us, 3, false},
			{"delivered, thousand/s", "delivered_per_s", k, 300, true},
			{"last member has it, p50 ms", "last_member_ms.p50", 1, 12, false},
		},
	},
	idleWork("tcp", 5, 8),
	idleWork("ws", 9, 0),
	idleWork("tls", 0, 0),
	{
		name: "offline", title: "10,000 messages to one who was away",
		anser:   []string{"offline"},
		figures: []figure{{"until he holds all, s", "seconds", 1, 0.05, false}, {"storing them before, s", "store_seconds", 1, 0, false}},
	},
	{
		name: "pairs-2", title: "2 connections, window 1",
		anser:   []string{"pairs", "--users=2", "--window=1", "--messages=5000"},
		ceiling: []string{"pairs", "--users=2", "--window=1", "--messages=5000"},
		figures: pairsFigures(0, 0, []figure{ackFigure("p50", 0)}),
	},
	{
		name: "pairs-10000", title: "10,000 connections in pairs, window 1",
		anser:   []string{"pairs", "--users=10000", "--window=1", "--messages=40"},
		ceiling: []string{"pairs", "--users=10000", "--window=1", "--messages=40"},
		figures: pairsFigures(0, 0, []figure{ackFigure("p50", 0)}),
	},
	{
		name: "store", title: "the store alone: 6 million sends over 20 million messages", asked: true, once: true,
		anser: []string{"store", "--preload=20000000", "--messages=6000000", "--conversations=200000", "--data=" + full},
		figures: []figure{
			{"store CPU, us a message", "store_cpu_us_per_message", us, 0, false},
			{"the same until compaction is quiet", "settled_cpu_us_per_message", us, 25, false},
			{"written a message, KB", "settled_bytes_per_message", kb, 2, false},
			{"open, s", "open_seconds", 1, 2, false},
			{"newest 50 of a conversation, p50 ms", "page_ms.p50", 1, 0.5, false},
			{"1,000 heads, ms", "heads_ms", 1, 1, false},
		},
	},
	{
		name: "pairs-1-full", title: "pairs, window 1, among the messages of store", asked: true,
		anser:   []string{"pairs", "--window=1", "--messages=400", "--data=" + full, "--spread=200000"},
		figures: pairsFigures(30, 0, nil),
	},
	{
		name: "pairs-32-full", title: "pairs, window 32, among the messages of store", asked: true,
		anser:   []string{"pairs", "--window=32", "--messages=3000", "--data=" + full, "--spread=200000"},
		figures: pairsFigures(9, 0, nil),
	},
}

func idleWork(door string, growth, whole float64) work {
	return work{
		name: "idle-" + door, title: "10,000 idle connections, " + door,
		anser: []string{"idle", "--connections=10000", "--seconds=60", "--door=" + door},
		figures: []figure{
			{"growth, KB a connection", "rss_bytes_per_connection", kb, growth, false},
			{"whole process, KB a connection", "rss_whole_bytes_per_connection", kb, whole, false},
			{"CPU, % of one core", "idle_cpu_percent", 1, 2, false},
			{"login, us of CPU", "server_cpu_us_per_login", us, 150, false},
			{"logins, thousand/s", "logins_per_s", k, 0, false},
		},
	}
}

// outcome is what the runs of one work gave.
type outcome struct {
	Work    string           `json:"work"`
	Anser   []map[string]any `json:"anser"`
	Ceiling []map[string]any `json:"ceiling,omitempty"`
	Broken  []string         `json:"broken,omitempty"` // runs that ended with an error
}

// compare is "bench compare".
func compare(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	runs := fs.Int("runs", 3, "how often each is run; medians are shown")
	anser := fs.String("anser", "", "the anser program; built from .. if not given")
	only := fs.String("only", "", "these works only, with commas between them")
	jsonTo := fs.String("json", "", "write every run's figures there")
	fullDir := fs.String("full", "", "data directory that the work store fills, and pairs-...-full use")
	markdown := fs.String("markdown", "", "write the table there; it is printed in any case")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *runs < 1 {
		return errors.New("--runs is from 1")
	}
	list, err := chosen(*only)
	if err != nil {
		return err
	}
	for _, w := range list {
		if *fullDir == "" && slices.ContainsFunc(w.anser, func(a string) bool { return strings.Contains(a, full) }) {
			return fmt.Errorf("the work %s needs --full DIR", w.name)
		}
	}
	own, err := os.MkdirTemp("", "anser-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	if *anser == "" {
		*anser = filepath.Join(own, "anser")
		build := exec.CommandContext(ctx, "go", "build", "-o", *anser, "./cmd/anser")
		build.Dir = ".."
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("anser could not be built from ..: %w (run this in bench/, or name a program with --anser)", err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	m := machine(*anser)
	outcomes := make([]outcome, len(list))
	for i, w := range list {
		o := &outcomes[i]
		o.Work = w.name
		times := *runs
		if w.once {
			times = 1
		}
		for run := range times {
			if w.ceiling != nil {
				fmt.Fprintf(os.Stderr, "%s, run %d of %d: ceiling\n", w.name, run+1, times)
				o.Ceiling = o.run(ctx, o.Ceiling, exe, append([]string{"ceiling"}, w.ceiling...))
			}
			fmt.Fprintf(os.Stderr, "%s, run %d of %d: anser\n", w.name, run+1, times)
			o.Anser = o.run(ctx, o.Anser, *anser, w.args(*fullDir))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	var table bytes.Buffer
	writeTable(&table, m, *runs, list, outcomes)
	os.Stdout.Write(table.Bytes())
	if *markdown != "" {
		if err := os.WriteFile(*markdown, table.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if *jsonTo != "" {
		b, err := json.MarshalIndent(struct {
			Machine []string  `json:"machine"`
			Works   []outcome `json:"works"`
		}{m, outcomes}, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(*jsonTo, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	for _, o := range outcomes {
		if len(o.Broken) > 0 {
			return fmt.Errorf("some runs broke off or found a promise not kept, as the table says")
		}
	}
	return nil
}

// chosen picks works by name.
func chosen(only string) ([]work, error) {
	var list []work
	if only == "" {
		for _, w := range works {
			if !w.asked {
				list = append(list, w)
			}
		}
		return list, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(works, func(w work) bool { return w.name == name })
		if i < 0 {
			var names []string
			for _, w := range works {
				names = append(names, w.name)
			}
			return nil, fmt.Errorf("there is no work %q; there are %s", name, strings.Join(names, ", "))
		}
		list = append(list, works[i])
	}
	return list, nil
}

// args is the command line of anser for a work. Flags stand behind the bench's name.
func (w *work) args(fullDir string) []string {
	args := []string{"bench", w.anser[0], "--json=-", "--quiet"}
	for _, a := range w.anser[1:] {
		args = append(args, strings.ReplaceAll(a, full, fullDir))
	}
	return args
}

// run runs a program and adds the JSON that it prints to list.
func (o *outcome) run(ctx context.Context, list []map[string]any, exe string, args []string) []map[string]any {
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it ends its own child
	cmd.WaitDelay = time.Minute
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		o.Broken = append(o.Broken, fmt.Sprintf("%s %s: %v: %s", filepath.Base(exe), strings.Join(args, " "), err, firstLine(said.String())))
	}
	var v map[string]any
	if e := json.Unmarshal(out, &v); e != nil {
		if err == nil {
			o.Broken = append(o.Broken, fmt.Sprintf("%s %s: its JSON cannot be read: %v", filepath.Base(exe), strings.Join(args, " "), e))
		}
		return list
	}
	return append(list, v)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// machine says what the figures were taken on.
func machine(anser string) []string {
	read := func(path string) string {
		b, _ := os.ReadFile(path)
		return strings.TrimSpace(string(b))
	}
	model := runtime.GOARCH
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		if key, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(v)
			break
		}
	}
	version := "unknown"
	if b, err := exec.Command(anser, "version").Output(); err == nil {
		version, _, _ = strings.Cut(strings.TrimSpace(string(b)), "\n")
	}
	load, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	return []string{
		"date: " + time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		"anser: " + version,
		fmt.Sprintf("machine: %d x %s, Linux %s, %s", runtime.NumCPU(), model, read("/proc/sys/kernel/osrelease"), runtime.Version()),
		"load average before: " + load,
	}
}
