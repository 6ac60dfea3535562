package fsm_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skerry/fsm"
)

var update = flag.Bool("update", false, "write testdata/*.hex anew: only for formats that nobody has on disk yet")

// goldenCommands is one command of each op, with every field set.
func goldenCommands() map[string]fsm.Command {
	return map[string]fsm.Command{
		"readings": &fsm.Batch{Born: 7 * second, Waited: 1500, Items: []fsm.Item{
			{Key: fsm.Key{1, 2, 3}, Records: []fsm.Record{
				{Device: "pump-7", Resource: "temperature", Unit: "Cel", Time: noon, Value: fsm.NumberValue(21.6)},
				{Device: "pump-7", Resource: "running", Time: -5 * second, Relative: true, Value: fsm.FlagValue(true)},
			}},
			{Key: fsm.Key{15: 9}, Content: 0x1122334455667788, Records: []fsm.Record{
				{Device: "gate/é", Resource: "note", Time: noon + 1, Value: fsm.TextValue("grüße")},
				{Device: "gate/é", Resource: "raw", Time: noon + 1, Value: fsm.DataValue([]byte{0, 255})},
			}},
		}},
		"frame": &fsm.FrameCommand{
			Born: 7 * second, Waited: 1500, Key: fsm.Key{4, 5, 6}, Content: 3, Device: "cam-1", Resource: "motion",
			Time: -2, Relative: true, Width: 640, Height: 480, JPEG: []byte{0xff, 0xd8, 0xff, 0xd9},
		},
		"genesis":    testGenesis(),
		"cut":        fsm.CutCommand{},
		"synced":     fsm.SyncedCommand{Term: 3, Stream: fsm.Gaps, First: 1, Last: 9, Version: 4},
		"gap":        fsm.GapCommand{Term: 3, First: 1, Last: 9, Reason: "disk full"},
		"createtask": countTask("hot", "pump-*"),
		"canceltask": fsm.CancelTaskCommand{ID: "hot"},
		"assignrun":  fsm.AssignRunCommand{Term: 3, Task: "hot", Attempt: 2, Node: "n1", Lease: minute},
		"renewrun":   fsm.RenewRunCommand{Task: "hot", Attempt: 2, Node: "n1", Lease: minute},
		"advancerun": fsm.AdvanceRunCommand{
			Task: "hot", Attempt: 2, Node: "n1", From: 5, To: 9, State: []byte("saved"), Lease: minute,
			Output: []fsm.Record{number("counts", 3)},
		},
		"putdevice": fsm.PutDeviceCommand{
			Name: "pump-7", Note: "hall 2, by the door", Writes: []string{"pump-7/*", "valve-?"}, Create: true,
		},
		"removedevice": fsm.RemoveDeviceCommand{Name: "pump-7"},
		"addkey":       fsm.AddKeyCommand{Device: "pump-7", Identity: "pump-7.2", Secret: []byte("0123456789abcdef"), Overlap: minute},
		"revokekey":    fsm.RevokeKeyCommand{Device: "pump-7", Identity: "pump-7.1"},
		"putdocument": fsm.PutDocumentCommand{
			Device: "pump-7", Kind: fsm.Reported, Format: 50, Body: []byte(`{"speed":3}`), IfMatch: []uint64{4, 5}, IfExists: true, By: key("put"),
		},
		"deletedocument": fsm.PutDocumentCommand{Device: "pump-7", Delete: true},
		"register": fsm.RegisterCommand{
			ID: "4521", Endpoint: "node1", Sector: "hall 2", Base: "coap://[2001:db8::1]", Attributes: []string{"et=oic.d.sensor"},
			Links: `</temp>;rt="temperature-c"`, Lifetime: 90_000,
		},
		"renewregistration": fsm.RenewRegistrationCommand{ID: "4521", Base: ptr("coap://[2001:db8::2]"), Attributes: ptr([]string{}), Lifetime: ptr(int64(60)), Links: ptr("")},
		"unregister":        fsm.UnregisterCommand{ID: "4521"},
		"lease":             fsm.LeaseCommand{Name: "address", Holder: "n1", Duration: 2 * second},
		"raiselevel":        fsm.RaiseLevel{Term: 3, Level: 2},
		"setretention": fsm.SetRetentionCommand{Version: 4, Retention: fsm.Retention{
			Readings: fsm.Keep{Age: 30 * dayMicros, Bytes: 8 << 30}, Frames: fsm.Keep{Age: dayMicros, Bytes: 1 << 30}, Unshipped: true,
		}},
		"retain": fsm.RetainCommand{Term: 3, Stream: fsm.Frames, From: 1 << 40, Reason: "the disks are full"},
		"letgo":  fsm.LetGoCommand{Term: 3, Server: "n1-0123456789abcdef", Stream: fsm.Readings, Before: 77},
		"seen":   fsm.SeenCommand{Term: 3, Servers: []fsm.Seen{{ID: "n1.0123456789abcdef", Generation: 4, Held: 1 << 33}, {ID: "n2.0123456789abcdef"}}},
		"erase":  fsm.EraseCommand{Device: "pump-7"},
		"tick":   fsm.Tick{},
		"conditional": &fsm.ConditionalBatch{
			If: fsm.Condition{Device: "pump-7", Resource: "temperature", Seqs: []fsm.Seq{3, 1 << 40}},
			Batch: fsm.Batch{Born: 7 * second, Waited: 1500, Items: []fsm.Item{
				{Key: fsm.Key{1, 2, 3}, Content: 4, Records: []fsm.Record{number("pump-7", 21.6)}},
			}},
		},
	}
}

func ptr[T any](v T) *T { return &v }

func TestGolden_EntriesHaveTheBytesOnDisk(t *testing.T) {
	for name, cmd := range goldenCommands() {
		t.Run(name, func(t *testing.T) {
			op, body := fsm.Encode(cmd)
			h := fsm.Header{Op: op, ClockUnknown: name == "cut", LogTime: 8 * second, Received: noon}
			entry := fsm.AppendEntry(nil, h, body)
			golden(t, name, entry)
			got, rest, err := fsm.DecodeHeader(entry)
			if err != nil || got != h {
				t.Fatalf("got header %+v, err %v, want %+v", got, err, h)
			}
			if err := fsm.Check(op, body); err != nil {
				t.Error(err)
			}
			switch cmd := cmd.(type) {
			case *fsm.Batch:
				back, err := fsm.DecodeBatch(body)
				if err != nil || !equal(back, cmd) || !bytes.HasSuffix(rest, body) {
					t.Errorf("got %+v, err %v, want %+v", back, err, cmd)
				}
			case *fsm.FrameCommand:
				back, err := fsm.DecodeFrame(body)
				if err != nil || !equal(back, cmd) {
					t.Errorf("got %+v, err %v, want %+v", back, err, cmd)
				}
			case *fsm.ConditionalBatch:
				back, err := fsm.DecodeConditional(body)
				if err != nil || !equal(back, cmd) {
					t.Errorf("got %+v, err %v, want %+v", back, err, cmd)
				}
			}
		})
	}
}

func TestGolden_SnapshotHasTheBytesOnDisk(t *testing.T) {
	b := snapshot(t, furnished(t).a)
	golden(t, "snapshot", b)
	if again := snapshot(t, restore(t, b)); !bytes.Equal(again, b) {
		t.Error("what it restores to has another snapshot")
	}
}

func TestGolden_SnapshotOfTheNewestLevelHasTheBytesOnDisk(t *testing.T) {
	b := snapshot(t, storied(t).a)
	golden(t, "snapshot3", b)
	if again := snapshot(t, restore(t, b)); !bytes.Equal(again, b) {
		t.Error("what it restores to has another snapshot")
	}
}

func TestGolden_ASnapshotOfTheFirstFormatIsRead(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "snapshot1.hex"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := view(restore(t, old)), view(full(t).a); !equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGolden_DigestOfALifeIsTheSameForever(t *testing.T) {
	golden(t, "digest", []byte(full(t).a.DigestString()))
}

// golden compares b with testdata/name.hex, in lines of 32 bytes.
func golden(tb testing.TB, name string, b []byte) {
	tb.Helper()
	var text strings.Builder
	for line := b; len(line) > 0; {
		n := min(32, len(line))
		fmt.Fprintln(&text, hex.EncodeToString(line[:n]))
		line = line[n:]
	}
	file := filepath.Join("testdata", name+".hex")
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			tb.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	if text.String() != string(want) {
		tb.Errorf("%s has other bytes than before:\n%swant\n%s", name, text.String(), want)
	}
}
