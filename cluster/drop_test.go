package cluster_test

import (
	"testing"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
)

// The node that lets go of a cut may be writing its file, as after a start. The
// write must end well, or the node takes its disk for broken and stops.
func TestAFileThatIsBeingWrittenWhileItsRowsAreDroppedGoesAfterwards(t *testing.T) {
	d := disk.NewMemory()
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	rows := []fsm.Reading{
		{Seq: 1, Device: "pump", Resource: "t", Time: at.UnixMicro(), Received: at.UnixMicro(), Value: fsm.NumberValue(1)},
		{Seq: 2, Device: "pump", Resource: "t", Time: at.UnixMicro(), Received: at.UnixMicro(), Value: fsm.NumberValue(2)},
	}
	cut := fsm.Cut{First: 1, Last: 2, Day: int32(at.Unix() / 86400)}
	for i := range rows {
		cut.Digest.Add(fsm.HashReading(&rows[i]))
	}
	listed, err := cluster.DropWhileWriting(d, rows, cut, 3)
	if err != nil || listed {
		t.Fatalf("got err %v and a listed file %t, want the file written, and gone after the next look", err, listed)
	}
	names, err := d.List("segments/readings")
	if err != nil || len(names) > 0 {
		t.Errorf("got files %q, %v, want none", names, err)
	}
}
