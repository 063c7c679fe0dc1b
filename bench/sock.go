package main

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// sock is a TCP connection with the two operations that the relay and its driver
// need: one read for its life, which keeps no buffer while nothing comes, and a write
// that does not wait.
type sock struct {
	tcp *net.TCPConn
	raw syscall.RawConn
	wg  sync.WaitGroup // rest's goroutine

	mu      sync.Mutex
	backlog []byte // guarded by mu: what the socket did not take yet
	busy    bool   // guarded by mu: rest is at it
	failed  error  // guarded by mu: of the first write that failed

	try     func(uintptr) bool // one write; made once so that it is not allocated each time
	tryBuf  []byte             // guarded by mu
	tryN    int                // guarded by mu
	tryFail error              // guarded by mu
}

func newSock(tcp *net.TCPConn) (*sock, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &sock{tcp: tcp, raw: raw}
	s.try = func(fd uintptr) bool {
		for {
			s.tryN, s.tryFail = syscall.Write(int(fd), s.tryBuf)
			if s.tryFail != syscall.EINTR {
				return true
			}
		}
	}
	return s, nil
}

const readSize = 32 << 10

var readBufs = sync.Pool{New: func() any { return new([readSize]byte) }}

var errClosed = errors.New("closed by the other side")

// readLoop hands what comes to handle until that fails or the connection ends.
func (s *sock) readLoop(handle func([]byte) error) error {
	var end error
	err := s.raw.Read(func(fd uintptr) bool {
		for {
			buf := readBufs.Get().(*[readSize]byte)
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
				end = errClosed
				return true
			case end != nil:
				return true
			case n < readSize:
				return false // drained: what comes later wakes the poller again
			}
		}
	})
	if end == nil {
		end = err
	}
	return end
}

// write puts b on the socket as far as it goes at once; a goroutine writes the rest.
func (s *sock) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failed != nil:
		return s.failed
	case s.busy:
		s.backlog = append(s.backlog, b...)
		return nil
	}
	s.tryBuf = b
	err := s.raw.Write(s.try)
	s.tryBuf = nil
	if err == nil && s.tryFail != syscall.EAGAIN {
		err = s.tryFail
	}
	if err != nil {
		s.failed = err
		return err
	}
	if n := max(s.tryN, 0); n < len(b) {
		s.backlog = append(s.backlog, b[n:]...)
		s.busy = true
		s.wg.Add(1)
		go s.rest()
	}
	return nil
}

func (s *sock) rest() {
	defer s.wg.Done()
	for {
		s.mu.Lock()
		b := s.backlog
		s.backlog = nil
		if len(b) == 0 || s.failed != nil {
			s.busy = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if _, err := s.tcp.Write(b); err != nil {
			s.mu.Lock()
			s.failed = err
			s.mu.Unlock()
		}
	}
}

// close ends the connection; its reader returns.
func (s *sock) close() {
	s.tcp.Close()
	s.wg.Wait()
}
