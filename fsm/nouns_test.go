package fsm_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"skerry/fsm"
)

func TestFormatNumber_IsShortAndReadsBack(t *testing.T) {
	tests := map[float64]string{
		0: "0", 21.6: "21.6", -3: "-3", 1e14: "100000000000000", 1e15: "1e+15", 1e-6: "0.000001", 1e-7: "1e-07",
		math.MaxFloat64: "1.7976931348623157e+308",
	}
	for v, want := range tests {
		if got := fsm.FormatNumber(v); got != want {
			t.Errorf("%g: got %s, want %s", v, got, want)
		}
	}
}

func TestValue_ReadsAsPeopleWriteIt(t *testing.T) {
	tests := map[string]fsm.Value{
		"21.6": fsm.NumberValue(21.6), "true": fsm.FlagValue(true), "false": fsm.FlagValue(false),
		"open": fsm.TextValue("open"), "3 bytes": fsm.DataValue([]byte{1, 2, 3}),
	}
	for want, v := range tests {
		if got := v.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRefusal_SaysWhatToDo(t *testing.T) {
	for code := fsm.Conflict; code <= fsm.Held; code++ {
		err := code.Err()
		if !errors.Is(err, fsm.Refusal(code)) || strings.Contains(err.Error(), "refused with code") {
			t.Errorf("code %d is %q", code, err)
		}
	}
	if err := fsm.Stored.Err(); err != nil {
		t.Errorf("stored is the error %v", err)
	}
	if got := fsm.Refusal(200).Error(); got != "refused with code 200" {
		t.Errorf("a later version's code is %q", got)
	}
}

func TestTaskSpec_ValidateNamesWhatIsWrong(t *testing.T) {
	tests := []struct {
		name string
		edit func(s *fsm.TaskSpec)
		want string // part of the error, "" for none
	}{
		{"a good spec", func(s *fsm.TaskSpec) {}, ""},
		{"another kind", func(s *fsm.TaskSpec) { s.Kind = "sum" }, "kind"},
		{"a bad pattern", func(s *fsm.TaskSpec) { s.Device = "[" }, "pattern"},
		{"no pattern", func(s *fsm.TaskSpec) { s.Device = "" }, "pattern"},
		{"no resource", func(s *fsm.TaskSpec) { s.Resource = "" }, "resource"},
		{"another comparison", func(s *fsm.TaskSpec) { s.Op = "~" }, "comparison"},
		{"a window of nothing", func(s *fsm.TaskSpec) { s.Every = 0 }, "window"},
		{"no output device", func(s *fsm.TaskSpec) { s.OutputDevice = "" }, "output device"},
		{"a '/' in the output resource", func(s *fsm.TaskSpec) { s.OutputResource = "a/b" }, "'/'"},
		{"an output resource without room for .rev", func(s *fsm.TaskSpec) { s.OutputResource = strings.Repeat("r", 61) }, "at most 60"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := countTask("t", "pump-*").Spec
			tt.edit(&spec)
			err := spec.Validate()
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestCut_KnowsItsDateAndRows(t *testing.T) {
	c := fsm.Cut{First: 11, Last: 20, Day: 20_000}
	if got := c.Date(); got != "2024-10-04" {
		t.Errorf("date is %s", got)
	}
	if got := c.Rows(); got != 10 {
		t.Errorf("rows are %d", got)
	}
}
