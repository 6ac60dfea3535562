//go:build e2e

package e2e_test

import (
	"debug/buildinfo"
	"os"
	"strings"
	"testing"
)

func TestNoticeNamesEveryModuleThatIsLinked(t *testing.T) {
	notice, err := os.ReadFile("../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range info.Deps {
		if !strings.Contains(string(notice), "  "+module.Path+": Copyright") {
			t.Errorf("NOTICE does not name %s %s", module.Path, module.Version)
		}
	}
}
