package delta_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"skerry/cloudsync/delta"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(tb testing.TB, name string, got []byte) {
	tb.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if string(got) != string(want) {
		tb.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

var epoch = delta.Epoch{Incarnation: 1, Lineage: "000102030405060708090a0b0c0d0e0f", Term: 7}

// claim is commit 0 of a table.
func claim() *delta.Commit {
	return &delta.Commit{
		Info: &delta.CommitInfo{
			Timestamp: 1795297069141, Operation: "CREATE TABLE", OperationParameters: map[string]any{},
			IsBlindAppend: true, EngineInfo: "skerry/1.0.0",
			Skerry: &delta.Info{Format: 1, Site: "demo", Stream: "readings", Epoch: epoch, Node: "n1", Pending: []delta.Range{}},
		},
		Protocol: &delta.Protocol{MinReaderVersion: delta.ReaderVersion, MinWriterVersion: delta.WriterVersion},
		MetaData: &delta.MetaData{
			ID: delta.TableID(epoch.Lineage, "readings"), Name: "demo_readings",
			Format:       delta.Format{Provider: "parquet", Options: map[string]string{}},
			SchemaString: delta.SchemaString(delta.ReadingsColumns), PartitionColumns: []string{},
			Configuration: map[string]string{}, CreatedTime: 1795297069141,
		},
	}
}

// shipment is commit 1 of the table, after previous.
func shipment(tb testing.TB, previous []byte) *delta.Commit {
	tb.Helper()
	stats := delta.NewStats(1000)
	stats.Set("seq", 1, 1000)
	stats.Set("device", "a <b> & \"c\"", "z")
	stats.SetTime("time", 1795297069141001, 1795297069141001)
	s, err := stats.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return &delta.Commit{
		Info: &delta.CommitInfo{
			Timestamp: 1795297070000, Operation: "WRITE", OperationParameters: map[string]any{"mode": "Append"},
			IsBlindAppend: true, EngineInfo: "skerry/1.0.0",
			Skerry: &delta.Info{
				Format: 1, Site: "demo", Stream: "readings", Commit: 1, Epoch: epoch, Node: "n1",
				Range: &delta.Range{First: 1, Last: 1000}, Pending: []delta.Range{{First: 1001, Last: 1500}},
				Previous: delta.Sum(previous),
			},
		},
		Txns: []delta.Txn{{AppID: "demo", Version: 1, LastUpdated: 1795297070000}},
		Adds: []delta.Add{{
			Path: "data/2026-11-21/1-1000-0123456789abcdef.parquet", PartitionValues: map[string]string{}, Size: 4711,
			ModificationTime: 1795297069000, DataChange: true, Stats: s,
			Tags: map[string]string{delta.TagSHA256: strings.Repeat("0123456789abcdef", 4), delta.TagDigest: strings.Repeat("ab", 16)},
		}},
	}
}

func encoded(tb testing.TB, c *delta.Commit) []byte {
	tb.Helper()
	b, err := c.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestCommitsKeepTheirBytes(t *testing.T) {
	zero := encoded(t, claim())
	golden(t, "claim.json", zero)
	golden(t, "shipment.json", encoded(t, shipment(t, zero)))
}

func TestCommitsReadBack(t *testing.T) {
	for _, want := range []*delta.Commit{claim(), shipment(t, nil)} {
		got, err := delta.Decode(encoded(t, want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestDecodeReadsForeignCommits(t *testing.T) {
	c, err := delta.Decode([]byte(`{"commitInfo":{"operation":"OPTIMIZE","operationParameters":{"predicate":"[]","zOrderBy":[1]},"isolationLevel":"SnapshotIsolation"}}
{"remove":{"path":"a.parquet","dataChange":false,"deletionTimestamp":1,"extendedFileMetadata":true}}

{"add":{"path":"b.parquet","partitionValues":{},"size":1,"modificationTime":2,"dataChange":false,"clusteringProvider":"x"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Own() != nil || c.ChangesData() || len(c.Adds) != 1 || len(c.Removes) != 1 {
		t.Errorf("commit = %+v, want a foreign one that changes no data", c)
	}
}

func TestChangesData(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       bool
	}{
		{"new rows", `{"add":{"path":"a","dataChange":true}}`, true},
		{"rows taken out", `{"remove":{"path":"a","dataChange":true}}`, true},
		{"rows hidden by a vector", `{"add":{"path":"a","dataChange":false,"deletionVector":{"storageType":"u"}}}`, true},
		{"another protocol", `{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}`, true},
		{"other settings", `{"metaData":{"id":"x"}}`, true},
		{"an action not known here", `{"domainMetadata":{"domain":"x"}}`, true},
		{"files rewritten", `{"add":{"path":"a","dataChange":false}}`, false},
		{"another application's mark", `{"txn":{"appId":"x","version":1}}`, false},
		{"a word only", `{"commitInfo":{"operation":"VACUUM END"}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := delta.Decode([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if got.ChangesData() != c.want {
				t.Errorf("ChangesData = %v, want %v", got.ChangesData(), c.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	whole := string(encoded(t, claim()))
	for _, c := range []struct {
		name, body string
		want       error
	}{
		{"what is not JSON", "PAR1", delta.ErrFormat},
		{"two actions in a line", `{"txn":{},"add":{}}`, delta.ErrFormat},
		{"an empty object", `{}`, delta.ErrFormat},
		{"a second protocol", "{\"protocol\":{}}\n{\"protocol\":{}}", delta.ErrFormat},
		{"a field of another type", `{"add":{"path":1}}`, delta.ErrFormat},
		{"too much", strings.Repeat(" ", delta.MaxCommit+1), delta.ErrFormat},
		{"a changed letter", strings.Replace(whole, "n1", "n2", 1), delta.ErrChecksum},
		{"a line more", whole + `{"txn":{"appId":"x","version":1}}`, delta.ErrChecksum},
		{"no checksum", strings.Replace(whole, `"checksum"`, `"Checksum"`, 1), delta.ErrChecksum},
		{"a newer format", strings.Replace(whole, `"format":1`, `"format":2`, 1), delta.ErrNewer},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := delta.Decode([]byte(c.body)); !errors.Is(err, c.want) {
				t.Errorf("Decode = %v, want %v", err, c.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	if got, want := delta.Name(42), "_delta_log/00000000000000000042.json"; got != want {
		t.Errorf("Name(42) = %s, want %s", got, want)
	}
	if n, ok := delta.ParseName(delta.Name(42)); n != 42 || !ok {
		t.Errorf("ParseName = %d, %v, want 42", n, ok)
	}
	for _, name := range []string{
		"_delta_log/_last_checkpoint", "_delta_log/00000000000000000042.checkpoint.parquet", "_delta_log/42.json",
		"_delta_log/-0000000000000000042.json", "_delta_log/+0000000000000000042.json", "_delta_log/99999999999999999999.json", "00000000000000000042.json",
	} {
		if _, ok := delta.ParseName(name); ok {
			t.Errorf("ParseName(%q) is a commit", name)
		}
	}
}

func TestStatsOfTimes(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMicro()
	}
	for _, c := range []struct {
		name             string
		least, greatest  int64
		wantMin, wantMax any
	}{
		{"the least is rounded down and the greatest up", at("2026-11-21T21:00:00.123456Z"), at("2026-11-21T21:00:00.123456Z"), "2026-11-21T21:00:00.123Z", "2026-11-21T21:00:00.124Z"},
		{"whole milliseconds stay", at("2026-11-21T21:00:00.5Z"), at("2026-11-21T21:00:00.5Z"), "2026-11-21T21:00:00.500Z", "2026-11-21T21:00:00.500Z"},
		{"before 1970 too", at("1969-12-31T23:59:59.999999Z"), at("1969-12-31T23:59:59.999999Z"), "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z"},
		{"a time past the year 9999 says nothing", 0, 1 << 62, nil, nil},
		{"a time before the year 1 says nothing", -1 << 62, 0, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := delta.NewStats(1)
			s.SetTime("time", c.least, c.greatest)
			if s.MinValues["time"] != c.wantMin || s.MaxValues["time"] != c.wantMax {
				t.Errorf("got %v to %v, want %v to %v", s.MinValues["time"], s.MaxValues["time"], c.wantMin, c.wantMax)
			}
		})
	}
}

func TestStatsKeepLargeSeqs(t *testing.T) {
	s := delta.NewStats(1)
	s.Set("seq", int64(1<<60+1), int64(1<<60+1))
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := delta.DecodeStats(b)
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := got.Range("seq"); !ok || r.First != 1<<60+1 {
		t.Errorf("Range = %v, %v, want 2^60+1", r, ok)
	}
	if _, ok := got.Range("device"); ok {
		t.Error("a column without statistics has a range")
	}
}

func TestEpochs(t *testing.T) {
	for _, c := range []struct {
		name    string
		a, b    delta.Epoch
		want    int
		wantErr error
	}{
		{"a later term is later", delta.Epoch{1, "x", 2}, delta.Epoch{1, "x", 1}, 1, nil},
		{"a leader is itself", delta.Epoch{1, "x", 2}, delta.Epoch{1, "x", 2}, 0, nil},
		{"an incarnation counts before a term", delta.Epoch{1, "x", 9}, delta.Epoch{2, "y", 1}, -1, nil},
		{"two lineages of one incarnation have no order", delta.Epoch{1, "x", 1}, delta.Epoch{1, "y", 2}, 0, delta.ErrLineage},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := c.a.Compare(c.b); got != c.want || !errors.Is(err, c.wantErr) {
				t.Errorf("Compare = %d, %v, want %d, %v", got, err, c.want, c.wantErr)
			}
		})
	}
}

func TestLogAddsUp(t *testing.T) {
	l := delta.NewLog()
	zero := claim()
	if err := l.Apply(0, zero); err != nil {
		t.Fatal(err)
	}
	one := shipment(t, encoded(t, zero))
	if err := l.Apply(1, one); err != nil {
		t.Fatal(err)
	}
	if l.Version != 1 || l.Protocol.MinReaderVersion != 1 || l.MetaData.Name != "demo_readings" || l.Txns["demo"] != 1 || len(l.Files) != 1 {
		t.Errorf("log = %+v", l)
	}
	if err := l.Apply(3, one); !errors.Is(err, delta.ErrOrder) || !errors.Is(err, delta.ErrTwice) {
		t.Errorf("the same commit again as number 3 = %v, want ErrOrder and ErrTwice", err)
	}
	if err := l.Apply(4, &delta.Commit{Removes: []delta.Remove{{Path: one.Adds[0].Path}}}); err != nil || len(l.Files) != 0 {
		t.Errorf("remove = %v, %d files left", err, len(l.Files))
	}
	if err := l.Apply(5, &delta.Commit{Removes: []delta.Remove{{Path: "x"}}}); !errors.Is(err, delta.ErrAbsent) {
		t.Errorf("remove of nothing = %v, want ErrAbsent", err)
	}
}

func TestSchemas(t *testing.T) {
	for name, columns := range map[string][]delta.Column{
		"readings": delta.ReadingsColumns, "frames": delta.FramesColumns, "gaps": delta.GapsColumns,
	} {
		if s := delta.SchemaString(columns); !json.Valid([]byte(s)) {
			t.Errorf("schema of %s is not JSON: %s", name, s)
		} else {
			golden(t, "schema-"+name+".json", []byte(s+"\n"))
		}
	}
}

func FuzzDecode(f *testing.F) {
	zero, err := claim().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(zero)
	f.Add([]byte(`{"remove":{"path":"a","dataChange":true}}`))
	f.Add([]byte(`{"commitInfo":{"skerry":{"range":{"first":1,"last":0}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := delta.Decode(body)
		if err != nil || len(c.Other) > 0 {
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatalf("a commit that was read cannot be written: %v", err)
		}
		got, err := delta.Decode(again)
		if err != nil {
			t.Fatalf("a commit that was written cannot be read: %v\n%s", err, again)
		}
		third, err := got.Encode()
		if err != nil || string(third) != string(again) {
			t.Fatalf("the commit changed from\n%s\nto\n%s", again, third)
		}
	})
}

func FuzzDecodeStats(f *testing.F) {
	f.Add(`{"numRecords":1,"minValues":{"seq":1},"maxValues":{"seq":1e400},"nullCount":{}}`)
	f.Fuzz(func(t *testing.T, stats string) {
		if s, err := delta.DecodeStats(stats); err == nil {
			s.Range("seq")
		}
	})
}
