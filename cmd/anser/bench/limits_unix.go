//go:build linux || darwin

package bench

import (
	"fmt"
	"syscall"
)

// spareFiles are the descriptors that the program needs besides its connections.
const spareFiles = 100

// needFiles sees to it that n connections can be open.
func needFiles(n int) error {
	want := uint64(n + spareFiles)
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if uint64(l.Cur) >= want {
		return nil
	}
	l.Cur = l.Max
	if uint64(l.Max) < want { // only root may
		l.Cur, l.Max = want, want
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("%d connections need %d open files, and the limit cannot be raised so far (%w): run \"ulimit -n %d\" first", n, want, err, want)
	}
	return nil
}

// ownGroup keeps the terminal's signals from a child.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
