package memstore

import "time"

// What tests do to a store.

// Hold makes commits wait, as when a disk does not come back from its sync: what is
// submitted stays queued, readers see none of it, and Health.Pending grows.
func (s *Store) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// Release ends Hold.
func (s *Store) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	s.wake.Broadcast()
}

// FailReadOnly makes the store refuse what is submitted as if the disk were full, or
// ends that.
func (s *Store) FailReadOnly(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readOnly = on
}

// Fail makes the store fail for good: whatever is queued ends as Unavailable and
// nothing more is taken.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed, s.held = err, false
	s.wake.Broadcast()
}

// SetPending sets what Health.Pending says; 0 = the truth again.
func (s *Store) SetPending(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = d
}

// Queued is how many operations wait.
func (s *Store) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}
