package segment_test

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// tableRow is a row as an independent reader sees it.
type tableRow struct {
	Seq      int64    `parquet:"seq"`
	Device   string   `parquet:"device"`
	Resource string   `parquet:"resource"`
	Unit     *string  `parquet:"unit"`
	Time     int64    `parquet:"time"`
	Received int64    `parquet:"received"`
	Value    *float64 `parquet:"value"`
	Flag     *bool    `parquet:"flag"`
	Text     *string  `parquet:"text"`
	Data     *[]byte  `parquet:"data"`
}

func TestATableHoldsReadingsOfAnySeqs(t *testing.T) {
	rows, names := sensors(70_000, 9, 3) // more than a row group
	var want []fsm.Reading
	for i := range rows.Len() {
		r := rows.Reading(i, names)
		if i%3 == 0 {
			continue // holes in the seqs
		}
		switch i % 7 {
		case 1:
			r.Value = fsm.FlagValue(i%2 == 0)
		case 2:
			r.Value = fsm.TextValue("t")
		case 4:
			r.Value = fsm.DataValue([]byte{byte(i)})
		}
		want = append(want, r)
	}
	want = append(want, want...)[:100_000%len(want)+len(want)]
	var b bytes.Buffer
	table, err := segment.NewTable(&b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if err := table.Add(&want[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := segment.Open(bytes.NewReader(b.Bytes()), int64(b.Len())); err == nil {
		t.Error("a table opens as a segment")
	}
	got := readTable(t, b.Bytes())
	key := func(a, b fsm.Reading) int { return cmp.Compare(a.Seq, b.Seq) }
	slices.SortStableFunc(got, key)
	slices.SortStableFunc(want, key)
	if !same(got, want) {
		t.Fatalf("%d readings come back, want %d", len(got), len(want))
	}
}

func TestATableWithoutReadingsIsAFile(t *testing.T) {
	var b bytes.Buffer
	table, err := segment.NewTable(&b)
	if err == nil {
		err = table.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := readTable(t, b.Bytes()); len(got) != 0 {
		t.Errorf("%d readings", len(got))
	}
	if err := table.Add(&fsm.Reading{Value: fsm.NumberValue(1)}); err == nil {
		t.Error("a closed table takes readings")
	}
}

func readTable(tb testing.TB, b []byte) (list []fsm.Reading) {
	tb.Helper()
	f := parquet.NewGenericReader[tableRow](bytes.NewReader(b))
	defer func() { _ = f.Close() }()
	page := make([]tableRow, 1000)
	for {
		clear(page)
		n, err := f.Read(page)
		for _, x := range page[:n] {
			r := fsm.Reading{Seq: fsm.Seq(x.Seq), Device: x.Device, Resource: x.Resource, Time: x.Time, Received: x.Received}
			if x.Unit != nil {
				r.Unit = *x.Unit
			}
			switch {
			case x.Value != nil:
				r.Value = fsm.NumberValue(*x.Value)
			case x.Flag != nil:
				r.Value = fsm.FlagValue(*x.Flag)
			case x.Text != nil:
				r.Value = fsm.TextValue(*x.Text)
			case x.Data != nil:
				r.Value = fsm.DataValue(bytes.Clone(*x.Data))
			}
			list = append(list, r)
		}
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}
