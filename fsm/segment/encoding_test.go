package segment_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"skerry/fsm"
)

// outside opens a file with a reader that knows nothing of skerry.
func outside(tb testing.TB, b []byte) *parquet.File {
	tb.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		tb.Fatalf("parquet.OpenFile: %v", err)
	}
	return f
}

func TestOnlyEncodingsThatAllEnginesRead(t *testing.T) {
	frames, pictures := album(30)
	rows, names := sensors(100_000, 100, 8)
	sensorFile, _ := written(t, rows, names)
	files := map[string][]byte{
		"readings of sensors":   sensorFile,
		"readings of all kinds": writtenReadings(t, mixed()),
		"frames":                writtenFrames(t, frames, pictures),
	}
	allowed := []format.Encoding{format.Plain, format.RLE, format.RLEDictionary}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			f := outside(t, file)
			for _, g := range f.Metadata().RowGroups {
				for _, c := range g.Columns {
					column := c.MetaData.PathInSchema[0]
					for _, e := range c.MetaData.Encoding {
						if !slices.Contains(allowed, e) {
							t.Errorf("%s has pages in %s", column, e)
						}
					}
					for _, e := range c.MetaData.EncodingStats {
						if !slices.Contains(allowed, e.Encoding) || e.PageType == format.DataPageV2 {
							t.Errorf("%s has %d pages of %s in %s", column, e.Count, e.PageType, e.Encoding)
						}
					}
					if codec := c.MetaData.Codec; codec != format.Zstd && column != "data" {
						t.Errorf("%s is packed with %s", column, codec)
					}
				}
			}
		})
	}
}

// The other reader prints plain integers as INT(64,true) and INT(32,true).
func TestColumnsHaveTheTypesOfTheTable(t *testing.T) {
	frames, pictures := album(2)
	readingFile, frameFile := outside(t, writtenReadings(t, mixed())), outside(t, writtenFrames(t, frames, pictures))
	tests := []struct {
		name string
		file *parquet.File
		want string
	}{
		{"of readings", readingFile, `message skerry {
	required int64 seq (INT(64,true));
	required binary device (STRING);
	required binary resource (STRING);
	optional binary unit (STRING);
	required int64 time (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	required int64 received (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	optional double value;
	optional boolean flag;
	optional binary text (STRING);
	optional binary data;
}`},
		{"of frames", frameFile, `message skerry {
	required int64 seq (INT(64,true));
	required binary device (STRING);
	required binary resource (STRING);
	required int64 time (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	required int64 received (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	required int32 width (INT(32,true));
	required int32 height (INT(32,true));
	required int32 size (INT(32,true));
	required binary sha256;
	required binary data;
}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.file.Schema().String(); got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestAnotherReaderFindsTheSameValues(t *testing.T) {
	readings := mixed()
	f := outside(t, writtenReadings(t, readings))
	seen := 0
	for _, g := range f.RowGroups() {
		r := g.Rows()
		buf := make([]parquet.Row, 7)
		for {
			n, err := r.ReadRows(buf)
			for _, row := range buf[:n] {
				want := &readings[row[0].Int64()-1]
				if got := rowOf(row); !same([]fsm.Reading{got}, []fsm.Reading{*want}) {
					t.Errorf("got %+v, want %+v", got, *want)
				}
				seen++
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if seen != len(readings) {
		t.Errorf("got %d rows, want %d", seen, len(readings))
	}
}

// rowOf is the reading in a row of the other reader.
func rowOf(row parquet.Row) fsm.Reading {
	r := fsm.Reading{
		Seq: fsm.Seq(row[0].Int64()), Device: string(row[1].ByteArray()), Resource: string(row[2].ByteArray()),
		Unit: string(row[3].ByteArray()), Time: row[4].Int64(), Received: row[5].Int64(),
	}
	switch {
	case !row[6].IsNull():
		r.Value = fsm.NumberValue(row[6].Double())
	case !row[7].IsNull():
		r.Value = fsm.FlagValue(row[7].Boolean())
	case !row[8].IsNull():
		r.Value = fsm.TextValue(string(row[8].ByteArray()))
	case !row[9].IsNull():
		r.Value = fsm.DataValue(bytes.Clone(row[9].ByteArray()))
	}
	return r
}
