package fsm_test

import (
	"fmt"
	"strings"
	"testing"

	"skerry/fsm"
)

func register(id, endpoint string, seconds int64) fsm.RegisterCommand {
	return fsm.RegisterCommand{ID: id, Endpoint: endpoint, Base: "coap://" + endpoint, Links: "</t>", Lifetime: seconds}
}

func TestDirectory_Lives(t *testing.T) {
	r := newReplicas(t)
	sector := register("3", "ep1", 60)
	sector.Sector = "hall"
	r.live([]step{
		{"a registration that is not there is not renewed", 0, fsm.RenewRegistrationCommand{ID: "1"}, notFound},
		{"nor taken out", 0, fsm.UnregisterCommand{ID: "1"}, notFound},
		{"an endpoint registers", 0, register("1", "ep1", 60), stored},
		{"the endpoint again keeps its ID", 0, register("2", "ep1", 60), known},
		{"an ID that another has is not taken", 0, register("1", "ep2", 60), exists},
		{"the same endpoint of another sector is another", 0, sector, stored},
		{"a renewal begins a lifetime anew", 59 * second, fsm.RenewRegistrationCommand{ID: "1"}, stored},
		{"one whose time is over is not renewed", second, fsm.RenewRegistrationCommand{ID: "3"}, notFound},
		{"a lifetime is changed", 0, fsm.RenewRegistrationCommand{ID: "1", Lifetime: ptr(int64(600)), Base: ptr("coap://new")}, stored},
		{"and lives so long", 599 * second, fsm.RenewRegistrationCommand{ID: "1", Links: ptr("</u>")}, stored},
		{"an endpoint leaves", 0, fsm.UnregisterCommand{ID: "1"}, stored},
		{"and registers anew under another ID", 0, register("4", "ep1", 60), stored},
	})
	got, ok := r.a.RegistrationOf("ep1", "")
	if !ok || got.ID != "4" || got.Updated != r.h.Received || got.Expires != r.h.LogTime+60*second {
		t.Errorf("the endpoint is %+v, %t", got, ok)
	}
	r.at(60 * second)
	r.post("d", 1)
	if _, ok := r.a.RegistrationOf("ep1", ""); ok || len(r.a.Registrations()) != 0 {
		t.Error("a registration whose time is over is found")
	}
}

func TestDirectory_RenewalChangesWhatItGives(t *testing.T) {
	r := newReplicas(t)
	c := register("1", "ep", 60)
	c.Attributes = []string{"et=sensor"}
	r.one(c)
	r.one(fsm.RenewRegistrationCommand{ID: "1", Base: ptr("coap://moved")})
	got, _ := r.a.RegistrationOf("ep", "")
	if got.Base != "coap://moved" || got.Links != "</t>" || len(got.Attributes) != 1 || got.Lifetime != 60 {
		t.Errorf("with another base it is %+v", got)
	}
	r.one(fsm.RenewRegistrationCommand{ID: "1", Attributes: ptr([]string{}), Links: ptr("")})
	got, _ = r.a.RegistrationOf("ep", "")
	if got.Base != "coap://moved" || got.Links != "" || len(got.Attributes) != 0 {
		t.Errorf("with nothing more it is %+v", got)
	}
}

func TestDirectory_BoundMakesRoomForThoseThatAreOver(t *testing.T) {
	r := newReplicas(t)
	large := strings.Repeat("l", fsm.MaxLinks)
	for i := range fsm.MaxRegistrations {
		c := register(fmt.Sprint(i), fmt.Sprint("ep", i), 60)
		if i < 3 {
			c.Links, c.Lifetime = large, 30
			c.ID += strings.Repeat("i", fsm.MaxRegistrationID-len(c.ID))
			c.Base = strings.Repeat("b", fsm.MaxBase)
			c.Attributes = strings.Split(strings.Repeat(strings.Repeat("a", fsm.MaxAttributeBytes/fsm.MaxAttributes)+" ", fsm.MaxAttributes-1)+"a", " ")
		}
		if got := r.one(c); got != stored {
			t.Fatalf("registration %d got %+v", i, got)
		}
	}
	r.reopen()
	if got := r.one(register("x", "one more", 60)); got != noRoom {
		t.Errorf("one more got %+v, want %+v", got, noRoom)
	}
	r.at(30 * second)
	if got := r.one(register("x", "one more", 60)); got != stored {
		t.Errorf("one more, when three are over, got %+v", got)
	}
	if got := len(r.a.Registrations()); got != fsm.MaxRegistrations-2 {
		t.Errorf("%d registrations are left, want %d", got, fsm.MaxRegistrations-2)
	}
}
