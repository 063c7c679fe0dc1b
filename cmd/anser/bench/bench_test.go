package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEnv drives f, with short waits. Only where something is lost the bench waits for
// its whole patience.
func testEnv(f *fake) (*Env, *bytes.Buffer) {
	var out bytes.Buffer
	return &Env{
		Stdout: &out,
		Stderr: io.Discard,
		Launch: f.launch,
		waits:  waits{patience: 5 * time.Second, settle: time.Millisecond, idle: time.Millisecond},
	}, &out
}

type runner interface {
	Run(context.Context, *Env) error
}

// benchOn runs cmd on a fake and answers its JSON.
func benchOn(t *testing.T, f *fake, cmd runner) (map[string]any, error) {
	t.Helper()
	env, out := testEnv(f)
	err := cmd.Run(t.Context(), env)
	if err != nil && !errors.Is(err, ErrUnsound) {
		t.Fatalf("the bench did not run: %v", err)
	}
	var v map[string]any
	if e := json.Unmarshal(out.Bytes(), &v); e != nil {
		t.Fatalf("the JSON cannot be read: %v\n%s", e, out)
	}
	return v, err
}

var toStdout = Output{JSON: "-"}

func testPairs(door string) *Pairs {
	return &Pairs{Target: Target{Door: door}, Output: toStdout, Users: 8, Messages: 200, Size: 64, Window: 8}
}

func testFanout(door string) *Fanout {
	return &Fanout{Target: Target{Door: door}, Output: toStdout, Users: 12, Messages: 150, Size: 40, Window: 4}
}

func testOffline(door string) *Offline {
	return &Offline{Target: Target{Door: door}, Output: toStdout, Users: 7, Messages: 1000, Size: 40, Window: 16}
}

// figures checks numbers of a report.
func figures(t *testing.T, v map[string]any, want map[string]float64) {
	t.Helper()
	for k, w := range want {
		if got, ok := v[k].(float64); !ok || got != w {
			t.Errorf("%s is %v, want %v", k, v[k], w)
		}
	}
	if t.Failed() {
		t.Logf("report: %v", v)
	}
}

func TestSoundServer(t *testing.T) {
	clean := map[string]float64{"lost": 0, "duplicated": 0, "out_of_order": 0, "gaps": 0, "errors": 0}
	for _, door := range []string{"tcp", "tls", "ws", "wss"} {
		t.Run(door, func(t *testing.T) {
			v, err := benchOn(t, newFake(t, sound), testPairs(door))
			if err != nil {
				t.Error(err)
			}
			figures(t, v, clean)
			figures(t, v, map[string]float64{"sent": 1600, "accepted": 1600, "delivered": 1600, "users": 8, "window": 8})
			for _, k := range []string{"ack_ms", "delivery_ms"} {
				q, ok := v[k].(map[string]any)
				if !ok || !(q["p50"].(float64) > 0) || q["p50"].(float64) > q["max"].(float64) {
					t.Errorf("%s is %v", k, v[k])
				}
			}
			if v["door"] != door || v["lifted"].([]any)[0] != "send_rate" {
				t.Errorf("door %v, lifted %v", v["door"], v["lifted"])
			}

			v, err = benchOn(t, newFake(t, sound), testFanout(door))
			if err != nil {
				t.Error(err)
			}
			figures(t, v, clean)
			figures(t, v, map[string]float64{"sent": 150, "accepted": 150, "delivered": 150 * 11})
			if v["last_member_ms"] == nil {
				t.Error("no last_member_ms")
			}

			v, err = benchOn(t, newFake(t, sound), testOffline(door))
			if err != nil {
				t.Error(err)
			}
			figures(t, v, clean)
			figures(t, v, map[string]float64{"sent": 1000, "accepted": 1000, "delivered": 1000})
			if !(v["store_seconds"].(float64) > 0) || !(v["seconds"].(float64) > 0) {
				t.Errorf("store_seconds %v, seconds %v", v["store_seconds"], v["seconds"])
			}

			v, err = benchOn(t, newFake(t, sound), &Idle{Target: Target{Door: door}, Output: toStdout, Connections: 20, Seconds: 0.1})
			if err != nil {
				t.Error(err)
			}
			figures(t, v, clean)
			figures(t, v, map[string]float64{"connections": 20})
		})
	}
}

// Each broken promise must be seen by each bench that can see it, counted under its
// name, and end with ErrUnsound.
func TestBrokenServer(t *testing.T) {
	const n = 1600 / every // faults among the sends of testPairs
	for _, c := range []struct {
		fault fault
		cmd   runner
		field string
		want  float64 // 0 = some
	}{
		{loses, testPairs("tcp"), "lost", n},
		{doubles, testPairs("tcp"), "duplicated", n},
		{renumbers, testPairs("tcp"), "duplicated", n},
		{reorders, testPairs("tcp"), "out_of_order", 0},
		{misorders, testPairs("tcp"), "out_of_order", 0},
		{skips, testPairs("tcp"), "gaps", 0},
		{mangles, testPairs("tcp"), "errors", n},
		{mangles, testPairs("tcp"), "lost", n},
		{ackTwice, testPairs("tcp"), "errors", n},
		{denies, testPairs("tcp"), "errors", n},
		{hangsUp, testPairs("tcp"), "errors", 0},
		{loses, testFanout("tcp"), "lost", 11 * (150 / every)},
		{doubles, testFanout("tcp"), "duplicated", 11 * (150 / every)},
		{reorders, testFanout("tcp"), "out_of_order", 0},
		{skips, testFanout("tcp"), "gaps", 0},
		{loses, testOffline("tcp"), "lost", 1000 / every},
		{renumbers, testOffline("tcp"), "duplicated", 1000 / every},
		{reorders, testOffline("tcp"), "out_of_order", 0},
		{mangles, testOffline("tcp"), "errors", 1000 / every},
	} {
		name := string(c.fault) + " " + c.field
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := benchOn(t, newFake(t, c.fault), c.cmd)
			if !errors.Is(err, ErrUnsound) {
				t.Errorf("the bench ended with %v", err)
			}
			if got := v[c.field].(float64); got == 0 || c.want != 0 && got != c.want {
				t.Errorf("%s is %v, want %v\n%v", c.field, got, c.want, v)
			}
		})
	}
}

// A refusal that says "again, later" is no error: the message comes again under its
// id, before anything that was sent behind it.
func TestLimitedServer(t *testing.T) {
	v, err := benchOn(t, newFake(t, limits), testPairs("tcp"))
	if err != nil {
		t.Error(err)
	}
	figures(t, v, map[string]float64{"accepted": 1600, "delivered": 1600, "lost": 0, "out_of_order": 0, "duplicated": 0, "errors": 0})
	if v["retries"].(float64) == 0 {
		t.Error("nothing was refused")
	}
}

// Where a group is so lively that only its head is told, members fetch.
func TestHeadsOnly(t *testing.T) {
	v, err := benchOn(t, newFake(t, tellsHead), testFanout("tcp"))
	if err != nil {
		t.Error(err)
	}
	figures(t, v, map[string]float64{"delivered": 150 * 11, "lost": 0, "out_of_order": 0, "duplicated": 0, "errors": 0})
}

// With a rate the messages fall due by the clock, whatever the answers do.
func TestRate(t *testing.T) {
	p := testPairs("tcp")
	p.Messages, p.Rate = 50, 1000
	v, err := benchOn(t, newFake(t, sound), p)
	if err != nil {
		t.Error(err)
	}
	figures(t, v, map[string]float64{"accepted": 400, "delivered": 400, "rate": 1000})
	// The last of 400 messages is due 399 ms after the first.
	if s := v["seconds"].(float64); s < 0.399 {
		t.Errorf("400 messages at 1,000 a second took %v s", s)
	}
}

// With --seconds the sending ends by the clock, and everything still arrives.
func TestSeconds(t *testing.T) {
	p := testPairs("tcp")
	p.Messages, p.Seconds = 1, 0.2
	v, err := benchOn(t, newFake(t, sound), p)
	if err != nil {
		t.Error(err)
	}
	if v["sent"].(float64) <= 8 || v["sent"] != v["delivered"] {
		t.Errorf("sent %v, delivered %v", v["sent"], v["delivered"])
	}
}

// The window is never above the credit that the server gives.
func TestCredit(t *testing.T) {
	f := newFake(t, sound)
	f.credit = 3
	v, err := benchOn(t, f, testPairs("tcp"))
	if err != nil {
		t.Error(err)
	}
	figures(t, v, map[string]float64{"window": 3, "delivered": 1600})
}

// A group larger than one request takes is filled by more.
func TestLargeGroup(t *testing.T) {
	f := testFanout("tcp")
	f.Users, f.Messages = groupAtOnce+30, 3
	v, err := benchOn(t, newFake(t, sound), f)
	if err != nil {
		t.Error(err)
	}
	figures(t, v, map[string]float64{"delivered": 3 * (groupAtOnce + 29)})
}

// A server that was there before is driven with its secret file.
func TestAddr(t *testing.T) {
	f := newFake(t, sound)
	s, err := f.launch(t.Context(), LaunchOptions{Door: "tcp"})
	if err != nil {
		t.Fatal(err)
	}
	p := testPairs("")
	p.Addr = s.URLs["tcp"]
	env, _ := testEnv(f)
	if err := p.Run(t.Context(), env); err == nil || errors.Is(err, ErrUnsound) {
		t.Errorf("without a secret file: %v", err)
	}
	p.SecretFile = f.file
	env.Launch = nil
	v, err := benchOn(t, f, p)
	if err != nil {
		t.Error(err)
	}
	figures(t, v, map[string]float64{"delivered": 1600})
	if v["addr"] != p.Addr || v["lifted"] != nil {
		t.Errorf("addr %v, lifted %v", v["addr"], v["lifted"])
	}
}

// A wrong secret is told as what it is.
func TestRefusedLogin(t *testing.T) {
	f := newFake(t, sound)
	f.secret = append(f.secret, 'x')
	env, _ := testEnv(f)
	err := testPairs("tcp").Run(t.Context(), env)
	if err == nil || errors.Is(err, ErrUnsound) || !bytes.Contains([]byte(err.Error()), []byte("login was refused")) {
		t.Errorf("got %v", err)
	}
}

func TestStoreCommand(t *testing.T) {
	type found struct {
		Accepted int `json:"accepted"`
		Lost     int `json:"lost"`
	}
	for _, lost := range []int{0, 1} {
		var out bytes.Buffer
		env := &Env{Stdout: &out, Stderr: io.Discard, StoreRun: func(_ context.Context, o StoreOptions, progress func(string, int64, int64)) (any, error) {
			progress("loading", 1, 2)
			progress("sending", 1, 2)
			if o.Messages != 10 || o.Data == "" {
				t.Errorf("options %+v", o)
			}
			return found{Accepted: 10, Lost: lost}, nil
		}}
		err := (&Store{Output: toStdout, Conversations: 1, Messages: 10, Batch: 2, Size: 1}).Run(t.Context(), env)
		if errors.Is(err, ErrUnsound) != (lost > 0) {
			t.Errorf("lost %d: %v", lost, err)
		}
		var v map[string]any
		if err := json.Unmarshal(out.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		figures(t, v, map[string]float64{"accepted": 10, "lost": float64(lost)})
		if v["bench"] != "store" || v["messages"] != 10.0 || v["delivered"] != 0.0 {
			t.Errorf("bench is %v, messages %v, delivered %v", v["bench"], v["messages"], v["delivered"])
		}
	}
}

// The command line that others script against: each bench takes all of it.
func TestCommandLine(t *testing.T) {
	common := []string{
		"--addr=tcp://127.0.0.1:1", "--secret-file=s", "--door=tcp", "--users=2", "--messages=3", "--size=64",
		"--window=4", "--rate=5.5", "--connections=6", "--seconds=7", "--json=f",
	}
	for _, name := range []string{"pairs", "fanout", "idle", "offline"} {
		var c Cmd
		k, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Parse(append([]string{name}, common...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "pairs" && (c.Pairs.Users != 2 || c.Pairs.Rate != 5.5 || c.Pairs.JSON != "f" || c.Pairs.Seconds != 7) {
			t.Errorf("read as %+v", c.Pairs)
		}
	}
	var c Cmd
	k, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Parse([]string{"store", "--preload=1", "--conversations=2", "--messages=3", "--batch=4", "--json=-"}); err != nil {
		t.Error(err)
	}
	if c.Store.Preload != 1 || c.Store.Batch != 4 || c.Store.Size != 128 {
		t.Errorf("read as %+v", c.Store)
	}
	if _, err := k.Parse([]string{"pairs", "--door=carrier-pigeon"}); err == nil {
		t.Error("a door that is none was taken")
	}
}

// The fields that others read.
func TestJSONFields(t *testing.T) {
	b, err := json.Marshal(new(Report))
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{
		"sent", "accepted", "delivered", "lost", "duplicated", "out_of_order", "errors", "seconds", "store_seconds",
		"accepted_per_s", "delivered_per_s", "server_cpu_us_per_message", "server_cpu_us_per_login", "ack_ms", "delivery_ms",
		"server_rss_bytes", "rss_bytes_per_connection", "rss_whole_bytes_per_connection", "idle_cpu_percent",
	} {
		if _, ok := v[k]; !ok {
			t.Errorf("there is no %s", k)
		}
	}
}

func TestProgress(t *testing.T) {
	for _, tty := range []bool{false, true} {
		var out bytes.Buffer
		p := &progress{w: &out, tty: tty}
		p.phase("delivering", 10, func() int64 { return 7 })()
		if !bytes.Contains(out.Bytes(), []byte("delivering")) {
			t.Errorf("on a terminal %v: %q", tty, &out)
		}
	}
	newProgress(io.Discard, true).phase("nothing", 0, nil)()
}

// Where the figures cannot be written is said before the work, not after it.
func TestJSONPath(t *testing.T) {
	f := newFake(t, sound)
	env, _ := testEnv(f)
	p := testPairs("tcp")
	p.JSON = filepath.Join(t.TempDir(), "not there", "x.json")
	if err := p.Run(t.Context(), env); err == nil || errors.Is(err, ErrUnsound) || len(f.ln) != 0 {
		t.Errorf("got %v", err)
	}
	p.JSON = filepath.Join(t.TempDir(), "x.json")
	if err := p.Run(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(p.JSON)
	if err != nil || !json.Valid(b) {
		t.Errorf("%s, %v", b, err)
	}
}

// Ctrl-C ends the bench and all that it started, and is no finding.
func TestBrokenOff(t *testing.T) {
	env, out := testEnv(newFake(t, sound))
	ctx, cancel := context.WithCancel(t.Context())
	p := testPairs("tcp")
	p.Seconds = 600
	timer := time.AfterFunc(200*time.Millisecond, cancel)
	defer timer.Stop()
	err := p.Run(ctx, env)
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnsound) {
		t.Errorf("got %v", err)
	}
	if !bytes.Contains(out.Bytes(), []byte(`"sent"`)) {
		t.Error("what was measured until then is not told")
	}
}
