package server

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func TestParseConfig(t *testing.T) {
	var c Config
	err := ParseConfig([]byte(`
# a comment
listen: ["http://127.0.0.1:0", 'tcp://127.0.0.1:0']
allow_plain: true
data: /var/lib/anser
tls: {cert: a.pem, key: b.pem}
trusted_proxies:
  - 10.0.0.0/8
  - ::1
auth:
  jwks: keys.json
  issuer: "https://id.example"
  secrets:
    old: /etc/old
    "2": /etc/two
limits:
  send_rate: -1
  max_body: 64KiB
  max_frame: 2 MiB
  send_burst: 1_000
  detached_for: 90s
  sessions_by_class: {phone: 1, web: 3}
rules:
  users_known: true
heartbeat:
  foreground: 1s
shutdown:
  drain: 0
log:
`), &c)
	if err != nil {
		t.Fatal(err)
	}
	var want Config
	want.Listen = []string{"http://127.0.0.1:0", "tcp://127.0.0.1:0"}
	want.AllowPlain, want.Data = true, "/var/lib/anser"
	want.TLS = TLSConfig{Cert: "a.pem", Key: "b.pem"}
	want.TrustedProxies = []string{"10.0.0.0/8", "::1"}
	want.Auth.JWKS, want.Auth.Issuer = "keys.json", "https://id.example"
	want.Auth.Secrets = map[string]string{"old": "/etc/old", "2": "/etc/two"}
	want.Limits = im.Limits{SendRate: -1, MaxBody: 64 << 10, MaxFrame: 2 << 20, SendBurst: 1000, DetachedFor: 90 * time.Second, SessionsByClass: map[im.Class]int{im.Phone: 1, im.Web: 3}}
	want.Rules.UsersKnown = true
	want.Heartbeat.Foreground = time.Second
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n", "null\n", "\ufeff"} {
		if err := ParseConfig([]byte(empty), &c); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

// Whatever is wrong is said with its line, and what was meant where that can be guessed.
func TestParseConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"unknown":          {"listne: []\n", `[1:1] unknown key "listne": did you mean "listen"?`},
		"unknown, far":     {"colour: red\n", `[1:1] unknown key "colour"` + "\n"},
		"unknown below":    {"limits:\n  send_rat: 1\n", `[2:3] unknown key "send_rat": did you mean "send_rate"?`},
		"caret":            {"limits:\n  send_rat: 1\n", ">  2 |   send_rat: 1\n         ^"},
		"double":           {"data: a\ndata: b\n", "already defined"},
		"double below":     {"limits:\n  devices: 1\n  devices: 2\n", "already defined"},
		"no number":        {"limits:\n  send_rate: fast\n", `[2:14] send_rate takes a number; this is "fast"`},
		"infinite":         {"limits:\n  send_rate: .inf\n", "takes a number"},
		"no whole number":  {"limits:\n  devices: 1.5\n", "a whole number"},
		"too large":        {"limits:\n  devices: 99999999999999999999\n", "a whole number"},
		"size too large":   {"limits:\n  devices: 9999999999TiB\n", "a whole number"},
		"no unit":          {"limits:\n  detached_for: 5\n", "a time like"},
		"bad unit":         {"limits:\n  detached_for: 5 minutes\n", "a time like"},
		"no bool":          {"allow_plain: maybe\n", "true or false"},
		"yes is no bool":   {"allow_plain: yes\n", "true or false"},
		"no list":          {"listen: tcp://127.0.0.1:1\n", "takes a list"},
		"list for one":     {"data: [a, b]\n", "takes one value"},
		"section for one":  {"data: {a: b}\n", "takes one value"},
		"value for many":   {"limits: 7\n", "lines of the form"},
		"list for section": {"limits: [7]\n", "lines of the form"},
		"no mapping":       {"[1, 2]\n", "lines of the form"},
		"text":             {"hello\n", "lines of the form"},
		"two documents":    {"data: a\n---\ndata: b\n", "one YAML document"},
		"syntax":           {"listen: [a\n", "[1:9]"},
		"tab":              {"limits:\n\tdevices: 1\n", "[2:1]"},
		"not a setting":    {"rules:\n  waker: x\n", `unknown key "waker"`},
		"elsewhere":        {"rules:\n  limits: {}\n", `unknown key "limits"`},
		"table of numbers": {"limits:\n  sessions_by_class: {phone: many}\n", "a whole number"},
		"alias bomb":       {"data: &a [*a]\n", ""},
	} {
		var cfg Config
		err := ParseConfig([]byte(c.in), &cfg)
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if !strings.Contains(err.Error()+"\n", c.want) {
			t.Errorf("%s:\n%v\nlacks %q", name, err, c.want)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"level":  {func(c *Config) { c.Log.Level = "loud" }, "log.level"},
		"format": {func(c *Config) { c.Log.Format = "xml" }, "log.format"},
		"cert":   {func(c *Config) { c.TLS.Cert = "x" }, "tls.key"},
		"jwks":   {func(c *Config) { c.Auth.JWKS = "x" }, "auth.issuer"},
		"class":  {func(c *Config) { c.Limits.SessionsByClass = map[im.Class]int{"fridge": 1} }, "fridge"},
		"proxy":  {func(c *Config) { c.TrustedProxies = []string{"proxy.example"} }, "proxy.example"},
	} {
		var cfg Config
		c.change(&cfg)
		err := cfg.Defaults().check()
		if err == nil || !strings.Contains(err.Error(), c.want) || ExitStatus(err) != ExitConfig {
			t.Errorf("%s: %v (exit %d)", name, err, ExitStatus(err))
		}
	}
	if err := (Config{}).Defaults().check(); err != nil {
		t.Error(err)
	}
}

func TestSet(t *testing.T) {
	var c Config
	for _, s := range [][2]string{
		{"limits.send_rate", "-1"}, {"data", "x y"}, {"listen", "tcp://127.0.0.1:0, http://127.0.0.1:0"}, {"shutdown.drain", "2s"}, {"rules.users_known", "true"}, {"limits.max_body", "1MiB"},
	} {
		if err := c.Set(s[0], s[1]); err != nil {
			t.Error(err)
		}
	}
	if c.Limits.SendRate != -1 || c.Data != "x y" || len(c.Listen) != 2 || c.Shutdown.Drain != 2*time.Second || !c.Rules.UsersKnown || c.Limits.MaxBody != 1<<20 {
		t.Errorf("%+v", c)
	}
	for path, want := range map[string]string{
		"limits.sendrate": `did you mean "send_rate"`, "limits": "section", "data.x": "holds no others", "": "no setting", "limits.": "no setting", "auth.secrets": "table",
	} {
		if err := c.Set(path, "1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// What --print-config prints is a configuration file that says the same.
func TestPrintIsReadAgain(t *testing.T) {
	c := Config{}.Defaults()
	c.Origins = []string{"*", "https://a.example"}
	c.Auth.Secrets = map[string]string{"k 1": "/a b", "true": "007"}
	c.Node = `odd: "name" # here`
	c.Limits.SessionsByClass = map[im.Class]int{im.Bot: 7}
	c.Limits.SendRate = 0.5
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	var again Config
	if err := ParseConfig(b.Bytes(), &again); err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	var b2 bytes.Buffer
	again.Print(&b2)
	if !bytes.Equal(b.Bytes(), b2.Bytes()) {
		t.Errorf("printed again it is another:\n%s\n---\n%s", &b, &b2)
	}
	if !strings.Contains(b.String(), "# ") || !strings.Contains(b.String(), "detached_for: 5m\n") || !strings.Contains(b.String(), "max_body: 128KiB\n") {
		t.Errorf("%s", &b)
	}
}

func TestReadConfigNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anser.yaml")
	var c Config
	if err := ReadConfig(path, &c); err == nil || !strings.Contains(err.Error(), path) || ExitStatus(err) != ExitConfig {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(path, []byte("dat: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ReadConfig(path, &c); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "[1:1]") {
		t.Errorf("wrong: %v", err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("# x\n"), maxConfig/4+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ReadConfig(path, &c); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("large: %v", err)
	}
}

func TestSnake(t *testing.T) {
	for in, want := range map[string]string{"SendRate": "send_rate", "JWKS": "jwks", "TLSCert": "tls_cert", "AllowPlain": "allow_plain", "MaxID": "max_id", "Off": "off", "NoTLS": "no_tls"} {
		if got := snake(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("listen: [a]\nlimits: {send_rate: 1}\n"))
	f.Add([]byte("limits:\n  sessions_by_class:\n    phone: 1\n"))
	f.Add([]byte("data: &a x\nnode: *a\n"))
	f.Add([]byte("? a\n: b\n"))
	f.Add([]byte("data: |\n  x\n"))
	f.Add([]byte("<<: {data: x}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Config
		if ParseConfig(b, &c) != nil {
			return
		}
		var p bytes.Buffer
		if err := c.Print(&p); err != nil {
			t.Fatal(err)
		}
		var again Config
		if err := ParseConfig(p.Bytes(), &again); err != nil {
			t.Fatalf("%q printed:\n%s\n%v", b, &p, err)
		}
	})
}
