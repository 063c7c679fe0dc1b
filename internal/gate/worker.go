package gate

import "sync"

// Job is something to be done by a worker.
type Job interface{ Do() }

// maxIdle is how many workers wait for something to do.
const maxIdle = 64

// workers do what frames ask for, so that the goroutines that read, one for each
// connection, keep the small stacks they are born with: a stack never becomes smaller
// than 4 KB again. The few workers' stacks are large, and warm.
type workers struct {
	running sync.WaitGroup

	mu      sync.Mutex
	idle    []*worker // guarded by mu; the last to finish is the first to go on
	stopped bool      // guarded by mu
}

type worker struct{ next chan Job } // room for one: giving never waits

// do gives j to a worker and does not wait for it.
func (ws *workers) do(j Job) {
	ws.mu.Lock()
	if n := len(ws.idle); n > 0 {
		w := ws.idle[n-1]
		ws.idle[n-1] = nil
		ws.idle = ws.idle[:n-1]
		ws.mu.Unlock()
		w.next <- j
		return
	}
	ws.running.Add(1)
	ws.mu.Unlock()
	w := &worker{next: make(chan Job, 1)}
	go w.run(ws, j)
}

func (w *worker) run(ws *workers, j Job) {
	defer ws.running.Done()
	for ok := true; ok; j, ok = <-w.next {
		j.Do()
		j = nil
		ws.mu.Lock()
		if len(ws.idle) >= maxIdle || ws.stopped {
			ws.mu.Unlock()
			return
		}
		ws.idle = append(ws.idle, w)
		ws.mu.Unlock()
	}
}

// stop ends the workers that wait, and the others when they are done.
func (ws *workers) stop() {
	ws.mu.Lock()
	ws.stopped = true
	for _, w := range ws.idle {
		close(w.next)
	}
	ws.idle = nil
	ws.mu.Unlock()
}

// Do has j done by one of the gate's workers, and does not wait for it. It is for
// goroutines that live as long as a connection and should not grow.
func (l *Link) Do(j Job) { l.g.workers.do(j) }
