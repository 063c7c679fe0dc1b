package rpc

import (
	"context"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Verbs that alter messages.

func changed(a core.Changed, err error) (*wire.ChangeResponse, error) {
	if err != nil {
		return nil, err
	}
	return &wire.ChangeResponse{Ver: uint64(a.Ver), Time: a.Time, Duplicate: a.Dup}, nil
}

func doRecall(ctx context.Context, s *core.Session, q *wire.RecallRequest) (*wire.RecallResponse, error) {
	a, err := s.Recall(ctx, core.RecallRequest{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), ID: im.ClientID(q.Id), Silent: q.Silent})
	if err != nil {
		return nil, err
	}
	return &wire.RecallResponse{Ver: uint64(a.Ver), Time: a.Time, Duplicate: a.Dup, Former: messageOrNone(a.Former)}, nil
}

func doEdit(ctx context.Context, s *core.Session, q *wire.EditRequest) (*wire.ChangeResponse, error) {
	named, err := mentions(q.Mentions)
	if err != nil {
		return nil, err
	}
	return changed(s.Edit(ctx, core.EditRequest{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), ID: im.ClientID(q.Id),
		Body: q.Body, Digest: q.Digest, Mentions: named}))
}

func doDelete(ctx context.Context, s *core.Session, q *wire.DeleteRequest) (*wire.DeleteResponse, error) {
	d := core.DeleteRequest{Conv: im.Address(q.Conv), Seqs: numbers[im.Seq](q.Seqs), ForAll: q.ForAll}
	if r := q.Range; r != nil {
		d.Range = im.SeqRange{From: im.Seq(r.From), To: im.Seq(r.To)}
	}
	a, err := s.Delete(ctx, d)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteResponse{Count: size(a.Count), Ver: uint64(a.Ver), Mine: wireMine(&a.Mine)}, nil
}

func doUndelete(ctx context.Context, s *core.Session, q *wire.UndeleteRequest) (*wire.ChangeResponse, error) {
	return changed(s.Undelete(ctx, im.Address(q.Conv), numbers[im.Seq](q.Seqs)))
}

func doReact(ctx context.Context, s *core.Session, q *wire.ReactRequest) (*wire.ChangeResponse, error) {
	return changed(s.React(ctx, core.ReactRequest{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), Add: q.Add, Remove: q.Remove, ID: im.ClientID(q.Id)}))
}

func doPin(ctx context.Context, s *core.Session, q *wire.PinRequest) (*wire.ChangeResponse, error) {
	return changed(s.Pin(ctx, im.Address(q.Conv), im.Seq(q.Seq), !q.Off, im.ClientID(q.Id)))
}

func doExpand(ctx context.Context, s *core.Session, q *wire.ExpandRequest) (*wire.ChangeResponse, error) {
	return changed(s.Expand(ctx, core.ExpandRequest{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), Set: pairs(q.Set), Remove: q.Remove, ID: im.ClientID(q.Id)}))
}

func doVote(ctx context.Context, s *core.Session, q *wire.VoteRequest) (*wire.ChangeResponse, error) {
	return changed(s.Vote(ctx, im.Address(q.Conv), im.Seq(q.Seq), q.Options, im.ClientID(q.Id)))
}

func doPollClose(ctx context.Context, s *core.Session, q *wire.PollCloseRequest) (*wire.ChangeResponse, error) {
	return changed(s.PollClose(ctx, im.Address(q.Conv), im.Seq(q.Seq), im.ClientID(q.Id)))
}

func doForward(ctx context.Context, s *core.Session, q *wire.ForwardRequest) (*wire.ForwardResponse, error) {
	list, err := s.Forward(ctx, core.ForwardRequest{From: im.Address(q.Conv), Seqs: numbers[im.Seq](q.Seqs), To: listOf[im.Address](q.To),
		Merged: q.Merged, Title: q.Title, ID: im.ClientID(q.Id)})
	if err != nil {
		return nil, err
	}
	r := &wire.ForwardResponse{}
	for _, f := range list {
		w := &wire.Forwarded{Conv: string(f.To), Seqs: numbers[uint64](f.Seqs)}
		if f.Err != nil {
			w.Code, w.Message = CodeOf(f.Err), f.Err.Text
		}
		r.Forwarded = append(r.Forwarded, w)
	}
	return r, nil
}

func doReport(ctx context.Context, s *core.Session, q *wire.ReportRequest) (*wire.ReportResponse, error) {
	id, err := s.Report(ctx, core.ReportRequest{Conv: im.Address(q.Conv), Seq: im.Seq(q.Seq), User: im.UserID(q.User), Reason: q.Reason, Text: q.Text})
	if err != nil {
		return nil, err
	}
	return &wire.ReportResponse{Id: id}, nil
}
