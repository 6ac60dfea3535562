package client_test

import (
	"strings"
	"testing"

	"skerry/cmd/skerry/client"
)

func TestASummaryFitsALine(t *testing.T) {
	number, short, long, data := 21.6, "open", strings.Repeat("ä", 4000), make([]byte, 200_000)
	for _, c := range []struct {
		name string
		in   client.Reading
		want string
	}{
		{"a number with its unit", client.Reading{Value: &number, Unit: "Cel"}, "21.6 Cel"},
		{"a short text", client.Reading{Text: &short}, "open"},
		{"a long text", client.Reading{Text: &long}, strings.Repeat("ä", 60) + "..."},
		{"bytes", client.Reading{Data: &data}, "200000 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.in.Summary(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
