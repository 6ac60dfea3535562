package site_test

import (
	"net"
	"testing"

	"skerry/cmd/skerry/site"
)

func TestFreeAddressesAreFreeAndDiffer(t *testing.T) {
	list, err := site.FreeAddresses(site.MaxNodes)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, node := range list {
		for _, addr := range []string{node.HTTP, node.CoAP, node.Cluster, node.Gossip} {
			if seen[addr] {
				t.Errorf("%s is given twice", addr)
			}
			seen[addr] = true
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Errorf("listen: %v", err)
				continue
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if want := 4 * site.MaxNodes; len(seen) != want {
		t.Errorf("got %d addresses, want %d", len(seen), want)
	}
}

func TestStartRefusesWhatItCannotRun(t *testing.T) {
	for _, n := range []int{-1, 0, site.MaxNodes + 1} {
		if _, err := site.Start(t.Context(), site.Config{Dir: t.TempDir(), Nodes: n}); err == nil {
			t.Errorf("%d nodes: got no error", n)
		}
	}
}
