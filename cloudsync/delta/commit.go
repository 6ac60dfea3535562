package delta

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxCommit bounds the bytes of a commit that is read. skerry's own have about
// 2 KiB; a foreign compaction names many files.
const MaxCommit = 16 << 20

var (
	// ErrFormat: the bytes are not a commit.
	ErrFormat = errors.New("not a Delta commit")
	// ErrNewer: a newer skerry wrote the table.
	ErrNewer = errors.New("the table was written by a newer skerry: upgrade this node")
	// ErrChecksum: the commit's bytes are not those that were written.
	ErrChecksum = errors.New("the commit does not match its checksum")
)

// Commit is one entry of a table's log.
type Commit struct {
	Info     *CommitInfo
	Protocol *Protocol
	MetaData *MetaData
	Txns     []Txn
	Adds     []Add
	Removes  []Remove
	// Other are the names of actions that skerry has no use for.
	Other []string
}

// Own is skerry's part of the commit, nil in a foreign one.
func (c *Commit) Own() *Info {
	if c.Info == nil {
		return nil
	}
	return c.Info.Skerry
}

// ChangesData reports whether the commit may change what a reader of the table
// sees, or how the table must be read. A compaction does neither.
func (c *Commit) ChangesData() bool {
	return c.Protocol != nil || c.MetaData != nil || len(c.Other) > 0 ||
		slices.ContainsFunc(c.Adds, func(a Add) bool { return a.DataChange || a.DeletionVector != nil }) ||
		slices.ContainsFunc(c.Removes, func(r Remove) bool { return r.DataChange })
}

// Name is the object of commit n, relative to the table.
func Name(n int64) string { return fmt.Sprintf("_delta_log/%020d.json", n) }

// ParseName is the inverse of Name. A log also holds checkpoints and other
// files; they are not commits.
func ParseName(name string) (n int64, ok bool) {
	digits, ok := strings.CutPrefix(name, "_delta_log/")
	if !ok {
		return 0, false
	}
	digits, ok = strings.CutSuffix(digits, ".json")
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0 && Name(n) == name
}

// Sum is the SHA-256 of a commit's bytes as Info.Previous has it.
func Sum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Encode returns the commit's bytes. It fills in the checksum.
func (c *Commit) Encode() ([]byte, error) {
	if own := c.Own(); own != nil {
		own.Checksum = noSum
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	var err error
	line := func(action string, v any) {
		if err == nil {
			err = enc.Encode(map[string]any{action: v})
		}
	}
	if c.Info != nil {
		line("commitInfo", c.Info)
	}
	if c.Protocol != nil {
		line("protocol", c.Protocol)
	}
	if c.MetaData != nil {
		line("metaData", c.MetaData)
	}
	for i := range c.Txns {
		line("txn", &c.Txns[i])
	}
	for i := range c.Removes {
		line("remove", &c.Removes[i])
	}
	for i := range c.Adds {
		line("add", &c.Adds[i])
	}
	if err != nil {
		return nil, fmt.Errorf("encode commit: %w", err)
	}
	body := b.Bytes()
	if own := c.Own(); own != nil {
		own.Checksum = Sum(body)
		body = bytes.Replace(body, checksumField(noSum), checksumField(own.Checksum), 1)
	}
	return body, nil
}

// noSum stands for a checksum while it is computed.
var noSum = strings.Repeat("0", 2*sha256.Size)

func checksumField(sum string) []byte { return []byte(`"checksum":"` + sum + `"`) }

// Decode reads a commit of any writer. Errors: ErrFormat; ErrNewer and
// ErrChecksum for a commit of skerry's.
func Decode(body []byte) (*Commit, error) {
	c := &Commit{}
	if len(body) > MaxCommit {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrFormat, len(body), MaxCommit)
	}
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := c.decodeAction(line); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	own := c.Own()
	if own == nil {
		return c, nil
	}
	if own.Format > FormatVersion {
		return nil, fmt.Errorf("%w (its format is %d, this one knows %d)", ErrNewer, own.Format, FormatVersion)
	}
	return c, checkSum(body, own.Checksum)
}

func checkSum(body []byte, sum string) error {
	field := checksumField(sum)
	if len(sum) != len(noSum) || bytes.Count(body, field) != 1 {
		return ErrChecksum
	}
	if Sum(bytes.Replace(body, field, checksumField(noSum), 1)) != sum {
		return ErrChecksum
	}
	return nil
}

func (c *Commit) decodeAction(line []byte) error {
	var action map[string]json.RawMessage
	if err := json.Unmarshal(line, &action); err != nil {
		return err
	}
	if len(action) != 1 {
		return fmt.Errorf("a line has %d actions", len(action))
	}
	for name, raw := range action {
		if err := c.decodeField(name, raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (c *Commit) decodeField(name string, raw json.RawMessage) error {
	switch name {
	case "commitInfo":
		return once(&c.Info, raw)
	case "protocol":
		return once(&c.Protocol, raw)
	case "metaData":
		return once(&c.MetaData, raw)
	case "txn":
		return another(&c.Txns, raw)
	case "add":
		return another(&c.Adds, raw)
	case "remove":
		return another(&c.Removes, raw)
	}
	c.Other = append(c.Other, name)
	return nil
}

func once[T any](to **T, raw json.RawMessage) error {
	if *to != nil {
		return errors.New("stands twice")
	}
	*to = new(T)
	return json.Unmarshal(raw, *to)
}

func another[T any](to *[]T, raw json.RawMessage) error {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	*to = append(*to, v)
	return nil
}
