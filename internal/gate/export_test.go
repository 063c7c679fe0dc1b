package gate

// ReadProxy is readProxy, for its fuzz target.
var ReadProxy = readProxy

// Chill is Link.chill: what happens when nothing has come for a while.
func (l *Link) Chill() { l.chill() }

// Polled says whether the link is read by the poller, and waits.
func (r *Reader) Polled() bool { return r.state.Load() == waiting }

// Hot says whether a goroutine reads the link.
func (r *Reader) Hot() bool { return r.l.hot.Load() }
