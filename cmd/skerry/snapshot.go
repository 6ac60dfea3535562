package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
	"skerry/cluster/archive"
)

func snapshotCommand() *cli.Command {
	return &cli.Command{
		Name:  "snapshot",
		Usage: "save a whole site into a file, look into one, make a new site of one",
		Subcommands: []*cli.Command{
			{
				Name: "save", Usage: "write the whole site, as it is now, into a new file", ArgsUsage: "FILE",
				Description: "Any running node writes it; the site goes on meanwhile. The file appears when it is\ncomplete and was checked.",
				Action:      snapshotSave,
			},
			{
				Name: "inspect", Usage: "check a snapshot file and say what is in it; needs no node", ArgsUsage: "FILE",
				Action: snapshotInspect,
			},
			{
				Name: "restore", Usage: "make a data directory of a snapshot file; needs no node", ArgsUsage: "FILE",
				Description: "Start the node on it: it is the founder of the restored site, and other nodes join it with\n" +
					"empty directories. The history is a new one: stop all nodes of the old one for good first.",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "data", EnvVars: []string{"SKERRY_DATA"}, Usage: "`DIR` to make"},
					&cli.StringFlag{Name: "name", EnvVars: []string{"SKERRY_NAME"}, Usage: "`NAME` of the node"},
					&cli.StringFlag{Name: "site", EnvVars: []string{"SKERRY_SITE"}, Usage: "`NAME` of the site that the file must be of (default: any)"},
				},
				Action: snapshotRestore,
			},
		},
	}
}

// snapshotFile is the one operand.
func snapshotFile(c *cli.Context) (string, error) {
	names, err := operands(c, "FILE")
	if err != nil {
		return "", err
	}
	return names[0], nil
}

func snapshotSave(c *cli.Context) error {
	name, err := snapshotFile(c)
	if err != nil {
		return err
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: name another file, or remove it", name)
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	var m archive.Summary
	var size int64
	err = newFile(name, 0o600, func(f *os.File) error {
		if err := cl.Snapshot(c.Context, f); err != nil {
			return err
		}
		m, size, err = inspectOpen(f)
		return err
	})
	if err != nil {
		return err
	}
	return showSnapshot(c, name, size, m)
}

func snapshotInspect(c *cli.Context) error {
	return readSnapshot(c, cluster.Inspect)
}

func snapshotRestore(c *cli.Context) error {
	return readSnapshot(c, func(f io.ReaderAt, size int64) (archive.Summary, error) {
		return cluster.Restore(f, size, cluster.RestoreConfig{Dir: c.String("data"), Name: c.String("name"), Site: c.String("site")})
	})
}

// readSnapshot opens the snapshot file and shows what read found in it.
func readSnapshot(c *cli.Context, read func(f io.ReaderAt, size int64) (archive.Summary, error)) error {
	name, err := snapshotFile(c)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	m, err := read(f, size)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return showSnapshot(c, name, size, m)
}

func inspectOpen(f *os.File) (m archive.Summary, size int64, err error) {
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return m, 0, err
	}
	m, err = cluster.Inspect(f, size)
	return m, size, err
}

func showSnapshot(c *cli.Context, name string, size int64, m archive.Summary) error {
	answer := struct {
		File  string `json:"file"`
		Bytes int64  `json:"bytes"`
		archive.Summary
	}{name, size, m}
	return show(c, answer, func(t *table) {
		t.row("file", fmt.Sprintf("%s, %d bytes, whole", name, size))
		t.row("site", fmt.Sprintf("%s, incarnation %d, lineage %s", m.Site, m.Incarnation, m.Lineage))
		t.row("written", fmt.Sprintf("%s by node %s, version %s", m.Created, m.Node, m.Version))
		t.row("readings", fmt.Sprintf("%d to %d, %d gaps", m.FirstSeq, m.LastSeq, m.Gaps))
		t.row("frames", fmt.Sprintf("up to %d, %d of them open", m.LastFrame, m.OpenFrames))
		t.row("series", m.Series)
		t.row("devices", fmt.Sprintf("%d registered", m.Devices))
		t.row("segments", m.Segments)
		t.row("digest", m.Digest)
		t.row("level", m.Level)
	})
}
