package coap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plgd-dev/go-coap/v3/tcp"

	"skerry/cluster"
	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

// diary is the entry of a device that there must be.
func diary(tb testing.TB, server *coap.Server, device string) coap.Entry {
	tb.Helper()
	e, ok := server.Diary(device)
	if !ok {
		tb.Fatalf("%s is not in the diary", device)
	}
	return e
}

// figures are an entry's counts in one line.
func figures(e coap.Entry) string {
	return fmt.Sprintf("%d requests, %d again, %d readings, %d refused", e.Requests, e.Duplicates, e.Readings, e.Refused)
}

func TestTheDiaryTellsWhoCameAndWhatBecameOfIt(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	if _, ok := server.Diary("pump-7"); ok {
		t.Fatal("there is an entry before anything came")
	}
	peer := dialRaw(t, server.Addr().String())
	peer.exchange(post(t, 10, "aa", "1")).want(t, message.Changed, "aa")
	peer.exchange(post(t, 10, "aa", "1")).want(t, message.Changed, "aa")
	peer.exchange(post(t, 11, "bb", "2")).want(t, message.Changed, "bb")
	peer.ask(ask{id: 12, method: message.POST, path: "r", payload: `[{"bn":"pump-7/","n":"a","v":1},{"n":"b","v":2}]`}).want(t, message.Changed)
	peer.ask(ask{id: 13, method: message.POST, path: "r/pump-7/x", payload: "5", options: []opt{{message.ContentFormat, "\x63"}}}).want(t, message.UnsupportedFormat)
	e := diary(t, server, "pump-7")
	if got, want := figures(e), "5 requests, 1 again, 4 readings, 1 refused"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if e.Address != peer.conn.LocalAddr().String() || e.Over != "coap" || e.Seen.IsZero() {
		t.Errorf("seen at %v from %s over %s, want %s over coap", e.Seen, e.Address, e.Over, peer.conn.LocalAddr())
	}
	if e.Refusal == nil || e.Refusal.Code != "4.15" || !strings.Contains(e.Refusal.Text, "content format 99") || e.Refusal.At.IsZero() {
		t.Errorf("refusal = %+v, want 4.15 with its text", e.Refusal)
	}
}

func TestARefusalOfTheSiteIsInTheDiary(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	s.set(func(s *store) { s.err = cluster.ErrNoLeader })
	peer := dialRaw(t, server.Addr().String())
	peer.exchange(post(t, 10, "aa", "1")).want(t, message.ServiceUnavailable, "aa")
	e := diary(t, server, "pump-7")
	if e.Refusal == nil || e.Refusal.Code != "5.03" || e.Readings != 0 {
		t.Errorf("entry = %s with %+v, want no reading and 5.03", figures(e), e.Refusal)
	}
}

func TestWhoReadsIsNotTheDevice(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	peer.ask(ask{id: 1, method: message.GET, path: "r/pump-7/temperature"})
	peer.ask(ask{id: 2, method: message.GET, path: "d/pump-7/reported"})
	if _, ok := server.Diary("pump-7"); ok {
		t.Error("a reader is taken for the device")
	}
	peer.ask(ask{id: 3, method: message.GET, path: "d/pump-7/desired"})
	if e := diary(t, server, "pump-7"); e.Requests != 1 || e.Refusal == nil || e.Refusal.Code != "4.04" {
		t.Errorf("entry = %s with %+v, want the device that asks what it shall be like", figures(e), e.Refusal)
	}
}

func TestAnAuthenticatedDeviceIsNotedUnderItsOwnName(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	server := s.serve(t, everyDoor(t))
	d := enter(t, server, "pump-7")
	if m := d.ask(putReading("pump-8", "temperature", "1")); m.Code != message.Forbidden {
		t.Fatalf("got %v, want 4.03", m.Code)
	}
	if m := d.ask(coap.Request{Method: message.GET, Path: []string{"time"}}); m.Code != message.Content {
		t.Fatalf("got %v, want the time", m.Code)
	}
	e := diary(t, server, "pump-7")
	if got := figures(e); got != "2 requests, 0 again, 0 readings, 1 refused" || e.Over != "coaps" || e.Refusal.Code != "4.03" {
		t.Errorf("entry = %s over %s with %+v", got, e.Over, e.Refusal)
	}
	if _, ok := server.Diary("pump-8"); ok {
		t.Error("what somebody else was refused is noted under the name of the victim")
	}
}

func TestAStreamHasNoMessageIDsToTellFrom(t *testing.T) {
	s := newStore(t)
	server := s.serve(t, everyDoor(t))
	_, at, _ := server.DoorAddrs()
	conn, err := tcp.Dial(at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 3 {
		postOver(t, conn, "/r/pump-7/temperature", "1")
	}
	e := diary(t, server, "pump-7")
	if got := figures(e); got != "3 requests, 0 again, 3 readings, 0 refused" || e.Over != "coap+tcp" || e.Expected != 0 {
		t.Errorf("entry = %s over %s, %d expected", got, e.Over, e.Expected)
	}
}

func TestLossIsToldFromGapsOfTheWholeEndpoint(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	for id := range uint16(40) {
		switch {
		case id%10 == 5: // lost
		case id%10 == 7: // asks for something else between
			peer.ask(ask{id: id, method: message.GET, path: "time"}).want(t, message.Content)
		default:
			peer.exchange(post(t, id, fmt.Sprint(id), "1"))
		}
	}
	e := diary(t, server, "pump-7")
	if share, ok := e.Loss(); !ok || share != 0.1 {
		t.Errorf("loss = %v of %d, %v; want 4 of 40", share, e.Expected, ok)
	}
	other := dialRaw(t, server.Addr().String()) // it moved, and counts from elsewhere
	other.exchange(post(t, 20_000, "aa", "1"))
	if e := diary(t, server, "pump-7"); e.Expected != 41 || e.Missing != 4 || e.Address != other.conn.LocalAddr().String() {
		t.Errorf("after a move %d expected, %d missing from %s", e.Expected, e.Missing, e.Address)
	}
}

func TestADeviceThatSendsFromTwoAddressesIsNotCountedTwice(t *testing.T) {
	server := newStore(t).serve(t)
	here, there := dialRaw(t, server.Addr().String()), dialRaw(t, server.Addr().String())
	for id := range uint16(20) {
		here.exchange(post(t, 2*id, fmt.Sprint("h", id), "1"))
		there.exchange(post(t, id, fmt.Sprint("t", id), "1"))
	}
	if e := diary(t, server, "pump-7"); e.Expected != 40 || e.Missing != 0 {
		t.Errorf("%d expected, %d missing; want the 40 that came, as nothing is told across moves", e.Expected, e.Missing)
	}
}

func TestARequestThatWaitsForAProofCameOnce(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	s.change(t, fsm.PutDocumentCommand{Device: "pump-7", Kind: fsm.Desired, Body: make([]byte, 400)})
	peer.ask(ask{id: 1, method: message.GET, path: "d/pump-7/desired"}).want(t, message.Content)
	if st := server.Stats(); st.Challenged != 1 {
		t.Fatalf("%d challenged, want 1", st.Challenged)
	}
	if e := diary(t, server, "pump-7"); figures(e) != "1 requests, 0 again, 0 readings, 0 refused" || e.Expected != 1 {
		t.Errorf("entry = %s, %d expected, want one request", figures(e), e.Expected)
	}
}

func TestMessageIDsTellOfLossAndRepetition(t *testing.T) {
	for _, c := range []struct {
		name  string
		ids   []uint16
		again int
		want  string // expected, missing, restarts
	}{
		{"one after the other", []uint16{1, 2, 3, 4}, 0, "4 0 0"},
		{"over the end of the numbers", []uint16{65534, 65535, 0, 1}, 0, "4 0 0"},
		{"the same again", []uint16{1, 1, 2, 1, 2}, 3, "2 0 0"},
		{"a gap", []uint16{1, 2, 6}, 0, "6 3 0"},
		{"a gap that closes later", []uint16{1, 2, 4, 3, 3}, 1, "4 0 0"},
		{"a large gap", []uint16{1, 500, 499}, 0, "500 497 0"},
		{"a counter that begins anew", []uint16{1, 2, 40000, 40001}, 0, "4 0 1"},
		{"a counter that begins anew below", []uint16{40000, 40001, 7, 8}, 0, "4 0 1"},
		{"one from before the first", []uint16{5, 4}, 0, "2 0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ids coap.IDs
			again := 0
			for _, id := range c.ids {
				if ids.Take(id) {
					again++
				}
			}
			expected, missing, restarts := ids.Tally()
			if got := fmt.Sprint(expected, missing, restarts); got != c.want || again != c.again {
				t.Errorf("got %s with %d again, want %s with %d", got, again, c.want, c.again)
			}
		})
	}
}

func TestLossIsNotToldWhereIDsDoNotCountUp(t *testing.T) {
	for _, c := range []struct {
		name string
		e    coap.Entry
		ok   bool
	}{
		{"too few messages", coap.Entry{Expected: 9}, false},
		{"ids drawn at random", coap.Entry{Expected: 900, Missing: 700, Restarts: 198}, false},
		{"a device that restarts now and then", coap.Entry{Expected: 900, Missing: 9, Restarts: 3}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, ok := c.e.Loss(); ok != c.ok {
				t.Errorf("told: %v, want %v", ok, c.ok)
			}
		})
	}
}

func TestTheDiaryForgetsWhoWasSilentLongest(t *testing.T) {
	server := newStore(t).serve(t)
	peer := dialRaw(t, server.Addr().String())
	say := func(id int) {
		t.Helper()
		peer.ask(ask{id: uint16(id), method: message.POST, path: fmt.Sprintf("r/d%d/x", id), payload: "1"}).want(t, message.Changed)
	}
	for id := range coap.MaxDiary + 1 {
		say(id)
		if id%1000 == 0 {
			peer.ask(ask{id: uint16(id) + 1<<15, method: message.POST, path: "r/steady/x", payload: "1"}).want(t, message.Changed)
		}
	}
	if _, ok := server.Diary("d0"); ok {
		t.Error("the first device is still there")
	}
	diary(t, server, "steady")
	diary(t, server, fmt.Sprintf("d%d", coap.MaxDiary))
	long := strings.Repeat("x", 200)
	peer.ask(ask{id: 60_000, method: message.POST, path: "r/" + long + "/x", payload: "1"}).want(t, message.BadRequest)
	if _, ok := server.Diary(long); ok {
		t.Error("a name that is none is noted")
	}
}
