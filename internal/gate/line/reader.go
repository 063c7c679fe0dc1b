package line

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// What is wrong with a line that could be read to its end: the next one may be right.
var (
	errLong    = errors.New("line: too long")
	errNotText = errors.New("line: not UTF-8")
)

// errEndless ends the link: a line that is nowhere near its end.
var errEndless = errors.New("line: no end")

// maxSkip is how many bytes of a line that is too long are thrown away before the link
// is closed.
const maxSkip = 1 << 20

// reader cuts a stream into lines that end with LF or CRLF. One goroutine uses it.
type reader struct {
	r     io.Reader
	max   int
	buf   []byte // of max + 2 bytes
	n     int    // bytes in buf
	from  int    // where the next line begins
	begun bool   // something was read
	skip  int    // bytes thrown away of a line that is too long
}

func newReader(r io.Reader, max int) *reader {
	return &reader{r: r, max: max, buf: make([]byte, max+2)}
}

// next is the next line, without its end. At the end of the stream what stands behind
// the last line end is dropped: it may be half a line.
func (r *reader) next() (string, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.from:r.n], '\n'); i >= 0 {
			line := bytes.TrimSuffix(r.buf[r.from:r.from+i], []byte{'\r'})
			r.from += i + 1
			switch {
			case r.skip > 0 || len(line) > r.max:
				r.skip = 0
				return "", errLong
			case !utf8.Valid(line):
				return "", errNotText
			}
			return string(line), nil
		}
		if r.from > 0 {
			r.n = copy(r.buf, r.buf[r.from:r.n])
			r.from = 0
		}
		if r.n == len(r.buf) {
			if r.skip += r.n; r.skip > maxSkip {
				return "", errEndless
			}
			r.n = 0
		}
		n, err := r.r.Read(r.buf[r.n:])
		if n > 0 && !r.begun {
			r.begun = true
			if r.buf[0] == 0x16 { // a TLS handshake has no line end to wait for
				return "\x16\x03", nil
			}
		}
		r.n += n
		if n == 0 && err != nil {
			return "", err
		}
	}
}

// foreign says what program this is that does not talk to us, "" if it may.
func foreign(line string) string {
	upper := strings.ToUpper(line)
	switch {
	case strings.HasPrefix(line, "\x16\x03"):
		return "TLS"
	case strings.Contains(upper, " HTTP/1.") || strings.HasPrefix(upper, "PRI * HTTP/2"):
		return "HTTP"
	case strings.HasPrefix(upper, "EHLO ") || strings.HasPrefix(upper, "HELO "):
		return "SMTP"
	case strings.HasPrefix(upper, "SSH-"):
		return "SSH"
	case strings.HasPrefix(line, "<?xml") || strings.HasPrefix(line, "<stream:"):
		return "XMPP"
	}
	return ""
}
