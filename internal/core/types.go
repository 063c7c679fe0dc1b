package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// TypeGet is a registered type of message. Anybody may ask, the app itself too.
//
// Errors: NotFound if there is none of that name.
func (s *Session) TypeGet(_ context.Context, name string) (im.MessageType, error) {
	if err := s.hereApp(); err != nil {
		return im.MessageType{}, err
	}
	if types := s.c.cfg.Types; types != nil {
		if t, ok := types.Get(name); ok {
			return t, nil
		}
	}
	return im.MessageType{}, im.Errorf(im.NotFound, "no such type of message is registered here")
}

// TypeList lists the types that changed since a version (0 = all), and answers the
// version to ask from next time. Anybody may ask, the app itself too.
func (s *Session) TypeList(_ context.Context, since int64) ([]im.MessageType, int64, error) {
	if err := s.hereApp(); err != nil {
		return nil, 0, err
	}
	if s.c.cfg.Types == nil {
		return nil, since, nil
	}
	list, version := s.c.cfg.Types.List(since)
	return list, version, nil
}

// TypePut registers a type of message, or a new version of one.
//
// Errors: those of asApp and of the registry.
func (s *Session) TypePut(ctx context.Context, t im.MessageType) (im.MessageType, error) {
	if err := s.asApp(); err != nil {
		return im.MessageType{}, err
	}
	if s.c.cfg.Types == nil {
		return im.MessageType{}, errNoTypes()
	}
	return s.c.cfg.Types.Put(ctx, t)
}

// TypeRemove takes a type out of the registry: messages of it pass as those of an
// unknown one from then on.
//
// Errors: those of asApp and of the registry.
func (s *Session) TypeRemove(ctx context.Context, name string) error {
	if err := s.asApp(); err != nil {
		return err
	}
	if s.c.cfg.Types == nil {
		return errNoTypes()
	}
	return s.c.cfg.Types.Remove(ctx, name)
}

// editing is the operation that puts another body into m, if its type takes it.
//
// Errors: those of Types.Check.
func (s *Session) editing(q *EditRequest, m *im.Message, mentions *im.Mentions) (*store.ChangeOp, error) {
	op := &store.ChangeOp{Kind: im.Edit, Body: q.Body, Digest: q.Digest, Mentions: mentions}
	if types := s.c.cfg.Types; types != nil {
		as := im.Message{Type: m.Type, Sender: m.Sender, Flags: m.Flags, Burn: m.Burn, Body: q.Body, Digest: q.Digest, Mentions: mentions}
		if err := types.Check(&as, s.app); err != nil {
			return nil, err
		}
		op.Digest = as.Digest
	}
	return op, nil
}

func errNoTypes() *im.Error {
	return im.Errorf(im.Unsupported, "this server keeps no types of message")
}
