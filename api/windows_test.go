package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"skerry/internal/clustertest"
)

func TestASeriesIsReadByWindows(t *testing.T) {
	d, _ := openNode(t, nil)
	d.stored("", `[{"bn":"pump/","bt":1700000000,"n":"t","u":"Cel","t":0,"v":1},{"n":"t","t":59,"v":4},{"n":"t","t":100,"vs":"off"},{"n":"t","t":3600,"vb":true}]`)
	for _, c := range []struct{ name, query, want string }{
		{"avg is the default", "step=1m&format=csv", "time,count,unit,value,flag,text,data\n2023-11-14T22:13:00.000000Z,1,,1,,,\n2023-11-14T22:14:00.000000Z,1,,4,,,\n2023-11-14T23:13:00.000000Z,1,,1,,,\n"},
		{"min, texts left out", "step=1h&agg=min&format=csv", "time,count,unit,value,flag,text,data\n2023-11-14T22:00:00.000000Z,2,,1,,,\n2023-11-14T23:00:00.000000Z,1,,1,,,\n"},
		{"max of a day, in seconds", "step=86400&agg=max&format=csv", "time,count,unit,value,flag,text,data\n2023-11-14T00:00:00.000000Z,3,,4,,,\n"},
		{"count counts all", "step=1h&agg=count&format=csv", "time,count,unit,value,flag,text,data\n2023-11-14T22:00:00.000000Z,3,,3,,,\n2023-11-14T23:00:00.000000Z,1,,1,,,\n"},
		{"last is a reading of any kind", "step=1h&agg=last", `{"windows":[{"time":"2023-11-14T22:00:00.000000Z","count":3,"text":"off"}` + "\n" + `,{"time":"2023-11-14T23:00:00.000000Z","count":1,"flag":true}` + "\n" + `],"next":""` + "\n}\n"},
		{"a range cuts windows short", "step=1h&agg=count&from=1700000001&to=1700000200&format=jsonl", `{"time":"2023-11-14T22:00:00.000000Z","count":2,"value":2}` + "\n"},
		{"a page", "step=1m&agg=count&limit=1", `{"windows":[{"time":"2023-11-14T22:13:00.000000Z","count":1,"value":1}` + "\n" + `],"next":"1700000040000000"` + "\n}\n"},
		{"the next page", "step=1m&agg=count&limit=1&cursor=1700000040000000", `{"windows":[{"time":"2023-11-14T22:14:00.000000Z","count":1,"value":1}` + "\n" + `],"next":"1700000100000000"` + "\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(d.get("/v1/readings/pump/t?" + c.query).body); got != c.want {
				t.Errorf("answer:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
	for _, c := range []struct{ name, query, advice string }{
		{"a step that is none", "step=often", "5m"},
		{"a step of nothing", "step=0", "1ms to 366 days"},
		{"a step of a century", "step=876000h", "366 days"},
		{"a step that is no number", "step=NaN", "366 days"},
		{"an aggregate that is none", "step=1m&agg=median", "avg, min, max, count, last"},
		{"an aggregate without a step", "agg=min", "needs step"},
		{"an order", "step=1m&order=desc", "leave order out"},
		{"a format of readings", "step=1m&format=senml", "json, csv, jsonl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.get("/v1/readings/pump/t?"+c.query).problem(t, http.StatusBadRequest, "parameter", c.advice)
		})
	}
}

func TestTheNewestComesFirstWhereAsked(t *testing.T) {
	d, _ := openNode(t, nil)
	fill(d, 25_000) // more than a chunk
	got := d.seqs("/v1/readings/pump/t?order=desc&limit=12000")
	if len(got) != 12_000 || got[0] != 25_000 || got[11_999] != 13_001 {
		t.Errorf("%d seqs, want 25000 down to 13001", len(got))
	}
	var p page
	d.get("/v1/readings/pump/t?order=desc&limit=2&from=1700000000&to=1700000005").want(t, http.StatusOK, &p)
	if got := p.seqs(); !slices.Equal(got, []int{5, 4}) {
		t.Errorf("seqs = %v, want 5 4", got)
	}
	d.get("/v1/readings/pump/t?cursor="+p.Next).problem(t, http.StatusBadRequest, "cursor", "other order")
}

func TestTheLatestOfEverythingIsByName(t *testing.T) {
	d, _ := openNode(t, nil)
	d.stored("", `[{"n":"b/t","t":1700000000,"v":1},{"n":"hall/a/t","t":1700000000,"v":2},{"n":"b/on","t":1700000000,"vb":true},{"n":"b/t","t":1600000000,"v":9}]`)
	for _, c := range []struct {
		query, want string
	}{
		{"", "b/on=2 b/t=4 hall/a/t=5"},
		{"?device=hall*", "hall/a/t=5"},
		{"?resource=t&limit=1", "b/t=4 next b/t"},
		{"?resource=t&limit=1&cursor=b/t", "hall/a/t=5"},
	} {
		var p page
		// b/t at the earlier time entered last.
		d.get("/v1/latest"+c.query).want(t, http.StatusOK, &p)
		var got []string
		for _, r := range p.Readings {
			seq := map[string]int{"b/on": 2, "b/t": 4, "hall/a/t": 5}[r.Device+"/"+r.Resource]
			got = append(got, fmt.Sprintf("%s/%s=%d", r.Device, r.Resource, seq))
		}
		if p.Next != "" {
			got = append(got, "next "+p.Next)
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%q: %s, want %s", c.query, got, c.want)
		}
	}
	d.get("/v1/latest?device=[").problem(t, http.StatusBadRequest, "parameter", "pattern")
	d.get("/v1/latest?cursor=x").problem(t, http.StatusBadRequest, "cursor", "leave it out")
}

func TestAllOfTheHistoryComesInOneAnswer(t *testing.T) {
	d, node := openNode(t, nil)
	fill(d, 25_000)
	node.MustPropose(clustertest.Reading(t, "hall/lamp", "on", 5, 1))
	lines := func(path string) []string {
		res := d.get(path)
		if next := res.Trailer.Get("Skerry-Next"); res.StatusCode != http.StatusOK || next != "" {
			t.Fatalf("%s: %d, next %q", path, res.StatusCode, next)
		}
		return strings.Split(strings.TrimSuffix(string(res.body), "\n"), "\n")
	}
	if got := lines("/v1/readings?limit=all&format=jsonl"); len(got) != 25_001 || !strings.HasPrefix(got[25_000], `{"seq":25001,`) {
		t.Errorf("%d lines, the last %q", len(got), got[len(got)-1])
	}
	if got := lines("/v1/readings?limit=all&format=csv&device=hall/*"); len(got) != 2 || !strings.HasPrefix(got[1], "25001,hall/lamp,on,") {
		t.Errorf("lines %q", got)
	}
	if got := lines("/v1/readings?limit=all&format=csv&from=1700000010&to=1700000012&resource=t&device=pump"); len(got) != 3 {
		t.Errorf("lines %q, want two rows", got)
	}
	res := d.get("/v1/readings?limit=all&format=parquet&after=1")
	f, err := parquet.OpenFile(bytes.NewReader(res.body), int64(len(res.body)))
	if err != nil || f.NumRows() != 25_000 {
		t.Fatalf("parquet: %v", err)
	}
}
