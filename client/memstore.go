package client

import "sync"

// MemStore is a Store in memory: a restart of the program begins anew, and what waited
// to be sent is lost. For bots without a disk, and for tests, in which it outlives the
// client.
type MemStore struct {
	mu sync.Mutex
	m  map[string][]byte // guarded by mu; values are never altered in place
}

// NewMemStore makes an empty one.
func NewMemStore() *MemStore { return &MemStore{m: make(map[string][]byte)} }

// Load calls each with what is kept.
func (s *MemStore) Load(each func(key string, value []byte) error) error {
	s.mu.Lock()
	all := make(map[string][]byte, len(s.m))
	for k, v := range s.m {
		all[k] = v
	}
	s.mu.Unlock()
	for k, v := range all {
		if err := each(k, v); err != nil {
			return err
		}
	}
	return nil
}

// Begin starts a transaction; any number may be open.
func (s *MemStore) Begin() (Tx, error) { return &memTx{s: s}, nil }

type memTx struct {
	ops
	s *MemStore
}

func (t *memTx) Commit() error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.apply(t.s.m)
	t.ops = nil
	return nil
}

// op is one change of a transaction; a nil value deletes.
type op struct {
	key   string
	value []byte
}

// ops are the changes of a transaction in their order.
type ops []op

func (o *ops) Set(key string, value []byte) error {
	*o = append(*o, op{key, append(make([]byte, 0, len(value)), value...)})
	return nil
}

func (o *ops) Delete(key string) error {
	*o = append(*o, op{key, nil})
	return nil
}

func (o *ops) Rollback() { *o = nil }

func (o ops) apply(m map[string][]byte) {
	for _, p := range o {
		if p.value == nil {
			delete(m, p.key)
		} else {
			m[p.key] = p.value
		}
	}
}
