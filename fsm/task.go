package fsm

import (
	"fmt"
	"strings"
)

// Bounds of tasks.
const (
	MaxTasks     = 1000
	MaxTaskID    = 64
	MaxTaskState = 256 << 10 // bytes of a runner's saved state
)

// TaskSpec is what somebody wants done.
type TaskSpec struct {
	Kind     string  `cbor:"1,keyasint" json:"kind"`              // "count"
	Device   string  `cbor:"2,keyasint" json:"device"`            // pattern, see path.Match; * also matches '/'; at most MaxDevice bytes
	Resource string  `cbor:"3,keyasint" json:"resource"`          // exact
	Op       string  `cbor:"4,keyasint" json:"op,omitempty"`      // "", ">", ">=", "<", "<=", "=", "!="
	Operand  float64 `cbor:"5,keyasint" json:"operand,omitempty"` // right side of Op
	Every    int64   `cbor:"6,keyasint" json:"every"`             // window length on received, microseconds
	// Output names the series the counts are stored in; its revisions go to
	// OutputResource + ".rev".
	OutputDevice   string `cbor:"7,keyasint" json:"output_device"`
	OutputResource string `cbor:"8,keyasint" json:"output_resource"`
}

// RevisionSuffix is added to an output resource to name the series of revisions.
const RevisionSuffix = ".rev"

// Validate tells what is wrong with a spec, in words for its author.
func (s *TaskSpec) Validate() error {
	if s.Kind != "count" {
		return fmt.Errorf("task kind %q is not known: this version has \"count\"", s.Kind)
	}
	if err := validatePattern(s.Device); err != nil {
		return err
	}
	if err := ValidateName("resource", s.Resource, MaxResource); err != nil {
		return err
	}
	switch s.Op {
	case "", ">", ">=", "<", "<=", "=", "!=":
	default:
		return fmt.Errorf("comparison %q is not known: use > >= < <= = !=", s.Op)
	}
	if s.Every < 1e6 || s.Every > 24*3600*1e6 {
		return fmt.Errorf("window of %g s is out of range: 1s to 24h", float64(s.Every)/1e6)
	}
	if err := ValidateName("output device", s.OutputDevice, MaxDevice); err != nil {
		return err
	}
	if strings.IndexByte(s.OutputResource, '/') >= 0 {
		return fmt.Errorf("output resource %q has a '/'", s.OutputResource)
	}
	return ValidateName("output resource", s.OutputResource, MaxResource-len(RevisionSuffix))
}

// TaskState is the life of a task. The numbers are in snapshots: append-only.
type TaskState uint8

const (
	TaskActive TaskState = 1 + iota
	TaskCancelled
)

func (s TaskState) String() string {
	if s == TaskActive {
		return "active"
	}
	return "cancelled"
}

// Task is a piece of work wanted by somebody, and its current run.
//
// Invariants: Start <= Cursor <= the state's last seq; Attempt grows by one
// with each run.
type Task struct {
	ID      string    `cbor:"1,keyasint"`
	Spec    TaskSpec  `cbor:"2,keyasint"`
	State   TaskState `cbor:"3,keyasint"`
	Created int64     `cbor:"4,keyasint"`  // received of the creating entry, microseconds
	Start   Seq       `cbor:"5,keyasint"`  // readings after it belong to the task
	Cursor  Seq       `cbor:"6,keyasint"`  // readings up to it are in Saved
	Saved   []byte    `cbor:"7,keyasint"`  // the runner's own encoding; shared, not to be changed
	Attempt uint64    `cbor:"8,keyasint"`  // 0 before the first run
	Node    string    `cbor:"9,keyasint"`  // node name of the current run
	Lease   LogTime   `cbor:"10,keyasint"` // the run is the node's until then
}
