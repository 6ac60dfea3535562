package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
	"skerry/fsm"
)

// Calls between nodes. Integers are little-endian.
const (
	callPropose   = "propose"    // term u64, op u8, body -> see appendResult
	callLogTime   = "log-time"   // term u64 -> log time u64
	callReadIndex = "read-index" // -> index u64
	callTerm      = "term"       // -> term u64
	callPledge    = "pledge"     // JSON of []raft.Server -> nothing
	callStanding  = "standing"   // JSON of toldClock or nothing -> JSON of standing
	callKnown     = "known"      // ServerID -> JSON of known
	callDigest    = "digest"     // JSON of noted -> nothing
	callLeave     = "leave"      // ServerID -> nothing
	callFile      = "file"       // see fileRequest
	callSuspect   = "suspect"    // stream u8, fileID -> nothing
	callFrame     = "frame"      // frame seq u64 -> JPEG
	callFloors    = "floors"     // ServerID -> JSON of floors
)

const callTimeout = 5 * time.Second

// wireError gives an error a word that survives the way to the caller.
type wireError struct {
	code string
	err  error
}

func (e wireError) Error() string { return e.err.Error() }
func (e wireError) Unwrap() error { return e.err }
func (e wireError) Code() string  { return e.code }

// wireCodes are the errors that a caller tells apart.
var wireCodes = []wireError{
	{"not-leader", ErrNotLeader},
	{"overloaded", ErrOverloaded},
	{"unknown", ErrUnknown},
	{"missing", ErrMissing},
	{"no-leader", ErrNoLeader},
	{"closed", ErrClosed},
	{"no-majority", ErrNoMajority},
	{"level", ErrLevel},
	{"disk-full", ErrDiskFull},
}

// saidError is err in the words of the peer that returned it.
type saidError struct {
	err  error
	text string
}

func (e saidError) Error() string { return e.text }
func (e saidError) Unwrap() error { return e.err }

func toWire(err error) error {
	for _, w := range wireCodes {
		if errors.Is(err, w.err) {
			return wireError{w.code, err}
		}
	}
	return err
}

func fromWire(err error) error {
	var r *transport.RemoteError
	if errors.As(err, &r) {
		for _, w := range wireCodes {
			if r.Code == w.code {
				return saidError{w.err, r.Text}
			}
		}
	}
	return err
}

func (n *Node) call(ctx context.Context, peer transport.Peer, method string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	b, err := n.network.Call(ctx, peer, method, body)
	return b, fromWire(err)
}

// forward sends a proposal to the leader of the term it is meant for.
func (n *Node) forward(ctx context.Context, to leaderInfo, op fsm.Op, body []byte) answer {
	req := binary.LittleEndian.AppendUint64(make([]byte, 0, 9+len(body)), to.term)
	req = append(append(req, byte(op)), body...)
	ctx, stop := n.era.within(ctx, to.term)
	defer stop()
	asked := time.Now()
	b, err := n.network.Call(ctx, to.peer, callPropose, req)
	var remote *transport.RemoteError
	switch {
	case errors.Is(err, transport.ErrNotSent):
		return answer{fate: refused, err: ErrNotLeader}
	case errors.As(err, &remote):
		err = fromWire(err)
		if errors.Is(err, ErrUnknown) || errors.Is(err, ErrClosed) {
			return answer{fate: unknown, err: ErrUnknown}
		}
		return answer{fate: refused, err: err}
	case err != nil:
		return answer{fate: unknown, err: fmt.Errorf("%w: %w", ErrUnknown, err)}
	}
	result, lt, err := parseResult(b)
	if err != nil {
		return answer{fate: unknown, err: fmt.Errorf("%w: %w", ErrUnknown, err)}
	}
	n.told.set(to.term, lt, asked)
	return answer{result: result}
}

// serve answers one call of a peer.
func (n *Node) serve(ctx context.Context, method string, body []byte) ([]byte, error) {
	b, err := n.dispatch(ctx, method, body)
	return b, toWire(err)
}

func (n *Node) dispatch(ctx context.Context, method string, body []byte) ([]byte, error) {
	switch method {
	case callPropose:
		return n.servePropose(ctx, body)
	case callLogTime:
		if len(body) != 8 {
			return nil, errShort
		}
		r := n.reign.Load()
		if r == nil || r.term != binary.LittleEndian.Uint64(body) {
			return nil, ErrNotLeader
		}
		return binary.LittleEndian.AppendUint64(nil, uint64(r.logTime())), nil
	case callReadIndex:
		index, err := n.reads.index(ctx)
		return binary.LittleEndian.AppendUint64(nil, index), err
	case callTerm:
		return binary.LittleEndian.AppendUint64(nil, n.raft.CurrentTerm()), nil
	case callPledge:
		return nil, n.servePledge(body)
	case callStanding:
		n.hearClock(body)
		return json.Marshal(n.standing())
	case callKnown:
		return json.Marshal(n.tellKnown(ctx, raft.ServerID(body)))
	case callDigest:
		return nil, n.serveDigest(body)
	case callLeave:
		return nil, n.removeServer(raft.ServerID(body))
	case callFile:
		return n.serveFile(body)
	case callSuspect:
		return n.serveSuspect(body)
	case callFloors:
		return n.serveFloors(string(body))
	case callFrame:
		if len(body) != 8 {
			return nil, errShort
		}
		return n.replica.frameBytes(fsm.Seq(binary.LittleEndian.Uint64(body)))
	}
	return nil, fmt.Errorf("call %q %s: it may be older than its caller", method, notKnown)
}

const notKnown = "is not known to this node"

var (
	errShort = errors.New("the call's body is short")
	errDuty  = errors.New("this command is the leader's own")
)

func (n *Node) servePropose(ctx context.Context, body []byte) ([]byte, error) {
	if len(body) < 9 {
		return nil, errShort
	}
	term, op, cmd := binary.LittleEndian.Uint64(body), fsm.Op(body[8]), body[9:]
	r := n.reign.Load()
	if r == nil || r.term != term {
		return nil, ErrNotLeader
	}
	if op == fsm.OpRaiseLevel {
		return nil, errDuty
	}
	// A committed entry must be readable by all: look before it is appended.
	if err := fsm.CheckAs(n.knows, op, cmd); err != nil {
		return nil, err
	}
	a := n.submitAndWait(ctx, term, op, cmd)
	if a.err != nil {
		return nil, a.err
	}
	return appendResult(nil, r.logTime(), a.result), nil
}

// appendResult encodes log time u64, index u64, and for each outcome code u8,
// known u8, first u64.
func appendResult(b []byte, lt fsm.LogTime, r fsm.Result) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(lt))
	b = binary.LittleEndian.AppendUint64(b, r.Index)
	for _, o := range r.Outcomes {
		known := byte(0)
		if o.Known {
			known = 1
		}
		b = binary.LittleEndian.AppendUint64(append(b, byte(o.Code), known), uint64(o.First))
	}
	return b
}

func parseResult(b []byte) (fsm.Result, fsm.LogTime, error) {
	if len(b) < 16 || (len(b)-16)%10 != 0 {
		return fsm.Result{}, 0, fmt.Errorf("result of %d bytes", len(b))
	}
	r := fsm.Result{Index: binary.LittleEndian.Uint64(b[8:]), Outcomes: make([]fsm.Outcome, 0, (len(b)-16)/10)}
	for rest := b[16:]; len(rest) > 0; rest = rest[10:] {
		r.Outcomes = append(r.Outcomes, fsm.Outcome{
			Code: fsm.Code(rest[0]), Known: rest[1] == 1, First: fsm.Seq(binary.LittleEndian.Uint64(rest[2:])),
		})
	}
	return r, fsm.LogTime(binary.LittleEndian.Uint64(b)), nil
}
