package fsm

// Op is the opcode of an entry. The numbers are on disk: they are only added
// to, never reused.
type Op uint8

const (
	OpReadings Op = 1 + iota // sub-batches of readings, see Batch
	OpFrame                  // one camera frame, see FrameCommand
	OpGenesis                // the first leader's first command
	OpCut                    // close the open head
	OpSynced                 // the bucket has a range (duty)
	OpGap                    // readings dropped on purpose (duty)
	OpCreateTask
	OpCancelTask
	OpAssignRun  // give a run of a task to a node (duty)
	OpRenewRun   // a runner is alive
	OpAdvanceRun // cursor, window state and output of a run in one
	OpPutDevice
	OpRemoveDevice
	OpAddKey
	OpRevokeKey
	OpPutDocument
	OpRegister // an endpoint in the resource directory
	OpRenewRegistration
	OpUnregister
	OpLease
	OpConditional // one message of readings, see ConditionalBatch
	OpRaiseLevel  // what came with a later version may be used (duty)
	OpTick        // moves log time
)

// Retention and space.
const (
	OpSetRetention Op = 26 + iota // what the site keeps
	OpRetain                      // drop cuts everywhere (duty)
	OpLetGo                       // a server goes without its own copies (duty)
	OpErase                       // the data of one device
)

// OpSeen tells how servers were seen (duty).
const OpSeen Op = 34

// OpTrial is of TrialLevel: no release uses it.
const OpTrial Op = 255

// Command is a change of the state. Its encoding is the body of an entry; the
// leader adds the header.
type Command interface {
	Op() Op
	// appendBody appends the encoded body to b.
	appendBody(b []byte) []byte
}

// DutyCommand is a command that only a leader's duty may give. Apply refuses
// it with WrongTerm unless it is committed in the term in which the duty began.
type DutyCommand interface {
	Command
	// InTerm returns the command stamped with the duty's term.
	InTerm(term uint64) Command
}

// Key identifies an item for deduplication: a 128-bit SipHash under the site
// secret, made where the message came in.
type Key [16]byte

// Item is one message: its records are stored all or none, and its outcome is
// remembered under its key.
type Item struct {
	Key Key
	// Content tells apart different contents sent under one named key (?id=).
	// It is 0 where the key itself is derived from the content.
	Content uint64
	Records []Record
}

// Batch is what one proposer had at hand at one moment. It is the hot command:
// EncodeBatch encodes it.
type Batch struct {
	// Born is a log time that the leader told the proposer at most 30 s before
	// the batch was first sent. Retries keep it. cluster.Node sets it.
	Born LogTime
	// Waited is how long, in microseconds, the batch waited at the proposer
	// before it was sent; it is taken off relative times. cluster.Node sets it.
	Waited int64
	Items  []Item
}

// FrameCommand stores one camera frame.
type FrameCommand struct {
	Born     LogTime // as in Batch
	Waited   int64   // as in Batch
	Key      Key
	Content  uint64 // as in Item
	Device   string
	Resource string
	Time     int64 // microseconds, as in Record
	Relative bool
	Width    uint32 // pixels
	Height   uint32
	JPEG     []byte // the camera's own bytes, at most MaxFrame
}

// Genesis is the first command of a site. Apply has no randomness, so lineage
// and secret come from the first leader.
type Genesis struct {
	Site        string   `cbor:"1,keyasint"`
	Lineage     [16]byte `cbor:"2,keyasint"`
	Secret      [16]byte `cbor:"3,keyasint"` // key of the SipHash of Key
	CutRows     uint64   `cbor:"4,keyasint"` // rows at which the head is cut
	CutBytes    uint64   `cbor:"5,keyasint"` // bytes of head at which it is cut
	WindowBytes uint64   `cbor:"6,keyasint"` // bound of the dedup window
}

// Stream names one of the three sequences a site counts and ships.
type Stream uint8

const (
	Readings Stream = iota
	Frames
	Gaps
)

func (s Stream) String() string { return [...]string{"readings", "frames", "gaps"}[s] }

// CutCommand closes the open head of readings and frames if it has any row.
type CutCommand struct{}

// SyncedCommand records that the bucket has rows first..last of a stream, as
// of ship counter version.
type SyncedCommand struct {
	Term    uint64 `cbor:"1,keyasint"`
	Stream  Stream `cbor:"2,keyasint"`
	First   Seq    `cbor:"3,keyasint"`
	Last    Seq    `cbor:"4,keyasint"`
	Version uint64 `cbor:"5,keyasint"`
}

// GapCommand drops readings on purpose, everywhere, and says so.
type GapCommand struct {
	Term   uint64 `cbor:"1,keyasint"`
	First  Seq    `cbor:"2,keyasint"`
	Last   Seq    `cbor:"3,keyasint"`
	Reason string `cbor:"4,keyasint"`
}

// CreateTaskCommand starts a task. ID is chosen by the proposer; the same ID
// with the same spec is created once.
type CreateTaskCommand struct {
	ID   string   `cbor:"1,keyasint"`
	Spec TaskSpec `cbor:"2,keyasint"`
}

// CancelTaskCommand ends a task for good.
type CancelTaskCommand struct {
	ID string `cbor:"1,keyasint"`
}

// AssignRunCommand gives the next attempt of a task to a node until the lease
// ends. Attempt must be one more than the task's last.
type AssignRunCommand struct {
	Term    uint64 `cbor:"1,keyasint"`
	Task    string `cbor:"2,keyasint"`
	Attempt uint64 `cbor:"3,keyasint"`
	Node    string `cbor:"4,keyasint"` // node name
	Lease   int64  `cbor:"5,keyasint"` // microseconds of log time from now
}

// RenewRunCommand prolongs the lease of a run that its node still works on.
type RenewRunCommand struct {
	Task    string `cbor:"1,keyasint"`
	Attempt uint64 `cbor:"2,keyasint"`
	Node    string `cbor:"3,keyasint"`
	Lease   int64  `cbor:"4,keyasint"`
}

// AdvanceRunCommand moves a task's cursor from From to To, replaces its saved
// state and stores its output, all or nothing: it is refused with StaleRun
// unless task, attempt, node and From are the current ones. It renews the lease.
type AdvanceRunCommand struct {
	Task    string
	Attempt uint64
	Node    string
	From    Seq // the cursor the runner read from: every reading up to it is counted
	To      Seq
	State   []byte // at most MaxTaskState
	Lease   int64  // microseconds of log time from now
	Output  []Record
}
