//go:build !linux

package server

// diskSpace is not known on this system.
func diskSpace(string) (free, total uint64, ok bool) { return 0, 0, false }

// volatile is not known on this system.
func volatile(string) bool { return false }
