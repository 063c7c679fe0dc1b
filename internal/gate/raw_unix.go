//go:build unix

package gate

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const haveRaw = true

// rawWrite makes write calls on sockets. It is used again and again so that the
// closures it needs are made once.
type rawWrite struct {
	b     []byte
	n     int
	err   error
	once  func(fd uintptr) bool
	first func(fd uintptr) bool
}

func (w *rawWrite) init() {
	w.once = func(fd uintptr) bool {
		w.do(fd)
		return true // never wait here
	}
	w.first = func(fd uintptr) bool {
		w.do(fd)
		return w.n > 0 || w.err != nil // else wait until the peer takes something
	}
}

func (w *rawWrite) do(fd uintptr) {
	for {
		n, err := unix.Write(int(fd), w.b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			n, err = 0, nil
		case err != nil:
			n = 0
			w.err = os.NewSyscallError("write", err)
		}
		w.n = n
		return
	}
}

// write writes what the socket takes at once: perhaps nothing.
func (w *rawWrite) write(rc syscall.RawConn, b []byte) (int, error) { return w.run(rc, b, w.once) }

// wait writes as soon as the socket takes something, at least a byte.
func (w *rawWrite) wait(rc syscall.RawConn, b []byte) (int, error) { return w.run(rc, b, w.first) }

func (w *rawWrite) run(rc syscall.RawConn, b []byte, f func(uintptr) bool) (int, error) {
	w.b, w.n, w.err = b, 0, nil
	err := rc.Write(f)
	w.b = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

// rawRead reads once. again says that there was nothing to read.
func rawRead(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = unix.Read(int(fd), b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, true, nil
		case err != nil:
			return 0, false, os.NewSyscallError("read", err)
		}
		return n, false, nil
	}
}

// isTransient says whether accepting failed for a reason that passes: no descriptors
// or buffers left, or a peer that went away while it waited.
func isTransient(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ECONNABORTED, unix.EPROTO, unix.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// RaiseFileLimit raises the number of files and sockets that this process may have
// open to what it is allowed to, and answers that.
func RaiseFileLimit() (uint64, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	if r.Cur < r.Max {
		want := r
		want.Cur = r.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &want); err != nil {
			return uint64(r.Cur), os.NewSyscallError("setrlimit", err)
		}
		r = want
	}
	return uint64(r.Cur), nil
}
