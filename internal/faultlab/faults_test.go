package faultlab_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	_ "skerry/internal/clustertest" // makes the compressors outside of any bubble
	"skerry/internal/faultlab"
)

var (
	seed   = flag.Uint64("faults.seed", 1, "seed of the site")
	hours  = flag.Float64("faults.hours", 0.1, "virtual hours")
	mode   = flag.String("faults.mode", string(faultlab.All), "kind of faults")
	out    = flag.String("faults.out", "", "directory of traces")
	report = flag.String("faults.report", "", "file for the report; without it TestSite is skipped")
	again  = flag.Bool("faults.again", false, "all seeds that found a violation, for as long as that took")
	debug  = flag.Bool("faults.debug", false, "nodes' debug lines are in traces")
)

// TestSite is one site of `make faults`.
func TestSite(t *testing.T) {
	if *report == "" {
		t.Skip("run by `make faults`")
	}
	m, err := faultlab.ParseMode(*mode)
	if err != nil {
		t.Fatal(err)
	}
	r := faultlab.Run(t, faultlab.Plan{
		Seed: *seed, Mode: m, Virtual: time.Duration(*hours * float64(time.Hour)), Out: *out, Debug: *debug,
	})
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*report, b, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d nodes, %s, in %s: %s", r.Nodes, r.Profile, r.Wall, r.String())
}

// shortSeeds are run by `make test`, each for two epochs or so: some of each
// profile and size.
var shortSeeds = []uint64{1, 2, 3, 4, 5}

func TestASiteKeepsItsPromisesUnderFaults(t *testing.T) {
	for _, seed := range shortSeeds {
		r := faultlab.Run(t, faultlab.Plan{Seed: seed, Mode: faultlab.All, Virtual: 6 * time.Minute, Out: t.ArtifactDir()})
		t.Logf("seed %d, %d nodes, %s, in %s: %s", seed, r.Nodes, r.Profile, r.Wall, r.String())
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s (what happened is in %s)", seed, v, r.Trace)
		}
	}
}

// foundSeeds once found a violation, after so much virtual time.
var foundSeeds = []struct {
	seed  uint64
	until time.Duration
	found string
}{
	{3001, 770 * time.Second, "a hole in the order of readings"},
	{3008, time.Hour, "a lock held over the sync of a directory"},
	{3010, 1513 * time.Second, "a hole in the order of readings"},
	{3011, time.Hour, "a lock held over the sync of a directory"},
	{3016, 1134 * time.Second, "a hole in the order of readings"},
	{3021, time.Hour, "a lock held over the sync of a directory"},
	{3024, 519 * time.Second, "a hole in the order of readings"},
	{3025, 1778 * time.Second, "an old card that was believed"},
	{3028, 479 * time.Second, "a hole in the order of readings"},
	{10041, 1438 * time.Second, "a lease that an old call gave back"},
	{10049, 1634 * time.Second, "a lease that an old call gave back"},
	{10075, 4369 * time.Second, "a node that waited for servers that its site had taken out"},
	{12094, time.Hour, "a stop that waited for raft for ever"},
	{12211, time.Hour, "a removed identity that came back"},
	{12390, 2120 * time.Second, "a removed identity that came back"},
	{15074, 1620 * time.Second, "a log that a snapshot of before removed"},
	{16020, time.Hour, "a leader and a follower that never agreed on where to begin"},
	{16025, time.Hour, "a leader and a follower that never agreed on where to begin"},
}

// soonFound are those of foundSeeds that `make test` meets again.
const soonFound = 10 * time.Minute

// TestASeedThatFoundAViolationFindsNoneAgain meets each with the faults that it has
// today: kinds that came since have sources of their own or change what is drawn.
func TestASeedThatFoundAViolationFindsNoneAgain(t *testing.T) {
	for _, f := range foundSeeds {
		if f.until > soonFound && !*again {
			continue
		}
		r := site(t, self(t), faultlab.All, f.seed, f.until+time.Minute)
		t.Logf("seed %d, which found %s: in %s: %s", f.seed, f.found, r.Wall, r.String())
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s", f.seed, v)
		}
	}
}
