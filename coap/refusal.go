package coap

import (
	"context"
	"errors"
	"fmt"

	"skerry/cluster"
	"skerry/coap/message"
	"skerry/coap/senml"
	"skerry/fsm"
)

// Seconds after which a refused device should try again (Max-Age).
const (
	waitRate     = 1
	waitQueue    = 2
	waitWindow   = 10
	waitNoLeader = 5
	waitSeries   = 60
	waitDisk     = 60
)

// refusal is an answer that is not 2.xx, as an error.
type refusal struct {
	code   message.Code
	reason reason // for counting
	maxAge uint32 // seconds
	size1  uint32 // bytes
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%v %s", r.code, r.text) }

func (r *refusal) reply() reply {
	return reply{code: r.code, maxAge: r.maxAge, size1: r.size1, payload: []byte(cut(r.text, maxDiagnostic))}
}

// refuse makes the refusal of a request that is wrong in itself.
func refuse(code message.Code, format string, args ...any) *refusal {
	return &refusal{code: code, reason: reasonRequest, text: fmt.Sprintf(format, args...)}
}

var (
	refusedQueue    = &refusal{message.TooManyRequests, reasonQueue, waitQueue, 0, "too many messages are on their way to the site: send again later"}
	refusedSlow     = &refusal{message.ServiceUnavailable, reasonQueue, waitNoLeader, 0, "the site did not get to this message in time and stored nothing: send again later"}
	refusedNotBegun = &refusal{message.ServiceUnavailable, reasonNoLeader, waitNoLeader, 0, "the site has not begun yet: send again later"}
	refusedUnknown  = &refusal{message.GatewayTimeout, reasonUnknown, 0, 0, "the outcome is not known: send the same message again, it is stored once"}
	refusedRate     = &refusal{message.TooManyRequests, reasonRate, waitRate, 0, "this endpoint sends too fast: send slower, or several readings in one message"}
	refusedPeer     = &refusal{message.TooManyRequests, reasonPeer, waitQueue, 0, "this endpoint has too many messages on their way to the site: wait for their answers"}
	refusedConflict = &refusal{message.Conflict, reasonConflict, 0, 0, fsm.Refusal(fsm.Conflict).Error()}
	refusedInternal = &refusal{message.InternalError, reasonInternal, 0, 0, "the gateway has an error: its log says more"}
)

// refusalOf turns what decoding found wrong into an answer.
func refusalOf(err error) *refusal {
	var own *refusal
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, senml.ErrTooLarge):
		return tooLarge(senml.MaxPack, err.Error())
	}
	return refuse(message.BadRequest, "%s", err)
}

func tooLarge(limit int, text string) *refusal {
	return &refusal{code: message.TooLarge, reason: reasonRequest, size1: uint32(limit), text: text}
}

// refusalOfPropose maps the errors of Store.Propose. One that is not listed
// is a command that the store does not take at all.
func refusalOfPropose(err error) *refusal {
	switch {
	case errors.Is(err, cluster.ErrNoLeader):
		return &refusal{message.ServiceUnavailable, reasonNoLeader, waitNoLeader, 0, cluster.ErrNoLeader.Error()}
	case errors.Is(err, cluster.ErrOverloaded):
		return &refusal{message.TooManyRequests, reasonQueue, waitQueue, 0, cluster.ErrOverloaded.Error()}
	case errors.Is(err, cluster.ErrDiskFull):
		return &refusal{message.ServiceUnavailable, reasonDisk, waitDisk, 0, cluster.ErrDiskFull.Error()}
	case errors.Is(err, cluster.ErrUnknown), errors.Is(err, cluster.ErrClosed), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refusedUnknown
	}
	return refusedInternal
}

// refusalOfOutcome maps what Apply said of one item; nil when it is stored. A
// copy that was too old is as unknown as one that got no answer: an earlier
// copy may have been stored.
func refusalOfOutcome(o fsm.Outcome) *refusal {
	switch o.Code {
	case fsm.Stored:
		return nil
	case fsm.Conflict:
		return refusedConflict
	case fsm.WindowFull:
		return &refusal{message.TooManyRequests, reasonWindow, waitWindow, 0, o.Code.Err().Error()}
	case fsm.Expired:
		return refusedUnknown
	case fsm.NoGenesis:
		return refusedNotBegun
	case fsm.SeriesFull, fsm.Full:
		return &refusal{message.ServiceUnavailable, reasonSeries, waitSeries, 0, o.Code.Err().Error()}
	case fsm.Exists, fsm.Held:
		return refuse(message.Conflict, "%s", o.Code.Err())
	case fsm.Precondition:
		return refuse(message.PreconditionFailed, "%s", o.Code.Err())
	case fsm.NotFound:
		return refuse(message.NotFound, "%s", o.Code.Err())
	}
	return refusedInternal
}
