package fsm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"skerry/fsm"
)

func TestTask_Lives(t *testing.T) {
	assign := func(attempt uint64, node string) fsm.Command {
		return fsm.AssignRunCommand{Term: 1, Task: "t", Attempt: attempt, Node: node, Lease: minute}
	}
	renew := func(attempt uint64, node string) fsm.Command {
		return fsm.RenewRunCommand{Task: "t", Attempt: attempt, Node: node, Lease: minute}
	}
	advance := func(attempt uint64, from, to fsm.Seq, output ...fsm.Record) fsm.Command {
		return fsm.AdvanceRunCommand{Task: "t", Attempt: attempt, Node: "n1", From: from, To: to, Lease: minute, Output: output}
	}
	other := countTask("t", "pump-*")
	stored, stale := fsm.Outcome{Code: fsm.Stored}, fsm.Outcome{Code: fsm.StaleRun}
	known := fsm.Outcome{Code: fsm.Stored, Known: true}
	// The site has readings 1..25; the task starts after them, and two follow.
	steps := []struct {
		name  string
		after int64 // microseconds of log time before it
		cmd   fsm.Command
		want  fsm.Outcome
	}{
		{"the same task again is known", 0, countTask("t", "*"), known},
		{"another spec under its ID is refused", 0, other, fsm.Outcome{Code: fsm.TaskExists}},
		{"a run before any attempt is stale", 0, renew(0, "n1"), stale},
		{"an attempt is not skipped", 0, assign(2, "n1"), stale},
		{"the first attempt is given", 0, assign(1, "n1"), stored},
		{"the same attempt again is known", 0, assign(1, "n1"), known},
		{"another node waits for the lease to end", 0, assign(2, "n2"), stale},
		{"a run renews its lease", 30 * second, renew(1, "n1"), stored},
		{"another node may not renew", 0, renew(1, "n2"), stale},
		{"another node waits for the renewed lease", 45 * second, assign(2, "n2"), stale},
		{"a run advances from the cursor", 0, advance(1, 25, 26), stored},
		{"output is stored with the step", 0, advance(1, 26, 27, number("out", 1), number("out", 2)), fsm.Outcome{Code: fsm.Stored, First: 28}},
		{"the same step again is stale", 0, advance(1, 26, 27, number("out", 1)), stale},
		{"a cursor does not pass the last reading", 0, advance(1, 27, 30), fsm.Outcome{Code: fsm.BadRange}},
		{"a cursor does not go back", 0, advance(1, 27, 26), fsm.Outcome{Code: fsm.BadRange}},
		{"a run goes on after its lease while nobody else has it", 2 * minute, advance(1, 27, 28), stored},
		{"a node may take its own task up again", 0, assign(2, "n1"), stored},
		{"the attempt before is stale", 0, advance(1, 28, 29), stale},
		{"another node gets the task after the lease", minute, assign(3, "n2"), stored},
		{"a cancelled task is over", 0, fsm.CancelTaskCommand{ID: "t"}, stored},
		{"cancelled again is known", 0, fsm.CancelTaskCommand{ID: "t"}, known},
		{"a run of a cancelled task is stale", 0, renew(3, "n2"), stale},
		{"a cancelled task gets no run", 2 * minute, assign(4, "n2"), stale},
		{"its ID is not taken again", 0, countTask("t", "*"), fsm.Outcome{Code: fsm.TaskExists}},
		{"a task that never was cannot be cancelled", 0, fsm.CancelTaskCommand{ID: "u"}, fsm.Outcome{Code: fsm.NoSuchTask}},
	}
	r := shelf(t)
	if got := r.one(countTask("t", "*")); got != stored {
		t.Fatalf("create: got %+v", got)
	}
	r.post("d", 25)
	r.post("d", 26)
	for _, step := range steps {
		r.at(step.after)
		if got := r.one(step.cmd); got != step.want {
			t.Fatalf("%s: got %+v, want %+v", step.name, got, step.want)
		}
		r.reopen()
	}
	task, _ := r.a.Task("t")
	if task.Start != 25 || task.Cursor != 28 || task.Attempt != 3 || task.State != fsm.TaskCancelled {
		t.Errorf("the task ends as %+v", task)
	}
	if got := r.a.LastSeq(fsm.Readings); got != 29 {
		t.Errorf("last seq is %d, want 29: output is stored once", got)
	}
}

func TestTask_BoundMakesRoomForCancelledOnes(t *testing.T) {
	r := newReplicas(t)
	for i := range fsm.MaxTasks {
		r.one(countTask(fmt.Sprintf("t%04d", i), "*"))
	}
	if got := r.one(countTask("one more", "*")); got.Code != fsm.TooMany {
		t.Errorf("got %+v, want code %d", got, fsm.TooMany)
	}
	r.one(fsm.CancelTaskCommand{ID: "t0500"})
	if got := r.one(countTask("one more", "*")); got.Code != fsm.Stored {
		t.Errorf("got %+v, want it stored", got)
	}
	if _, ok := r.a.Task("t0500"); ok || len(r.a.Tasks()) != fsm.MaxTasks {
		t.Error("the cancelled task did not make room")
	}
}

// largest is a task whose every part is as long as can be.
func largest(id string) fsm.CreateTaskCommand {
	return fsm.CreateTaskCommand{ID: id, Spec: fsm.TaskSpec{
		Kind: "count", Device: strings.Repeat("d", fsm.MaxDevice), Resource: strings.Repeat("r", fsm.MaxResource),
		Op: ">=", Operand: 0.1, Every: minute, OutputDevice: strings.Repeat("o", fsm.MaxDevice),
		OutputResource: strings.Repeat("p", fsm.MaxResource-len(fsm.RevisionSuffix)),
	}}
}

func TestTask_TheLargestOneComesBackFromASnapshot(t *testing.T) {
	r := newReplicas(t)
	id, node := strings.Repeat("t", fsm.MaxTaskID), strings.Repeat("n", fsm.MaxNode)
	r.one(largest(id))
	r.one(fsm.AssignRunCommand{Task: id, Attempt: 1, Node: node, Lease: minute}.InTerm(r.term))
	r.one(fsm.AdvanceRunCommand{Task: id, Attempt: 1, Node: node, Lease: minute, State: make([]byte, fsm.MaxTaskState)})
	var b bytes.Buffer
	if _, err := r.a.Snapshot().WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if _, err := fsm.Restore(&b); err != nil {
		t.Error(err)
	}
}

func TestTask_APatternBeyondItsBoundIsRefused(t *testing.T) {
	c := largest("t")
	c.Spec.Device += "d"
	if err := fsm.Check(fsm.Encode(c)); err == nil {
		t.Errorf("a pattern of %d bytes is taken", len(c.Spec.Device))
	}
}
