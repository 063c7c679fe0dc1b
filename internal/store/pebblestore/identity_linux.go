package pebblestore

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// identityOf is what a copy of a file has not: its inode and when that was made (0 on
// file systems that do not say). The device's number is no part of it: it may change
// with every start of the machine. "" = there is no such file.
func identityOf(path string) string {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
		return ""
	}
	made := int64(0)
	if st.Mask&unix.STATX_BTIME != 0 {
		made = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return fmt.Sprintf("%d made %d;", st.Ino, made)
}
