package main

import (
	"bytes"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/urfave/cli/v2"
)

// notInFile are the agent's flags that are no settings of a file.
var notInFile = []string{"config", "help", "h"}

func TestAFileHasTheAgentsFlagsAndNoOthers(t *testing.T) {
	var flags []string
	for _, f := range agentFlags() {
		if name := f.Names()[0]; !slices.Contains(notInFile, name) {
			flags = append(flags, name)
		}
	}
	var keys []string
	for i := range reflect.TypeFor[configFile]().NumField() {
		keys = append(keys, reflect.TypeFor[configFile]().Field(i).Tag.Get("toml"))
	}
	slices.Sort(flags)
	slices.Sort(keys)
	if !slices.Equal(flags, keys) {
		t.Errorf("flags are %q, keys of the file are %q; want the same", flags, keys)
	}
}

func TestTheReferenceFileShowsEveryKeyWithItsDefault(t *testing.T) {
	text, err := os.ReadFile("skerry.toml")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&configFile{}); err != nil {
		t.Fatal(tomlFault(err))
	}
	if err := toml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	want := agentWith(t)
	got := agentWith(t, "--config", "skerry.toml")
	want.name = "n1" // the default is the machine's
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v from the file, want the defaults %+v", got, want)
	}
	if n := reflect.TypeFor[configFile]().NumField(); len(values) != n {
		t.Errorf("the file shows %d keys %q, want all %d", len(values), slices.Sorted(maps.Keys(values)), n)
	}
}

func TestListsAreTakenApart(t *testing.T) {
	got := agentWith(t, "--join", "a:1, b:2", "--join", "c:3", "--gossip", "127.0.0.1:9", "--join", "127.0.0.1:9",
		"--camera", "door=http://cam/a,b", "--camera", "yard=folder:/x?fps=5")
	if want := []string{"a:1", "b:2", "c:3"}; !slices.Equal(got.join, want) {
		t.Errorf("join: got %q, want %q without the node's own address", got.join, want)
	}
	want := []cameraSetting{{"door", "http://cam/a,b"}, {"yard", "folder:/x?fps=5"}}
	if !slices.Equal(got.cameras, want) {
		t.Errorf("cameras: got %q, want %q", got.cameras, want)
	}
}

// agentWith is what an agent makes of its command line.
func agentWith(tb testing.TB, args ...string) settings {
	tb.Helper()
	var got settings
	app := newApp(io.Discard, io.Discard)
	find(app.Commands, "agent").Action = func(c *cli.Context) error {
		err := readConfigFile(c, c.String("config"))
		if err == nil {
			got, err = agentSettings(c)
		}
		return err
	}
	if err := app.Run(arrange(app, append([]string{"skerry", "agent"}, args...))); err != nil {
		tb.Fatal(err)
	}
	return got
}
