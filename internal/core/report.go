package core

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxReportReason = 64   // bytes
	maxReportText   = 1024 // bytes
	defaultReports  = 100
	maxReports      = 500
	reportPiece     = 48 << 10 // bytes of a body in one record
	reportKept      = 365 * 24 * time.Hour
)

// The states of a report.
const (
	ReportOpen    = "open"
	ReportKept    = "kept"    // what was reported may stay
	ReportRemoved = "removed" // it was taken away
)

// report is what is stored: the record of its key, which begins with the time; the
// body of the message is in pieces under the key, '/' and 0, 1, 2.
type report struct {
	By     im.UserID   `json:"by"`
	Time   int64       `json:"time"`
	Of     im.UserID   `json:"of"`
	MID    string      `json:"mid,omitempty"`
	Seq    im.Seq      `json:"seq,omitempty"`
	Msg    *im.Message `json:"msg,omitempty"` // without its body
	Pieces int         `json:"pieces,omitempty"`
	Reason string      `json:"reason"`
	Text   string      `json:"text,omitempty"`
	State  string      `json:"state"`
}

// Report tells the app of a message, which is kept as it is now, or of a user. Reports
// are kept for a year.
//
// Errors: those of resolve; NotFound if there is no such message for this user;
// Invalid, TooLarge; Limited.
func (s *Session) Report(ctx context.Context, q ReportRequest) (id string, err error) {
	if err := s.here(); err != nil {
		return "", err
	}
	if err := checkReport(&q); err != nil {
		return "", err
	}
	now := s.c.Now()
	r := report{By: s.user, Time: now.UnixMilli(), Of: q.User, Reason: q.Reason, Text: q.Text, State: ReportOpen}
	var body []byte
	if q.Seq != 0 || q.Conv != "" {
		ref, m, err := s.seen(q.Conv, q.Seq)
		if err != nil {
			return "", err
		}
		r.Of, r.MID, r.Seq = m.Sender, im.MID(ref.conv, m.Seq), m.Seq
		bare := *m
		body, bare.Body, bare.Expansion = m.Body, nil, nil
		r.Msg = &bare
	}
	if r.Of == s.user {
		return "", im.Errorf(im.Invalid, "that is you")
	}
	if err := s.charge(); err != nil {
		return "", err
	}
	id = fmt.Sprintf("%013d-%s", r.Time, strings.ToLower(rand.Text()[:16]))
	expires := now.Add(reportKept).UnixMilli()
	op := &store.PutOp{}
	add := func(key string, value []byte) {
		op.Records = append(op.Records, store.Record{Kind: store.ReportRecord, Key: key, Value: value, Expires: expires})
	}
	for ; len(body) > 0; r.Pieces++ {
		n := min(len(body), reportPiece)
		add(fmt.Sprintf("%s/%03d", id, r.Pieces), body[:n])
		body = body[n:]
	}
	value, err := json.Marshal(&r)
	if err != nil {
		return "", err
	}
	add(id, value)
	if err := s.c.do(ctx, op); err != nil {
		return "", err
	}
	return id, nil
}

func checkReport(q *ReportRequest) error {
	switch {
	case (q.Seq != 0 || q.Conv != "") == (q.User != ""):
		return im.Errorf(im.Invalid, "report a message (conv and seq) or a user")
	case q.Reason == "" || len(q.Reason) > maxReportReason:
		return im.Errorf(im.Invalid, "the reason of a report is 1 to %d bytes long", maxReportReason)
	case len(q.Text) > maxReportText:
		return im.Errorf(im.TooLarge, "the text of the report is %d bytes long; at most %d are allowed", len(q.Text), maxReportText)
	case !validText(q.Text):
		return im.Errorf(im.Invalid, "the text of the report holds control characters, or is not valid UTF-8")
	}
	if err := checkLine("reason", q.Reason); err != nil {
		return err
	}
	if q.User != "" {
		return im.CheckName("user id", string(q.User))
	}
	return nil
}

// Reports lists what users reported, the oldest first: those in a state ("" = all)
// whose id is above after. Only the app may.
//
// Errors: Denied for users; Invalid for a state that there is none.
func (s *Session) Reports(ctx context.Context, state, after string, most int) (list []Report, more bool, err error) {
	if err := s.asApp(); err != nil {
		return nil, false, err
	}
	if state != "" {
		if err := checkReportState(state); err != nil {
			return nil, false, err
		}
	}
	most = limit(most, defaultReports, maxReports)
	bytes := 0
	if after != "" {
		after += "/\xff" // past its pieces
	}
	for {
		records, err := s.c.st.List(store.ReportRecord, "", after, maxReports)
		if err != nil {
			return nil, false, err
		}
		for i := range records {
			key := records[i].Key
			after = key
			if strings.Contains(key, "/") {
				continue
			}
			r, err := s.c.readReport(key, records[i].Value)
			switch {
			case err != nil:
				return nil, false, err
			case state != "" && r.State != state:
				continue
			case len(list) == most || bytes >= pageBytes:
				return list, true, nil
			}
			list = append(list, r)
			if bytes += 512; r.Msg != nil {
				bytes += r.Msg.Size()
			}
		}
		if len(records) < maxReports {
			return list, false, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, false, im.Wrap(im.Unavailable, err, "the list was not read to its end")
		}
	}
}

func checkReportState(state string) error {
	switch state {
	case ReportOpen, ReportKept, ReportRemoved:
		return nil
	}
	return im.Errorf(im.Invalid, "the state of a report is none of open, kept, removed")
}

// readReport makes the report of a record, and puts the body together.
func (c *Core) readReport(id string, value []byte) (Report, error) {
	var r report
	if err := json.Unmarshal(value, &r); err != nil {
		return Report{}, err
	}
	for i := range r.Pieces {
		piece, ok, err := c.st.Get(store.ReportRecord, "", fmt.Sprintf("%s/%03d", id, i))
		if err != nil {
			return Report{}, err
		}
		if ok && r.Msg != nil {
			r.Msg.Body = append(r.Msg.Body, piece...)
		}
	}
	return Report{ID: id, By: r.By, Time: r.Time, Of: r.Of, MID: r.MID, Seq: r.Seq, Msg: r.Msg, Reason: r.Reason, Text: r.Text, State: r.State}, nil
}

// ReportSettle notes what the app made of a report. Only the app may. It does nothing
// to what was reported: the app recalls or deletes it, as its sender.
//
// Errors: Denied for users; Invalid for a state that there is none; NotFound; Busy if
// others settle it at the same time.
func (s *Session) ReportSettle(ctx context.Context, id, state string) error {
	if err := s.asApp(); err != nil {
		return err
	}
	if err := checkReportState(state); err != nil {
		return err
	}
	for range maxTries {
		value, ok, err := s.c.st.Get(store.ReportRecord, "", id)
		if err != nil {
			return err
		}
		if !ok || id == "" || strings.Contains(id, "/") {
			return im.Errorf(im.NotFound, "no such report")
		}
		var r report
		if err := json.Unmarshal(value, &r); err != nil {
			return err
		}
		if r.State == state {
			return nil
		}
		r.State = state
		now, err := json.Marshal(&r)
		if err != nil {
			return err
		}
		rec := store.Record{Kind: store.ReportRecord, Key: id, Value: now, Expires: time.UnixMilli(r.Time).Add(reportKept).UnixMilli()}
		was := rec
		was.Value = value
		switch err := s.c.do(ctx, &store.PutOp{Records: []store.Record{rec}, If: &was}); {
		case im.IsKind(err, im.Conflict):
			continue
		default:
			return err
		}
	}
	return errContended()
}
