package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/anser-im/anser/internal/im"
)

// The files of the data directory that hold secrets.
const (
	SecretFile     = "secret"      // signs tokens
	AdminTokenFile = "admin-token" // opens the admin listener
	SyncKeyFile    = "sync-key"    // proves that a Sync token is ours; never given to anyone
)

// maxSecretFile is the most bytes of a secret file.
const maxSecretFile = 4 << 10

// Secrets is what the data directory keeps secret. Each is the text of its file
// without the white space around it, taken as bytes: an app server signs with exactly
// what the file shows.
type Secrets struct {
	Token []byte // HS256 key
	Admin []byte // the admin token
	Sync  []byte // key of Sync tokens
}

// IsAdmin says whether token is the admin token, in a time that tells nothing.
func (s Secrets) IsAdmin(token string) bool {
	a, b := sha256.Sum256(s.Admin), sha256.Sum256([]byte(token))
	return len(s.Admin) >= MinSecret && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// LoadOrCreateSecrets reads the secrets of dir and makes what is not there: dir with
// mode 0700, each file with 32 random bytes in base64url and mode 0600. When it
// returns, what it made survives a power cut. Two programs may call it at once: both
// get the same secrets.
//
// Errors: Invalid with a sentence for who started the program, which names the file
// and what to do: readable by others, too short, not readable.
func LoadOrCreateSecrets(dir string) (Secrets, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Secrets{}, fileError(dir, "cannot be made", err)
		}
		if err := syncDir(filepath.Dir(filepath.Clean(dir))); err != nil {
			return Secrets{}, fileError(dir, "cannot be made to last", err)
		}
	}
	var s Secrets
	for _, f := range []struct {
		name string
		to   *[]byte
	}{{SecretFile, &s.Token}, {AdminTokenFile, &s.Admin}, {SyncKeyFile, &s.Sync}} {
		path := filepath.Join(dir, f.name)
		var err error
		*f.to, err = LoadSecret(path)
		if errors.Is(err, fs.ErrNotExist) {
			if err = createSecret(path); err == nil {
				*f.to, err = LoadSecret(path)
			}
		}
		if err != nil {
			return Secrets{}, err
		}
	}
	return s, nil
}

// LoadSecret reads one secret file.
//
// Errors: NotFound, wrapping fs.ErrNotExist, if there is none; Invalid, naming the
// file and what to do, if group or others may read it, if it is shorter than
// MinSecret, if it can be guessed, or if it cannot be read.
func LoadSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, im.Wrap(im.NotFound, err, fmt.Sprintf("there is no secret file %s: it is made at the first \"anser serve\" or \"anser token\"", path))
	}
	if err != nil {
		return nil, fileError(path, "cannot be opened", err)
	}
	defer f.Close()
	fi, err := f.Stat() // of the open file: what is checked is what is read
	if err != nil {
		return nil, fileError(path, "cannot be read", err)
	}
	if !fi.Mode().IsRegular() {
		return nil, im.Errorf(im.Invalid, "%s is not a plain file: move it away, and a new secret is made", path)
	}
	if m := fi.Mode().Perm(); m&0o077 != 0 && runtime.GOOS != "windows" { // Windows has no such bits
		return nil, im.Errorf(im.Invalid, "the secret file %s may be used by others than its owner (mode %#o): run \"chmod 600 %s\"; if others may have read it, remove it, and a new one is made", path, m, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return nil, fileError(path, "cannot be read", err)
	}
	if len(b) > maxSecretFile {
		return nil, im.Errorf(im.Invalid, "the secret file %s is larger than %d bytes: move it away, and a new one is made", path, maxSecretFile)
	}
	b = trim(b)
	if err := CheckSecret(b); err != nil {
		return nil, im.Errorf(im.Invalid, "the secret file %s cannot be used: %w; or remove it, and one is made", path, err)
	}
	return b, nil
}

// trim cuts ASCII white space from both ends.
func trim(b []byte) []byte {
	space := func(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
	for len(b) > 0 && space(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && space(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// createSecret makes the file at path, whole and lasting or not at all. One that is
// there by now is left as it is.
func createSecret(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return fileError(path, "cannot be made", err)
	}
	defer os.Remove(f.Name()) // no longer there after the rename
	var raw [32]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(raw[:]) + "\n")
	if err == nil {
		err = f.Chmod(0o600)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fileError(path, "cannot be written", err)
	}
	// A link never replaces: of two programs that start at once, one wins and the
	// other reads. Where a file system has no links, the rename does.
	if err = os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(f.Name(), path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fileError(path, "cannot be made", err)
	}
	if err := syncDir(dir); err != nil {
		return fileError(path, "cannot be made to last", err)
	}
	return nil
}

// syncDir makes the names in dir survive a power cut.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// fileError is for who started the program, who may know paths.
func fileError(path, what string, err error) error {
	return im.Wrap(im.Invalid, err, fmt.Sprintf("%s %s (%v): check the path, its owner and the free space", path, what, err))
}
