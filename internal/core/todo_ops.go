package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

func errNotBuilt() *im.Error { return im.Errorf(im.Unsupported, "this server does not do that") }

func (s *Session) EditHistory(ctx context.Context, conv im.Address, seq im.Seq, after im.Ver, limit int) (formers []im.Former, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Delete(_ context.Context, _ DeleteRequest) (_ Deleted, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Undelete(ctx context.Context, conv im.Address, seqs []im.Seq) (_ Changed, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) React(_ context.Context, _ ReactRequest) (_ Changed, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Reactions(_ context.Context, _ ReactionsQuery) (list []im.Reacted, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Pin(ctx context.Context, conv im.Address, seq im.Seq, on bool, id im.ClientID) (_ Changed, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Pins(ctx context.Context, conv im.Address) (_ Range, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Expand(_ context.Context, _ ExpandRequest) (_ Changed, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Messages(ctx context.Context, conv im.Address, seqs []im.Seq) (_ []*im.Message, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Extras(ctx context.Context, conv im.Address, r Range) (_ []Extra, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Replies(ctx context.Context, conv im.Address, seq, after im.Seq, limit int) (msgs []*im.Message, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Threads(ctx context.Context, conv im.Address, before im.Seq, limit int) (threads []Thread, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) ThreadPage(_ context.Context, _ ThreadQuery) (msgs []*im.Message, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) ThreadSet(ctx context.Context, conv im.Address, root im.Seq, p ThreadPatch) (_ Thread, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Forward(_ context.Context, _ ForwardRequest) (_ []Forwarded, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Vote(ctx context.Context, conv im.Address, seq im.Seq, options []string, id im.ClientID) (_ Changed, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) PollClose(ctx context.Context, conv im.Address, seq im.Seq, id im.ClientID) (_ Changed, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) StreamOpen(_ context.Context, _ StreamOpen) (_ StreamState, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) StreamAppend(_ context.Context, _ StreamPart) (_ StreamState, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) StreamEnd(_ context.Context, _ StreamEnd) (_ StreamState, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) StreamGet(ctx context.Context, conv im.Address, id im.ClientID) (_ StreamState, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Report(_ context.Context, _ ReportRequest) (id string, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Reports(ctx context.Context, state, after string, limit int) (list []Report, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) ReportSettle(ctx context.Context, id, state string) (err error) {
	err = errNotBuilt()
	return
}
