//go:build linux

package gate

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller knows which links have something to read, so that one that waits needs no
// goroutine. It is an epoll of our own that waits inside the runtime's: its goroutine is
// parked like any other, and every event of a turn is had by one call.
type poller struct {
	f  *os.File        // fixed
	rc syscall.RawConn // fixed; of f

	mu    sync.Mutex
	slots []slot  // guarded by mu
	free  []int32 // guarded by mu: of slots
}

// slot is a place in the poller. An event names slot and generation, so that one that
// comes late, for a link that is gone, finds nobody.
type slot struct {
	r   *Reader // nil: free
	gen int32
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the runtime would not wait for it
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{f: os.NewFile(uintptr(fd), "epoll")}
	if p.rc, err = p.f.SyscallConn(); err != nil {
		p.f.Close()
		return nil, err
	}
	return p, nil
}

// run hands out events until stop.
func (p *poller) run() {
	events := make([]unix.EpollEvent, 256)
	p.rc.Read(func(fd uintptr) bool {
		for {
			n, err := unix.EpollWait(int(fd), events, 0)
			switch {
			case err == unix.EINTR:
				continue
			case err != nil:
				return true
			}
			for i := range n {
				if r := p.at(events[i].Fd, events[i].Pad); r != nil {
					r.event(events[i].Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
				}
			}
			if n < len(events) {
				return false
			}
		}
	})
}

func (p *poller) stop() { p.f.Close() }

func (p *poller) at(i, gen int32) *Reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.slots[i]; s.gen == gen {
		return s.r
	}
	return nil
}

// add has r told of what comes from its link, beginning with what is there.
func (p *poller) add(r *Reader) error {
	p.mu.Lock()
	var i int32
	if n := len(p.free); n > 0 {
		i = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		i = int32(len(p.slots))
		p.slots = append(p.slots, slot{})
	}
	s := &p.slots[i]
	s.r = r
	r.slot = i
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: i, Pad: s.gen}
	p.mu.Unlock()
	var err error
	cerr := r.l.rc.Control(func(fd uintptr) {
		var epfd int
		p.rc.Control(func(e uintptr) { epfd = int(e) })
		err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, int(fd), &ev)
	})
	if err = errors.Join(cerr, err); err != nil {
		p.remove(r)
	}
	return err
}

// remove forgets r, and its socket unless that is closed, when the kernel has forgotten
// it. It may be called twice.
func (p *poller) remove(r *Reader) {
	p.mu.Lock()
	if r.slot < 0 {
		p.mu.Unlock()
		return
	}
	s := &p.slots[r.slot]
	s.r = nil
	s.gen++
	p.free = append(p.free, r.slot)
	r.slot = -1
	p.mu.Unlock()
	r.l.rc.Control(func(fd uintptr) {
		p.rc.Control(func(epfd uintptr) { unix.EpollCtl(int(epfd), unix.EPOLL_CTL_DEL, int(fd), nil) })
	})
}
