package delta

import "encoding/json"

// Protocol says what a reader and a writer must be able to do.
type Protocol struct {
	MinReaderVersion int `json:"minReaderVersion"`
	MinWriterVersion int `json:"minWriterVersion"`
}

// Protocol versions that skerry writes.
const (
	ReaderVersion = 1
	WriterVersion = 2
)

// MetaData describes the table.
type MetaData struct {
	ID               string            `json:"id"` // UUID
	Name             string            `json:"name,omitempty"`
	Description      string            `json:"description,omitempty"`
	Format           Format            `json:"format"`
	SchemaString     string            `json:"schemaString"`
	PartitionColumns []string          `json:"partitionColumns"`
	Configuration    map[string]string `json:"configuration"`
	CreatedTime      int64             `json:"createdTime"` // milliseconds since 1970 UTC
}

// Format is the encoding of the table's files.
type Format struct {
	Provider string            `json:"provider"`
	Options  map[string]string `json:"options"`
}

// Add puts a file into the table.
type Add struct {
	Path             string            `json:"path"` // relative to the table, percent-encoded
	PartitionValues  map[string]string `json:"partitionValues"`
	Size             int64             `json:"size"`             // bytes
	ModificationTime int64             `json:"modificationTime"` // milliseconds since 1970 UTC
	DataChange       bool              `json:"dataChange"`
	Stats            string            `json:"stats,omitempty"` // JSON, see Stats
	Tags             map[string]string `json:"tags,omitempty"`
	// DeletionVector hides rows of the file. skerry never writes one.
	DeletionVector json.RawMessage `json:"deletionVector,omitempty"`
}

// Tags of a file that skerry wrote.
const (
	TagSHA256 = "skerry.sha256" // of the file, 64 hexadecimal digits
	TagDigest = "skerry.digest" // fsm.RowDigest of the rows, 32 hexadecimal digits
)

// Remove takes a file out of the table.
type Remove struct {
	Path              string `json:"path"`
	DeletionTimestamp int64  `json:"deletionTimestamp,omitempty"` // milliseconds since 1970 UTC
	DataChange        bool   `json:"dataChange"`
	Size              int64  `json:"size,omitempty"`
}

// Txn is an application's own progress, as of this commit.
type Txn struct {
	AppID       string `json:"appId"`
	Version     int64  `json:"version"`
	LastUpdated int64  `json:"lastUpdated,omitempty"` // milliseconds since 1970 UTC
}

// CommitInfo tells who made a commit. Engines ignore what they do not know.
type CommitInfo struct {
	Timestamp           int64          `json:"timestamp"` // milliseconds since 1970 UTC
	Operation           string         `json:"operation"`
	OperationParameters map[string]any `json:"operationParameters"`
	IsBlindAppend       bool           `json:"isBlindAppend"`
	EngineInfo          string         `json:"engineInfo"`
	// Skerry is nil in a commit that another writer made.
	Skerry *Info `json:"skerry,omitempty"`
}

// FormatVersion is the version of Info and of the bucket's layout. It grows
// when an older skerry could no longer continue a table.
const FormatVersion = 1

// Info is skerry's own part of a commit.
type Info struct {
	Format int    `json:"format"`
	Site   string `json:"site"`
	Stream string `json:"stream"` // readings, frames, gaps
	Commit int64  `json:"commit"` // the commit's own number
	Epoch  Epoch  `json:"epoch"`
	Node   string `json:"node"`
	// Range is what the commit adds, nil for a claim.
	Range *Range `json:"range,omitempty"`
	// Pending are the ranges that were closed but not in the table when the
	// commit was made.
	Pending []Range `json:"pending"`
	// Previous is the SHA-256 of the commit before in hexadecimal, "" in
	// commit 0. Checksum is the commit's own, see the package.
	Previous string `json:"previous"`
	Checksum string `json:"checksum"`
}

// Range is an inclusive range of a sequence.
type Range struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}
