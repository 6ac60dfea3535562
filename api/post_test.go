package api_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestAPackIsStoredWholeAndOnce(t *testing.T) {
	d, _ := openNode(t, nil)
	const timed = `[{"n":"pump/t","t":1700000000,"v":1},{"n":"pump/p","t":1700000000,"v":2}]`
	const timeless = `[{"n":"pump/t","v":1}]`
	for _, c := range []struct {
		name, query, pack string
		want              int // first seq
	}{
		{"a pack gets its seqs", "", timed, 1},
		{"one whose records have their own times is known by them", "", timed, 1},
		{"a timeless one is new", "", timeless, 3},
		{"and new again", "", timeless, 4},
		{"unless it has an id", "?id=a", timeless, 5},
		{"which is known again", "?id=a", timeless, 5},
		{"another id is another message", "?id=b", timeless, 6},
	} {
		if got := d.stored(c.query, c.pack); got != c.want {
			t.Errorf("%s: first seq = %d, want %d", c.name, got, c.want)
		}
	}
	d.postPack("?id=a", `[{"n":"pump/t","v":2}]`).problem(t, http.StatusConflict, "conflict", "?id=")
}

func TestABadPackStoresNothing(t *testing.T) {
	d, node := openNode(t, nil)
	big := `[{"n":"a/b","vs":"` + strings.Repeat("x", 128<<10) + `"}]`
	many := "[" + strings.Repeat(`{"n":"a/b","v":1},`, 1000) + `{"n":"a/b","v":1}]`
	for _, c := range []struct {
		name, query, contentType, body string
		status                         int
		kind, advice                   string
	}{
		{"no JSON", "", "application/senml+json", `[{`, 400, "pack", ""},
		{"a record without a value", "", "application/senml+json", `[{"n":"a/b"}]`, 400, "pack", ""},
		{"no record", "", "application/senml+json", `[]`, 400, "pack", ""},
		{"a sum", "", "application/senml+json", `[{"n":"a/b","s":1}]`, 400, "pack", "sum"},
		{"an empty id", "?id=", "application/senml+json", `[{"n":"a/b","v":1}]`, 400, "parameter", "id"},
		{"an id over its bound", "?id=" + strings.Repeat("x", 65), "application/senml+json", `[{"n":"a/b","v":1}]`, 400, "parameter", "64"},
		{"no content type", "", "", `[{"n":"a/b","v":1}]`, 415, "content-type", "application/senml+json"},
		{"another content type", "", "text/plain", `21`, 415, "content-type", "application/senml+json"},
		{"a body over its bound", "", "application/senml+json", big, 413, "too-large", "in parts"},
		{"more records than a pack has", "", "application/senml+json", many, 413, "too-large", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.do("POST", "/v1/readings"+c.query, c.contentType, c.body).problem(t, c.status, c.kind, c.advice)
		})
	}
	if got := node.Status().LastSeq; got != 0 {
		t.Errorf("last seq = %d, want 0", got)
	}
}

func TestACBORPackIsTaken(t *testing.T) {
	d, _ := openNode(t, nil)
	pack := "\x81\xa3\x00\x63a/b\x06\x1a\x65\x53\xf1\x00\x02\x01" // [{n: "a/b", t: 1700000000, v: 1}]
	var out struct{ Count int }
	d.do("POST", "/v1/readings", "application/senml+cbor", pack).want(t, http.StatusOK, &out)
	if out.Count != 1 {
		t.Errorf("count = %d, want 1", out.Count)
	}
}
