package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

func (s *Session) ReadCounts(ctx context.Context, conv im.Address, seqs []im.Seq) (_ []ReadCount, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) ReadList(ctx context.Context, conv im.Address, seq im.Seq, unread bool, after im.UserID, limit int) (users []im.UserID, more bool, asOf int64, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Schedule(_ context.Context, _ Schedule) (_ Schedule, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Scheduled(ctx context.Context, after im.ClientID, limit int) (list []Schedule, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Unschedule(ctx context.Context, id im.ClientID) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Remind(_ context.Context, _ Reminder) (_ Reminder, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Reminders(ctx context.Context, after im.ClientID, limit int) (list []Reminder, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Unremind(ctx context.Context, id im.ClientID) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Save(ctx context.Context, v Saved) (_ Saved, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Unsave(ctx context.Context, conv im.Address, seq im.Seq) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Saved(ctx context.Context, after string, limit int) (list []Saved, next string, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Conversations(_ context.Context, _ ListQuery) (_ List, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Set(ctx context.Context, conv im.Address, p im.SettingsPatch) (_ im.Mine, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Unread(_ context.Context, _ Filter) (_ Unread, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) SetDraft(_ context.Context, _ Draft) (_ Draft, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Drafts(ctx context.Context, after im.Address, limit int) (list []Draft, more bool, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) SetNotify(_ context.Context, _ Notify) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Notify(_ context.Context) (_ Notify, err error) {
	err = errNotBuilt()
	return
}

func (s *Session) SetQuiet(ctx context.Context, conv im.Address, q *Quiet) (err error) {
	err = errNotBuilt()
	return
}

func (s *Session) Quiet(ctx context.Context, conv im.Address) (_ *Quiet, err error) {
	err = errNotBuilt()
	return
}
