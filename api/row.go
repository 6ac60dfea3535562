package api

import (
	"encoding/base64"
	"strconv"
	"time"

	"skerry/fsm"
)

// timeFormat is RFC 3339 with microseconds; times are written in UTC.
const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

func formatTime(micros int64) string { return time.UnixMicro(micros).UTC().Format(timeFormat) }

// row is a reading as JSON shows it: exactly one of the four values is set.
type row struct {
	Seq      fsm.Seq  `json:"seq"`
	Device   string   `json:"device"`
	Resource string   `json:"resource"`
	Unit     string   `json:"unit,omitempty"`
	Time     string   `json:"time"`
	Received string   `json:"received"`
	Value    *float64 `json:"value,omitempty"`
	Flag     *bool    `json:"flag,omitempty"`
	Text     *string  `json:"text,omitempty"`
	Data     *[]byte  `json:"data,omitempty"` // base64
}

func rowOf(r *fsm.Reading) row {
	out := row{
		Seq: r.Seq, Device: r.Device, Resource: r.Resource, Unit: r.Unit,
		Time: formatTime(r.Time), Received: formatTime(r.Received),
	}
	switch r.Value.Kind {
	case fsm.Number:
		out.Value = &r.Value.Number
	case fsm.Flag:
		out.Flag = &r.Value.Flag
	case fsm.Text:
		out.Text = &r.Value.Text
	case fsm.Data:
		out.Data = &r.Value.Data
	}
	return out
}

func rowsOf(readings []fsm.Reading) []row {
	rows := make([]row, len(readings))
	for i := range readings {
		rows[i] = rowOf(&readings[i])
	}
	return rows
}

// valueColumns are the fields of a value, named as in the bucket's table, and
// columns those of a reading in a CSV answer.
var (
	valueColumns = []string{"value", "flag", "text", "data"}
	columns      = append([]string{"seq", "device", "resource", "unit", "time", "received"}, valueColumns...)
)

// valueCells is a value as CSV shows it; the cells of other kinds are empty.
func valueCells(v fsm.Value) []string {
	out := make([]string, len(valueColumns))
	switch v.Kind {
	case fsm.Number:
		out[0] = fsm.FormatNumber(v.Number)
	case fsm.Flag:
		out[1] = strconv.FormatBool(v.Flag)
	case fsm.Text:
		out[2] = v.Text
	case fsm.Data:
		out[3] = base64.StdEncoding.EncodeToString(v.Data)
	}
	return out
}

// record is a reading as CSV shows it.
func record(r *fsm.Reading) []string {
	out := []string{
		strconv.FormatUint(uint64(r.Seq), 10), r.Device, r.Resource, r.Unit, formatTime(r.Time), formatTime(r.Received),
	}
	return append(out, valueCells(r.Value)...)
}
