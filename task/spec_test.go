package task_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"skerry/fsm"
	"skerry/task"
)

func TestParseWhere(t *testing.T) {
	for _, c := range []struct {
		name, where, op string
		operand         float64
		fault           string
	}{
		{name: "nothing compares nothing", where: "  ", op: ""},
		{name: "a space may stand between", where: "> 10", op: ">", operand: 10},
		{name: "or not", where: ">=10.5", op: ">=", operand: 10.5},
		{name: "a number may be negative", where: "< -3e2", op: "<", operand: -300},
		{name: "less or equal", where: "<= 0", op: "<=", operand: 0},
		{name: "equal", where: "= 1", op: "=", operand: 1},
		{name: "not equal", where: "!= 1", op: "!=", operand: 1},
		{name: "a comparison needs a number", where: ">", fault: "has no number"},
		{name: "a word is no number", where: "> warm", fault: "has no number"},
		{name: "infinity is no number", where: "> Inf", fault: "has no number"},
		{name: "a number needs a comparison", where: "10", fault: "begins with none of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			op, operand, err := task.ParseWhere(c.where)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("error = %v, want one with %q", err, c.fault)
				}
				return
			}
			if err != nil || op != c.op || operand != c.operand {
				t.Fatalf("got %q %v, %v; want %q %v", op, operand, err, c.op, c.operand)
			}
			again, value, err := task.ParseWhere(task.FormatWhere(&fsm.TaskSpec{Op: op, Operand: operand}))
			if err != nil || again != op || value != operand {
				t.Errorf("formatted and read again: %q %v, %v", again, value, err)
			}
		})
	}
}

func TestNewCountRefuses(t *testing.T) {
	for _, c := range []struct {
		name, where, output, fault string
		every                      time.Duration
	}{
		{name: "an output without a resource", every: time.Minute, output: "stats", fault: "DEVICE/RESOURCE"},
		{name: "a window under a second", every: time.Millisecond, output: "stats/n", fault: "out of range"},
		{name: "an unknown comparison", every: time.Minute, where: "~ 3", output: "stats/n", fault: "begins with none of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := task.NewCount("pump", "pressure", c.where, c.every, c.output)
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("error = %v, want one with %q", err, c.fault)
			}
		})
	}
}

// list is a history of readings given as they are.
type list []fsm.Reading

func (l list) After(_ context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error) {
	rest := l[after:]
	return rest[:min(limit, len(rest))], nil
}

func (l list) Last(fsm.Stream) fsm.Seq { return fsm.Seq(len(l)) }

func TestTheCriterionTakesWhatItSays(t *testing.T) {
	for _, c := range []struct {
		name             string
		pattern, where   string
		device, resource string
		value            fsm.Value
		matches          bool
	}{
		{name: "a plain name is exact", pattern: "pump", device: "pump", resource: "p", value: fsm.NumberValue(1), matches: true},
		{name: "another name is not it", pattern: "pump", device: "pump-1", resource: "p", value: fsm.NumberValue(1)},
		{name: "another resource is not it", pattern: "pump", device: "pump", resource: "q", value: fsm.NumberValue(1)},
		{name: "a star takes any rest", pattern: "pump-*", device: "pump-17", resource: "p", value: fsm.NumberValue(1), matches: true},
		{name: "a star takes slashes", pattern: "*", device: "site/hall/pump", resource: "p", value: fsm.NumberValue(1), matches: true},
		{name: "a slash in the pattern is a slash", pattern: "hall/*", device: "hall/a/b", resource: "p", value: fsm.NumberValue(1), matches: true},
		{name: "a slash in the pattern is nothing else", pattern: "hall/*", device: "hallway", resource: "p", value: fsm.NumberValue(1)},
		{name: "without a comparison a text counts", pattern: "pump", device: "pump", resource: "p", value: fsm.TextValue("x"), matches: true},
		{name: "a text does not compare", pattern: "pump", where: "!= 0", device: "pump", resource: "p", value: fsm.TextValue("x")},
		{name: "a flag does not compare", pattern: "pump", where: "= 1", device: "pump", resource: "p", value: fsm.FlagValue(true)},
		{name: "greater is not equal", pattern: "pump", where: "> 1", device: "pump", resource: "p", value: fsm.NumberValue(1)},
		{name: "greater or equal is", pattern: "pump", where: ">= 1", device: "pump", resource: "p", value: fsm.NumberValue(1), matches: true},
		{name: "less", pattern: "pump", where: "< 1", device: "pump", resource: "p", value: fsm.NumberValue(0), matches: true},
		{name: "less or equal", pattern: "pump", where: "<= 1", device: "pump", resource: "p", value: fsm.NumberValue(2)},
		{name: "equal", pattern: "pump", where: "= 1", device: "pump", resource: "p", value: fsm.NumberValue(1), matches: true},
		{name: "not equal", pattern: "pump", where: "!= 1", device: "pump", resource: "p", value: fsm.NumberValue(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := count(t, c.pattern, "p", c.where, time.Minute, "stats/n")
			history := list{{Seq: 1, Device: c.device, Resource: c.resource, Received: 90e6, Value: c.value}}
			got, err := task.Recount(t.Context(), history, &fsm.Task{Spec: spec, Cursor: 1})
			if err != nil {
				t.Fatal(err)
			}
			matched := len(got.Windows) == 1 && got.Windows[0].Count == 1
			if matched != c.matches {
				t.Errorf("counted %v, want %v", matched, c.matches)
			}
		})
	}
}

func TestWindowsBeginAtMultiplesOfTheirLength(t *testing.T) {
	spec := count(t, "pump", "p", "", time.Minute, "stats/n")
	var history list
	for _, received := range []int64{-1, 0, 59_999_999, 60_000_000} {
		history = append(history, fsm.Reading{Seq: fsm.Seq(len(history) + 1), Device: "pump", Resource: "p", Received: received, Value: fsm.NumberValue(1)})
	}
	got, err := task.Recount(t.Context(), history, &fsm.Task{Spec: spec, Cursor: 4})
	if err != nil {
		t.Fatal(err)
	}
	want := []task.Window{{Start: -60e6, Count: 1}, {Start: 0, Count: 2}, {Start: 60e6, Count: 1}}
	if len(got.Windows) != len(want) {
		t.Fatalf("windows = %+v, want %+v", got.Windows, want)
	}
	for i := range want {
		if got.Windows[i] != want[i] {
			t.Errorf("window %d = %+v, want %+v", i, got.Windows[i], want[i])
		}
	}
}
