//go:build e2e

package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the documents that tests generate")

// conformancePath is the table of results.
const conformancePath = "../docs/coap-conformance.md"

// catalogues are the files of plugtests, in the order of the table.
var catalogues = []string{"core", "link", "block", "observe"}

// plugtest is one case of the catalogue.
type plugtest struct {
	id, title string
	steps     scenario
	// excuse says why the case does not apply, or which test has it instead.
	excuse string
}

var (
	plugtestHead = regexp.MustCompile(`^([A-Z]+_\d\d) (.+)$`)
	coveredBy    = regexp.MustCompile(`^covered by (\S+) (Test\w+): `)
)

// readPlugtests reads the cases of a file.
func readPlugtests(t *testing.T, name string) []plugtest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("plugtests", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []plugtest
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		head := plugtestHead.FindStringSubmatch(line)
		switch {
		case line == "" || line[0] == '#':
		case head != nil:
			cases = append(cases, plugtest{id: head[1], title: head[2]})
		case strings.HasPrefix(line, "does not apply: ") || coveredBy.MatchString(line):
			cases[len(cases)-1].excuse = line
		default:
			last := &cases[len(cases)-1]
			last.steps = append(last.steps, line)
		}
	}
	return cases
}

// TestPlugtests plays the catalogue of the CoAP plugtests of ETSI and the IPSO
// Alliance against a running node, and holds the table of results true: with
// -update it writes it.
func TestPlugtests(t *testing.T) {
	n := startSite(t, 1).nodes[0]
	spool := &tape{}
	var table strings.Builder
	table.WriteString(conformanceHead)
	for _, catalogue := range catalogues {
		for _, c := range readPlugtests(t, catalogue) {
			result := "passes"
			t.Run(c.id, func(t *testing.T) {
				if c.excuse != "" {
					result = c.excuse
					mustExist(t, c.excuse)
					return
				}
				if err := play(n, c.steps, spool); err != nil {
					t.Errorf("%s: %v", c.title, err)
				}
			})
			fmt.Fprintf(&table, "| %s | %s | %s |\n", c.id, c.title, result)
		}
	}
	spool.check(t)
	if t.Failed() {
		return // a table with failures in it is of no use
	}
	if *update {
		if err := os.WriteFile(conformancePath, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(conformancePath)
	if err != nil || string(committed) != table.String() {
		t.Errorf("%s is not what the cases gave (%v): run this test with -args -update", conformancePath, err)
	}
}

// mustExist checks that the test which an excuse names is there.
func mustExist(t *testing.T, excuse string) {
	t.Helper()
	covered := coveredBy.FindStringSubmatch(excuse)
	if covered == nil {
		return
	}
	files, err := filepath.Glob(filepath.Join("..", covered[1], "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+covered[2]+"(") {
			return
		}
	}
	t.Errorf("package %s has no %s", covered[1], covered[2])
}

const conformanceHead = `# CoAP conformance

The cases of the CoAP plugtests (ETSI, IPSO Alliance: TD_COAP_CORE_01 to 23, LINK_01 to 09, BLOCK_01 to 06, OBS_01 to 10), played over UDP against a
running node. ` + "`go test -tags e2e -run TestPlugtests ./e2e -args -update`" + ` generates this table and ` + "`make e2e`" + ` holds it true. The conversations, datagram by
datagram, are in [e2e/plugtests](../e2e/plugtests). tshark decodes all that they send and receive.

The plugtests name places of a test server (/test, /validate, /obs); here they are readings (/r), documents (/d), the resource directory (/rd) and
/.well-known/core.

| case | what it is about | result |
|---|---|---|
`
