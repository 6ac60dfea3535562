//go:build e2e && engines

package e2e_test

// tableReaders are all outside readers of the table.
var tableReaders = []string{"deltalake", "duckdb", "spark"}
