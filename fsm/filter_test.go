package fsm_test

import (
	"strings"
	"testing"

	"skerry/fsm"
)

func TestAFilterPicksSeries(t *testing.T) {
	for _, c := range []struct {
		name, device, resource string
		want                   string // the series it picks
	}{
		{"nothing given is all", "", "", "hall/pump-8/t pump-7/on pump-7/t pump-70/t"},
		{"a name is itself", "pump-7", "", "pump-7/on pump-7/t"},
		{"a resource", "", "t", "hall/pump-8/t pump-7/t pump-70/t"},
		{"both", "pump-7", "on", "pump-7/on"},
		{"a star", "pump-*", "", "pump-7/on pump-7/t pump-70/t"},
		{"a star matches a slash", "*-8", "", "hall/pump-8/t"},
		{"a question mark", "pump-7?", "", "pump-70/t"},
		{"a class", "pump-[78]", "o?", "pump-7/on"},
		{"an escaped star is a star", `pump-\*`, "", ""},
		{"a longer name", "pump-700", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := fsm.NewFilter(c.device, c.resource)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range []fsm.SeriesName{{"hall/pump-8", "t"}, {"pump-7", "on"}, {"pump-7", "t"}, {"pump-70", "t"}} {
				if !f.Match(s) {
					continue
				}
				got = append(got, s.Device+"/"+s.Resource)
				if !strings.HasPrefix(s.Device, f.DevicePrefix()) {
					t.Errorf("%s does not begin with %q", s.Device, f.DevicePrefix())
				}
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("it picks %s, want %s", got, c.want)
			}
		})
	}
}

func TestAFilterThatIsNoPatternIsRefused(t *testing.T) {
	for _, text := range []string{"[", "a\nb", strings.Repeat("a", fsm.MaxDevice+1)} {
		if _, err := fsm.NewFilter(text, ""); err == nil {
			t.Errorf("device pattern %q is taken", text)
		}
		if _, err := fsm.NewFilter("", text); err == nil {
			t.Errorf("resource pattern %q is taken", text)
		}
	}
}
