package server

import "golang.org/x/sys/unix"

// diskSpace tells the bytes that are free to us, and all, of the file system of dir.
func diskSpace(dir string) (free, total uint64, ok bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, 0, false
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), true
}

// volatile says whether dir is kept in memory alone.
func volatile(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && (st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC)
}
