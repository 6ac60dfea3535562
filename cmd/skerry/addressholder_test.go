package main

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestFloatingAddressesAreRead(t *testing.T) {
	v4 := floatingSetting{netip.MustParsePrefix("10.0.0.100/24"), "eth0"}
	v6 := floatingSetting{netip.MustParsePrefix("fd00::100/64"), "br-lan"}
	tests := []struct {
		name  string
		texts []string
		coap  string
		want  []floatingSetting
		says  string // in the error, "" for none
	}{
		{"IPv4 at a door on all addresses", []string{"10.0.0.100/24@eth0"}, "0.0.0.0:5683", []floatingSetting{v4}, ""},
		{"both kinds at a door of both kinds", []string{"10.0.0.100/24@eth0", "fd00::100/64@br-lan"}, "[::]:5683", []floatingSetting{v4, v6}, ""},
		{"a door without a host is on all addresses", []string{"fd00::100/64@br-lan"}, ":5683", []floatingSetting{v6}, ""},
		{"a door on one address is refused", []string{"10.0.0.100/24@eth0"}, "10.0.0.1:5683", nil, "use --coap 0.0.0.0:5683"},
		{"a door on all IPv4 addresses is none for IPv6", []string{"fd00::100/64@eth0"}, "0.0.0.0:5683", nil, "use --coap [::]:5683"},
		{"an address without bits is refused", []string{"10.0.0.100@eth0"}, ":5683", nil, "ADDRESS/BITS@INTERFACE"},
		{"an address without an interface is refused", []string{"10.0.0.100/24"}, ":5683", nil, "ADDRESS/BITS@INTERFACE"},
		{"a multicast address is refused", []string{"224.0.1.187/24@eth0"}, ":5683", nil, "not an address that one machine can have"},
		{"a loopback address is refused", []string{"127.0.0.9/8@lo"}, ":5683", nil, "not an address that one machine can have"},
		{"more than four are refused", strings.Split("a,b,c,d,e", ","), ":5683", nil, "at most 4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := floatingSettings(test.texts, test.coap)
			if test.says == "" && err != nil {
				t.Fatal(err)
			}
			if test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got error %v, want one that says %q", err, test.says)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
