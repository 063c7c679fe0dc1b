package rpc

import (
	"context"
	"fmt"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/wire"
)

// Verb is a row of the table.
type Verb struct {
	wire.Verb
	do handler
}

// handler carries out a verb. The request is of the verb's own kind.
type handler func(context.Context, *core.Session, wire.Body) (wire.Body, error)

// Call carries the verb out for a session. q is what NewRequest made. An error is, or
// becomes by im.AsError, an *im.Error.
func (v *Verb) Call(ctx context.Context, s *core.Session, q wire.Body) (wire.Body, error) {
	a, err := v.do(ctx, s, q)
	if err != nil {
		return nil, err // an answer beside an error is none
	}
	return a, nil
}

// Do is Call with a request that is still encoded.
//
// Errors: Invalid if body is no such request.
func (v *Verb) Do(ctx context.Context, s *core.Session, f wire.Format, body []byte) (wire.Body, error) {
	q := v.NewRequest()
	if err := Read(f, body, q); err != nil {
		return nil, err
	}
	return v.Call(ctx, s, q)
}

// Of finds a verb by its name; nil if there is none.
func Of(name string) *Verb { return byName[name] }

// Verbs lists the table, in the order of the schema. It is not to be altered.
func Verbs() []*Verb { return table }

var (
	table  []*Verb
	byName = map[string]*Verb{}
)

func init() {
	for _, w := range wire.Verbs() {
		r, ok := rows[w.Name]
		if !ok {
			panic(fmt.Sprintf("rpc: the verb %s has no row", w.Name))
		}
		if q, a := w.NewRequest(), w.NewResponse(); !r.fits(q, a) {
			panic(fmt.Sprintf("rpc: the row of %s does not take %T and answer %T", w.Name, q, a))
		}
		v := &Verb{Verb: w, do: r.do}
		table = append(table, v)
		byName[w.Name] = v
	}
	if len(table) != len(rows) {
		panic("rpc: a row has no verb in the schema")
	}
}

// row carries out a verb.
type row struct {
	do   handler
	fits func(q, a wire.Body) bool // whether these are the kinds of its request and answer
}

// verb makes a row of a function from request to answer.
func verb[Q, A wire.Body](do func(context.Context, *core.Session, Q) (A, error)) row {
	return row{
		do: func(ctx context.Context, s *core.Session, q wire.Body) (wire.Body, error) { return do(ctx, s, q.(Q)) },
		fits: func(q, a wire.Body) bool {
			_, asks := q.(Q)
			_, answers := a.(A)
			return asks && answers
		},
	}
}

// rows are the verbs by name.
var rows = map[string]row{
	wire.MethodSend:         verb(doSend),
	wire.MethodSendBatch:    verb(doSendBatch),
	wire.MethodPage:         verb(doPage),
	wire.MethodMessages:     verb(doMessages),
	wire.MethodChanges:      verb(doChanges),
	wire.MethodRecall:       verb(doRecall),
	wire.MethodEdit:         verb(doEdit),
	wire.MethodEditHistory:  verb(doEditHistory),
	wire.MethodDelete:       verb(doDelete),
	wire.MethodUndelete:     verb(doUndelete),
	wire.MethodReact:        verb(doReact),
	wire.MethodReactions:    verb(doReactions),
	wire.MethodPin:          verb(doPin),
	wire.MethodPins:         verb(doPins),
	wire.MethodExpand:       verb(doExpand),
	wire.MethodReplies:      verb(doReplies),
	wire.MethodThreads:      verb(doThreads),
	wire.MethodThreadPage:   verb(doThreadPage),
	wire.MethodThreadSet:    verb(doThreadSet),
	wire.MethodForward:      verb(doForward),
	wire.MethodVote:         verb(doVote),
	wire.MethodPollClose:    verb(doPollClose),
	wire.MethodStreamOpen:   verb(doStreamOpen),
	wire.MethodStreamAppend: verb(doStreamAppend),
	wire.MethodStreamEnd:    verb(doStreamEnd),
	wire.MethodStreamGet:    verb(doStreamGet),
	wire.MethodSchedule:     verb(doSchedule),
	wire.MethodScheduled:    verb(doScheduled),
	wire.MethodUnschedule:   verb(doUnschedule),
	wire.MethodRemind:       verb(doRemind),
	wire.MethodReminders:    verb(doReminders),
	wire.MethodUnremind:     verb(doUnremind),
	wire.MethodSave:         verb(doSave),
	wire.MethodUnsave:       verb(doUnsave),
	wire.MethodSaved:        verb(doSaved),
	wire.MethodReport:       verb(doReport),

	wire.MethodSync:          verb(doSync),
	wire.MethodConversations: verb(doConversations),
	wire.MethodConversation:  verb(doConversation),
	wire.MethodSet:           verb(doSet),
	wire.MethodRead:          verb(doRead),
	wire.MethodUnread:        verb(doUnread),
	wire.MethodMentions:      verb(doMentions),
	wire.MethodReadCounts:    verb(doReadCounts),
	wire.MethodReadList:      verb(doReadList),
	wire.MethodSetDraft:      verb(doSetDraft),
	wire.MethodDrafts:        verb(doDrafts),
	wire.MethodNotify:        verb(doNotify),
	wire.MethodSetNotify:     verb(doSetNotify),
	wire.MethodQuiet:         verb(doQuiet),
	wire.MethodSetQuiet:      verb(doSetQuiet),

	wire.MethodGroupCreate:  verb(doGroupCreate),
	wire.MethodGroupUpdate:  verb(doGroupUpdate),
	wire.MethodGroupMembers: verb(doGroupMembers),
	wire.MethodGroupAdd:     verb(doGroupAdd),
	wire.MethodGroupRemove:  verb(doGroupRemove),
	wire.MethodGroupRole:    verb(doGroupRole),
	wire.MethodGroupMute:    verb(doGroupMute),
	wire.MethodGroupNick:    verb(doGroupNick),
	wire.MethodJoin:         verb(doJoin),
	wire.MethodLeave:        verb(doLeave),

	wire.MethodSetProfile:   verb(doSetProfile),
	wire.MethodProfiles:     verb(doProfiles),
	wire.MethodBlock:        verb(doBlock),
	wire.MethodUnblock:      verb(doUnblock),
	wire.MethodBlocks:       verb(doBlocks),
	wire.MethodSetAllowMode: verb(doSetAllowMode),
	wire.MethodAllow:        verb(doAllow),
	wire.MethodDisallow:     verb(doDisallow),
	wire.MethodAllowed:      verb(doAllowed),
	wire.MethodSetPresence:  verb(doSetPresence),
	wire.MethodPresence:     verb(doPresence),
	wire.MethodWatch:        verb(doWatch),
	wire.MethodUnwatch:      verb(doUnwatch),
	wire.MethodDevices:      verb(doDevices),
	wire.MethodKick:         verb(doKick),
	wire.MethodRenew:        verb(doRenew),

	wire.MethodTypes:        verb(doTypes),
	wire.MethodType:         verb(doType),
	wire.MethodTypePut:      verb(doTypePut),
	wire.MethodTypeRemove:   verb(doTypeRemove),
	wire.MethodReports:      verb(doReports),
	wire.MethodReportSettle: verb(doReportSettle),
}
