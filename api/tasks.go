package api

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"skerry/fsm"
)

// maxTaskBody bounds the body of a task's creation, in bytes.
const maxTaskBody = 16 << 10

// taskRow is a task as JSON shows it.
type taskRow struct {
	ID      string       `json:"id"`
	State   string       `json:"state"`
	Spec    fsm.TaskSpec `json:"spec"`
	Created string       `json:"created"`
	Start   fsm.Seq      `json:"start"`  // readings after it belong to the task
	Cursor  fsm.Seq      `json:"cursor"` // readings up to it are counted
	Behind  fsm.Seq      `json:"behind"` // committed readings after the cursor
	Attempt uint64       `json:"attempt"`
	Node    string       `json:"node"`
	// LeaseLeft is how long the run stays the node's unless renewed, in
	// seconds; 0 when nobody has it.
	LeaseLeft float64 `json:"lease_left"`
	Progress  any     `json:"progress,omitempty"`
}

func (d *door) taskRowOf(t *fsm.Task, view View) (taskRow, error) {
	row := taskRow{
		ID: t.ID, State: t.State.String(), Spec: t.Spec, Created: formatTime(t.Created),
		Start: t.Start, Cursor: t.Cursor, Attempt: t.Attempt, Node: t.Node,
	}
	if t.State == fsm.TaskActive {
		row.Behind = view.Last(fsm.Readings) - t.Cursor
		left := time.Duration(max(0, t.Lease-view.LogTime())) * time.Microsecond
		row.LeaseLeft = left.Seconds()
	}
	if d.Progress != nil {
		var err error
		if row.Progress, err = d.Progress(t); err != nil {
			return taskRow{}, err
		}
	}
	return row, nil
}

// getTasks answers with all tasks by ID.
func (d *door) getTasks(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "consistency")
	consistency := q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	rows := []taskRow{}
	for _, t := range view.Tasks() {
		row, err := d.taskRowOf(&t, view)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return writeJSON(w, http.StatusOK, map[string][]taskRow{"tasks": rows})
}

// getTask answers with one task.
func (d *door) getTask(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "consistency")
	consistency := q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	t, ok := view.Task(r.PathValue("id"))
	if !ok {
		return fsm.Refusal(fsm.NoSuchTask)
	}
	row, err := d.taskRowOf(&t, view)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, row)
}

// postTask creates a task: 201 when it is new, 200 when the same one exists.
func (d *door) postTask(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	body, err := readBody(w, r, maxTaskBody)
	if err != nil {
		return err
	}
	cmd, err := readTask(body)
	if err != nil {
		return problemf(http.StatusBadRequest, "task", "%s", err)
	}
	outcome, err := d.propose(r.Context(), cmd)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/tasks/"+url.PathEscape(cmd.ID))
	status := http.StatusCreated
	if outcome.Known {
		status = http.StatusOK
	}
	return writeJSON(w, status, map[string]string{"id": cmd.ID})
}

// readTask reads {"id": ..., "spec": {...}}; without an id it gets a random one.
func readTask(body []byte) (fsm.CreateTaskCommand, error) {
	var in struct {
		ID   string       `json:"id"`
		Spec fsm.TaskSpec `json:"spec"`
	}
	if err := strictJSON(body, &in); err != nil {
		return fsm.CreateTaskCommand{}, err
	}
	if in.ID == "" {
		in.ID = in.Spec.Kind + "-" + rand.Text()[:8]
	}
	if err := fsm.ValidateName("task", in.ID, fsm.MaxTaskID); err != nil {
		return fsm.CreateTaskCommand{}, err
	}
	return fsm.CreateTaskCommand{ID: in.ID, Spec: in.Spec}, in.Spec.Validate()
}

// deleteTask cancels a task; its output stays.
func (d *door) deleteTask(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	if _, err := d.propose(r.Context(), fsm.CancelTaskCommand{ID: r.PathValue("id")}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
