package core

import (
	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// Bounds of a signal, and the largest group that signals are spread in.
const (
	maxSignalKind  = 32
	maxSignalTTL   = 60_000
	maxSignalGroup = crowdFrom
)

// Signal tells the others in a conversation, who are online now, something that holds
// for a moment. It is never stored, and dropped where there is little room. In groups
// above 500 members nobody is told.
//
// Errors: Invalid, TooLarge; NotFound and Denied as for a send; Limited.
func (s *Session) Signal(conv im.Address, sig im.Signal) error {
	if err := checkSignal(&sig); err != nil {
		return err
	}
	if err := s.here(); err != nil {
		return err
	}
	s.mu.Lock()
	ok, wait := s.signals.take(s.c.Now(), s.c.cfg.Limits.SignalRate)
	s.mu.Unlock()
	if !ok && !s.app {
		return im.Errorf(im.Limited, "too many signals: at most %v a second", s.c.cfg.Limits.SignalRate).WithRetry(wait)
	}
	at, err := s.admission(conv)
	if err != nil {
		return err
	}
	sig.Sender, sig.Device = s.user, s.device
	ev := &hub.Event{Conv: at.conv, Signal: &sig}
	switch {
	case at.kind != im.Direct:
		s.c.fans.offer(at.conv, job{ev: ev, from: s.owner()})
	case at.peer != s.user && !at.alone:
		s.c.hub.Offer(at.peer, s.called(at.line), ev, nil)
	}
	return nil
}

func checkSignal(sig *im.Signal) error {
	if sig.Kind == "" || len(sig.Kind) > maxSignalKind {
		return im.Errorf(im.Invalid, "the kind of a signal is 1 to %d bytes long", maxSignalKind)
	}
	for i := range len(sig.Kind) {
		if sig.Kind[i] <= ' ' || sig.Kind[i] > '~' {
			return im.Errorf(im.Invalid, "the kind of a signal holds a byte that is not printable ASCII: %#02x", sig.Kind[i])
		}
	}
	if len(sig.Body) > im.MaxSignalBody {
		return im.Errorf(im.TooLarge, "the signal is %d bytes long; at most %d are allowed", len(sig.Body), im.MaxSignalBody)
	}
	if sig.Kind == PresenceSignal { // whose body says who is here, and is believed
		return im.Errorf(im.Invalid, "signals of the kind %s are the server's own", PresenceSignal)
	}
	if sig.TTL < 0 || sig.TTL > maxSignalTTL {
		return im.Errorf(im.Invalid, "a signal holds for 0 to %d milliseconds", maxSignalTTL)
	}
	return nil
}
