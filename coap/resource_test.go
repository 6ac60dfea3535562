package coap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/coap"
	"skerry/coap/message"
	"skerry/coap/senml"
	"skerry/fsm"
)

// typed is a POST with a content format.
func typed(path []string, format uint16, payload string) coap.Request {
	return coap.Request{Method: message.POST, Path: path, Typed: true, Format: format, Payload: []byte(payload)}
}

func TestBodiesOfOneReading(t *testing.T) {
	at := coap.ReadingPath("hall/pump-7", "x")
	plain := func(payload string) coap.Request {
		return coap.Request{Method: message.POST, Path: at, Payload: []byte(payload)}
	}
	for _, c := range []struct {
		name string
		in   coap.Request
		want string // kind, value, unit, and time where it is the body's own
	}{
		{"text without a content format is a number", plain("21.6"), "1 21.6"},
		{"text/plain is a number", typed(at, 0, "-5"), "1 -5"},
		{"a number with an exponent", plain("+1.5E3"), "1 1500"},
		{"a number with a line end", plain("21.6\r\n"), "1 21.6"},
		{"true", plain("true"), "2 true"},
		{"false", plain("false"), "2 false"},
		{"NaN is text", plain("NaN"), "3 NaN"},
		{"Inf is text", plain("Inf"), "3 Inf"},
		{"-infinity is text", plain("-infinity"), "3 -infinity"},
		{"a hexadecimal number is text", plain("0x10"), "3 0x10"},
		{"digits with an underscore are text", plain("1_000"), "3 1_000"},
		{"two points are text", plain("1.2.3"), "3 1.2.3"},
		{"a sign alone is text", plain("-"), "3 -"},
		{"an exponent alone is text", plain("e5"), "3 e5"},
		{"True is text", plain("True"), "3 True"},
		{"words are text", plain("Maschinenraum ü "), "3 Maschinenraum ü "},
		{"a JSON number", typed(at, 50, "21.6"), "1 21.6"},
		{"a JSON bool", typed(at, 50, " true "), "2 true"},
		{"a JSON string", typed(at, 50, `"21.6"`), "3 21.6"},
		{"a JSON object", typed(at, 50, `{"value":21.6,"unit":"Cel","time":1700000000.5}`), "1 21.6 Cel 1700000000.5"},
		{"a JSON object with a time of RFC 3339", typed(at, 50, `{"time":"2023-11-14T23:13:20.25+01:00","value":false}`), "2 false  1700000000.25"},
		{"a CBOR number", typed(at, 60, "\x18\x2a"), "1 42"},
		{"a CBOR half float", typed(at, 60, "\xf9\x4d\x60"), "1 21.5"},
		{"a CBOR bool", typed(at, 60, "\xf4"), "2 false"},
		{"a CBOR string", typed(at, 60, "\x62hi"), "3 hi"},
		{"a CBOR byte string", typed(at, 60, "\x42\x00\x01"), "4 2 bytes"},
		{"a CBOR map", typed(at, 60, "\xa2\x65value\x20\x64unit\x63Cel"), "1 -1 Cel"},
		{"a CBOR map with a time", typed(at, 60, "\xa2\x65value\x01\x64time\x1a\x65\x53\xf1\x00"), "1 1  1700000000"},
		{"bytes", typed(at, 42, "\x00\x01\x02"), "4 3 bytes"},
		{"PUT", coap.Request{Method: message.PUT, Path: at, Payload: []byte("7")}, "1 7"},
		{"a device as several segments", coap.Request{Method: message.POST, Path: []string{"r", "hall", "pump-7", "x"}, Payload: []byte("8")}, "1 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			peer := dialRaw(t, s.serve(t).Addr().String())
			peer.exchange(request(t, 8, "aa", c.in)).want(t, message.Changed, "aa")
			r, ok := s.Latest("hall/pump-7", "x")
			if !ok {
				t.Fatal("nothing is stored")
			}
			got := fmt.Sprintf("%d %s %s", r.Value.Kind, r.Value, r.Unit)
			if r.Received-r.Time > time.Minute.Microseconds() {
				got += " " + strconv.FormatFloat(float64(r.Time)/1e6, 'f', -1, 64)
			}
			if strings.TrimRight(got, " ") != strings.TrimRight(c.want, " ") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestATimeBelow2To28IsRelative(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.exchange(request(t, 8, "aa", typed(coap.ReadingPath("d", "x"), 50, `{"value":1,"time":-60}`))).want(t, message.Changed, "aa")
	if r, _ := s.Latest("d", "x"); r.Received-r.Time < 60e6 || r.Received-r.Time > 61e6 {
		t.Errorf("its time is %d us ago, want 60 s", r.Received-r.Time)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	at := coap.ReadingPath("d", "x")
	get := func(path []string, query ...string) coap.Request {
		return coap.Request{Method: message.GET, Path: path, Query: query}
	}
	accept := func(path []string, format uint16, query ...string) coap.Request {
		return coap.Request{Method: message.GET, Path: path, Query: query, Choosy: true, Accept: format}
	}
	many := "[" + strings.Repeat(`{"n":"a","v":1},`, 1000) + `{"n":"a","v":1}]`
	for _, c := range []struct {
		name  string
		in    coap.Request
		want  message.Code
		says  string
		size1 uint32
	}{
		{"no path", get(nil), message.NotFound, "/r/{device}/{resource}", 0},
		{"another path", get([]string{"x"}), message.NotFound, "/r/{device}/{resource}", 0},
		{"below /time", get([]string{"time", "x"}), message.NotFound, "/time", 0},
		{"GET of /r", get([]string{"r"}), message.MethodNotAllowed, "POST a SenML pack", 0},
		{"DELETE", coap.Request{Method: message.DELETE, Path: at}, message.MethodNotAllowed, "DELETE is not taken here", 0},
		{"FETCH", coap.Request{Method: 5, Path: at}, message.MethodNotAllowed, "FETCH is not taken here", 0},
		{"PUT of a pack", coap.Request{Method: message.PUT, Path: []string{"r"}}, message.MethodNotAllowed, "POST", 0},
		{"POST of /time", coap.Request{Method: message.POST, Path: []string{"time"}}, message.MethodNotAllowed, "GET", 0},
		{"GET of a series without readings", get(at), message.NotFound, "no reading of d/x", 0},
		{"GET of a device without readings", get([]string{"r", "d"}), message.NotFound, "no reading of d", 0},
		{"GET of a frame that is not there", accept(at, 22), message.NotFound, "no frame of d/x", 0},
		{"Accept of a format that is not given", accept(coap.ReadingPath("there", "x"), 60), message.NotAcceptable, "SenML", 0},
		{"Accept of text for history", accept(coap.ReadingPath("there", "x"), 0, "from=0"), message.NotAcceptable, "110", 0},
		{"Accept of bytes for a number", accept(coap.ReadingPath("there", "x"), 42), message.NotAcceptable, "bytes (42) where", 0},
		{"Accept of JSON for the time", accept([]string{"time"}, 50), message.NotAcceptable, "text (0)", 0},
		{"an unknown query", get(at, "form=1"), message.BadRequest, `"form" is not known`, 0},
		{"a limit of nothing", get(at, "limit=0"), message.BadRequest, "at least 1", 0},
		{"a time that is none", get(at, "from=yesterday"), message.BadRequest, "RFC 3339", 0},

		{"an empty payload", typed(at, 0, ""), message.BadRequest, "empty", 0},
		{"text that is not UTF-8", typed(at, 0, "\xff"), message.BadRequest, "octet-stream", 0},
		{"text that is too long", typed(at, 0, strings.Repeat("x", 4097)), message.TooLarge, "42", 4096},
		{"60 KiB of zeros as a number", typed(at, 0, strings.Repeat("0", 60<<10)), message.TooLarge, "42", 4096},
		{"a number that no double holds", typed(at, 0, "1e400"), message.BadRequest, "1e400: is not a finite number", 0},
		{"an integer beyond 2^53", typed(at, 0, "9007199254740993"), message.BadRequest, "2^53", 0},
		{"an integer beyond 2^53 in JSON", typed(at, 50, `{"value":9007199254740993}`), message.BadRequest, "2^53", 0},
		{"an integer beyond 2^53 in CBOR", typed(at, 60, "\x1b\x00\x20\x00\x00\x00\x00\x00\x01"), message.BadRequest, "2^53", 0},
		{"NaN in JSON", typed(at, 50, "NaN"), message.BadRequest, "not JSON", 0},
		{"NaN in CBOR", typed(at, 60, "\xf9\x7e\x00"), message.BadRequest, "not a finite number", 0},
		{"null", typed(at, 50, "null"), message.BadRequest, "none of number", 0},
		{"an array", typed(at, 50, "[1]"), message.BadRequest, "is a list", 0},
		{"a nested value", typed(at, 50, `{"value":{"x":1}}`), message.BadRequest, "nested", 0},
		{"a key twice", typed(at, 50, `{"value":1,"value":2}`), message.BadRequest, "twice", 0},
		{"a key twice in CBOR", typed(at, 60, "\xa2\x65value\x01\x65value\x02"), message.BadRequest, "not CBOR", 0},
		{"an unknown key", typed(at, 50, `{"value":1,"ts":2}`), message.BadRequest, `"ts" is not known`, 0},
		{"no value", typed(at, 50, `{"unit":"Cel"}`), message.BadRequest, "no value", 0},
		{"a unit that is no string", typed(at, 50, `{"value":1,"unit":2}`), message.BadRequest, "unit", 0},
		{"a time that is no time", typed(at, 50, `{"value":1,"time":"noon"}`), message.BadRequest, "RFC 3339", 0},
		{"JSON cut short", typed(at, 50, `{"value":1`), message.BadRequest, "cut short", 0},
		{"JSON with more after it", typed(at, 50, `1 2`), message.BadRequest, "after its end", 0},
		{"CBOR cut short", typed(at, 60, "\x19\x01"), message.BadRequest, "not CBOR", 0},
		{"a format that is not taken", typed(at, 41, "<x/>"), message.UnsupportedFormat, "41 is not taken", 0},
		{"SenML at a series", typed(at, 110, `[{"n":"a","v":1}]`), message.UnsupportedFormat, "/r or /r/{device}", 0},
		{"one value at /r", typed([]string{"r"}, 0, "21.6"), message.UnsupportedFormat, "110", 0},
		{"one value at a device", typed([]string{"r", "d"}, 50, "21.6"), message.UnsupportedFormat, "/r/{device}/{resource}", 0},
		{"what is not a JPEG", typed(at, 22, "no picture"), message.BadRequest, "not a JPEG", 0},
		{"a device that is too long", typed(coap.ReadingPath(strings.Repeat("d", 129), "x"), 0, "1"), message.BadRequest, "device name has 129 bytes", 0},
		{"a resource that is too long", typed(coap.ReadingPath("d", strings.Repeat("x", 65)), 0, "1"), message.BadRequest, "resource name has 65 bytes", 0},
		{"an empty resource", typed(coap.ReadingPath("d", ""), 0, "1"), message.BadRequest, "resource name is empty", 0},
		{"an empty device", typed(coap.ReadingPath("", "x"), 0, "1"), message.BadRequest, "device name is empty", 0},
		{"a resource with a slash", typed(coap.ReadingPath("d", "x/y"), 0, "1"), message.BadRequest, "has a '/'", 0},
		{"a control character", typed(coap.ReadingPath("d\x01", "x"), 0, "1"), message.BadRequest, "control character", 0},
		{"a name that is not UTF-8", typed(coap.ReadingPath("d\xff", "x"), 0, "1"), message.BadRequest, "not UTF-8", 0},
		{"a unit that is too long", typed(at, 50, `{"value":1,"unit":"`+strings.Repeat("x", 33)+`"}`), message.BadRequest, "unit name has 33 bytes", 0},

		{"a label twice", typed([]string{"r"}, 110, `[{"n":"a","v":1,"v":2}]`), message.BadRequest, "record 1, v: stands twice", 0},
		{"no value in a record", typed([]string{"r"}, 110, `[{"n":"a","v":1},{"n":"b"}]`), message.BadRequest, "record 2: has no value", 0},
		{"bver 11", typed([]string{"r"}, 110, `[{"n":"a","bver":11,"v":1}]`), message.BadRequest, "record 1, bver", 0},
		{"an unknown label that must be understood", typed([]string{"r"}, 110, `[{"n":"a","v":1,"x_":1}]`), message.BadRequest, "record 1, x_", 0},
		{"1e400 in a pack", typed([]string{"r"}, 110, `[{"n":"a","v":1e400}]`), message.BadRequest, "record 1, v", 0},
		{"a base name where the path names the device", typed([]string{"r", "d"}, 110, `[{"bn":"a","n":"b","v":1}]`), message.BadRequest, "base name", 0},
		{"a thousand records and one", typed([]string{"r"}, 110, many), message.TooLarge, "1000 records", senml.MaxPack},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			server := s.serve(t)
			peer := dialRaw(t, server.Addr().String())
			there := request(t, 7, "t", typed(coap.ReadingPath("there", "x"), 0, "1"))
			peer.exchange(there).want(t, message.Changed, "t")
			peer.prove() // else what is said to it has only three times the room of what it says
			a := peer.exchange(request(t, 8, "aa", c.in))
			a.want(t, c.want, "aa")
			if !strings.Contains(a.payload, c.says) || len(a.payload) > 256 || a.size1 != c.size1 {
				t.Errorf("it says %q with Size1 %d, want %q with %d", a.payload, a.size1, c.says, c.size1)
			}
			if n := len(s.readings()); n != 1 {
				t.Errorf("%d readings stored, want the one before", n)
			}
			if n := server.Stats().Refused["bad-request"]; n != 1 {
				t.Errorf("%d refusals counted, want 1", n)
			}
		})
	}
}

// TestTheExamplesOfRFC8428 posts section 5.1 to a running server.
func TestTheExamplesOfRFC8428(t *testing.T) {
	files, err := filepath.Glob("senml/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			pack, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".want")
			if err != nil {
				t.Fatal(err)
			}
			s := newStore(t)
			peer := dialRaw(t, s.serve(t).Addr().String())
			peer.exchange(request(t, 8, "aa", typed([]string{"r"}, 110, string(pack)))).want(t, message.Changed, "aa")
			if got, want := len(s.readings()), strings.Count(string(want), "\n"); got != want {
				t.Fatalf("%d readings, want %d", got, want)
			}
			for i, line := range strings.Split(strings.TrimSpace(string(want)), "\n") {
				names := strings.Split(line, " | ")
				if r := s.readings()[i]; r.Device != names[0] || r.Resource != names[1] || r.Unit != names[2] {
					t.Errorf("reading %d is %s/%s in %q, want %s", i, r.Device, r.Resource, r.Unit, line)
				}
			}
		})
	}
}

func TestReading(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	pack := `[{"bn":"pump-7/","bt":1700000000,"n":"temperature","u":"Cel","v":21.5},{"n":"temperature","u":"Cel","t":60,"v":22},{"n":"on","vb":true},{"n":"raw","vd":"AAEC"}]`
	peer.exchange(request(t, 1, "p", typed([]string{"r"}, 110, pack))).want(t, message.Changed, "p")
	temperature := coap.ReadingPath("pump-7", "temperature")
	for _, c := range []struct {
		name   string
		in     coap.Request
		format int
		want   string
	}{
		{"the latest as text", coap.Request{Path: temperature}, 0, "22"},
		{"the latest as SenML JSON", coap.Request{Path: temperature, Choosy: true, Accept: 110}, 110, `[{"bn":"pump-7/","n":"temperature","u":"Cel","t":1700000060,"v":22}]`},
		{"the latest as SenML CBOR", coap.Request{Path: temperature, Choosy: true, Accept: 112}, 112, "\x81\xa5\x21\x67pump-7/\x00\x6btemperature\x01\x63Cel\x06\x1a\x65\x53\xf1\x3c\x02\xf9\x4d\x80"},
		{"a bool", coap.Request{Path: coap.ReadingPath("pump-7", "on")}, 0, "true"},
		{"bytes", coap.Request{Path: coap.ReadingPath("pump-7", "raw")}, 42, "\x00\x01\x02"},
		{"history from the beginning", coap.Request{Path: temperature, Query: []string{"from=0"}}, 110, `[{"bn":"pump-7/","n":"temperature","u":"Cel","t":1700000000,"v":21.5},{"n":"temperature","u":"Cel","t":1700000060,"v":22}]`},
		{"history with an end", coap.Request{Path: temperature, Query: []string{"to=2023-11-14T22:14:20Z"}}, 110, `[{"bn":"pump-7/","n":"temperature","u":"Cel","t":1700000000,"v":21.5}]`},
		{"history with a limit", coap.Request{Path: temperature, Query: []string{"limit=1"}}, 110, `[{"bn":"pump-7/","n":"temperature","u":"Cel","t":1700000000,"v":21.5}]`},
		{"history of nothing", coap.Request{Path: temperature, Query: []string{"from=1800000000"}}, 110, `[]`},
		{"the device", coap.Request{Path: []string{"r", "pump-7"}}, 110, `[{"bn":"pump-7/","n":"temperature","u":"Cel","t":1700000060,"v":22},{"n":"on","t":1700000000,"vb":true},{"n":"raw","t":1700000000,"vd":"AAEC"}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.Method = message.GET
			a := peer.exchange(request(t, 8, "aa", c.in))
			a.want(t, message.Content, "aa")
			if a.payload != c.want || a.format != c.format {
				t.Errorf("got %q in format %d, want %q in %d", a.payload, a.format, c.want, c.format)
			}
		})
	}
}

func TestAnAnswerFitsOneDatagram(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	var pack strings.Builder
	pack.WriteString(`[{"bn":"pump-7/","bt":1700000000}`)
	for i := range 500 {
		fmt.Fprintf(&pack, `,{"n":"x","t":%d,"v":%d}`, i, i)
	}
	pack.WriteString("]")
	peer.exchange(request(t, 1, "p", typed([]string{"r"}, 110, pack.String()))).want(t, message.Changed, "p")
	peer.exchange(request(t, 2, "q", typed(coap.ReadingPath("pump-7", "note"), 0, strings.Repeat("n", 2000)))).want(t, message.Changed, "q")
	for i, get := range []coap.Request{
		{Method: message.GET, Path: coap.ReadingPath("pump-7", "x"), Query: []string{"from=0"}},
		{Method: message.GET, Path: coap.ReadingPath("pump-7", "note")},
	} {
		peer.send(request(t, uint16(3+i), "aa", get))
		b := peer.receive()
		var m message.Message
		if kind, err := message.Parse(b, &m); kind != message.Response {
			t.Fatal(kind, err)
		}
		o, blockwise := m.Uint(message.Block2)
		if m.Code != message.Content || len(m.Payload) != 1024 || !blockwise || o != 0x0e || len(b) > 1152 {
			t.Errorf("%v: %d bytes, %v with %d bytes and block %#x, want the first 1,024 bytes", get.Path, len(b), m.Code, len(m.Payload), o)
		}
	}
}

func TestAHistoryThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		err    error
		want   message.Code
		maxAge uint32
	}{
		{cluster.ErrMissing, message.ServiceUnavailable, 5},
		{errors.New("disk on fire"), message.InternalError, 0},
	} {
		s := newStore(t)
		s.unreadable = c.err
		peer := dialRaw(t, s.serve(t).Addr().String())
		a := peer.exchange(request(t, 8, "aa", coap.Request{Method: message.GET, Path: coap.ReadingPath("d", "x"), Query: []string{"from=0"}}))
		a.want(t, c.want, "aa")
		if a.maxAge != c.maxAge {
			t.Errorf("%v: Max-Age %d, want %d", c.err, a.maxAge, c.maxAge)
		}
	}
}

// picture is a JPEG of a size in pixels.
func picture(tb testing.TB, width, height int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)), nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestFrames(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	small, large := picture(t, 16, 8), picture(t, 640, 480)
	at := coap.ReadingPath("cam", "front")
	put := typed(at, 22, string(small))
	put.Method = message.PUT
	peer.exchange(request(t, 1, "p", put)).want(t, message.Changed, "p")
	peer.exchange(request(t, 1, "p", put)).want(t, message.Changed, "p")

	f, ok := s.LatestFrame("cam", "front")
	if !ok || f.Seq != 1 || f.Width != 16 || f.Height != 8 || int(f.Size) != len(small) {
		t.Fatalf("stored %+v, want the one picture", f)
	}
	if n := server.Stats().Frames; n != 1 {
		t.Errorf("%d frames counted, want 1", n)
	}
	get := coap.Request{Method: message.GET, Path: at, Choosy: true, Accept: 22}
	a := peer.exchange(request(t, 2, "g", get))
	a.want(t, message.Content, "g")
	if a.payload != string(small) || a.format != 22 {
		t.Errorf("got %d bytes in format %d, want the camera's own", len(a.payload), a.format)
	}

	peer.exchange(request(t, 3, "q", typed(at, 22, string(large)))).want(t, message.Changed, "q")
	b := peer.exchange(request(t, 4, "h", get))
	b.want(t, message.Content, "h")
	if b.payload != string(large[:1024]) {
		t.Errorf("got %d bytes, want the first block of the picture", len(b.payload))
	}
	if _, ok := s.Latest("cam", "front"); ok {
		t.Error("a frame is also a reading")
	}
}

func TestTheTime(t *testing.T) {
	s := newStore(t)
	now := time.UnixMilli(1_700_000_000_042)
	peer := dialRaw(t, s.serve(t, func(c *coap.Config) { c.Now = func() time.Time { return now } }).Addr().String())
	a := peer.exchange(request(t, 1, "t", coap.Request{Method: message.GET, Path: []string{"time"}}))
	a.want(t, message.Content, "t")
	if a.payload != "1700000000.042" || a.time != nil {
		t.Errorf("got %q and option %x, want 1700000000.042 and none", a.payload, a.time)
	}
	for name, in := range map[string]coap.Request{
		"a post":    {Method: message.POST, Path: coap.ReadingPath("d", "x"), Payload: []byte("1")},
		"a get":     {Method: message.GET, Path: coap.ReadingPath("d", "x")},
		"a refusal": {Method: message.GET, Path: []string{"nothing"}},
	} {
		in.AskTime = true
		a := peer.exchange(request(t, 2, name[:3], in))
		if len(a.time) != 8 || binary.BigEndian.Uint64(a.time) != 1_700_000_000_042 {
			t.Errorf("%s: option 65000 is %x, want the milliseconds", name, a.time)
		}
	}
}

func TestAPackWithoutAContentFormat(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.exchange(request(t, 1, "a", coap.Request{Method: message.POST, Path: []string{"r"}, Payload: []byte(` [{"n":"d/x","v":1}]`)})).want(t, message.Changed, "a")
	peer.exchange(request(t, 2, "b", coap.Request{Method: message.POST, Path: []string{"r", "d"}, Payload: []byte("\x81\xa2\x00\x61x\x02\x02")})).want(t, message.Changed, "b")
	if got := values(s); got != "1 2" {
		t.Errorf("stored %q, want both", got)
	}
	if r := s.readings()[1]; r.Device != "d" || r.Resource != "x" || r.Value.Kind != fsm.Number {
		t.Errorf("got %+v", r)
	}
}
