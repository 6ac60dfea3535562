package cluster_test

import (
	"testing"

	"skerry/cluster"
	"skerry/internal/clustertest"
)

// BenchmarkLatest reads the latest value of a series at the leader, without the
// doors: as this node has it, and with the others asked whether the leader still
// leads. The nodes are in one process, and their network is its memory.
func BenchmarkLatest(b *testing.B) {
	s := clustertest.Open(b, 3, nil)
	leader := s.Leader()
	leader.MustPropose(clustertest.Reading(b, "pump-7", "temperature", 1, 21.6))
	for _, consistency := range []cluster.Consistency{cluster.Local, cluster.Linearizable} {
		b.Run(map[bool]string{true: "local", false: "linearizable"}[consistency == cluster.Local], func(b *testing.B) {
			for b.Loop() {
				v, err := leader.View(b.Context(), consistency)
				if err != nil {
					b.Fatal(err)
				}
				if _, ok := v.Latest("pump-7", "temperature"); !ok {
					b.Fatal("it is not there")
				}
			}
		})
	}
}
