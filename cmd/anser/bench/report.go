package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Report is what a bench found, as its JSON has it. Figures that the bench does not
// have, or that could not be read, are null.
type Report struct {
	Bench       string    `json:"bench"`
	Version     string    `json:"version,omitempty"`
	Time        time.Time `json:"time"`
	Command     string    `json:"command,omitempty"`
	CPU         string    `json:"cpu,omitempty"`
	CPUs        int       `json:"cpus"`
	OS          string    `json:"os"`
	LoadAverage *float64  `json:"load_average"` // before the bench began
	Filesystem  string    `json:"filesystem,omitempty"`
	Addr        string    `json:"addr,omitempty"`   // of a server that was there before
	Lifted      []string  `json:"lifted,omitempty"` // settings of the started server that are not its defaults

	Door        string  `json:"door"`
	Users       int     `json:"users"`
	Connections int     `json:"connections"`
	Messages    int     `json:"messages"` // as --messages has it
	Size        int     `json:"size"`
	Window      int     `json:"window"`
	Rate        float64 `json:"rate"`

	Sent       uint64 `json:"sent"`
	Accepted   uint64 `json:"accepted"`  // acknowledged as durable
	Delivered  uint64 `json:"delivered"` // each at each receiver once
	Lost       uint64 `json:"lost"`      // accepted and not delivered, by receivers
	Duplicated uint64 `json:"duplicated"`
	OutOfOrder uint64 `json:"out_of_order"`
	Gaps       uint64 `json:"gaps"`    // numbers of a conversation that nobody was given
	Retries    uint64 `json:"retries"` // refused with "again, later", and sent again
	Errors     uint64 `json:"errors"`

	Seconds       float64  `json:"seconds"`
	StoreSeconds  *float64 `json:"store_seconds"`
	LoginSeconds  *float64 `json:"login_seconds"`
	LoginsPerS    *float64 `json:"logins_per_s"`
	AcceptedPerS  *float64 `json:"accepted_per_s"`
	DeliveredPerS *float64 `json:"delivered_per_s"`

	ServerCPUSeconds      *float64 `json:"server_cpu_seconds"`
	ServerCPUPerMessageUs *float64 `json:"server_cpu_us_per_message"`
	ServerCPUPerLoginUs   *float64 `json:"server_cpu_us_per_login"`
	IdleCPUPercent        *float64 `json:"idle_cpu_percent"`
	GeneratorCPUSeconds   *float64 `json:"generator_cpu_seconds"`

	AckMs          *Quantiles `json:"ack_ms"`
	DeliveryMs     *Quantiles `json:"delivery_ms"`
	LastMemberMs   *Quantiles `json:"last_member_ms"`
	ScheduleLateMs *Quantiles `json:"schedule_late_ms"` // how late the generator was itself, with a rate

	ServerRSSBytes             *int64   `json:"server_rss_bytes"`
	RSSBytesPerConnection      *float64 `json:"rss_bytes_per_connection"`
	RSSWholeBytesPerConnection *float64 `json:"rss_whole_bytes_per_connection"`

	FirstErrors []string `json:"first_errors,omitempty"`
}

func ptr[T any](v T) *T { return &v }

// newReport begins a report with what is known before the bench.
func (e *Env) newReport(bench string) *Report {
	r := &Report{
		Bench:   bench,
		Version: e.Version,
		Time:    time.Now().UTC().Truncate(time.Second),
		Command: strings.Join(os.Args, " "),
		CPU:     cpuModel(),
		CPUs:    runtime.NumCPU(),
		OS:      kernel(),
	}
	if v, ok := loadAverage(); ok {
		r.LoadAverage = &v
	}
	return r
}

// sound is nil if every promise was kept.
func (r *Report) sound() error {
	var bad []string
	for _, v := range []struct {
		n    uint64
		what string
	}{
		{r.Lost, "lost"}, {r.Duplicated, "doubled"}, {r.OutOfOrder, "out of order"},
		{r.Gaps, "numbers left out"}, {r.Errors, "errors"},
	} {
		if v.n > 0 {
			bad = append(bad, fmt.Sprintf("%d %s", v.n, v.what))
		}
	}
	if bad == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnsound, strings.Join(bad, ", "))
}

// check sees to it that the JSON can be written, before the work that it tells of.
func (o Output) check() error {
	if o.JSON == "" || o.JSON == "-" {
		return nil
	}
	f, err := os.Create(o.JSON)
	if err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	return f.Close()
}

// write writes the report: the table for people, the JSON where out says.
func (e *Env) write(out Output, r *Report) error {
	return e.writeAny(out, r, r.table)
}

func (e *Env) writeAny(out Output, v any, table func(io.Writer)) error {
	people := e.Stdout
	var err error
	if out.JSON != "" {
		b, e2 := json.MarshalIndent(v, "", "  ")
		if e2 != nil {
			return e2
		}
		b = append(b, '\n')
		if out.JSON == "-" {
			people = e.Stderr
			_, err = e.Stdout.Write(b)
		} else {
			err = os.WriteFile(out.JSON, b, 0o644)
		}
	}
	table(people)
	if err != nil {
		return errors.Join(errors.New("the JSON could not be written"), err)
	}
	return nil
}

// table prints the report for people.
func (r *Report) table(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n\n", r.title())
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-22s %s\n", name, fmt.Sprintf(format, args...))
	}
	if r.Sent > 0 {
		row("sent", "%s, accepted %s, delivered %s", group(r.Sent), group(r.Accepted), group(r.Delivered))
		row("lost", "%s, duplicated %s, out of order %s, gaps %s", group(r.Lost), group(r.Duplicated), group(r.OutOfOrder), group(r.Gaps))
	}
	row("errors", "%s%s", group(r.Errors), map[bool]string{true: fmt.Sprintf(", sent again when asked to %s", group(r.Retries))}[r.Retries > 0])
	for _, f := range r.FirstErrors {
		row("", "%s", f)
	}
	if v := r.LoginSeconds; v != nil {
		row("logins", "%.2f s, %s/s", *v, group(uint64(*r.LoginsPerS)))
	}
	if v := r.StoreSeconds; v != nil {
		row("stored in", "%.2f s", *v)
	}
	row("seconds", "%.3f", r.Seconds)
	if v := r.AcceptedPerS; v != nil {
		row("accepted", "%s/s", group(uint64(*v)))
	}
	if v := r.DeliveredPerS; v != nil {
		row("delivered", "%s/s", group(uint64(*v)))
	}
	per := "message"
	if r.Bench == "fanout" {
		per = "delivery"
	}
	if v := r.ServerCPUPerMessageUs; v != nil {
		row("server CPU", "%.2f us per %s, %.2f s in all", *v, per, *r.ServerCPUSeconds)
	}
	if v := r.ServerCPUPerLoginUs; v != nil {
		row("server CPU", "%.0f us per login", *v)
	}
	if v := r.IdleCPUPercent; v != nil {
		row("server CPU, idle", "%.2f %% of one core", *v)
	}
	if v := r.GeneratorCPUSeconds; v != nil {
		row("generator CPU", "%.2f s", *v)
	}
	for _, l := range []struct {
		name string
		q    *Quantiles
	}{
		{"acknowledged", r.AckMs}, {"delivered", r.DeliveryMs}, {"last member has it", r.LastMemberMs}, {"generator late", r.ScheduleLateMs},
	} {
		if l.q != nil {
			row(l.name, "p50 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms", l.q.P50, l.q.P99, l.q.P999, l.q.Max)
		}
	}
	if v := r.ServerRSSBytes; v != nil {
		row("server memory", "%.1f MiB", float64(*v)/(1<<20))
	}
	if v := r.RSSBytesPerConnection; v != nil {
		row("", "%.0f bytes per connection more than before, %.0f of the whole", *v, *r.RSSWholeBytesPerConnection)
	}
	if len(r.Lifted) > 0 {
		row("not default", "%s", strings.Join(r.Lifted, ", "))
	}
	fmt.Fprintln(w)
}

func (r *Report) title() string {
	s := "anser bench " + r.Bench + ": "
	switch r.Bench {
	case "idle":
		s += fmt.Sprintf("%s connections", group(uint64(r.Connections)))
	case "fanout":
		s += fmt.Sprintf("a group of %s, %s messages of %d bytes, window %d", group(uint64(r.Users)), group(uint64(r.Messages)), r.Size, r.Window)
	case "offline":
		s += fmt.Sprintf("%s messages of %d bytes from %s users to one who is away", group(uint64(r.Messages)), r.Size, group(uint64(r.Users)))
	default:
		s += fmt.Sprintf("%s users in pairs, %s messages of %d bytes each, window %d", group(uint64(r.Users)), group(uint64(r.Messages)), r.Size, r.Window)
	}
	if r.Rate > 0 {
		s += fmt.Sprintf(", %s/s by the clock", group(uint64(r.Rate)))
	}
	return s + ", " + r.Door
}

// group writes a number with commas between its thousands.
func group(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
