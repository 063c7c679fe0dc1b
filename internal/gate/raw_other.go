//go:build !unix

package gate

import (
	"errors"
	"syscall"
)

// Without raw sockets every write takes a goroutine, and every read a buffer.
const haveRaw = false

type rawWrite struct{}

func (*rawWrite) init() {}

func (*rawWrite) write(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

func (*rawWrite) wait(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

func rawRead(uintptr, []byte) (int, bool, error) { return 0, false, errors.ErrUnsupported }

func isTransient(error) bool { return false }

// RaiseFileLimit does nothing here.
func RaiseFileLimit() (uint64, error) { return 0, nil }
