package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// writeTable writes the comparison as Markdown.
func writeTable(w io.Writer, machine []string, runs int, list []work, outcomes []outcome) {
	for _, m := range machine {
		fmt.Fprintf(w, "- %s\n", m)
	}
	fmt.Fprintf(w, "- runs of each: %d, in turn with the ceiling; shown: the median (lowest to highest)\n\n", runs)
	fmt.Fprintln(w, "| work | figure | goal | anser | ceiling |")
	fmt.Fprintln(w, "|---|---|---|---|---|")
	for i, wk := range list {
		o := outcomes[i]
		for j, f := range wk.figures {
			title := ""
			if j == 0 {
				title = wk.title
			}
			goal := ""
			switch {
			case f.goal > 0 && f.more:
				goal = "at least " + number(f.goal)
			case f.goal > 0:
				goal = "at most " + number(f.goal)
			case f.field == "out_of_order":
				goal = "0"
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", title, f.title, goal, cell(o.Anser, f), cell(o.Ceiling, f))
		}
	}
	fmt.Fprintln(w, "\nCommands:")
	fmt.Fprintln(w)
	for _, wk := range list {
		fmt.Fprintf(w, "- `anser bench %s`", strings.ReplaceAll(strings.Join(wk.anser, " "), full, "DIR"))
		if wk.ceiling != nil {
			fmt.Fprintf(w, "; `ceiling %s`", strings.Join(wk.ceiling, " "))
		}
		fmt.Fprintln(w)
	}
	var broken []string
	for _, o := range outcomes {
		broken = append(broken, o.Broken...)
	}
	if broken != nil {
		fmt.Fprintln(w, "\nRuns that ended with an error:")
		fmt.Fprintln(w)
		for _, b := range broken {
			fmt.Fprintf(w, "- %s\n", b)
		}
	}
}

// cell shows one figure of several runs.
func cell(runs []map[string]any, f figure) string {
	var v []float64
	for _, r := range runs {
		if x, ok := lookup(r, f.field); ok {
			v = append(v, x*f.scale)
		}
	}
	if len(v) == 0 {
		return ""
	}
	slices.Sort(v)
	s := number(median(v))
	if len(v) > 1 && v[0] != v[len(v)-1] {
		s += fmt.Sprintf(" (%s to %s)", number(v[0]), number(v[len(v)-1]))
	}
	return s
}

// median of sorted numbers.
func median(v []float64) float64 {
	m := len(v) / 2
	if len(v)%2 == 1 {
		return v[m]
	}
	return (v[m-1] + v[m]) / 2
}

// lookup finds a number in a report by its path.
func lookup(r map[string]any, path string) (float64, bool) {
	name, rest, deeper := strings.Cut(path, ".")
	if deeper {
		sub, _ := r[name].(map[string]any)
		return lookup(sub, rest)
	}
	v, ok := r[name].(float64)
	return v, ok
}

// number shows three digits, or all that stand before the point.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
