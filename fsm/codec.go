package fsm

import (
	"bytes"
	"fmt"
	"math"

	"github.com/fxamacker/cbor/v2"
)

// Bounds of rare commands.
const (
	MaxReason    = 256              // bytes of a gap's reason
	MaxNode      = 128              // bytes of a node's name
	MaxSite      = 64               // bytes of a site's name
	MaxLease     = 3600 * 1_000_000 // microseconds of log time
	maxRareBytes = 1 << 20          // body of a rare command
)

// Settings of a new site whose nodes may have as little as 512 MB, and the
// bounds of each. The default window takes two million keys, 16,000 messages a
// second for as long as a key must be kept; nodes with more memory afford more.
const (
	DefaultCutRows     = 1 << 20
	DefaultCutBytes    = 16 << 20
	DefaultWindowBytes = 96 << 20

	maxCutRows     = 1 << 24
	maxCutBytes    = 1 << 30
	maxWindowBytes = 4 << 30
)

var (
	rareEnc = must(cbor.CoreDetEncOptions().EncMode())
	// rareDec refuses keys it does not know: to skip what a newer leader meant
	// would make this replica differ.
	rareDec = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   8,
		MaxArrayElements:  1024,
		MaxMapPairs:       64,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // options that contradict each other
	}
	return v
}

// Encode is the op of cmd and its body for AppendEntry.
func Encode(cmd Command) (Op, []byte) { return cmd.Op(), cmd.appendBody(nil) }

// Check is CheckAs for this program.
func Check(op Op, body []byte) error { return CheckAs(NewestLevel, op, body) }

// CheckAs tells whether a program that knows a level can apply a body of op:
// for OpReadings one sub-batch. A leader checks all that it appends. Errors:
// ErrNewer, ErrCorrupt, and others that say what is wrong.
func CheckAs(level Level, op Op, body []byte) error {
	if err := level.known(op, body); err != nil {
		return err
	}
	switch op {
	case OpReadings:
		_, _, err := CheckBatch(body)
		return err
	case OpFrame:
		_, err := DecodeFrame(body)
		return err
	case OpConditional:
		_, err := DecodeConditional(body)
		return err
	}
	_, err := decodeRare(op, body)
	return err
}

// decodeRare decodes and validates the body of any op but those of readings
// and frames.
func decodeRare(op Op, body []byte) (Command, error) {
	switch op {
	case OpGenesis:
		return decodeAs[Genesis](op, body)
	case OpCut:
		return decodeAs[CutCommand](op, body)
	case OpSynced:
		return decodeAs[SyncedCommand](op, body)
	case OpGap:
		return decodeAs[GapCommand](op, body)
	case OpCreateTask:
		return decodeAs[CreateTaskCommand](op, body)
	case OpCancelTask:
		return decodeAs[CancelTaskCommand](op, body)
	case OpAssignRun:
		return decodeAs[AssignRunCommand](op, body)
	case OpRenewRun:
		return decodeAs[RenewRunCommand](op, body)
	case OpAdvanceRun:
		return decodeAdvance(body)
	case OpPutDevice:
		return decodeAs[PutDeviceCommand](op, body)
	case OpRemoveDevice:
		return decodeAs[RemoveDeviceCommand](op, body)
	case OpAddKey:
		return decodeAs[AddKeyCommand](op, body)
	case OpRevokeKey:
		return decodeAs[RevokeKeyCommand](op, body)
	case OpPutDocument:
		return decodeAs[PutDocumentCommand](op, body)
	case OpRegister:
		return decodeAs[RegisterCommand](op, body)
	case OpRenewRegistration:
		return decodeAs[RenewRegistrationCommand](op, body)
	case OpUnregister:
		return decodeAs[UnregisterCommand](op, body)
	case OpLease:
		return decodeAs[LeaseCommand](op, body)
	case OpRaiseLevel:
		return decodeAs[RaiseLevel](op, body)
	case OpTick:
		return decodeAs[Tick](op, body)
	case OpSetRetention:
		return decodeAs[SetRetentionCommand](op, body)
	case OpRetain:
		return decodeAs[RetainCommand](op, body)
	case OpLetGo:
		return decodeAs[LetGoCommand](op, body)
	case OpErase:
		return decodeAs[EraseCommand](op, body)
	case OpSeen:
		return decodeAs[SeenCommand](op, body)
	case OpTrial:
		return decodeAs[Trial](op, body)
	}
	return nil, fmt.Errorf("opcode %d is not known: %w", op, ErrNewer)
}

func decodeAs[C interface {
	Command
	validate() error
}](op Op, body []byte) (Command, error) {
	var cmd C
	if err := unmarshal(op, body, &cmd); err != nil {
		return nil, err
	}
	// One command has one encoding: whatever a decoder would forgive is refused.
	if !bytes.Equal(cmd.appendBody(nil), body) {
		return nil, fmt.Errorf("body of opcode %d is not in its one encoding: %w", op, ErrCorrupt)
	}
	if err := cmd.validate(); err != nil {
		return nil, err
	}
	return cmd, nil
}

func unmarshal(op Op, body []byte, to any) error {
	if len(body) > maxRareBytes {
		return fmt.Errorf("body of opcode %d has %d bytes, at most %d are taken", op, len(body), maxRareBytes)
	}
	if err := rareDec.Unmarshal(body, to); err != nil {
		return fmt.Errorf("body of opcode %d: %w: %w", op, err, ErrCorrupt)
	}
	return nil
}

func appendCBOR(b []byte, v any) []byte {
	return append(b, must(rareEnc.Marshal(v))...)
}

// advanceWire is AdvanceRunCommand as it is encoded: its output is a sub-batch
// of one item without a key.
type advanceWire struct {
	Task    string `cbor:"1,keyasint"`
	Attempt uint64 `cbor:"2,keyasint"`
	Node    string `cbor:"3,keyasint"`
	From    Seq    `cbor:"4,keyasint"`
	To      Seq    `cbor:"5,keyasint"`
	State   []byte `cbor:"6,keyasint"`
	Lease   int64  `cbor:"7,keyasint"`
	Output  []byte `cbor:"8,keyasint,omitempty"`
}

func (c AdvanceRunCommand) appendBody(b []byte) []byte {
	w := advanceWire{c.Task, c.Attempt, c.Node, c.From, c.To, c.State, c.Lease, nil}
	if w.State == nil {
		w.State = []byte{}
	}
	if len(c.Output) > 0 {
		w.Output = EncodeBatch(nil, &Batch{Items: []Item{{Records: c.Output}}})
	}
	return appendCBOR(b, w)
}

func decodeAdvance(body []byte) (Command, error) {
	var w advanceWire
	if err := unmarshal(OpAdvanceRun, body, &w); err != nil {
		return nil, err
	}
	c := AdvanceRunCommand{w.Task, w.Attempt, w.Node, w.From, w.To, w.State, w.Lease, nil}
	if len(w.Output) > 0 {
		out, err := DecodeBatch(w.Output)
		if err != nil {
			return nil, fmt.Errorf("output of a run: %w", err)
		}
		if len(out.Items) != 1 {
			return nil, fmt.Errorf("output of a run has %d items: %w", len(out.Items), ErrCorrupt)
		}
		c.Output = out.Items[0].Records
	}
	if !bytes.Equal(c.appendBody(nil), body) {
		return nil, fmt.Errorf("body of opcode %d is not in its one encoding: %w", OpAdvanceRun, ErrCorrupt)
	}
	return c, c.validate()
}

func (g Genesis) validate() error {
	if err := ValidateName("site", g.Site, MaxSite); err != nil {
		return err
	}
	switch {
	case g.CutRows < 1 || g.CutRows > maxCutRows:
		return fmt.Errorf("cut rows of %d are out of range: 1 to %d", g.CutRows, maxCutRows)
	case g.CutBytes < 1 || g.CutBytes > maxCutBytes:
		return fmt.Errorf("cut bytes of %d are out of range: 1 to %d", g.CutBytes, maxCutBytes)
	case g.WindowBytes < windowKeyBytes || g.WindowBytes > maxWindowBytes:
		return fmt.Errorf("window bytes of %d are out of range: %d to %d", g.WindowBytes, windowKeyBytes, int64(maxWindowBytes))
	}
	return nil
}

func (CutCommand) validate() error { return nil }

func (c SyncedCommand) validate() error {
	if c.Stream > Gaps {
		return fmt.Errorf("stream %d is not known", c.Stream)
	}
	return nil
}

func (c GapCommand) validate() error { return ValidateName("reason of a gap:", c.Reason, MaxReason) }

func (c CreateTaskCommand) validate() error {
	if err := ValidateName("task", c.ID, MaxTaskID); err != nil {
		return err
	}
	if math.IsNaN(c.Spec.Operand) || math.IsInf(c.Spec.Operand, 0) {
		return fmt.Errorf("operand is not a finite number")
	}
	return c.Spec.Validate()
}

func (c CancelTaskCommand) validate() error { return ValidateName("task", c.ID, MaxTaskID) }

func (c AssignRunCommand) validate() error { return validateRun(c.Task, c.Node, c.Lease) }
func (c RenewRunCommand) validate() error  { return validateRun(c.Task, c.Node, c.Lease) }

func (c AdvanceRunCommand) validate() error {
	if len(c.State) > MaxTaskState {
		return fmt.Errorf("state of a run has %d bytes, at most %d are taken", len(c.State), MaxTaskState)
	}
	return validateRun(c.Task, c.Node, c.Lease)
}

func validateRun(task, node string, lease int64) error {
	if err := ValidateName("task", task, MaxTaskID); err != nil {
		return err
	}
	if err := ValidateName("node", node, MaxNode); err != nil {
		return err
	}
	if lease < 1 || lease > MaxLease {
		return fmt.Errorf("lease of %d us is out of range: 1 to %d", lease, int64(MaxLease))
	}
	return nil
}
