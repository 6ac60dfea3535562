package cluster_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// local is a member's view of what it has applied.
func local(tb testing.TB, m *clustertest.Member) *cluster.View {
	tb.Helper()
	view, err := m.View(tb.Context(), cluster.Local)
	if err != nil {
		tb.Fatal(err)
	}
	return view
}

// refused proposes what is not to be done, and returns why not.
func refused(tb testing.TB, m *clustertest.Member, cmd fsm.Command) fsm.Code {
	tb.Helper()
	r, err := m.Propose(tb.Context(), cmd)
	if err != nil {
		tb.Fatalf("propose on %s: %v", m.Name, err)
	}
	return r.Outcomes[0].Code
}

func TestAKeyIsKnownAndRevokedOnEveryNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		at := s.Followers()[0]
		at.MustPropose(fsm.PutDeviceCommand{Name: "pump", Create: true})
		at.MustPropose(fsm.AddKeyCommand{Device: "pump", Identity: "pump.1", Secret: []byte("secret")})
		s.Agree()
		versions := map[string]uint64{}
		for _, m := range s.Up() {
			device, key, ok := local(t, m).Identity("pump.1")
			if !ok || device != "pump" || string(key.Secret) != "secret" {
				t.Errorf("%s knows the key as %q's %+v, %t", m.Name, device, key, ok)
			}
			versions[m.Name] = m.RegistryVersion()
		}
		at.MustPropose(fsm.RevokeKeyCommand{Device: "pump", Identity: "pump.1"})
		for _, m := range s.Up() {
			s.Wait("the revocation", func() bool { return m.RegistryVersion() > versions[m.Name] })
			if _, _, ok := local(t, m).Identity("pump.1"); ok {
				t.Errorf("%s knows a revoked key", m.Name)
			}
			if d, ok := local(t, m).Registered("pump"); !ok || len(d.Keys) != 0 || len(local(t, m).RegisteredDevices()) != 1 {
				t.Errorf("%s has the device as %+v, %t", m.Name, d, ok)
			}
		}
	})
}

func TestARareCommandSentAgainChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		put := fsm.PutDocumentCommand{Device: "pump", Format: 50, Body: []byte("{}"), By: fsm.Key{1}}
		first := s.Nodes[0].MustPropose(put).Outcomes[0]
		s.Nodes[0].MustPropose(fsm.PutDeviceCommand{Name: "pump", Create: true})
		key := fsm.AddKeyCommand{Device: "pump", Identity: "pump.1", Secret: []byte("secret")}
		s.Nodes[0].MustPropose(key)
		entry := fsm.RegisterCommand{ID: "a", Endpoint: "pump", Lifetime: 60}
		s.Nodes[0].MustPropose(entry)
		for i, m := range s.Nodes {
			if again := m.MustPropose(put).Outcomes[0]; !again.Known || again.First != first.First {
				t.Errorf("%s answers the document with %+v, want %+v as known", m.Name, again, first)
			}
			if again := m.MustPropose(key).Outcomes[0]; !again.Known {
				t.Errorf("%s adds the same key twice: %+v", m.Name, again)
			}
			entry.ID = fmt.Sprint("b", i) // drawn anew, as a repeated request does
			r := m.MustPropose(entry)
			if !r.Outcomes[0].Known {
				t.Errorf("%s registers an endpoint twice: %+v", m.Name, r.Outcomes[0])
			}
			if err := m.Await(t.Context(), r.Index); err != nil {
				t.Fatal(err)
			}
			if got, ok := local(t, m).RegistrationOf("pump", ""); !ok || got.ID != "a" || len(local(t, m).Registrations()) != 1 {
				t.Errorf("%s has the endpoint as %+v, %t", m.Name, got, ok)
			}
			if code := refused(t, m, fsm.PutDeviceCommand{Name: "pump", Create: true}); code != fsm.Exists {
				t.Errorf("%s creates a device twice: code %d", m.Name, code)
			}
		}
		s.Agree()
		for _, m := range s.Nodes {
			if d, ok := local(t, m).Document("pump", fsm.Desired); !ok || d.Version != uint64(first.First) {
				t.Errorf("%s has the document as %+v, %t", m.Name, d, ok)
			}
		}
	})
}

func TestAMalformedRareCommandIsRefusedBeforeItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		before := s.Nodes[0].Status().AppliedIndex
		for _, cmd := range []fsm.Command{
			fsm.AddKeyCommand{Device: "pump", Identity: "i"}, fsm.LeaseCommand{}, fsm.PutDocumentCommand{},
			&fsm.ConditionalBatch{If: fsm.Condition{Device: "d", Resource: "r"}},
		} {
			if _, err := s.Nodes[0].Propose(t.Context(), cmd); err == nil {
				t.Errorf("%T was taken", cmd)
			}
		}
		if got := s.Nodes[0].Status().AppliedIndex; got != before {
			t.Errorf("index %d is applied, want %d as before", got, before)
		}
	})
}

func TestAppliedTellsOfAChangeMadeElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		from, at := s.Followers()[0], s.Followers()[1]
		s.Agree()
		view := local(t, at)
		changed := view.Applied()
		select {
		case <-changed:
			t.Fatal("something was applied before anything was proposed")
		default:
		}
		before := view.RegistryVersion()
		from.MustPropose(fsm.PutDeviceCommand{Name: "pump", Create: true})
		<-changed
		for view.RegistryVersion() == before {
			<-view.Applied()
		}
		if _, ok := view.Registered("pump"); !ok {
			t.Error("the registry's version moved before its change is to be seen")
		}
	})
}

func TestASnapshotBringsTheRegistryToANodeThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		s.Leader().MustPropose(fsm.PutDeviceCommand{Name: "pump", Create: true})
		s.Leader().MustPropose(fsm.AddKeyCommand{Device: "pump", Identity: "1", Secret: []byte("secret")})
		s.Leader().MustPropose(fsm.PutDocumentCommand{Device: "pump", Body: []byte("on")})
		s.Leader().MustPropose(fsm.LeaseCommand{Name: "address", Holder: "n1", Duration: time.Hour.Microseconds()})
		snapshots(t, s)
		want := s.Leader().RegistryVersion()
		added := s.Add("n4")
		s.Wait("the registry", func() bool { return added.RegistryVersion() == want })
		view := local(t, added)
		device, _, known := view.Identity("1")
		d, written := view.Document("pump", fsm.Desired)
		l, held := view.Lease("address")
		if !known || device != "pump" || !written || string(d.Body) != "on" || !held || l.Holder != "n1" {
			t.Errorf("it has the key as %q's, the document as %+v, the lease as %+v", device, d, l)
		}
		s.Agree()
	})
}
