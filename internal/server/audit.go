package server

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// AuditFile is the name of the audit log in the data directory: one JSON object a
// line for each thing that an admin did or tried.
const AuditFile = "audit.log"

// entry is one line of the audit log. Each names the hash of the line before it, so
// that a line taken out, put in or altered later is found, but for the newest ones
// being cut off: keep a copy of the last hash elsewhere if that matters.
type entry struct {
	Time    string `json:"time"` // RFC 3339, UTC
	By      string `json:"by"`
	Action  string `json:"action"`
	User    string `json:"user,omitempty"`
	Device  string `json:"device,omitempty"`
	Token   string `json:"jti,omitempty"`
	Key     string `json:"key,omitempty"` // name of an app key
	Before  string `json:"before,omitempty"`
	After   string `json:"after,omitempty"`
	Ended   int    `json:"ended,omitempty"` // sessions
	Outcome string `json:"outcome"`         // ok, or what was refused and why
	Prev    string `json:"prev"`            // hash of the line before; "" in the first
	Hash    string `json:"hash,omitempty"`  // SHA-256 of the line without this field, in hex
}

// auditLog appends to the audit log. Any goroutine may use it.
type auditLog struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	mu   sync.Mutex
	prev string // guarded by mu: hash of the last line
}

// openAudit finds the end of the log at path; there need be none yet.
func openAudit(path string, log *slog.Logger, now func() time.Time) (*auditLog, error) {
	a := &auditLog{path: path, log: log, now: now}
	last, err := lastLine(path)
	if err != nil {
		return nil, failf(ExitData, "the audit log %s cannot be read: %w", path, err)
	}
	var e entry
	if len(last) > 0 && json.Unmarshal(last, &e) == nil {
		a.prev = e.Hash
	} // a line cut off by a power cut: the chain begins anew, and doctor says where
	return a, nil
}

// note appends one line. What cannot be written is at least in the program's log.
func (a *auditLog) note(by, action string, e entry, err error) {
	e.Time, e.By, e.Action, e.Outcome = a.now().UTC().Format(time.RFC3339Nano), by, action, "ok"
	if err != nil {
		e.Outcome = im.AsError(err).Text
	}
	for _, f := range []*string{&e.By, &e.User, &e.Device, &e.Token, &e.Key, &e.Outcome} {
		*f = strings.ToValidUTF8(*f, "?") // else what is read back has another hash
	}
	a.log.Info("audit", "action", action, "by", by, "user", e.User, "device", e.Device, "outcome", e.Outcome)
	a.mu.Lock()
	defer a.mu.Unlock()
	e.Prev, e.Hash = a.prev, ""
	e.Hash = e.sum()
	if err := appendLine(a.path, e); err != nil {
		a.log.Error("the audit log cannot be written", "file", a.path, "error", err)
		return
	}
	a.prev = e.Hash
}

// sum is the hash of e without its own.
func (e entry) sum() string {
	e.Hash = ""
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers always have JSON
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func appendLine(path string, e entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if end > 0 { // after a line that was cut off, begin on one of our own
		var last [1]byte
		if _, err := f.ReadAt(last[:], end-1); err == nil && last[0] != '\n' {
			b = append([]byte{'\n'}, b...)
		}
	}
	if _, err := f.Write(append(b, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// lastLine gives the last line of a file, nil if there is none.
func lastLine(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(end, 16<<10)) // a line is far shorter
	if _, err := f.ReadAt(b, end-int64(len(b))); err != nil && err != io.EOF {
		return nil, err
	}
	b = bytes.TrimRight(b, "\n")
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		b = b[i+1:]
	}
	return b, nil
}

// CheckAudit reads a whole audit log and says where it was altered, nil if it was not.
// A log that is not there is fine. It answers how many lines it has.
func CheckAudit(path string) (lines int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 0, 16<<10), 64<<10)
	prev := ""
	for in.Scan() {
		lines++
		var e entry
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return lines, fmt.Errorf("line %d is no entry", lines)
		}
		if e.Hash != e.sum() {
			return lines, fmt.Errorf("line %d was altered", lines)
		}
		if e.Prev != prev {
			return lines, fmt.Errorf("before line %d something was taken out or put in", lines)
		}
		prev = e.Hash
	}
	return lines, in.Err()
}
