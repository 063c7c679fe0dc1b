package chat

import (
	"regexp"
	"slices"
	"testing"
	"time"
)

// Every command is in one topic of /help, and is taught in both languages.
func TestHelpTeachesEveryCommand(t *testing.T) {
	seen := map[string]int{}
	for _, topic := range topics {
		for _, c := range topic.commands {
			seen[c]++
			if _, ok := commands[c]; !ok {
				t.Errorf("there is no /%s", c)
			}
		}
		if topic.name[english] == "" || topic.name[chinese] == "" {
			t.Errorf("%v", topic)
		}
	}
	verbs := regexp.MustCompile(`%(\[\d\])?[a-z]`)
	for name, c := range commands {
		if seen[name] != 1 {
			t.Errorf("/%s stands in %d topics", name, seen[name])
		}
		if c.teach[english] == "" || c.teach[chinese] == "" || c.teach[english] == c.teach[chinese] || c.usage == "" {
			t.Errorf("/%s is not taught: %+v", name, c.teach)
		}
		if verbs.MatchString(c.teach[english]) || verbs.MatchString(c.teach[chinese]) {
			t.Errorf("/%s: %v is a format", name, c.teach)
		}
	}
	for _, l := range []lang{english, chinese} {
		a := newApp("alice", l, false, nil)
		for _, line := range a.help() {
			if cellWidth(line) > 120 {
				t.Errorf("%d cells: %s", cellWidth(line), line)
			}
		}
	}
}

func TestWhen(t *testing.T) {
	now := time.Date(2026, 11, 24, 18, 0, 0, 0, time.Local)
	for s, want := range map[string]time.Time{
		"10m":              now.Add(10 * time.Minute),
		"2h30m":            now.Add(150 * time.Minute),
		"18:30":            now.Add(30 * time.Minute),
		"18:00":            now.AddDate(0, 0, 1),
		"07:15":            time.Date(2026, 11, 25, 7, 15, 0, 0, time.Local),
		"2026-11-25T10:00": time.Date(2026, 11, 25, 10, 0, 0, 0, time.Local),
		"2026-12-01":       time.Date(2026, 12, 1, 0, 0, 0, 0, time.Local),
	} {
		if got, err := when(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0s", "-5m", "soon", "25:00", "2026-11-24", "2020-01-01T00:00"} {
		if got, err := when(s, now); err == nil {
			t.Errorf("%s: %v", s, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	got, err := numbers([]string{"#7", "3-5", "4", "#1-#2"})
	if err != nil || !slices.Equal(got, []uint64{1, 2, 3, 4, 5, 7}) {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "x", "0", "5-3", "1-", "-1", "1-500", "1-2-3"} {
		if got, err := numbers([]string{bad}); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
