package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestArrange(t *testing.T) {
	tests := []struct {
		name string
		args string
		want string
	}{
		{"nothing stays nothing", "skerry", "skerry"},
		{"flags go before operands", "skerry get d/r --limit 5", "skerry get --limit 5 -- d/r"},
		{"global flags may stand first", "skerry --addr http://x get -o json d/r", "skerry get --addr http://x -o json -- d/r"},
		{"--to may stand before a command that speaks CoAP", "skerry --to coap://x post d/r 1", "skerry post --to coap://x -- d/r 1"},
		{"a negative number is an operand", "skerry post d/r -5.5 --unit Cel", "skerry post --unit Cel -- d/r -5.5"},
		{"a flag's value may begin with a dash", "skerry get d/r --from -5", "skerry get --from -5 -- d/r"},
		{"a flag with = takes no word", "skerry get --limit=5 d/r", "skerry get --limit=5 -- d/r"},
		{"a bool flag takes no word", "skerry agent --dev x", "skerry agent --dev -- x"},
		{"an operand may be a command's name", "skerry get get", "skerry get -- get"},
		{"groups have commands", "skerry -o json task show t1", "skerry task show -o json -- t1"},
		{"what follows -- are operands", "skerry post -- d/r --dev", "skerry post -- d/r --dev"},
		{"an unknown flag is left to the parser", "skerry status --colour x", "skerry status --colour -- x"},
		{"an unknown command is an operand", "skerry florp", "skerry -- florp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := arrange(newApp(io.Discard, io.Discard), strings.Fields(tt.args))
			if want := strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
