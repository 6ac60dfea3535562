package fsm

import "fmt"

// Code tells what became of an item or a command. The numbers are remembered
// in the window and in snapshots: append-only.
type Code uint8

const (
	Stored     Code = 1 + iota // committed, now or by an earlier copy
	Conflict                   // the key is known with other content
	Expired                    // the copy was born too long ago; it stored nothing
	WindowFull                 // the dedup window is at its bound; it stored nothing
	WrongTerm                  // a duty's command from another term
	NoSuchTask
	TaskExists // the ID is taken by another spec or a cancelled task
	StaleRun   // another attempt has the task
	NoGenesis  // the site has not begun
	BadRange   // a sync mark or gap outside what exists
	TooMany    // a bound on tasks or gaps is reached
	SeriesFull // a bound on series, units or their latest values is reached
	OutputUsed // another active task writes to one of the series

	Precondition // what the command asked to be so is not so
	Exists       // the name, identity or ID is taken
	NotFound     // there is nothing of that name
	Full         // a bound on what the command adds to is reached
	Held         // another holder has the lease

	TooEarly // the command is of a later level than the site's
)

var codeWords = [...]string{
	Stored:     "stored",
	Conflict:   "this key was used before with other content: send it under another ?id=",
	Expired:    "this copy of the message is older than 120 s and was not stored",
	WindowFull: "too many messages in the last 120 s: send again later",
	WrongTerm:  "the leader's term is over",
	NoSuchTask: "there is no such task: skerry task ls prints those there are",
	TaskExists: "a task of this name exists with other settings or was cancelled: take another name",
	StaleRun:   "another run has this task",
	NoGenesis:  "the site has not begun yet",
	BadRange:   "the range is not one the site has",
	TooMany:    "the site has as many of these as it takes: cancel a task",
	SeriesFull: "the site has as many series, units and large values as it takes: post to known names",
	OutputUsed: "another active task writes its counts there: name another --output, or cancel that task",

	Precondition: "it is not in the state that the request asks for: read it again",
	Exists:       "this name is taken: use another, or remove what has it",
	NotFound:     "there is nothing of this name",
	Full:         "the site has as many of these as it takes: remove some first",
	Held:         "another node has this lease",

	TooEarly: "not all nodes of the site know this yet: upgrade the others first",
}

// Err returns nil for Stored and the Refusal otherwise.
func (c Code) Err() error {
	if c == Stored {
		return nil
	}
	return Refusal(c)
}

// Refusal is a Code other than Stored, as an error. Compare with errors.Is:
// errors.Is(err, fsm.Refusal(fsm.Conflict)).
type Refusal Code

func (r Refusal) Error() string {
	if int(r) < len(codeWords) && codeWords[r] != "" {
		return codeWords[r]
	}
	return fmt.Sprintf("refused with code %d", uint8(r))
}

// Outcome is what became of one item.
type Outcome struct {
	Code  Code
	First Seq // of the item's first reading, or of the frame; a document's version
	// Known is set when an earlier copy had been decided and this is its answer,
	// or when all was already as the command wants it.
	Known bool
}

// Result is what Apply returns for one command of one proposer: an outcome for
// each item of a Batch, one for any other command.
type Result struct {
	Index    uint64 // raft index of the entry
	Outcomes []Outcome
}
