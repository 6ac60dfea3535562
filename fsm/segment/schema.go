package segment

import (
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// column is one column of the schema. All are flat.
type column struct {
	name     string
	typ      format.Type
	logical  logical
	optional bool
	indexed  bool // has min and max of each page in the column index
	raw      bool // pages are not compressed
}

type logical uint8

const (
	plain   logical = iota
	text            // UTF-8
	instant         // microseconds since 1970 UTC
)

// Positions of the columns. Both streams begin alike.
const (
	colSeq = iota
	colDevice
	colResource
	colUnit
	colTime
	colReceived
	colValue
	colFlag
	colText
	colData
)

const (
	frmSeq = iota
	frmDevice
	frmResource
	frmTime
	frmReceived
	frmWidth
	frmHeight
	frmSize
	frmSHA256
	frmData
)

var readingColumns = []column{
	colSeq:      {name: "seq", typ: format.Int64},
	colDevice:   {name: "device", typ: format.ByteArray, logical: text, indexed: true},
	colResource: {name: "resource", typ: format.ByteArray, logical: text, indexed: true},
	colUnit:     {name: "unit", typ: format.ByteArray, logical: text, optional: true},
	colTime:     {name: "time", typ: format.Int64, logical: instant, indexed: true},
	colReceived: {name: "received", typ: format.Int64, logical: instant},
	colValue:    {name: "value", typ: format.Double, optional: true},
	colFlag:     {name: "flag", typ: format.Boolean, optional: true},
	colText:     {name: "text", typ: format.ByteArray, logical: text, optional: true},
	colData:     {name: "data", typ: format.ByteArray, optional: true},
}

// frameColumns has, beside the table's columns, size and sha256: they let the
// list of frames be read without the pictures.
var frameColumns = []column{
	frmSeq:      {name: "seq", typ: format.Int64},
	frmDevice:   {name: "device", typ: format.ByteArray, logical: text, indexed: true},
	frmResource: {name: "resource", typ: format.ByteArray, logical: text, indexed: true},
	frmTime:     {name: "time", typ: format.Int64, logical: instant, indexed: true},
	frmReceived: {name: "received", typ: format.Int64, logical: instant},
	frmWidth:    {name: "width", typ: format.Int32},
	frmHeight:   {name: "height", typ: format.Int32},
	frmSize:     {name: "size", typ: format.Int32},
	frmSHA256:   {name: "sha256", typ: format.ByteArray},
	frmData:     {name: "data", typ: format.ByteArray, raw: true},
}

// element is the column in the footer's schema.
func (c *column) element() format.SchemaElement {
	e := format.SchemaElement{
		Name:           c.name,
		Type:           thrift.New(c.typ),
		RepetitionType: thrift.New(format.Required),
	}
	if c.optional {
		e.RepetitionType = thrift.New(format.Optional)
	}
	switch c.logical {
	case text:
		e.ConvertedType = thrift.New(deprecated.UTF8)
		e.LogicalType = format.LogicalType{Value: &format.StringType{}}
	case instant:
		e.ConvertedType = thrift.New(deprecated.TimestampMicros)
		e.LogicalType = format.LogicalType{Value: &format.TimestampType{
			IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}},
		}}
	}
	return e
}

// schema is the footer's list of a root and its columns.
func schema(columns []column) []format.SchemaElement {
	root := format.SchemaElement{Name: "skerry", NumChildren: thrift.New(int32(len(columns)))}
	list := []format.SchemaElement{root}
	for i := range columns {
		list = append(list, columns[i].element())
	}
	return list
}
