package faultsite

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/cluster/logstore"
	"skerry/fsm"
)

// refusals is how often a node that must not start is seen to end.
const refusals = 2

// cards takes away, in turn, what a node holds, brings back what it held long
// ago, has two nodes exchange their addresses, and gives all new ones.
func cards(ctx context.Context, p Plan) error {
	t, err := begin(ctx, p, Config{Args: snapshotOften})
	if err != nil {
		return err
	}
	kinds := []struct {
		name string
		do   func(context.Context) error
	}{{"wiped", t.wipe}, {"of last week", t.oldCard}, {"exchanges of addresses", t.exchange}, {"times new addresses for all", t.renumber}}
	done := make([]int, len(kinds))
	for i := 0; err == nil && t.more(i); i++ {
		t.pause(ctx, 500*time.Millisecond, 2*time.Second)
		kind := kinds[i%len(kinds)]
		if err = kind.do(ctx); err == nil {
			err = t.whole(ctx)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", kind.name, err)
			break
		}
		done[i%len(kinds)]++
	}
	faults := fmt.Sprintf("cards: %d %s, %d %s; %d %s; %d %s", done[0], kinds[0].name, done[1], kinds[1].name, done[2], kinds[2].name, done[3], kinds[3].name)
	return t.finish(ctx, err, faults)
}

// whole waits until all nodes are voters at the addresses where they run, no
// other server is left, and none lacks anything: then a minority may lose what it
// holds again.
func (t *trial) whole(ctx context.Context) error {
	if err := t.recovered(ctx); err != nil {
		return err
	}
	err := until(ctx, restTimeout, func() error {
		all, err := t.agreed(ctx, t.Nodes)
		if err != nil {
			return err
		}
		for _, st := range all {
			if st.Missing > 0 {
				return fmt.Errorf("%s lacks %d ranges", st.Node, st.Missing)
			}
		}
		var known struct {
			Members []cluster.Member `json:"members"`
		}
		if err := t.Nodes[0].get(ctx, "/v1/members", &known); err != nil {
			return err
		}
		where := map[string]string{}
		for _, n := range t.Nodes {
			where[n.Name] = n.at().address + ":7420"
		}
		for _, m := range known.Members {
			if m.Role != "voter" && m.Role != "leader" || m.Address != where[m.Name] {
				return fmt.Errorf("%s is a %s at %s", m.ID, m.Role, m.Address)
			}
			delete(where, m.Name) // a second one of the name is one too many
		}
		if len(where) > 0 {
			return fmt.Errorf("no members: %v", where)
		}
		return nil
	})
	if err != nil {
		return violation("the site does not become whole: %v", err)
	}
	return nil
}

// wipe gives a node an empty card.
func (t *trial) wipe(context.Context) error {
	n := t.Nodes[t.Draw.IntN(len(t.Nodes))]
	n.Down()
	n.Gone()
	if err := os.RemoveAll(n.Data()); err != nil {
		return err
	}
	return n.Start()
}

// oldCard copies a node's card, lets the node go on, and puts the copy back. The
// node has to refuse it and leave it as it is, and the others have to go on; an
// empty directory, as its words say, brings the node back.
func (t *trial) oldCard(ctx context.Context) error {
	n := t.Nodes[t.Draw.IntN(len(t.Nodes))]
	image := n.dir + ".image"
	n.Down()
	n.Gone()
	generation, err := n.generation()
	if err == nil {
		err = os.RemoveAll(image)
	}
	if err == nil {
		err = run("cp", "-a", n.Data(), image)
	}
	if err == nil {
		err = n.Start()
	}
	if err == nil {
		err = t.recovered(ctx)
	}
	if err == nil {
		err = t.seen(ctx, n, generation)
	}
	if err != nil {
		return err
	}
	t.pause(ctx, time.Second, 4*time.Second)
	n.Down()
	n.Gone()
	if err := errors.Join(os.RemoveAll(n.Data()), run("cp", "-a", image, n.Data())); err != nil {
		return err
	}
	if err := t.refuses(ctx, n, "older copy", "start with an empty --data"); err != nil {
		return err
	}
	if err := os.RemoveAll(n.Data()); err != nil {
		return err
	}
	return n.Start()
}

// seen waits until the others know of a later start of a node, as they do after
// a week.
func (t *trial) seen(ctx context.Context, n *Node, generation uint64) error {
	err := until(ctx, startTimeout, func() error {
		for _, other := range t.others(n) {
			var all []fsm.Seen
			b, err := os.ReadFile(filepath.Join(other.Data(), "seen.json"))
			if err == nil {
				err = json.Unmarshal(b, &all)
			}
			if err != nil {
				return err
			}
			known := uint64(0)
			for _, s := range all {
				if strings.HasPrefix(s.ID, n.Name+".") {
					known = max(known, s.Generation)
				}
			}
			if known <= generation {
				return fmt.Errorf("%s knows start %d of %s", other.Name, known, n.Name)
			}
		}
		return nil
	})
	if err != nil {
		return violation("start %d of %s is not noted: %v", generation+1, n.Name, err)
	}
	return nil
}

// generation is how often the node was started with its data directory.
func (n *Node) generation() (uint64, error) {
	var id struct {
		Generation uint64 `json:"generation"`
	}
	b, err := os.ReadFile(filepath.Join(n.Data(), "node.json"))
	if err != nil {
		return 0, err
	}
	return id.Generation, json.Unmarshal(b, &id)
}

// refuses starts a node that is down and must not take part, and takes it down
// again when it has said why, and what to do, while the others went on. It must
// have changed nothing of its data directory, but that the end of the log, which
// every start makes fast, may stand in another file.
func (t *trial) refuses(ctx context.Context, n *Node, words ...string) error {
	before, err := files(n.Data())
	if err != nil {
		return err
	}
	held, err := t.entries(n)
	if err != nil {
		return err
	}
	ends := n.Ends()
	if err := n.Start(); err != nil {
		return err
	}
	err = until(ctx, startTimeout, func() error {
		if said := n.Said(1); n.Ends() < ends+refusals || !containsAll(said, words) {
			return fmt.Errorf("%s ended %d times and said %s", n.Name, n.Ends()-ends, said)
		}
		return nil
	})
	if err == nil {
		err = t.load.waitAck(ctx, startTimeout)
	}
	n.Down()
	n.Gone()
	if err != nil {
		return violation("%s is not refused with %q: %v", n.Name, words, err)
	}
	after, err := files(n.Data())
	if err != nil {
		return err
	}
	for name := range before {
		if before[name] != after[name] {
			return violation("%s was refused and has changed %s", n.Name, name)
		}
		delete(after, name)
	}
	for name := range after {
		return violation("%s was refused and has made %s", n.Name, name)
	}
	holds, err := t.entries(n)
	if err != nil || holds != held {
		return violation("%s was refused and its log is now %s (%v), not %s", n.Name, holds, err, held)
	}
	return nil
}

// entries are the log of a node that is down, as a text that tells it from
// another. A copy is opened: opening may change it.
func (t *trial) entries(n *Node) (string, error) {
	folder := n.dir + ".log-copy"
	defer func() { _ = os.RemoveAll(folder) }() // the next copy removes what is left
	if err := errors.Join(os.RemoveAll(folder), run("cp", "-a", n.Data(), folder)); err != nil {
		return "", err
	}
	s, err := logstore.Open(logstore.Config{Disk: disk.NewOS(folder), Dir: "raft", Logger: hclog.NewNullLogger()})
	if err != nil {
		return "", err
	}
	defer s.Close()
	r, sum := s.Recovery(), sha256.New()
	for i := r.First; i > 0 && i <= r.Last; i++ {
		var e raft.Log
		if err := s.GetLog(i, &e); err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%d %d %d %q %q\n", e.Index, e.Term, e.Type, e.Data, e.Extensions)
	}
	return fmt.Sprintf("%d to %d, sum %x", r.First, r.Last, sum.Sum(nil)), nil
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// files are the contents of a data directory, but for the log's, as sums.
func files(dir string) (map[string][sha256.Size]byte, error) {
	all := map[string][sha256.Size]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && strings.HasSuffix(path, "/raft/log") {
			return filepath.SkipDir
		}
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = sha256.Sum256(b)
		return err
	})
	return all, err
}
