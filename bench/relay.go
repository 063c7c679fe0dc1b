package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// relay is the least that a durable message needs. Readers append what comes to a
// batch; one goroutine writes the batch to the log, syncs it and puts acknowledgements
// and messages into the connections' outgoing bytes; another writes each connection
// once for all that is there.
type relay struct {
	log *os.File

	mu    sync.Mutex
	batch *batch // guarded by mu: what comes in now; bounded by what clients have under way

	umu   sync.Mutex       // never held together with mu
	users map[uint32]*peer // guarded by umu
	conns map[*peer]bool   // guarded by umu

	work chan struct{} // there is something in batch; room for one
	wg   sync.WaitGroup
	fl   flusher
}

// batch is what is committed at once. The log has it as it came.
type batch struct {
	bytes []byte
	ops   []op
}

type op struct {
	from     *peer
	to       uint32
	id       uint64
	at, size int // of the body in bytes
}

// peer is a connection of the relay.
type peer struct {
	*sock
	user uint32 // owned by its reader; 0 = not told yet

	rest []byte // owned by its reader: a frame that is not whole

	omu    sync.Mutex
	out    []byte // guarded by omu: to be written by the flusher
	queued bool   // guarded by omu: the flusher will come
}

func newRelay(dir string) (*relay, error) {
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &relay{
		log:   f,
		batch: new(batch),
		users: make(map[uint32]*peer),
		conns: make(map[*peer]bool),
		work:  make(chan struct{}, 1),
		fl:    flusher{wake: make(chan struct{}, 1)},
	}, nil
}

// serve takes connections until ctx is over.
func (r *relay) serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	failed := make(chan error, 1)
	r.wg.Go(func() {
		if err := r.commit(ctx); err != nil {
			failed <- err
			cancel()
		}
	})
	r.wg.Go(func() { r.fl.run(ctx) })
	for {
		nc, err := ln.Accept()
		if err != nil {
			break
		}
		s, err := newSock(nc.(*net.TCPConn))
		if err != nil {
			nc.Close()
			continue
		}
		p := &peer{sock: s}
		r.umu.Lock()
		r.conns[p] = true
		r.umu.Unlock()
		r.wg.Go(func() {
			defer r.gone(p)
			p.readLoop(func(b []byte) error { return r.feed(p, b) })
		})
	}
	cancel()
	r.umu.Lock()
	for p := range r.conns {
		p.tcp.Close()
	}
	r.umu.Unlock()
	r.wg.Wait()
	err := r.log.Close()
	select {
	case e := <-failed:
		return e
	default:
		return err
	}
}

func (r *relay) gone(p *peer) {
	p.close()
	r.umu.Lock()
	defer r.umu.Unlock()
	delete(r.conns, p)
	if r.users[p.user] == p {
		delete(r.users, p.user)
	}
}

var errFrame = errors.New("that is no frame")

// feed takes what p sent.
func (r *relay) feed(p *peer, b []byte) error {
	if len(p.rest) > 0 {
		p.rest = append(p.rest, b...)
		b = p.rest
	}
	sent := false
	for {
		typ, fields, n := next(b)
		if n < 0 {
			return errFrame
		}
		if n == 0 {
			break
		}
		switch typ {
		case typeHello:
			if len(fields) != 4 {
				return errFrame
			}
			p.user = uint32(fields[0]) | uint32(fields[1])<<8 | uint32(fields[2])<<16 | uint32(fields[3])<<24
			r.umu.Lock()
			r.users[p.user] = p
			r.umu.Unlock()
			r.fl.add(p, func(out []byte) []byte { return appendAck(out, 0) })
		case typeSend:
			to, id, body, ok := message(fields)
			if !ok {
				return errFrame
			}
			r.mu.Lock()
			q := r.batch
			q.ops = append(q.ops, op{from: p, to: to, id: id, at: len(q.bytes) + sendHead, size: len(body)})
			q.bytes = append(q.bytes, b[:n]...)
			r.mu.Unlock()
			sent = true
		default:
			return errFrame
		}
		b = b[n:]
	}
	p.rest = append(p.rest[:0], b...)
	if sent {
		select {
		case r.work <- struct{}{}:
		default:
		}
	}
	return nil
}

// commit writes batches until ctx is over.
func (r *relay) commit(ctx context.Context) error {
	spare := new(batch)
	for {
		select {
		case <-r.work:
		case <-ctx.Done():
			return nil
		}
		r.mu.Lock()
		q := r.batch
		r.batch = spare
		r.mu.Unlock()
		if _, err := r.log.Write(q.bytes); err != nil {
			return err
		}
		if err := syscall.Fdatasync(int(r.log.Fd())); err != nil {
			return err
		}
		r.answer(q)
		q.ops, q.bytes = q.ops[:0], q.bytes[:0]
		spare = q
	}
}

// answer gives out what is on disk now.
func (r *relay) answer(q *batch) {
	r.umu.Lock()
	defer r.umu.Unlock()
	for i := range q.ops {
		o := &q.ops[i]
		body := q.bytes[o.at : o.at+o.size]
		r.fl.add(o.from, func(out []byte) []byte { return appendAck(out, o.id) })
		push := func(out []byte) []byte { return appendMessage(out, typePush, o.from.user, o.id, body) }
		if o.to != toAll {
			if to := r.users[o.to]; to != nil {
				r.fl.add(to, push)
			}
			continue
		}
		for _, to := range r.users {
			if to != o.from {
				r.fl.add(to, push)
			}
		}
	}
	r.fl.signal()
}

// flusher writes connections that have something to be written, each once for all
// that is there when its turn comes.
type flusher struct {
	wake chan struct{} // room for one

	mu    sync.Mutex
	dirty []*peer // guarded by mu
}

// add lets put append to p's outgoing bytes.
func (f *flusher) add(p *peer, put func([]byte) []byte) {
	p.omu.Lock()
	p.out = put(p.out)
	first := !p.queued
	p.queued = true
	p.omu.Unlock()
	if first {
		f.mu.Lock()
		f.dirty = append(f.dirty, p)
		n := len(f.dirty)
		f.mu.Unlock()
		if n == 1 {
			f.signal()
		}
	}
}

func (f *flusher) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *flusher) run(ctx context.Context) {
	var mine []*peer
	var spare []byte
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
		f.mu.Lock()
		mine, f.dirty = f.dirty, mine[:0]
		f.mu.Unlock()
		for _, p := range mine {
			p.omu.Lock()
			b := p.out
			p.out, p.queued = spare[:0], false
			p.omu.Unlock()
			p.write(b) // if it fails, so does the reader
			spare = b
		}
	}
}

// serveRelay is "ceiling serve": it prints its address and serves until it is told to
// end.
func serveRelay(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("ceiling serve", flag.ContinueOnError)
	dir := fs.String("dir", ".", "directory of the log")
	if err := fs.Parse(args); err != nil {
		return err
	}
	r, err := newRelay(*dir)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return r.serve(ctx, ln)
}
