package demo_test

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/cmd/skerry/demo"
)

// three nodes, the old leader of which was just killed.
var electing = []cluster.Status{
	{},
	{Node: "n2", State: "leader", Leader: "n2", Term: 3, LastSeq: 1200, HeadReadings: 200, SyncedSeq: 1000, AppliedIndex: 77, Cuts: 1, LastFrame: 4, Digest: "77:c0ffee", Ready: true},
	{Node: "n3", State: "follower", Leader: "n1", Term: 2, LastSeq: 1100, AppliedIndex: 70, Digest: "70:f00d", Ready: true},
}

func TestTheScreenShowsWhoLeadsAndHowFarTheBucketIs(t *testing.T) {
	got := demo.Draw(12*time.Second, time.Minute, electing, "kill -9 100: leader n1 is dead")
	want := `skerry demo  12s  (48s left)

leader      n2 in term 3
devices     80 messages/s acknowledged, p50 900µs, p99 12.35ms, 960 so far, 2 tried again
site        1200 readings, 200 in the head, 1 cuts, 4 frames
bucket      file:///b, 200 readings behind

NODE  PID  STATE     READINGS  HEAD  DIGEST     HTTP
n1    0    killed    0         0                http://127.0.0.1:7480
n2    101  leader    1200      200   77:c0ffee  http://127.0.0.1:7480
n3    102  follower  1100      0     70:f00d    http://127.0.0.1:7480

00:00:00  kill -9 100: leader n1 is dead
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheScreenSaysWhenNobodyLeads(t *testing.T) {
	got := demo.Draw(time.Second, 0, make([]cluster.Status, 3))
	for _, want := range []string{"leader      none, electing in term 0", "Ctrl-C ends it"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
}

func TestPlainLinesSayTheSame(t *testing.T) {
	var got bytes.Buffer
	demo.Line(&got, 5*time.Second, electing)
	if want := "   5s  leader n2 term 3  80 messages/s  p99 12.35ms  readings 1200  head 200  behind 200\n"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestTheJournalKeepsTheLastEvents(t *testing.T) {
	got := demo.Journal("1", "2", "3", "4", "5", "6", "7", "8")
	if want := []string{"3", "4", "5", "6", "7", "8"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAReportSaysWhatPartOfThePromiseWasNotKept(t *testing.T) {
	kept := demo.Report{Nodes: 3, Acked: 10, Stored: 10, Synced: 10}
	tests := []struct {
		name   string
		change func(*demo.Report)
		want   string // in the error, "" for none
	}{
		{"everything kept is no error", func(*demo.Report) {}, ""},
		{"a message without an answer may be stored", func(r *demo.Report) { r.Unanswered, r.Stored, r.Synced = 1, 11, 11 }, ""},
		{"lost", func(r *demo.Report) { r.Lost = 1 }, "1 lost, 0 duplicates"},
		{"twice", func(r *demo.Report) { r.Duplicates = 2 }, "0 lost, 2 duplicates"},
		{"stored less than acknowledged", func(r *demo.Report) { r.Stored = 9 }, "9 readings are stored, 10 were acknowledged"},
		{"not in the bucket", func(r *demo.Report) { r.Synced = 9 }, "9 readings are in the bucket, 10 are stored"},
		{"a damaged bucket", func(r *demo.Report) { r.Damage = 1 }, "the bucket is damaged"},
		{"nothing happened", func(r *demo.Report) { *r = demo.Report{} }, "no reading was acknowledged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := kept
			tt.change(&r)
			err := r.Err()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAReportIsPrintedWithItsRelations(t *testing.T) {
	var got bytes.Buffer
	r := demo.Report{Nodes: 3, Acked: 10, Stored: 10, Synced: 9, Seconds: 30, Bucket: "file:///b", Details: []string{"n1: lost: x"}}
	if err := r.Print(&got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lost: 0, duplicates: 0\n", "stored = acked (10, 10)\n", "synced < stored (9, 10)\n", "n1: lost: x\n"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", got.String(), want)
		}
	}
}

func TestAReplayedFileEndsWithTheLoadAndIsNotReadAhead(t *testing.T) {
	file, over := demo.UntilOver(strings.NewReader("one\ntwo\nthree\n"))
	lines := bufio.NewScanner(file)
	if !lines.Scan() || lines.Text() != "one" {
		t.Fatalf("got %q, want the first line", lines.Text())
	}
	over()
	if lines.Scan() {
		t.Errorf("got %q after the end, want nothing", lines.Text())
	}
	rest, err := io.ReadAll(file)
	if err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v after the end", rest, err)
	}
}
