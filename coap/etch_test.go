package coap_test

import (
	"strings"
	"testing"

	"skerry/cluster"
	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

// Packs of RFC 8790 in JSON and CBOR.
const (
	etchJSON = 320
	etchCBOR = 322
)

// etch is a FETCH, PATCH or iPATCH with a pack.
func etch(method message.Code, path []string, pack string) coap.Request {
	return coap.Request{Method: method, Path: path, Typed: true, Format: etchJSON, Payload: []byte(pack)}
}

// storeOfMany has the readings that FETCHes of the tests select from.
func storeOfMany(t *testing.T) (*store, *raw) {
	t.Helper()
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	for i, pack := range []string{
		`[{"bn":"pump-7/","bt":1700000000,"n":"temperature","u":"Cel","v":20},{"n":"on","vb":true},{"n":"temperature","u":"Cel","t":60,"v":21}]`,
		`[{"n":"pump-7/temperature","u":"Cel","t":1700000000,"v":22},{"n":"pump-7/temperature","u":"K","t":1700000000,"v":295}]`,
		`[{"n":"hall/3/lamp","t":1700000000,"vb":false}]`,
	} {
		peer.exchange(request(t, uint16(i), "p", typed([]string{"r"}, 110, pack))).want(t, message.Changed, "p")
	}
	return s, peer
}

func TestAFetchSelectsReadings(t *testing.T) {
	_, peer := storeOfMany(t)
	all, pump := []string{"r"}, []string{"r", "pump-7"}
	for _, c := range []struct {
		name, want string
		in         coap.Request
	}{
		{"the latest of two devices, as they were asked for",
			`[{"bn":"hall/3/","n":"lamp","t":1700000000,"vb":false},{"bn":"pump-7/","n":"on","t":1700000000,"vb":true}]`,
			etch(message.FETCH, all, `[{"n":"hall/3/lamp"},{"bn":"pump-7/","n":"on"}]`)},
		{"the latest of a device's resources",
			`[{"bn":"pump-7/","n":"on","t":1700000000,"vb":true},{"n":"temperature","u":"K","t":1700000000,"v":295}]`,
			etch(message.FETCH, pump, `[{"n":"on"},{"n":"temperature"}]`)},
		{"what is there, without what is not", `[{"bn":"pump-7/","n":"on","t":1700000000,"vb":true}]`,
			etch(message.FETCH, pump, `[{"n":"off"},{"n":"on"}]`)},
		{"the reading of a time", `[{"bn":"pump-7/","n":"temperature","u":"Cel","t":1700000060,"v":21}]`,
			etch(message.FETCH, pump, `[{"n":"temperature","t":1700000060}]`)},
		{"of several of one time the one that came last", `[{"bn":"pump-7/","n":"temperature","u":"K","t":1700000000,"v":295}]`,
			etch(message.FETCH, pump, `[{"n":"temperature","t":1700000000}]`)},
		{"of several of one time and unit the one that came last", `[{"bn":"pump-7/","n":"temperature","u":"Cel","t":1700000000,"v":22}]`,
			etch(message.FETCH, pump, `[{"n":"temperature","u":"Cel","t":1700000000}]`)},
		{"a reading that two records select is there once", `[{"bn":"pump-7/","n":"temperature","u":"K","t":1700000000,"v":295}]`,
			etch(message.FETCH, pump, `[{"n":"temperature"},{"n":"temperature","u":"K"},{"n":"temperature","t":1700000000}]`)},
		{"a pack without a content format", `[{"bn":"pump-7/","n":"on","t":1700000000,"vb":true}]`,
			coap.Request{Method: message.FETCH, Path: pump, Payload: []byte(` [{"n":"on"}]`)}},
		{"a pack in CBOR", `[{"bn":"pump-7/","n":"on","t":1700000000,"vb":true}]`,
			coap.Request{Method: message.FETCH, Path: pump, Typed: true, Format: etchCBOR, Payload: []byte("\x81\xa1\x00\x62on")}},
		{"an answer in CBOR", "\x81\xa4\x21\x67pump-7/\x00\x62on\x06\x1a\x65\x53\xf1\x00\x04\xf5",
			coap.Request{Method: message.FETCH, Path: pump, Payload: []byte(`[{"n":"on"}]`), Choosy: true, Accept: 112}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := peer.exchange(request(t, 99, "aa", c.in))
			a.want(t, message.Content, "aa")
			format := 110
			if c.in.Choosy {
				format = int(c.in.Accept)
			}
			if a.payload != c.want || a.format != format {
				t.Errorf("got %q in format %d, want %q in %d", a.payload, a.format, c.want, format)
			}
		})
	}
}

func TestAPatchAddsReadings(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	all, pump := []string{"r"}, []string{"r", "pump-7"}
	for i, in := range []coap.Request{
		etch(message.PATCH, all, `[{"bn":"pump-7/","n":"x","t":1700000000,"v":1},{"n":"y","t":1700000000,"vs":"two"}]`),
		etch(message.IPATCH, pump, `[{"n":"x","t":1700000000,"v":3}]`), // of the same time: the last one counts
		{Method: message.IPATCH, Path: pump, Typed: true, Format: etchCBOR, Payload: []byte("\x81\xa2\x00\x61x\x02\x04")},
		etch(message.IPATCH, pump, `[{"n":"x","t":1700000000,"v":3}]`), // said before
	} {
		peer.exchange(request(t, uint16(i), "aa", in)).want(t, message.Changed, "aa")
	}
	if got := values(s); got != "1 two 3 4" {
		t.Errorf("stored %q, want each reading once", got)
	}
	peer.exchange(request(t, 9, "bb", etch(message.FETCH, pump, `[{"n":"x","t":1700000000}]`))).want(t, message.Content, "bb")
}

func TestAPackOfRFC8790ThatIsWrong(t *testing.T) {
	s, peer := storeOfMany(t)
	before := values(s)
	all, pump := []string{"r"}, []string{"r", "pump-7"}
	timed := "[" + strings.Repeat(`{"n":"x","t":1700000000},`, 64) + `{"n":"x","t":1700000000}]`
	format := func(in coap.Request, format uint16) coap.Request {
		in.Format = format
		return in
	}
	for _, c := range []struct {
		name string
		in   coap.Request
		want message.Code
		says string
	}{
		{"a FETCH of nothing that is there", etch(message.FETCH, pump, `[{"n":"off"}]`), message.NotFound, "none of these"},
		{"a FETCH of a time that is not there", etch(message.FETCH, pump, `[{"n":"on","t":1700000001}]`), message.NotFound, "none of these"},
		{"a FETCH of a unit that is not there", etch(message.FETCH, pump, `[{"n":"on","u":"m"}]`), message.NotFound, "none of these"},
		{"a FETCH with a value", etch(message.FETCH, pump, `[{"n":"on","vb":true}]`), message.BadRequest, "record 1, vb: is a value"},
		{"a FETCH with another device's name", etch(message.FETCH, pump, `[{"bn":"x/","n":"on"}]`), message.BadRequest, "record 1, bn"},
		{"a FETCH of too many times", etch(message.FETCH, pump, timed), message.BadRequest, "65 records have a time, at most 64"},
		{"a FETCH with a SenML pack", format(etch(message.FETCH, all, `[{"n":"a/b"}]`), 110), message.UnsupportedFormat, "320"},
		{"a FETCH without a body", coap.Request{Method: message.FETCH, Path: all}, message.UnsupportedFormat, "a Fetch Pack of RFC 8790"},
		{"a FETCH that wants text", coap.Request{Method: message.FETCH, Path: pump, Payload: []byte(`[{"n":"on"}]`), Choosy: true}, message.NotAcceptable, "110"},
		{"a FETCH of one series", etch(message.FETCH, coap.ReadingPath("pump-7", "on"), `[{"n":"on"}]`), message.MethodNotAllowed, "FETCH is not taken here"},
		{"a PATCH with a removal", etch(message.PATCH, pump, `[{"n":"x","v":1},{"n":"on","v":null}]`), message.Unprocessable, "record 2, v: null would remove a reading"},
		{"an iPATCH with a record without a value", etch(message.IPATCH, pump, `[{"n":"x"}]`), message.BadRequest, "record 1: has no value"},
		{"a PATCH with a SenML pack", format(etch(message.PATCH, all, `[{"n":"a/b","v":1}]`), 112), message.UnsupportedFormat, "a Patch Pack of RFC 8790"},
		{"a PATCH of one series", etch(message.PATCH, coap.ReadingPath("pump-7", "on"), `[{"n":"on","v":1}]`), message.MethodNotAllowed, "PATCH is not taken here"},
		{"an iPATCH of the time", etch(message.IPATCH, []string{"time"}, `[{"n":"on","v":1}]`), message.MethodNotAllowed, "iPATCH is not taken here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := peer.exchange(request(t, 99, "aa", c.in))
			a.want(t, c.want, "aa")
			if !strings.Contains(a.payload, c.says) {
				t.Errorf("it says %q, want %q", a.payload, c.says)
			}
		})
	}
	if got := values(s); got != before {
		t.Errorf("stored %q, want %q as before", got, before)
	}
}

func TestAFetchOfTooMuch(t *testing.T) {
	s := newStore(t)
	for i, name := range []string{"a", "b"} {
		_, err := s.apply(&fsm.Batch{Items: []fsm.Item{{Key: fsm.Key{byte(i)}, Records: []fsm.Record{
			{Device: "d", Resource: name, Time: 1_700_000_000e6, Value: fsm.DataValue(make([]byte, 200<<10))},
		}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	peer := dialRaw(t, s.serve(t).Addr().String())
	a := peer.exchange(request(t, 1, "aa", etch(message.FETCH, []string{"r", "d"}, `[{"n":"a"},{"n":"b"}]`)))
	a.want(t, message.BadRequest, "aa")
	if !strings.Contains(a.payload, "fewer") {
		t.Errorf("it says %q, want what to do", a.payload)
	}
	peer.exchange(request(t, 2, "bb", etch(message.FETCH, []string{"r", "d"}, `[{"n":"a"}]`))).want(t, message.Content, "bb")
}

func TestAFetchThatCannotBeRead(t *testing.T) {
	s := newStore(t)
	s.unreadable = cluster.ErrMissing
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.exchange(request(t, 1, "aa", etch(message.FETCH, []string{"r"}, `[{"n":"a/b","t":1700000000}]`))).want(t, message.ServiceUnavailable, "aa")
}
