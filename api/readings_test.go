package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skerry/fsm"
)

// received stands for the times that differ from run to run.
var received = regexp.MustCompile(`"received":"[^"]*"`)

func TestAnAnswerHasTheContractsShape(t *testing.T) {
	d, _ := openNode(t, nil)
	d.stored("", `[{"bn":"pump-7/","bt":1700000000.25,"n":"t","u":"Cel","v":21.5},{"n":"on","vb":true},{"n":"say","vs":"a<b"},{"n":"raw","vd":"AP8"}]`)
	got := received.ReplaceAllString(string(d.get("/v1/readings").body), `"received":"R"`)
	want := `{"readings":[{"seq":1,"device":"pump-7","resource":"t","unit":"Cel","time":"2023-11-14T22:13:20.250000Z","received":"R","value":21.5}
,{"seq":2,"device":"pump-7","resource":"on","time":"2023-11-14T22:13:20.250000Z","received":"R","flag":true}
,{"seq":3,"device":"pump-7","resource":"say","time":"2023-11-14T22:13:20.250000Z","received":"R","text":"a<b"}
,{"seq":4,"device":"pump-7","resource":"raw","time":"2023-11-14T22:13:20.250000Z","received":"R","data":"AP8="}
],"next":""
}
`
	if got != want {
		t.Errorf("answer:\n%s\nwant:\n%s", got, want)
	}
}

func TestASeriesIsInOrderOfTimeThenSeq(t *testing.T) {
	d, _ := openNode(t, nil)
	for _, at := range []int{300, 100, 200, 200} {
		d.stored(fmt.Sprintf("?id=%d", fsm.Seq(len(d.seqs("/v1/readings")))), fmt.Sprintf(`[{"n":"pump/t","t":%d,"v":1}]`, 1700000000+at))
	}
	for _, c := range []struct {
		name, query string
		want        []int
	}{
		{"all of it", "", []int{2, 3, 4, 1}},
		{"from is inclusive", "?from=1700000200", []int{3, 4, 1}},
		{"to is exclusive", "?to=1700000200", []int{2}},
		{"RFC 3339 is taken", "?from=2023-11-14T22:16:40Z&to=2023-11-14T22:18:20Z", []int{3, 4}},
		{"so is an offset whose plus was not escaped", "?from=2023-11-14T23:18:20+01:00", []int{1}},
		{"a limit gives the first", "?limit=3", []int{2, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := d.seqs("/v1/readings/pump/t" + c.query); !slices.Equal(got, c.want) {
				t.Errorf("seqs = %v, want %v", got, c.want)
			}
		})
	}
}

func (d *door) seqs(path string) []int {
	d.tb.Helper()
	var p page
	d.get(path).want(d.tb, http.StatusOK, &p)
	return p.seqs()
}

func TestCursorsGiveEachReadingOnce(t *testing.T) {
	d, _ := openNode(t, nil)
	fill(d, 25)
	for _, path := range []string{"/v1/readings/pump/t", "/v1/readings"} {
		t.Run(path, func(t *testing.T) {
			var got []int
			query := "?limit=4"
			for {
				var p page
				d.get(path+query).want(t, http.StatusOK, &p)
				got = append(got, p.seqs()...)
				if p.Next == "" {
					break
				}
				query = "?limit=4&cursor=" + url.QueryEscape(p.Next)
			}
			want := make([]int, 25)
			for i := range want {
				want[i] = i + 1
			}
			if !slices.Equal(got, want) {
				t.Errorf("seqs = %v, want 1 to 25", got)
			}
		})
	}
}

// fill stores n readings of pump/t in packs.
func fill(d *door, n int) {
	d.tb.Helper()
	for from := 0; from < n; from += 1000 {
		var b strings.Builder
		for i := from; i < min(n, from+1000); i++ {
			fmt.Fprintf(&b, `,{"n":"pump/t","t":%d,"v":%d}`, 1700000000+i, i)
		}
		d.stored("", "["+b.String()[1:]+"]")
	}
}

func TestALongAnswerComesWhole(t *testing.T) {
	d, _ := openNode(t, nil)
	const n = 25_000
	fill(d, n)
	for _, path := range []string{"/v1/readings/pump/t?limit=100000", "/v1/readings?limit=100000"} {
		var p page
		d.get(path).want(t, http.StatusOK, &p)
		if len(p.Readings) != n || p.Next != "" {
			t.Errorf("%s: %d readings and next %q, want %d and the end", path, len(p.Readings), p.Next, n)
		}
	}
	var p page
	d.get("/v1/readings?after=24000&limit=100").want(t, http.StatusOK, &p)
	if got := p.seqs(); len(got) != 100 || got[0] != 24001 || p.Next != "24100" {
		t.Errorf("%d seqs and next %q, want 24001 to 24100", len(got), p.Next)
	}
}

func TestCSVHasTheBucketsColumns(t *testing.T) {
	d, _ := openNode(t, nil)
	d.stored("", `[{"n":"a, b/t","t":1700000000,"v":0.1},{"n":"c/on","t":1700000000,"vb":false}]`)
	res := d.get("/v1/readings?format=csv&limit=1")
	want := "seq,device,resource,unit,time,received,value,flag,text,data\n" +
		`1,"a, b",t,,2023-11-14T22:13:20.000000Z,R,0.1,,,` + "\n"
	got := regexp.MustCompile(`(\.000000Z),[^,]*`).ReplaceAllString(string(res.body), "$1,R")
	if got != want {
		t.Errorf("csv:\n%s\nwant:\n%s", got, want)
	}
	if next := res.Trailer.Get("Skerry-Next"); next != "1" {
		t.Errorf("trailer Skerry-Next = %q, want 1", next)
	}
}

func TestSenMLGoesOutAsItCameIn(t *testing.T) {
	d, _ := openNode(t, nil)
	d.stored("", `[{"bn":"pump/","bt":1700000000,"n":"t","v":1},{"n":"t","t":1,"v":2}]`)
	res := d.get("/v1/readings/pump/t?format=senml")
	if got := res.Header.Get("Content-Type"); got != "application/senml+json" {
		t.Errorf("Content-Type = %q", got)
	}
	if again := d.postPack("", string(res.body)); again.StatusCode != http.StatusOK {
		t.Fatalf("the pack posted again: %s", again.body)
	}
	var p page
	d.get("/v1/readings").want(t, http.StatusOK, &p)
	if len(p.Readings) != 2 { // the times in the pack make it known
		t.Errorf("%d readings after the same pack came twice, want 2", len(p.Readings))
	}
	first := d.get("/v1/readings/pump/t?format=senml&limit=1")
	if first.Header.Get("Skerry-Next") == "" {
		t.Error("a pack that is not the last has no Skerry-Next")
	}
}

func TestNamesWithSlashesAndColonsAreEncoded(t *testing.T) {
	d, _ := openNode(t, nil)
	d.stored("", `[{"n":"urn:dev/hall/pump/t","t":1700000000,"v":1}]`)
	if got := d.seqs("/v1/readings/urn:dev%2Fhall%2Fpump/t"); !slices.Equal(got, []int{1}) {
		t.Errorf("seqs = %v, want 1", got)
	}
	d.get("/v1/readings/urn:dev/hall/pump/t").problem(t, http.StatusNotFound, "route", "%2F")
}

func TestAnUnknownSeriesIsEmpty(t *testing.T) {
	d, _ := openNode(t, nil)
	if got := string(d.get("/v1/readings/no/body").body); got != "{\"readings\":[],\"next\":\"\"\n}\n" {
		t.Errorf("answer = %q", got)
	}
}

func TestBadParametersSayWhatToGive(t *testing.T) {
	d, _ := openNode(t, nil)
	for _, c := range []struct{ name, path, kind, advice string }{
		{"a limit over the bound", "/v1/readings?limit=100001", "parameter", "1 to 100000"},
		{"a limit of nothing", "/v1/readings?limit=0", "parameter", "1 to 100000"},
		{"a name that is no parameter", "/v1/readings?form=csv", "parameter", "use after, device, resource"},
		{"a parameter given twice", "/v1/readings?limit=1&limit=2", "parameter", "once"},
		{"an after that is no seq", "/v1/readings?after=-1", "parameter", "seq of a row"},
		{"a time that is none", "/v1/readings/a/b?from=yesterday", "parameter", "RFC 3339"},
		{"a time that is not a number", "/v1/readings/a/b?from=NaN", "parameter", "RFC 3339"},
		{"a time beyond what microseconds hold", "/v1/readings/a/b?from=1e300", "parameter", "RFC 3339"},
		{"a range that ends before it begins", "/v1/readings/a/b?from=2&to=1", "parameter", "from is after to"},
		{"a format that is none", "/v1/readings/a/b?format=xml", "parameter", "json, csv, jsonl, senml"},
		{"a consistency that is none", "/v1/readings/a/b?consistency=strong", "parameter", "linearizable"},
		{"a cursor of somebody's own", "/v1/readings/a/b?cursor=x", "cursor", "cursor"},
		{"a query that cannot be read", "/v1/readings?limit=%zz", "parameter", "cannot be read"},
		{"a parameter where none is taken", "/v1/status?x=1", "parameter", "has none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.get(c.path).problem(t, http.StatusBadRequest, c.kind, c.advice)
		})
	}
}

func TestAnAnswerThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	d := open(t, &stub{breaksAfter: 10_000}, nil)
	res, err := http.Get(d.url + "/v1/readings?limit=100000&consistency=local")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("%d bytes came without an error", n)
	}
}
