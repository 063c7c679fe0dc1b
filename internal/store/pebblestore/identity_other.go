//go:build unix && !linux

package pebblestore

import (
	"fmt"
	"os"
	"syscall"
)

// identityOf is the inode of a file, which a copy of it has not. "" = there is no such
// file, or this system does not say: then nothing is told apart.
func identityOf(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d;", st.Ino)
	}
	return ""
}
