package coap_test

import (
	"context"
	"strings"
	"testing"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

// behind is the view of a node that has not applied the registrations yet.
type behind struct{ coap.View }

func (behind) Registration(string) (fsm.Registration, bool) { return fsm.Registration{}, false }

// TestADeviceRemovesNobodyElsesRegistration asks a gateway that cannot tell whose
// the registration is.
func TestADeviceRemovesNobodyElsesRegistration(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	peer := dialRaw(t, s.serve(t).Addr().String())
	other := peer.ask(register(1, "ep=pump-8", "")).want(t, message.Created).location()
	server := s.serve(t, everyDoor(t), func(c *coap.Config) {
		c.View = func(context.Context) (coap.View, error) { return behind{s}, nil }
	})
	device := enter(t, server, "pump-7")
	m := device.ask(coap.Request{Method: message.DELETE, Path: strings.Split(other[1:], "/")})
	if n := len(s.Registrations()); m.Code != message.NotFound || n != 1 {
		t.Errorf("got %v %q, and %d registrations are left, want 4.04 and the one", m.Code, m.Payload, n)
	}
}

// TestTheCopyOfARemovalIsAnsweredAsTheRemovalWas sends one datagram twice.
func TestTheCopyOfARemovalIsAnsweredAsTheRemovalWas(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	device := enter(t, s.serve(t, everyDoor(t)), "pump-7")
	device.ask(coap.Request{Method: message.POST, Path: []string{"rd"}})
	remove := request(t, 77, "tkn", coap.Request{Method: message.DELETE, Path: []string{"rd", s.Registrations()[0].ID}})
	for range 2 {
		device.send(remove)
		if m := device.hear(); m.Code != message.Deleted {
			t.Errorf("got %v %q, want 2.02", m.Code, m.Payload)
		}
	}
}
