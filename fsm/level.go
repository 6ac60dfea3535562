package fsm

import "fmt"

// Level is a step of what a site can mean: which commands may stand in its log
// and which formats its snapshots have. A site begins at FirstLevel. It rises,
// by RaiseLevel, once all its servers know the next one, and never falls: what
// an older program could not read is not written before.
//
//	level  since it
//	1      opcodes up to OpConditional, snapshots of format 2
//	2      opcodes up to 37, snapshots of format 3
type Level uint32

const (
	FirstLevel  Level = 1
	NewestLevel Level = 2 // that this program knows
	// TrialLevel is the level of no release: a test whose nodes know it acts as
	// the version after this one, with a command and a field of its own.
	TrialLevel = NewestLevel + 1
)

// firstOps are, by level, the first opcode that came with it.
var firstOps = [...]Op{FirstLevel: OpReadings, NewestLevel: OpRaiseLevel, TrialLevel: OpTrial}

// LevelOf is the level from which on a site may use op.
func LevelOf(op Op) Level {
	level := TrialLevel
	for level > FirstLevel && op < firstOps[level] {
		level--
	}
	return level
}

// EntryLevel is the level that a program must know to apply an entry. An entry
// that cannot be read needs none: whoever applies it will say why.
func EntryLevel(entry []byte) Level {
	if len(entry) < headerSize {
		return FirstLevel
	}
	return bodyLevel(Op(entry[1]), entry[headerSize:])
}

// bodyLevel is the level that a program must know to apply a command.
func bodyLevel(op Op, body []byte) Level {
	if op != OpRaiseLevel {
		return LevelOf(op)
	}
	cmd, err := decodeRare(op, body)
	if err != nil {
		return LevelOf(op)
	}
	return max(cmd.(RaiseLevel).Level, LevelOf(op))
}

// snapshotVersion is the format of snapshots at a level.
func snapshotVersion(level Level) uint32 { return uint32(level) + 1 }

// SnapshotHeader is how many bytes of a snapshot SnapshotLevel looks at.
const SnapshotHeader = len(snapshotMagic) + 4

// SnapshotLevel is the level that a program must know to restore a snapshot
// that begins with these bytes, SnapshotHeader or more.
func SnapshotLevel(begin []byte) Level {
	if len(begin) < SnapshotHeader || string(begin[:len(snapshotMagic)]) != snapshotMagic {
		return FirstLevel
	}
	version := uint32(begin[8]) | uint32(begin[9])<<8 | uint32(begin[10])<<16 | uint32(begin[11])<<24
	return max(Level(version)-1, FirstLevel)
}

// known refuses what only a later version than one that knows level can apply.
func (l Level) known(op Op, body []byte) error {
	if needs := bodyLevel(op, body); needs > l {
		return fmt.Errorf("opcode %d is of level %d, this program knows up to %d: %w", op, needs, l, ErrNewer)
	}
	return nil
}

// RaiseLevel lets the site use what came with a level, for good. It is a duty's:
// the leader gives it when every server has said that it knows the level. A
// program that does not know it stops when it meets the command.
type RaiseLevel struct {
	Term  uint64 `cbor:"1,keyasint"`
	Level Level  `cbor:"2,keyasint"`
}

func (RaiseLevel) Op() Op                       { return OpRaiseLevel }
func (c RaiseLevel) appendBody(b []byte) []byte { return appendCBOR(b, c) }

// InTerm returns the command stamped with the duty's term.
func (c RaiseLevel) InTerm(term uint64) Command { c.Term = term; return c }

func (c RaiseLevel) validate() error {
	if c.Level < FirstLevel {
		return fmt.Errorf("level %d: levels count from %d", c.Level, FirstLevel)
	}
	return nil
}

func (s *State) raiseLevel(c *RaiseLevel) Outcome {
	switch {
	case c.Level < s.level:
		return Outcome{Code: Precondition}
	case c.Level == s.level:
		return Outcome{Code: Stored, Known: true}
	}
	s.level = c.Level
	s.ageFromNow()
	return Outcome{Code: Stored}
}

// Level is the level of what the site may use.
func (s *State) Level() Level { return s.level }

// Trial sets the field of TrialLevel.
type Trial struct {
	Text string `cbor:"1,keyasint"`
}

func (Trial) Op() Op                       { return OpTrial }
func (c Trial) appendBody(b []byte) []byte { return appendCBOR(b, c) }
func (c Trial) validate() error            { return ValidateName("trial", c.Text, MaxReason) }

// Trial is the text that the last Trial set.
func (s *State) Trial() string { return s.trial }
