package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// ErrNoNode: nothing listens at the address.
var ErrNoNode = errors.New("no node answers")

// Problem is a node's refusal (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func (p *Problem) Error() string {
	switch {
	case p.Detail != "":
		return p.Detail
	case p.Title != "":
		return p.Title
	}
	return fmt.Sprintf("the node answered %d %s", p.Status, http.StatusText(p.Status))
}

// problem reads the refusal in an answer that is not a success.
func problem(resp *http.Response) error {
	p := &Problem{}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil || json.Unmarshal(body, p) != nil {
		p.Detail = strings.TrimSpace(string(body))
	}
	p.Status = resp.StatusCode
	return p
}

// StatusCode is the HTTP status of a node's refusal, 0 for any other error.
func StatusCode(err error) int {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}
