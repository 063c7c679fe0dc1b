package pebblestore

import (
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// InUse says whether a process, this one too, has the store in dir open. It does not
// open it: it tries the lock, and gives it back.
func InUse(dir string) bool {
	if _, err := os.Stat(dir); err != nil {
		return false
	}
	lock, err := pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return true
	}
	lock.Close()
	return false
}
