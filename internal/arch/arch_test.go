package arch_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"skerry/internal/arch"
)

func TestTheTreeKeepsItsArrows(t *testing.T) {
	violations, err := arch.Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Error(v)
	}
}

func TestEveryRoomOfTheTreeIsRead(t *testing.T) {
	// A tree that is only looked at in part would always be clean.
	for _, room := range []string{"fsm", "fsm/segment", "cluster", "coap", "device", "task", "cloudsync", "api", "cmd/skerry"} {
		t.Run(room, func(t *testing.T) {
			entries, err := os.ReadDir("../../" + room)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				if strings.HasSuffix(entry.Name(), ".go") {
					return
				}
			}
			t.Errorf("%s has no Go file: internal/arch/rules.go speaks of a room that is not there", room)
		})
	}
}

func TestImports(t *testing.T) {
	for _, c := range []struct {
		name     string
		file     string
		imported string
		want     string // part of the rule, "" when the import is allowed
	}{
		{"cluster may import fsm", "cluster/node.go", "skerry/fsm", ""},
		{"cluster may import its own sub-rooms", "cluster/node.go", "skerry/cluster/transport", ""},
		{"a sub-room does not look up", "cluster/transport/tcp.go", "skerry/cluster", "cluster/transport sees no other room"},
		{"fsm does not import cluster", "fsm/state.go", "skerry/cluster", "fsm sees no other room"},
		{"fsm does not import its own segments", "fsm/state.go", "skerry/fsm/segment", "fsm sees no other room"},
		{"segments may import fsm", "fsm/segment/write.go", "skerry/fsm", ""},
		{"siblings do not import each other", "api/server.go", "skerry/coap", "api sees only"},
		{"a sibling's sub-room is the sibling", "device/sim/sensor.go", "skerry/coap/senml", "device sees only"},
		{"the program sees everything", "cmd/skerry/run.go", "skerry/coap", ""},
		{"nothing sees the program", "api/server.go", "skerry/cmd/skerry/demo", "nothing sees the program"},
		{"internal is for tests", "cmd/skerry/run.go", "skerry/internal/clustertest", "internal is for tests"},
		{"a test may import anything", "device/sim/sim_test.go", "skerry/coap", ""},
		{"raft stays in cluster", "api/status.go", "github.com/hashicorp/raft", "only cluster may"},
		{"raft's stores stay in cluster", "cmd/skerry/run.go", "github.com/hashicorp/raft-boltdb/v2", "only cluster may"},
		{"cluster may import raft", "cluster/node.go", "github.com/hashicorp/raft", ""},
		{"gossip stays in cluster", "device/camera/run.go", "github.com/hashicorp/memberlist", "only cluster may"},
		{"the CoAP codec stays in coap", "cmd/skerry/post.go", "github.com/plgd-dev/go-coap/v3/message", "only coap may"},
		{"coap may import the codec", "coap/message/decode.go", "github.com/plgd-dev/go-coap/v3/udp/coder", ""},
		{"parquet stays with segments and bucket", "cluster/view.go", "github.com/parquet-go/parquet-go", "only fsm/segment and cloudsync may"},
		{"cloudsync may import parquet", "cloudsync/gaps.go", "github.com/parquet-go/parquet-go", ""},
		{"flags stay in the program", "coap/server.go", "github.com/urfave/cli/v2", "only cmd may"},
		{"fsm reads no disk", "fsm/state.go", "os", "function of its input"},
		{"fsm draws no random number", "fsm/state.go", "math/rand/v2", "function of its input"},
		{"segments may read the disk", "fsm/segment/write.go", "os", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := fstest.MapFS{
				c.file: {Data: []byte("package p\n\nimport _ \"" + c.imported + "\"\n")},
			}
			violations, err := arch.Check(tree)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case c.want == "" && len(violations) > 0:
				t.Errorf("got %v, want no violation", violations)
			case c.want != "" && len(violations) != 1:
				t.Errorf("got %v, want one violation with %q", violations, c.want)
			case c.want != "" && !strings.Contains(violations[0].Rule, c.want):
				t.Errorf("got %q, want a rule with %q", violations[0].Rule, c.want)
			}
		})
	}
}

func TestAFolderWithoutRulesIsRefused(t *testing.T) {
	tree := fstest.MapFS{
		"helpers/strings.go": {Data: []byte("package helpers\n\nimport _ \"skerry/fsm\"\n")},
	}
	if _, err := arch.Check(tree); err == nil {
		t.Error("got no error for a folder that is no room, want one")
	}
}
