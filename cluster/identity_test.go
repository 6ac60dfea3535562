package cluster_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/internal/clustertest"
)

// rotTwice flips two bits of a file, which is more than its sum puts right.
func rotTwice(tb testing.TB, d *disk.Memory, name string) {
	tb.Helper()
	if !d.Corrupt(name, 20, 0) || !d.Corrupt(name, 40, 3) {
		tb.Fatalf("%s is too short", name)
	}
}

func TestANodeWithoutIdentityComesBackAsAnotherByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 30)
		noted(s)
		m := s.Followers()[0]
		was := id(t, m)
		m.Stop()
		rotTwice(t, m.Disk, "node.json")
		m.Start(3)
		s.Wait("another server in its place", func() bool {
			members := s.Leader().Members()
			for _, member := range members {
				if member.ID == string(was) || (member.Role != "voter" && member.Role != "leader") {
					return false
				}
			}
			return len(members) == 3
		})
		wantCount(t, s, 30)
		if got := m.Disk.Names("aside/" + string(was) + "/"); len(got) == 0 {
			t.Error("nothing was set aside")
		}
	})
}

func TestTheOnlyServerWithoutIdentityIsRefusedAndNotTouched(t *testing.T) {
	d := disk.NewMemory()
	n, err := cluster.Open(inMemory(d))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	rotTwice(t, d, "node.json")
	before := strings.Join(d.Names(""), " ")
	wantRefused(t, inMemory(d), "move the directory away and restore the site from its bucket or a snapshot")
	if after := strings.Join(d.Names(""), " "); after != before {
		t.Errorf("the files are %s, and were %s", after, before)
	}
}

func TestADamagedListOfServersIsWrittenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		noted(s)
		m := s.Followers()[0]
		m.Stop()
		rotTwice(t, m.Disk, "seen.json")
		rotten := string(content(t, m, "seen.json"))
		m.Start(3)
		s.Wait("a list that is right again", func() bool {
			return string(content(t, m, "seen.json")) != rotten && m.Status().Scrub.Rot.Identity == cluster.RotCount{Found: 1, Repaired: 1}
		})
	})
}
