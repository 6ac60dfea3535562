package main

import (
	"fmt"
	"testing"

	"skerry/cluster"
)

func TestGatewaysAreToldAsDevicesReachThem(t *testing.T) {
	got := gateways("n1", []cluster.Member{
		{Name: "n1", Alive: true, Address: "10.0.0.1:7420", CoAP: "0.0.0.0:5683"},
		{Name: "n2", Alive: true, Address: "[2001:db8::2]:7420", CoAP: "[::]:5683"},
		{Name: "n3", Alive: true, Address: "10.0.0.3:7420", CoAP: "192.168.1.3:5690"},
		{Name: "n4", Alive: true, Address: "n4.example:7420", CoAP: ":5683"},
		{Name: "n5", Alive: false, Address: "10.0.0.5:7420", CoAP: "10.0.0.5:5683"},
		{Name: "n6", Alive: true, Address: "10.0.0.6:7420"}, // serves no plain CoAP
	})
	want := "[{n1 10.0.0.1:5683 true} {n2 [2001:db8::2]:5683 false} {n3 192.168.1.3:5690 false} {n4 n4.example:5683 false}]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}
