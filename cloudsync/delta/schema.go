package delta

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Column is a column of a table. All are nullable, because a NOT NULL would be
// a promise that engines check at every write and nobody needs for reading.
type Column struct {
	Name    string
	Type    string // long, integer, double, boolean, string, binary, timestamp
	Comment string
}

// ReadingsColumns, FramesColumns and GapsColumns are the three tables.
var (
	ReadingsColumns = []Column{
		{"seq", "long", "position in the site's history: 1, 2, 3, ... without holes"},
		{"device", "string", "who posted"},
		{"resource", "string", "what it is about"},
		{"unit", "string", "unit, null when the device named none"},
		{"time", "timestamp", "the device's time, UTC"},
		{"received", "timestamp", "when it entered the site, UTC, by the leader's clock"},
		{"value", "double", "a number"},
		{"flag", "boolean", "a truth value"},
		{"text", "string", "a text"},
		{"data", "binary", "bytes"},
	}
	FramesColumns = []Column{
		{"seq", "long", "position among the site's frames: 1, 2, 3, ... without holes"},
		{"device", "string", "which camera"},
		{"resource", "string", "what it is about"},
		{"time", "timestamp", "the camera's time, UTC"},
		{"received", "timestamp", "when it entered the site, UTC, by the leader's clock"},
		{"width", "integer", "pixels"},
		{"height", "integer", "pixels"},
		{"data", "binary", "the camera's own JPEG"},
	}
	GapsColumns = []Column{
		{"seq", "long", "position among the site's gaps: 1, 2, 3, ..."},
		{"sequence", "string", "whose rows were dropped: readings"},
		{"first", "long", "seq of the first row dropped"},
		{"last", "long", "seq of the last row dropped"},
		{"count", "long", "rows that never reach the table"},
		{"reason", "string", "why"},
	}
)

// SchemaString is the columns as MetaData.SchemaString has them.
func SchemaString(columns []Column) string {
	type field struct {
		Name     string            `json:"name"`
		Type     string            `json:"type"`
		Nullable bool              `json:"nullable"`
		Metadata map[string]string `json:"metadata"`
	}
	fields := make([]field, len(columns))
	for i, c := range columns {
		fields[i] = field{c.Name, c.Type, true, map[string]string{"comment": c.Comment}}
	}
	b, err := json.Marshal(struct {
		Type   string  `json:"type"`
		Fields []field `json:"fields"`
	}{"struct", fields})
	if err != nil {
		panic(err) // strings and bools always encode
	}
	return string(b)
}

// TableID is the UUID of a stream's table. It is made from the site's lineage,
// so that two leaders racing for commit 0 describe the same table (RFC 9562
// section 5.8, version 8).
func TableID(lineage, stream string) string {
	h := sha256.Sum256([]byte(lineage + "/" + stream))
	h[6] = h[6]&0x0f | 0x80
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
