package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"skerry/fsm"
)

// Task is a task as the contract writes it.
type Task struct {
	ID        string          `json:"id"`
	State     string          `json:"state"`
	Spec      fsm.TaskSpec    `json:"spec"`
	Created   time.Time       `json:"created"`
	Start     uint64          `json:"start"`
	Cursor    uint64          `json:"cursor"`
	Behind    uint64          `json:"behind"` // readings not yet counted
	Attempt   uint64          `json:"attempt"`
	Node      string          `json:"node"`
	LeaseLeft float64         `json:"lease_left"` // seconds
	Progress  json.RawMessage `json:"progress,omitempty"`
}

// Tasks returns all tasks by ID.
func (c *Client) Tasks(ctx context.Context) ([]Task, error) {
	var list struct {
		Tasks []Task `json:"tasks"`
	}
	err := c.get(ctx, "/v1/tasks", nil, &list)
	return list.Tasks, err
}

// Task returns one task.
func (c *Client) Task(ctx context.Context, id string) (Task, error) {
	var t Task
	err := c.get(ctx, "/v1/tasks/"+segment(id), nil, &t)
	return t, err
}

// CreateTask starts a task under an ID, "" for one that the node makes up, and
// returns the ID. The same ID with the same spec is one task.
func (c *Client) CreateTask(ctx context.Context, id string, spec fsm.TaskSpec) (string, error) {
	body := struct {
		ID   string       `json:"id,omitempty"`
		Spec fsm.TaskSpec `json:"spec"`
	}{id, spec}
	var made struct {
		ID string `json:"id"`
	}
	err := c.do(ctx, http.MethodPost, "/v1/tasks", nil, body, &made)
	return made.ID, err
}

// CancelTask ends a task for good.
func (c *Client) CancelTask(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/v1/tasks/"+segment(id), nil, nil, nil)
}
