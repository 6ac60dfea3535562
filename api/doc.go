// Package api is the node's HTTP door, for operators, programs on the gateway
// and metrics: JSON over /v1, health, and Prometheus' text.
//
// It turns requests into views and commands of a Site and nothing more: what
// they mean is package fsm's, what they promise package cluster's. Packs are
// decoded, keyed and encoded by functions of the Config, so that a reading
// means the same here and at the devices' door. docs/api.md is the contract.
//
// Answers are written as they are read, in chunks; no answer is held whole,
// and no request body is read beyond its bound. Every error is a problem
// document (RFC 9457) that says what to do, by the one table in problem.go.
package api
