package fsm

import (
	"slices"
	"strings"
)

// taskList has the tasks in the order of their IDs.
type taskList []Task

func (l taskList) find(id string) (int, bool) {
	return slices.BinarySearchFunc(l, id, func(t Task, id string) int { return strings.Compare(t.ID, id) })
}

// forget removes the cancelled task that was created first, and returns
// whether there was one.
func (l *taskList) forget() bool {
	oldest := -1
	for i := range *l {
		t := &(*l)[i]
		if t.State == TaskCancelled && (oldest < 0 || t.Created < (*l)[oldest].Created) {
			oldest = i
		}
	}
	if oldest < 0 {
		return false
	}
	*l = slices.Delete(*l, oldest, oldest+1)
	return true
}

// writes reports that an active task has a series of spec's output for its own.
func (l taskList) writes(spec *TaskSpec) bool {
	return slices.ContainsFunc(l, func(t Task) bool {
		if t.State != TaskActive || t.Spec.OutputDevice != spec.OutputDevice {
			return false
		}
		a, b := t.Spec.OutputResource, spec.OutputResource
		return a == b || a == b+RevisionSuffix || a+RevisionSuffix == b
	})
}

func (s *State) createTask(c *CreateTaskCommand) Outcome {
	i, ok := s.tasks.find(c.ID)
	if ok {
		if t := &s.tasks[i]; t.Spec != c.Spec || t.State != TaskActive {
			return Outcome{Code: TaskExists}
		}
		return Outcome{Code: Stored, Known: true}
	}
	if s.tasks.writes(&c.Spec) {
		return Outcome{Code: OutputUsed}
	}
	if len(s.tasks) >= MaxTasks && !s.tasks.forget() {
		return Outcome{Code: TooMany}
	}
	i, _ = s.tasks.find(c.ID)
	last := s.LastSeq(Readings)
	s.tasks = slices.Insert(s.tasks, i, Task{
		ID: c.ID, Spec: c.Spec, State: TaskActive, Created: s.received, Start: last, Cursor: last,
	})
	return Outcome{Code: Stored}
}

func (s *State) cancelTask(c *CancelTaskCommand) Outcome {
	i, ok := s.tasks.find(c.ID)
	if !ok {
		return Outcome{Code: NoSuchTask}
	}
	known := s.tasks[i].State == TaskCancelled
	s.tasks[i].State = TaskCancelled
	return Outcome{Code: Stored, Known: known}
}

// assignRun gives a task's next attempt away once the last one's lease is
// over; its own node may have it before.
func (s *State) assignRun(c *AssignRunCommand) Outcome {
	i, ok := s.tasks.find(c.Task)
	if !ok {
		return Outcome{Code: NoSuchTask}
	}
	t := &s.tasks[i]
	if t.State == TaskActive && c.Attempt == t.Attempt && c.Node == t.Node {
		return Outcome{Code: Stored, Known: true}
	}
	free := t.Attempt == 0 || t.Lease <= s.logTime || t.Node == c.Node
	if t.State != TaskActive || c.Attempt != t.Attempt+1 || !free {
		return Outcome{Code: StaleRun}
	}
	t.Attempt, t.Node, t.Lease = c.Attempt, c.Node, s.logTime+LogTime(c.Lease)
	return Outcome{Code: Stored}
}

// run returns the task that a run works on, or why it must not go on. A lease
// that is over does not stop a run: only the next attempt does.
func (s *State) run(id string, attempt uint64, node string) (*Task, Code) {
	i, ok := s.tasks.find(id)
	if !ok {
		return nil, NoSuchTask
	}
	t := &s.tasks[i]
	if t.State != TaskActive || attempt == 0 || t.Attempt != attempt || t.Node != node {
		return nil, StaleRun
	}
	return t, Stored
}

func (s *State) renewRun(c *RenewRunCommand) Outcome {
	t, code := s.run(c.Task, c.Attempt, c.Node)
	if code == Stored {
		t.Lease = max(t.Lease, s.logTime+LogTime(c.Lease))
	}
	return Outcome{Code: code}
}

// advanceRun moves cursor, saved state and output together. Its outcome has
// the first seq of the output, 0 for none.
func (s *State) advanceRun(c *AdvanceRunCommand) Outcome {
	t, code := s.run(c.Task, c.Attempt, c.Node)
	if code != Stored {
		return Outcome{Code: code}
	}
	if c.From != t.Cursor {
		return Outcome{Code: StaleRun}
	}
	if c.To < c.From || c.To > s.LastSeq(Readings) {
		return Outcome{Code: BadRange}
	}
	o := s.storeOutput(c.Output)
	if o.Code == Stored {
		t.Cursor, t.Saved = c.To, c.State
		t.Lease = max(t.Lease, s.logTime+LogTime(c.Lease))
	}
	return o
}

// storeOutput stores a run's records as an item that needs no key: the cursor
// lets it in once.
func (s *State) storeOutput(records []Record) Outcome {
	if len(records) == 0 {
		return Outcome{Code: Stored}
	}
	sub := EncodeBatch(nil, &Batch{Items: []Item{{Records: records}}})
	if err := s.view.decode(sub); err != nil {
		panic("fsm: a checked output does not decode: " + err.Error())
	}
	if !s.series.room(&s.view, &s.view.items[0]) {
		return Outcome{Code: SeriesFull}
	}
	return Outcome{Code: Stored, First: s.store(&s.view, &s.view.items[0])}
}
