package line

import "github.com/anser-im/anser/internal/im"

// Digest is for the table of what is shown of messages.
func Digest(m *im.Message) string {
	return digest(m, func(m *im.Message) string { return m.Digest })
}
