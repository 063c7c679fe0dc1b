package core

import (
	"context"
	"slices"
	"time"
	_ "time/tzdata" // zones do not depend on what the machine has

	"github.com/anser-im/anser/internal/im"
)

const maxQuiets = 1000 // conversations of a user with quiet hours of their own

// quietNote is Quiet as it stands in notes.
type quietNote struct {
	Start   string `json:"start"`
	Minutes int    `json:"minutes"`
	Zone    string `json:"zone"`
	Level   string `json:"level,omitempty"`
	Days    []int  `json:"days,omitempty"`
}

// SetQuiet gives a conversation quiet hours of its own, instead of those for all; nil:
// those for all hold again. The user's other devices get the note "quiet/" and the
// address.
//
// Errors: those of resolve; Invalid for hours that are none; TooLarge for too many of
// them; Limited; those of the store.
func (s *Session) SetQuiet(ctx context.Context, conv im.Address, q *Quiet) error {
	ref, err := s.resolve(conv)
	if err != nil {
		return err
	}
	if ref.kind == im.Self {
		return im.Errorf(im.Invalid, "me has no messages to be notified of")
	}
	var value []byte
	if q != nil {
		if _, err := parseQuiet(q); err != nil {
			return err
		}
		value = mustJSON(noteOfQuiet(q))
	}
	return s.putPrefs(ctx, noteQuiet, string(conv), value)
}

// Quiet are the quiet hours that a conversation has of its own; nil = those for all
// (Notify.Quiet) hold.
//
// Errors: those of resolve.
func (s *Session) Quiet(ctx context.Context, conv im.Address) (*Quiet, error) {
	if _, err := s.resolve(conv); err != nil {
		return nil, err
	}
	p, err := s.c.prefsOf(s.user)
	if err != nil {
		return nil, err
	}
	return copyQuiet(p.convs[conv].said), nil
}

// quiet is Quiet, read.
type quiet struct {
	hour, minute, second int // of the day, when it begins
	minutes              int
	zone                 *time.Location
	level                im.Level
	days                 [7]bool
}

// parseQuiet reads q.
//
// Errors: Invalid.
func parseQuiet(q *Quiet) (*quiet, error) {
	start, err := time.Parse("15:04:05", q.Start)
	if err != nil {
		if start, err = time.Parse("15:04", q.Start); err != nil {
			return nil, im.Errorf(im.Invalid, `quiet hours begin at a time of day: "22:00" or "22:00:00"`)
		}
	}
	p := &quiet{minutes: q.Minutes, level: q.Level}
	p.hour, p.minute, p.second = start.Clock()
	if q.Minutes < 1 || q.Minutes > 24*60 {
		return nil, im.Errorf(im.Invalid, "quiet hours last 1 to 1440 minutes")
	}
	if q.Zone == "" || q.Zone == "Local" { // both would be the server's own affair
		return nil, im.Errorf(im.Invalid, "quiet hours need a time zone by its IANA name: Asia/Shanghai, Europe/Berlin, UTC")
	}
	if p.zone, err = time.LoadLocation(q.Zone); err != nil {
		return nil, im.Errorf(im.Invalid, "no such time zone: use an IANA name like Asia/Shanghai, Europe/Berlin, UTC")
	}
	switch {
	case q.Level > im.NotifyNone:
		return nil, errNoLevel()
	case q.Level == im.NotifyInherit:
		p.level = im.NotifyNone
	}
	if len(q.Days) > 7 {
		return nil, im.Errorf(im.Invalid, "a week has 7 days")
	}
	for _, d := range q.Days {
		if d < 0 || d > 6 {
			return nil, im.Errorf(im.Invalid, "days are 0 (Sunday) to 6 (Saturday)")
		}
		p.days[d] = true
	}
	if len(q.Days) == 0 {
		p.days = [7]bool{true, true, true, true, true, true, true}
	}
	return p, nil
}

// holds says whether now is in the quiet hours. They begin and end by the clock on the
// wall of their zone: 22:00 and 480 minutes end at 06:00, also in a night that is an
// hour shorter or longer. The day is the one on which they begin.
func (q *quiet) holds(now time.Time) bool {
	year, month, day := now.In(q.zone).Date()
	for _, d := range [...]int{day - 1, day} {
		start := time.Date(year, month, d, q.hour, q.minute, q.second, 0, q.zone)
		end := time.Date(year, month, d, q.hour, q.minute+q.minutes, q.second, 0, q.zone)
		weekday := time.Date(year, month, d, 12, 0, 0, 0, time.UTC).Weekday() // of the date: start itself may have been moved by a gap
		if q.days[weekday] && !now.Before(start) && now.Before(end) {
			return true
		}
	}
	return false
}

func noteOfQuiet(q *Quiet) *quietNote {
	return &quietNote{Start: q.Start, Minutes: q.Minutes, Zone: q.Zone, Level: q.Level.String(), Days: q.Days}
}

// readQuiet reads a note's quiet hours. Ones that are none any more (a zone that was
// given up) are shown and do not hold.
func readQuiet(n *quietNote) (*Quiet, *quiet) {
	if n == nil {
		return nil, nil
	}
	q := &Quiet{Start: n.Start, Minutes: n.Minutes, Zone: n.Zone, Days: n.Days}
	q.Level, _ = im.ParseLevel(n.Level)
	parsed, err := parseQuiet(q)
	if err != nil {
		return q, nil
	}
	return q, parsed
}

func copyQuiet(q *Quiet) *Quiet {
	if q == nil {
		return nil
	}
	c := *q
	c.Days = slices.Clone(c.Days)
	return &c
}
