package client

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockExclusive locks f until it is closed.
func lockExclusive(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// syncDir does nothing: directories cannot be synced there, and names are durable with
// the file.
func syncDir(string) error { return nil }
