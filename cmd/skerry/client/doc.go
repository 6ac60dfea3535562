// Package client asks a node over its HTTP interface, as the commands, the
// demonstration and the tests do. It knows the contract of /v1, and turns the
// nodes' problem documents into errors that a person can act on.
package client
