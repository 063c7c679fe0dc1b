package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// When a key set is read again.
const (
	fileLook   = time.Second      // how often a file is looked at
	urlPause   = time.Minute      // at least, between two fetches
	urlAge     = 10 * time.Minute // at most, while tokens come in: a key withdrawn by the issuer ends then
	fetchLimit = 5 * time.Second
)

// keySource keeps the keys of a JWKS file or URL and reads them again when a token
// asks for a key: there is no goroutine. Who comes while another reads goes on with
// the keys at hand, or, if his key is not among them, waits for the reader. When
// reading fails, the keys at hand stay.
type keySource struct {
	path   string       // fixed; "" if it is a URL
	url    string       // fixed
	shown  string       // fixed: path or url for logs, without a password
	client *http.Client // fixed
	now    func() time.Time
	log    *slog.Logger

	keys atomic.Pointer[map[string]key]
	last atomic.Int64 // when the last try ended, Unix nanoseconds; written by who has the turn
	read atomic.Int64 // when it was last read well; written by who has the turn

	turn chan struct{} // holds one token: who takes it may read
	info os.FileInfo   // of the file last read; owned by who has the turn
}

// newKeySource checks where the keys are, and reads them if in a file.
func newKeySource(c Config) (*keySource, error) {
	s := &keySource{now: c.Now, log: c.Log, client: c.Client, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	s.keys.Store(&map[string]key{})
	if !strings.Contains(c.JWKS, "://") {
		s.path, s.shown = c.JWKS, c.JWKS
		if err := s.readFile(); err != nil {
			return nil, im.Errorf(im.Invalid, "the JWKS file %s cannot be used: %v", s.path, err)
		}
		s.last.Store(s.now().UnixNano())
		return s, nil
	}
	u, err := url.Parse(c.JWKS)
	if err != nil || checkURL(u) != nil {
		return nil, im.Errorf(im.Invalid, "the JWKS address must be a file, an https URL, or an http URL on this machine's loopback")
	}
	s.url, s.shown = c.JWKS, u.Redacted()
	if s.client == nil {
		// No kept connections: a fetch a minute needs none, and nothing is left to close.
		s.client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSHandshakeTimeout: fetchLimit, MaxResponseHeaderBytes: 64 << 10}}
	}
	d := *s.client
	d.Timeout = fetchLimit
	d.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("more than 3 redirects")
		}
		return checkURL(r.URL)
	}
	s.client = &d
	return s, nil
}

// checkURL lets https pass, and http to loopback: keys that can be altered on the way
// are nobody's.
func checkURL(u *url.URL) error {
	host := u.Hostname()
	if u.Scheme == "https" && host != "" {
		return nil
	}
	if u.Scheme == "http" {
		if a, err := netip.ParseAddr(host); err == nil && a.IsLoopback() || host == "localhost" {
			return nil
		}
	}
	return errors.New("neither https nor http on loopback")
}

// find gives the key called kid, reading the set again if that is due.
func (s *keySource) find(kid string) (key, bool) {
	k, ok := (*s.keys.Load())[kid]
	if !s.due(ok) {
		k, ok = (*s.keys.Load())[kid] // a reader may have finished between the two
		return k, ok
	}
	if ok {
		select {
		case <-s.turn:
		default:
			return k, true // another reads; these will do
		}
	} else {
		<-s.turn // an unknown key: another may be fetching it just now
	}
	defer func() { s.turn <- struct{}{} }()
	k, ok = (*s.keys.Load())[kid]
	if s.due(ok) {
		s.refresh()
		k, ok = (*s.keys.Load())[kid]
	}
	return k, ok
}

// due says whether the set should be read again, for a key that is known or not.
func (s *keySource) due(known bool) bool {
	now := s.now()
	since := now.Sub(time.Unix(0, s.last.Load()))
	if s.path != "" {
		return since >= fileLook || since < 0 || !known
	}
	if s.last.Load() != 0 && since >= 0 && since < urlPause {
		return false
	}
	return !known || now.Sub(time.Unix(0, s.read.Load())) >= urlAge
}

// refresh reads the set again. The caller has the turn.
func (s *keySource) refresh() {
	// Only when it is done: until then, who needs an unknown key waits for the turn.
	defer func() { s.last.Store(s.now().UnixNano()) }()
	var err error
	if s.path != "" {
		if fi, e := os.Stat(s.path); e == nil && s.info != nil && os.SameFile(fi, s.info) && fi.ModTime().Equal(s.info.ModTime()) && fi.Size() == s.info.Size() {
			return
		}
		err = s.readFile()
	} else {
		err = s.fetch()
	}
	if err != nil {
		s.log.Warn("the JWKS cannot be read; the keys at hand stay", "from", s.shown, "error", err)
	}
}

func (s *keySource) readFile() error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return errors.New("it is not a file")
	}
	s.info = fi // also of one that cannot be used: it is read again when it changes
	return s.take(f)
}

func (s *keySource) fetch() error {
	ctx, cancel := context.WithTimeout(context.Background(), fetchLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			return fmt.Errorf("no answer within %v", fetchLimit)
		}
		var ue *url.Error
		if errors.As(err, &ue) {
			return ue.Err // without the address, which may hold a key of its own
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer was %s", resp.Status)
	}
	return s.take(resp.Body)
}

// take reads and puts in place a whole set.
func (s *keySource) take(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, maxJWKS+1))
	if err != nil {
		return err
	}
	if len(b) > maxJWKS {
		return fmt.Errorf("it is larger than %d bytes", maxJWKS)
	}
	keys, err := parseJWKS(b)
	if err != nil {
		return err
	}
	s.keys.Store(&keys)
	s.read.Store(s.now().UnixNano())
	return nil
}
