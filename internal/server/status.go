package server

import (
	"os"
	"time"
)

// Status says how a server does, for "anser doctor" and whoever watches.
type Status struct {
	Version       string   `json:"version"`
	PID           int      `json:"pid"`
	UptimeSeconds int64    `json:"uptime_seconds"`
	Data          string   `json:"data"`
	Listeners     []string `json:"listeners"`
	Alive         bool     `json:"alive"`
	Ready         bool     `json:"ready"`
	Why           string   `json:"why,omitempty"`
	Sessions      int64    `json:"sessions"`
	Connections   int64    `json:"connections"`
	Commits       uint64   `json:"commits"`
	Operations    uint64   `json:"operations"`
	PendingMillis int64    `json:"commit_pending_ms"` // age of the oldest commit under way
	DiskBytes     int64    `json:"store_bytes"`
}

// Status tells it.
func (s *Server) Status() Status {
	h, st := s.Health(), s.store.Stats()
	return Status{
		Version: ReadVersion().String(), PID: os.Getpid(), UptimeSeconds: int64(time.Since(s.began) / time.Second),
		Data: s.cfg.Data, Listeners: s.URLs(), Alive: h.Alive, Ready: h.Ready, Why: h.Why,
		Sessions: s.sessionCount(), Connections: s.gate.Stats().Links, Commits: st.Commits, Operations: st.Ops,
		PendingMillis: s.store.Health().Pending.Milliseconds(), DiskBytes: st.DiskBytes,
	}
}

func (s *Server) sessionCount() (n int64) {
	for _, v := range s.core.Stats().Sessions {
		n += int64(v)
	}
	return n
}
