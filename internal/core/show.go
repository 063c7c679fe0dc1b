package core

import "github.com/anser-im/anser/internal/im"

// Digest is one line that stands for m where its type cannot be shown, in the language
// of the session's login: what its type makes of it, else what its sender said; "" if
// neither says anything.
func (s *Session) Digest(m *im.Message) string {
	if t := s.c.cfg.Types; t != nil {
		if d := t.Digest(m, s.login.Locale); d != "" {
			return d
		}
	}
	return m.Digest
}
