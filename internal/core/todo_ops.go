package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

func errNotBuilt() *im.Error { return im.Errorf(im.Unsupported, "this server does not do that") }

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
