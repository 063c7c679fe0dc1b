package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/gate"
)

// Severity says how bad a finding is.
type Severity int

// The severities.
const (
	Fine    Severity = iota
	Warning          // it works, but not well, or not for long
	Bad              // it does not work
)

// A Finding is what one check of "anser doctor" found.
type Finding struct {
	Severity Severity
	What     string // was looked at: one or two words
	Text     string // was seen
	Do       string // is to be done; "" = nothing
}

// Diagnose looks at everything that commonly goes wrong with a server of this
// configuration, one finding after the other. It changes nothing, but for a small file
// in the data directory that it removes again.
func Diagnose(ctx context.Context, cfg Config) iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		d := &doctor{ctx: ctx, raw: cfg, cfg: cfg.Defaults()}
		for _, check := range []func() []Finding{d.config, d.server, d.ports, d.dataDir, d.secrets, d.space, d.syncs, d.audit, d.clock, d.files} {
			for _, f := range check() {
				if !yield(f) || ctx.Err() != nil {
					return
				}
			}
		}
	}
}

// CheckReady asks the server that runs on the data directory whether it takes messages:
// for health checks, which cannot wait for all that Diagnose looks at.
//
// Errors: a sentence that says why it does not.
func CheckReady(ctx context.Context, cfg Config) error {
	d := &doctor{ctx: ctx, raw: cfg, cfg: cfg.Defaults()}
	if f := d.server()[0]; !d.running || f.Severity == Bad {
		return failf(ExitFailure, "%s", f.Text)
	}
	return nil
}

type doctor struct {
	ctx      context.Context
	raw, cfg Config
	running  bool // a server answers
	noData   bool // there is no data directory yet
}

func one(s Severity, what, do, format string, args ...any) []Finding {
	return []Finding{{s, what, fmt.Sprintf(format, args...), do}}
}

func (d *doctor) config() []Finding {
	if err := d.cfg.check(); err != nil {
		return one(Bad, "configuration", "correct the setting", "%v", err)
	}
	for _, text := range d.cfg.Listen {
		u, err := gate.ParseURL(text)
		if err != nil {
			return one(Bad, "configuration", "correct listen", "%v", err)
		}
		if !u.TLS && !u.Loopback() && !d.cfg.AllowPlain {
			return one(Bad, "configuration", "use TLS, or allow_plain behind a proxy that ends it", "%s listens beyond this machine without TLS", u)
		}
		if u.TLS {
			if d.cfg.TLS.Cert == "" {
				return one(Bad, "configuration", "set tls.cert and tls.key", "%s needs a certificate", u)
			}
			if _, err := gate.NewTLS(gate.TLSFiles{Cert: d.cfg.TLS.Cert, Key: d.cfg.TLS.Key}); err != nil {
				return one(Bad, "certificate", "correct tls.cert and tls.key", "%v", err)
			}
		}
	}
	if d.cfg.Auth.JWKS != "" && !strings.Contains(d.cfg.Auth.JWKS, "://") {
		if _, err := auth.NewVerifier(auth.Config{JWKS: d.cfg.Auth.JWKS, Issuer: d.cfg.Auth.Issuer}); err != nil {
			return one(Bad, "configuration", "correct auth.jwks", "%v", err)
		}
	}
	return one(Fine, "configuration", "", "nothing is wrong with it")
}

// server asks a running one.
func (d *doctor) server() []Finding {
	base, token, err := adminAt(d.cfg.Data)
	if errors.Is(err, errNoServer) {
		if _, err := os.Stat(filepath.Join(d.cfg.Data, AddressFile)); err == nil {
			return one(Warning, "server", "look into its log, and start it again with \"anser serve\"", "none runs; the last one did not end in order")
		}
		return one(Fine, "server", "start one with \"anser serve\"", "none runs on this data directory")
	}
	if err != nil {
		return one(Warning, "server", "", "%v", err)
	}
	ctx, cancel := context.WithTimeout(d.ctx, 10*time.Second)
	defer cancel()
	st, err := newAdminClient(base, token).Status(ctx)
	if err != nil {
		return one(Bad, "server", "look into its log; if it hangs, end and start it", "the one at %s does not answer as it should: %v", base, err)
	}
	d.running = true
	who := fmt.Sprintf("process %d, up %v, %d sessions, %d connections", st.PID, time.Duration(st.UptimeSeconds)*time.Second, st.Sessions, st.Connections)
	switch {
	case !st.Alive:
		return one(Bad, "server", "look into its log; if the disk hangs, see below", "%s, but it does not serve: %s", who, st.Why)
	case !st.Ready:
		return one(Bad, "server", "see below", "%s, but it takes no messages: %s", who, st.Why)
	case st.PendingMillis > 200:
		return one(Warning, "server", "the disk is slow or busy", "%s; a commit waits for the disk since %d ms", who, st.PendingMillis)
	}
	return one(Fine, "server", "", "%s, listening on %s", who, strings.Join(st.Listeners, " "))
}

// ports tries to listen where a server would.
func (d *doctor) ports() []Finding {
	if d.running {
		return nil // it has them
	}
	var out []Finding
	try := func(name, addr string) {
		l, err := net.Listen("tcp", addr)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			out = append(out, Finding{Bad, "address", name + " is taken by another program", "end it, or choose another address (--listen, --admin)"})
		case errors.Is(err, syscall.EACCES):
			out = append(out, Finding{Bad, "address", name + " needs a privilege", "choose a port above 1023, or give the program CAP_NET_BIND_SERVICE"})
		case err != nil:
			out = append(out, Finding{Bad, "address", fmt.Sprintf("%s cannot be listened on: %v", name, err), "choose another"})
		default:
			l.Close()
		}
	}
	for _, text := range d.cfg.Listen {
		if u, err := gate.ParseURL(text); err == nil {
			try(text, u.Addr)
		}
	}
	if d.cfg.Admin != adminOff {
		if _, addr, ok := strings.Cut(d.cfg.Admin, "://"); ok {
			try(d.cfg.Admin, strings.TrimSuffix(addr, "/"))
		}
	}
	if out == nil {
		return one(Fine, "addresses", "", "all are free")
	}
	return out
}

func (d *doctor) dataDir() []Finding {
	abs, err := filepath.Abs(d.cfg.Data)
	if err != nil {
		abs = d.cfg.Data
	}
	if _, err := os.Stat(d.cfg.Data); errors.Is(err, fs.ErrNotExist) {
		d.noData = true
		return one(Fine, "data directory", "", "%s is not there yet; the first start makes it", abs)
	}
	if err := checkData(d.cfg.Data); err != nil {
		d.noData = true
		return one(Bad, "data directory", "", "%v", err)
	}
	if volatile(d.cfg.Data) {
		return one(Warning, "data directory", "put it on a disk: --data", "%s is in memory: nothing in it survives a restart of the machine", abs)
	}
	return one(Fine, "data directory", "", "%s", abs)
}

func (d *doctor) secrets() []Finding {
	if d.noData {
		return nil
	}
	var out []Finding
	for _, name := range []string{auth.SecretFile, auth.AdminTokenFile, auth.SyncKeyFile} {
		_, err := auth.LoadSecret(filepath.Join(d.cfg.Data, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			out = append(out, Finding{Bad, "secrets", err.Error(), ""})
		}
	}
	for kid, path := range d.cfg.Auth.Secrets {
		if _, err := auth.LoadSecret(path); err != nil {
			out = append(out, Finding{Bad, "secrets", fmt.Sprintf("auth.secrets %s: %v", kid, err), ""})
		}
	}
	if out == nil {
		return one(Fine, "secrets", "", "theirs alone to read, and long enough")
	}
	return out
}

// whereData is the data directory, or the nearest directory above that is there.
func (d *doctor) whereData() string {
	dir, err := filepath.Abs(d.cfg.Data)
	if err != nil {
		return "."
	}
	for {
		if fi, err := os.Stat(dir); err == nil && fi.IsDir() || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func (d *doctor) space() []Finding {
	free, total, ok := diskSpace(d.whereData())
	if !ok {
		return nil
	}
	mark := uint64(max(0, d.cfg.Store.MinFree))
	if d.cfg.Store.MinFree == 0 {
		mark = min(512<<20, total/20)
	}
	switch {
	case free < mark:
		return one(Bad, "disk space", "make room, or move the data to a larger disk", "%s free: below the mark of %s the server refuses messages", sizeText(free), sizeText(mark))
	case free < 4*mark:
		return one(Warning, "disk space", "make room soon", "%s free; below %s the server refuses messages", sizeText(free), sizeText(mark))
	}
	return one(Fine, "disk space", "", "%s free of %s", sizeText(free), sizeText(total))
}

func sizeText(n uint64) string {
	for _, u := range sizeUnits {
		if n >= uint64(u.bytes) {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// syncs writes a small file and has the disk keep it, as every commit does.
func (d *doctor) syncs() []Finding {
	if d.noData {
		return nil
	}
	f, err := os.CreateTemp(d.cfg.Data, "doctor-*.tmp")
	if err != nil {
		return one(Bad, "data directory", "run as the user that owns it", "it cannot be written to: %v", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4<<10)
	var took []time.Duration
	for range 30 {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return one(Bad, "disk", "check the disk", "it takes no bytes: %v", err)
		}
		if err := f.Sync(); err != nil {
			return one(Bad, "disk", "check the disk", "it does not keep bytes: %v", err)
		}
		took = append(took, time.Since(began))
		if d.ctx.Err() != nil {
			return nil
		}
	}
	slices.Sort(took)
	mid, worst := took[len(took)/2], took[len(took)-1]
	text := fmt.Sprintf("a synced write takes %v, at worst %v (of %d)", mid.Round(time.Microsecond), worst.Round(time.Microsecond), len(took))
	switch {
	case mid > 20*time.Millisecond:
		return one(Warning, "disk", "every message waits for one: use a faster disk (an SSD with power-loss protection)", "%s", text)
	case mid < 15*time.Microsecond && !volatile(d.cfg.Data):
		return one(Warning, "disk", "see that the disk or the virtual machine does not ignore syncs: messages could be lost in a power cut", "%s, which is faster than disks are", text)
	}
	return one(Fine, "disk", "", "%s", text)
}

func (d *doctor) audit() []Finding {
	if d.noData {
		return nil
	}
	n, err := CheckAudit(filepath.Join(d.cfg.Data, AuditFile))
	if err != nil {
		return one(Warning, "audit log", "find out who had access to the data directory, or whether the machine lost power just then", "%v", err)
	}
	if n == 0 {
		return one(Fine, "audit log", "", "empty: no admin has changed anything")
	}
	return one(Fine, "audit log", "", "%d lines, none of them altered", n)
}

// clock looks whether the machine's clock can be right: tokens depend on it. There is
// nobody to ask but the files and the program.
func (d *doctor) clock() []Finding {
	now := time.Now()
	if t, err := time.Parse(time.RFC3339, ReadVersion().Time); err == nil && now.Before(t) {
		return one(Bad, "clock", "set the clock (timedatectl set-ntp true)", "it says %s, before this program was written", now.Format(time.RFC3339))
	}
	newest := time.Time{}
	for _, name := range []string{AddressFile, auth.SecretFile, AuditFile, storeDir} {
		if fi, err := os.Stat(filepath.Join(d.cfg.Data, name)); err == nil && fi.ModTime().After(newest) {
			newest = fi.ModTime()
		}
	}
	if newest.Sub(now) > time.Minute {
		return one(Bad, "clock", "set the clock (timedatectl set-ntp true)", "it says %s, before files of the data directory were written (%s)", now.Format(time.RFC3339), newest.Format(time.RFC3339))
	}
	return one(Fine, "clock", "", "%s", now.Format(time.RFC3339))
}

// files looks at the limit of open files: each connection is one.
func (d *doctor) files() []Finding {
	if runtime.GOOS == "windows" {
		return nil
	}
	limit, err := gate.RaiseFileLimit()
	if err != nil {
		return one(Warning, "open files", "raise it (LimitNOFILE= in the systemd unit, or ulimit -n)", "the limit is %d and cannot be raised: %v", limit, err)
	}
	if limit < 4096 {
		return one(Warning, "open files", "raise it (LimitNOFILE= in the systemd unit, or ulimit -Hn)", "at most %d: not many more people than that can be connected", limit)
	}
	return one(Fine, "open files", "", "at most %d, a connection takes one", limit)
}
