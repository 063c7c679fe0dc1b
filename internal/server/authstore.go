package server

import (
	"bytes"
	"context"
	"strings"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// authStore keeps what auth asks to keep as records of the store. With each account it
// writes a row under no user that lists it, since records can be listed by user alone.
type authStore struct{ st store.Store }

// accountList begins the keys of the list of accounts. auth's own keys begin otherwise
// (refresh/, dev/, jti/, appkey/).
const accountList = "account/"

func authRecord(r auth.Row) store.Record {
	k := store.AccountRecord
	if r.User == "" {
		k = store.SecretRecord
	}
	return store.Record{Kind: k, User: r.User, Key: r.Key, Value: r.Value, Expires: r.Expires}
}

func (s authStore) Read(_ context.Context, user im.UserID, key string) ([]byte, error) {
	r := authRecord(auth.Row{User: user, Key: key})
	v, ok, err := s.st.Get(r.Kind, r.User, r.Key)
	if err != nil || !ok {
		return nil, err
	}
	return v, nil
}

// Write submits the rows and waits. If ctx ends first the outcome is not known, and the
// error is Unavailable.
func (s authStore) Write(ctx context.Context, was *auth.Row, rows ...auth.Row) error {
	op := &store.PutOp{Records: make([]store.Record, 0, len(rows)+1)}
	if was != nil {
		r := authRecord(*was)
		r.Value = bytes.Clone(r.Value)
		op.If = &r
	}
	for _, row := range rows {
		r := authRecord(row)
		r.Value = bytes.Clone(r.Value) // the caller may go on with its own
		op.Records = append(op.Records, r)
		if row.User != "" && row.Key == "" {
			listed := store.Record{Kind: store.SecretRecord, Key: accountList + string(row.User)}
			if row.Value != nil {
				listed.Value = []byte{1}
			}
			op.Records = append(op.Records, listed)
		}
	}
	done := make(chan struct{})
	op.Done = func() { close(done) }
	if err := s.st.Submit(op); err != nil {
		return err
	}
	select {
	case <-done:
		return op.Err
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the disk is slow just now: try again")
	}
}

// Rows gives the rows of no user whose keys begin with prefix.
func (s authStore) Rows(_ context.Context, prefix string, limit int) ([]auth.Row, error) {
	records, err := s.st.List(store.SecretRecord, "", prefix, limit)
	if err != nil {
		return nil, err
	}
	var out []auth.Row
	for _, r := range records {
		if !strings.HasPrefix(r.Key, prefix) {
			break // the keys behind it
		}
		out = append(out, auth.Row{Key: r.Key, Value: r.Value, Expires: r.Expires})
	}
	return out, nil
}

// listAccounts gives the users that have an account record, those above after, in
// order, at most limit.
func listAccounts(st store.Reader, after im.UserID, limit int) ([]im.UserID, error) {
	records, err := st.List(store.SecretRecord, "", accountList+string(after), limit)
	if err != nil {
		return nil, err
	}
	var out []im.UserID
	for _, r := range records {
		if len(r.Key) <= len(accountList) || r.Key[:len(accountList)] != accountList {
			break // the keys behind it
		}
		out = append(out, im.UserID(r.Key[len(accountList):]))
	}
	return out, nil
}
