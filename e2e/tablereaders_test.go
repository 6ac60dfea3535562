//go:build e2e && !engines

package e2e_test

// tableReaders are the outside readers of the table that a check runs.
var tableReaders = []string{"deltalake", "duckdb"}
