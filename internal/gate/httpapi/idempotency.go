package httpapi

import (
	"strconv"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// setID makes an Idempotency-Key the client id of what a request does
// (draft-ietf-httpapi-idempotency-key-header-06 §2): the store then answers a retry
// with the first outcome, also after a restart. A request without a client id is one
// that may be repeated, being absolute: "read up to 7", "blocked"; the key changes
// nothing there.
//
// Errors: Invalid for a key that is no client id, stands twice, or is another than the
// one in the body.
func setID(q wire.Body, key string, once bool) error {
	if !once {
		return im.Errorf(im.Invalid, "%s stands twice", headerIdempotency)
	}
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' { // RFC 8941 §3.3.3: a String
		key = key[1 : n-1]
	}
	if err := im.CheckClientID(im.ClientID(key)); err != nil {
		return im.Errorf(im.Invalid, "%s: %w", headerIdempotency, err)
	}
	if b, ok := q.(*wire.SendBatchRequest); ok {
		for i, s := range b.Sends {
			if s.GetId() == "" && s != nil {
				s.Id = key + "." + strconv.Itoa(i)
				if err := im.CheckClientID(im.ClientID(s.Id)); err != nil {
					return im.Errorf(im.Invalid, "%s is too long for a batch: the place of each send is put behind it", headerIdempotency)
				}
			}
		}
		return nil
	}
	id := idOf(q)
	switch {
	case id == nil:
	case *id == "":
		*id = key
	case *id != key:
		return im.Errorf(im.Invalid, "%s is another id than the one in the body: give one of the two", headerIdempotency)
	}
	return nil
}

// idOf is where a request has the client id of what it does; nil if it has none.
func idOf(q wire.Body) *string {
	switch q := q.(type) {
	case *wire.SendRequest:
		return &q.Id
	case *wire.RecallRequest:
		return &q.Id
	case *wire.EditRequest:
		return &q.Id
	case *wire.ReactRequest:
		return &q.Id
	case *wire.PinRequest:
		return &q.Id
	case *wire.ExpandRequest:
		return &q.Id
	case *wire.VoteRequest:
		return &q.Id
	case *wire.PollCloseRequest:
		return &q.Id
	case *wire.ForwardRequest:
		return &q.Id
	case *wire.GroupCreateRequest:
		return &q.Id
	case *wire.StreamOpenRequest:
		return &q.Id
	case *wire.ScheduleRequest:
		if q.Send != nil {
			return &q.Send.Id
		}
	case *wire.RemindRequest:
		if q.Reminder != nil {
			return &q.Reminder.Id
		}
	}
	return nil
}
