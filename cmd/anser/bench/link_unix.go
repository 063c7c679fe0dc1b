//go:build unix

package bench

import (
	"syscall"
)

// init makes l.try.
func (l *link) init() {
	l.try = func(fd uintptr) bool {
		for {
			l.tryN, l.tryFail = syscall.Write(int(fd), l.tryBuf)
			if l.tryFail != syscall.EINTR {
				return true
			}
		}
	}
}

// writeOnce writes what the socket takes without waiting. The caller holds l.mu.
func (l *link) writeOnce(p []byte) (int, error) {
	l.tryBuf = p
	err := l.raw.Write(l.try)
	l.tryBuf = nil
	switch {
	case err != nil:
		return 0, err
	case l.tryFail == syscall.EAGAIN:
		return 0, nil
	case l.tryFail != nil:
		return 0, l.tryFail
	}
	return max(l.tryN, 0), nil
}

// readPlain is one RawConn.Read for the connection's life. A goroutine parked in it
// holds no buffer, and a read that did not fill the buffer needs no second one to
// find out that nothing is left: what comes later wakes the poller again. The end of
// the stream may hide behind such bytes; then a write notices it, or the bench's
// patience ends.
func (l *link) readPlain(handle func([]byte) error) error {
	var end error
	err := l.raw.Read(func(fd uintptr) bool {
		for {
			buf := readBufs.Get().(*[readBuf]byte)
			n, err := syscall.Read(int(fd), buf[:])
			if n > 0 {
				end = handle(buf[:n])
			}
			readBufs.Put(buf)
			switch {
			case err == syscall.EINTR:
			case err == syscall.EAGAIN:
				return false
			case err != nil:
				end = err
				return true
			case n == 0:
				end = errPeerClosed
				return true
			case end != nil:
				return true
			case n < readBuf:
				return false
			}
		}
	})
	if end == nil {
		end = err
	}
	return end
}
