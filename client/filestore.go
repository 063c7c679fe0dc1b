package client

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
)

// FileStore is a Store in a directory of its own: a journal of transactions, written
// anew when most of it is out of date, and a lock file, so that two programs do not use
// the same device at once. A transaction is on the disk when Commit returns; those that
// come together share one sync.
type FileStore struct {
	dir  string
	lock *os.File

	mu      sync.Mutex
	f       *os.File          // guarded by mu
	m       map[string][]byte // guarded by mu: what is kept; values are never altered in place
	live    int64             // guarded by mu: bytes of m
	size    int64             // guarded by mu: of the journal
	written uint64            // guarded by mu: transactions appended
	err     error             // guarded by mu: the store has failed: after a failed write or sync nobody knows what is on the disk
	torn    int64             // fixed: bytes of the journal that were dropped
	damaged string            // fixed: the copy of a damaged journal; empty = it was not

	syncing sync.Mutex // held while syncing; taken before mu
	synced  uint64     // guarded by syncing: transactions that are on the disk
}

// Names in the directory, and when the journal is written anew.
const (
	journalFile = "journal"
	journalNew  = "journal.new"
	journalBad  = "journal.damaged"
	lockFile    = "lock"
	compactOver = 1 << 20 // bytes, and four times what is kept
)

// longName is how long an escaped id may be in a path; file systems allow 255 bytes for
// two of them and an @.
const longName = 120

// StoreDir is a directory below base for one user and device, whatever characters their
// ids have. An id that is long when escaped is shortened, with a hash of it at the end.
// Files of other purposes may stand beside it.
func StoreDir(base, user, device string) string {
	name := func(id string) string { // "." and ".." are no names of a directory
		s := url.QueryEscape(id)
		if s == "" || s[0] == '.' {
			s = "%" + s
		}
		if len(s) > longName {
			sum := sha256.Sum256([]byte(id))
			s = fmt.Sprintf("%s=%x", s[:48], sum[:16]) // '=' stands in no escaped id
		}
		return s
	}
	return filepath.Join(base, name(user)+"@"+name(device))
}

// OpenFileStore opens the store in dir, which is made if it is not there (mode 0700).
// The error is ErrLocked if another program, or another client of this one, has it open.
func OpenFileStore(dir string) (*FileStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockExclusive(lock); err != nil {
		lock.Close()
		return nil, err
	}
	s := &FileStore{dir: dir, lock: lock, m: make(map[string][]byte)}
	if err := s.open(); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *FileStore) open() error {
	os.Remove(filepath.Join(s.dir, journalNew)) // of a compaction that did not end
	f, err := os.OpenFile(filepath.Join(s.dir, journalFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := s.read(f); err != nil {
		s.f.Close()
		return fmt.Errorf("anser: %s: %w", f.Name(), err)
	}
	for k, v := range s.m {
		s.live += weight(k, v)
	}
	return nil
}

// read reads the journal f, which is s.f then or has been replaced by a better one.
func (s *FileStore) read(f *os.File) error {
	s.f = f
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	whole, err := readJournal(b, s.m)
	if err != nil {
		return err
	}
	damaged, lost := salvage(b[whole:], s.m)
	if !damaged {
		return s.resume(f, whole, len(b))
	}
	// Cursors that were lost leave gaps, which are found when everything is compared.
	delete(s.m, keyToken)
	s.torn = int64(lost)
	if s.damaged, err = s.keepDamaged(b); err != nil {
		return err
	}
	_, err = s.compact()
	return err
}

// keepDamaged writes b to a file of its own, which it answers. Of many only the first
// nine and the last are kept.
func (s *FileStore) keepDamaged(b []byte) (path string, err error) {
	for n := range 10 {
		path = filepath.Join(s.dir, journalBad)
		if n > 0 {
			path += fmt.Sprint(".", n)
		}
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	return path, errors.Join(err, f.Sync(), f.Close())
}

// resume makes the journal ready to be appended to after its whole bytes.
func (s *FileStore) resume(f *os.File, whole, all int) error {
	s.torn = int64(all - whole)
	if err := f.Truncate(int64(whole)); err != nil {
		return err
	}
	if _, err := f.Seek(int64(whole), io.SeekStart); err != nil {
		return err
	}
	if whole == 0 {
		if _, err := f.WriteString(journalMagic); err != nil {
			return err
		}
		whole = len(journalMagic)
	}
	s.size = int64(whole)
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(s.dir)
}

func weight(k string, v []byte) int64 { return int64(len(k) + len(v) + 16) }

// Torn is how many bytes of the journal were dropped when it was opened. At its end they
// are what was being written when the machine lost power, and had not been reported as
// kept. If Damaged tells of a file, they stood before others, and had been kept.
func (s *FileStore) Torn() int64 { return s.torn }

// Damaged is a copy of the journal as it was found, if something in the midst of it
// could not be read: the disk has lost what was kept, perhaps messages that waited to be
// sent. What could be read is in use. Empty means that nothing was damaged.
func (s *FileStore) Damaged() string { return s.damaged }

// Close lets go of the directory. Close the client first.
func (s *FileStore) Close() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.err, os.ErrClosed) {
		return nil
	}
	s.err = os.ErrClosed
	err := s.f.Close()
	return errors.Join(err, s.lock.Close()) // which unlocks it
}

// Load calls each with what is kept.
func (s *FileStore) Load(each func(key string, value []byte) error) error {
	s.mu.Lock()
	all := make(ops, 0, len(s.m))
	for k, v := range s.m {
		all = append(all, op{k, v})
	}
	err := s.err
	s.mu.Unlock()
	for _, p := range all {
		if err == nil {
			err = each(p.key, p.value)
		}
	}
	return err
}

// Begin starts a transaction; any number may be open.
func (s *FileStore) Begin() (Tx, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	return &fileTx{s: s}, nil
}

type fileTx struct {
	ops
	s *FileStore
}

func (t *fileTx) Commit() error {
	if len(t.ops) == 0 {
		return nil
	}
	n, err := t.s.append(t.ops)
	t.ops = nil
	if err != nil {
		return err
	}
	return t.s.sync(n)
}

// commitSoon makes the transaction permanent at the next Commit; until then only the end
// of the machine undoes it, not that of the program.
func (t *fileTx) commitSoon() error {
	_, err := t.s.append(t.ops)
	t.ops = nil
	return err
}

// append writes a transaction and answers its number.
func (s *FileStore) append(o ops) (uint64, error) {
	b := appendRecord(nil, o)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	if len(b) > maxRecord {
		return 0, errors.New("anser: the transaction is too large")
	}
	if _, err := s.f.Write(b); err != nil {
		s.err = fmt.Errorf("anser: the store cannot be written: %w", err)
		return 0, s.err
	}
	s.size += int64(len(b))
	for _, p := range o {
		if old, ok := s.m[p.key]; ok {
			s.live -= weight(p.key, old)
		}
		if p.value != nil {
			s.live += weight(p.key, p.value)
		}
		op := ops{p}
		op.apply(s.m)
	}
	s.written++
	return s.written, nil
}

// sync has transaction n on the disk when it returns. Whoever comes while another syncs
// waits, and then mostly finds that a sync has covered it already.
func (s *FileStore) sync(n uint64) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	if s.synced >= n {
		return nil
	}
	s.mu.Lock()
	f, upTo, err := s.f, s.written, s.err
	compact := s.size > compactOver && s.size > 4*s.live
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if compact {
		upTo, err = s.compact()
	} else {
		err = f.Sync()
	}
	if err != nil { // never sync again: the system may have dropped what it could not write
		s.mu.Lock()
		if s.err == nil {
			s.err = fmt.Errorf("anser: the store cannot be written: %w", err)
		}
		err = s.err
		s.mu.Unlock()
		return err
	}
	s.synced = upTo
	return nil
}

// compact writes the journal anew with what is kept, and answers which transaction it
// holds up to. Called with syncing held; appends wait.
func (s *FileStore) compact() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.dir, journalNew)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	b := []byte(journalMagic)
	var part ops
	size := 0
	for k, v := range s.m {
		part = append(part, op{k, v})
		if size += len(k) + len(v); size > compactOver {
			b, part, size = appendRecord(b, part), nil, 0
		}
	}
	if len(part) > 0 {
		b = appendRecord(b, part)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(path, filepath.Join(s.dir, journalFile))
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		f.Close()
		return 0, err
	}
	s.f.Close()
	s.f, s.size = f, int64(len(b))
	return s.written, nil
}
