package cluster_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/cluster/gossip"
	"skerry/cluster/transport"
)

// inMemory is a node's configuration in which nothing is real but what a test
// makes so.
func inMemory(d disk.Disk) cluster.Config {
	return cluster.Config{
		Name: "n1", Site: "demo", BootstrapExpect: 1,
		Seams: cluster.Seams{
			Disk: d,
			Network: func(id raft.ServerID) (transport.Network, error) {
				return transport.NewMemory().Join(id, "n1:7420"), nil
			},
			Gossip: func(p gossip.Peer) (gossip.Gossip, error) { return gossip.NewMemory().Join(p), nil },
		},
	}
}

// wantRefused opens a node and wants an error with that advice in it.
func wantRefused(tb testing.TB, cfg cluster.Config, advice string) {
	tb.Helper()
	n, err := cluster.Open(cfg)
	if err == nil {
		_ = n.Close()
	}
	if err == nil || !strings.Contains(err.Error(), advice) {
		tb.Errorf("err = %v, want one with %q", err, advice)
	}
}

func TestADataDirectoryOfAnotherIsRefusedWithWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name, file, advice string
	}{
		{"of another site", `{"format":1,"site":"other","name":"n1","id":"n1.1"}`,
			`the data directory belongs to site "other", not "demo": check --data and --site`},
		{"of another node", `{"format":1,"site":"demo","name":"n2","id":"n2.1"}`,
			`the data directory belongs to node "n2", not "n1": check --data and --name`},
		{"of a newer skerry", `{"format":3,"site":"demo","name":"n1","id":"n1.1"}`,
			"has format 3 and this skerry knows up to 2: upgrade this node"},
		{"of a node that left", `{"format":1,"site":"demo","name":"n1","id":"n1.1","left":true}`,
			"left its site: start with an empty directory"},
		{"damaged", `{"format":1,"site":"de`,
			"node.json is damaged"},
		{"damaged, with advice", "\x00\x00",
			"move the directory away and restore the site from its bucket or a snapshot"},
		{"of a size that it never has", strings.Repeat(" ", 1<<20), "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := disk.NewMemory()
			if err := disk.WriteFile(d, "node.json", func(w io.Writer) error {
				_, err := io.WriteString(w, c.file)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, inMemory(d), c.advice)
		})
	}
}

func TestANodeKeepsItsIdentityWithItsDirectory(t *testing.T) {
	d := disk.NewMemory()
	var ids []raft.ServerID
	for _, on := range []disk.Disk{d, d, disk.NewMemory()} {
		cfg := inMemory(on)
		network := cfg.Seams.Network
		cfg.Seams.Network = func(id raft.ServerID) (transport.Network, error) {
			ids = append(ids, id)
			return network(id)
		}
		n, err := cluster.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		d.Cut() // it was synced
	}
	if ids[0] != ids[1] || ids[0] == ids[2] || !strings.HasPrefix(string(ids[0]), "n1.") {
		t.Errorf("identities %q, want the first two the same, the third of an empty directory another", ids)
	}
}

func TestADataDirectoryIsForOneProcessAtATime(t *testing.T) {
	cfg := inMemory(nil)
	cfg.Seams.Disk, cfg.Dir = nil, filepath.Join(t.TempDir(), "data")
	first, err := cluster.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, cfg, "is in use by another process: stop that one or name another --data")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := cluster.Open(cfg)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAConfigurationIsRefusedWithTheRule(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*cluster.Config)
		advice string
	}{
		{"no name", func(c *cluster.Config) { c.Name = "" }, "--name \"\": use 1 to 40 lower-case letters, digits and '-'"},
		{"a name with capitals", func(c *cluster.Config) { c.Name = "N1" }, "--name"},
		{"a name that ends in a dash", func(c *cluster.Config) { c.Name = "n-" }, "--name"},
		{"a name with a dot, which parts it from its identity", func(c *cluster.Config) { c.Name = "a.b" }, "--name"},
		{"a name of 41 bytes", func(c *cluster.Config) { c.Name = strings.Repeat("a", 41) }, "--name"},
		{"a site with a slash", func(c *cluster.Config) { c.Site = "a/b" }, "--site"},
		{"no directory", func(c *cluster.Config) { c.Seams.Disk = nil }, "--data: name a directory of this node's own"},
		{"no founders", func(c *cluster.Config) { c.BootstrapExpect = 0 }, "--bootstrap-expect 0: a site begins with 1 to 9 nodes"},
		{"ten founders", func(c *cluster.Config) { c.BootstrapExpect = 10 }, "--bootstrap-expect 10"},
		{"an unknown profile", func(c *cluster.Config) { c.Profile = "tape" }, `--profile "tape" is not known: use ssd, sdcard or wan`},
		{"an unknown log store", func(c *cluster.Config) { c.LogStore = "tape" }, `--log-store "tape" is not known: use segmented, wal or bolt`},
		{"a linger below zero", func(c *cluster.Config) { c.Linger = -2 }, "--linger -2ns: use 0 to 1s"},
		{"a linger over a second", func(c *cluster.Config) { c.Linger = 2 * time.Second }, "--linger 2s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := inMemory(disk.NewMemory())
			c.change(&cfg)
			wantRefused(t, cfg, c.advice)
		})
	}
}

func TestNamesOfOneAndFortyBytesAreTaken(t *testing.T) {
	for _, name := range []string{"a", "1", "n-1", strings.Repeat("a", 40)} {
		cfg := inMemory(disk.NewMemory())
		cfg.Name = name
		n, err := cluster.Open(cfg)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}
