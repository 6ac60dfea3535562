package link_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"skerry/coap/link"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		want     []link.Link
	}{
		"an empty document has no links": {"", nil},
		"white space alone is empty":     {" \r\n", nil},
		"a target alone":                 {"</time>", []link.Link{{Target: "/time"}}},
		"the empty reference":            {"<>", []link.Link{{}}},
		"values in quotes, as tokens and none": {
			`</r/p/t>;rt="skerry.series";sz=12;obs`,
			[]link.Link{{"/r/p/t", []link.Attr{{Name: "rt", Value: "skerry.series"}, {Name: "sz", Value: "12"}, link.Flag("obs")}}},
		},
		"an empty value is not a bare attribute": {
			`</a>;title=""`,
			[]link.Link{{"/a", []link.Attr{{Name: "title"}}}},
		},
		"quotes, commas and semicolons inside a value": {
			`</a>;title="say \"a, b; c\" \\ \d"`,
			[]link.Link{{"/a", []link.Attr{{Name: "title", Value: `say "a, b; c" \ d`}}}},
		},
		"a token may hold a URI": {
			`<http://www.example.com/t123>;anchor=/sensors/temp;rel=describedby`,
			[]link.Link{{"http://www.example.com/t123", []link.Attr{{Name: "anchor", Value: "/sensors/temp"}, {Name: "rel", Value: "describedby"}}}},
		},
		"an attribute twice keeps both in order": {
			`</a>;x=1;y;x=2`,
			[]link.Link{{"/a", []link.Attr{{Name: "x", Value: "1"}, link.Flag("y"), {Name: "x", Value: "2"}}}},
		},
		"an extended attribute": {
			`</a>;title*=UTF-8'de'n%c3%a4chstes`,
			[]link.Link{{"/a", []link.Attr{{Name: "title*", Value: "UTF-8'de'n%c3%a4chstes"}}}},
		},
		"white space around separators": {
			"</a> ; if=\"x\" ,\r\n </b>;\tobs \n",
			[]link.Link{{"/a", []link.Attr{{Name: "if", Value: "x"}}}, {"/b", []link.Attr{link.Flag("obs")}}},
		},
		"letters beyond ASCII in a value and a target": {
			`</küche>;title="Größe"`,
			[]link.Link{{"/küche", []link.Attr{{Name: "title", Value: "Größe"}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := link.Parse([]byte(c.document))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		at       int
	}{
		"text":                           {"hello", 0},
		"a target that does not end":     {"</a", 1},
		"a space in a target":            {"</a b>", 3},
		"a second < in a target":         {"</a</b>", 3},
		"no comma between links":         {"</a></b>", 4},
		"a comma at the end":             {"</a>,", 5},
		"a semicolon at the end":         {"</a>;", 5},
		"a value without a name":         {"</a>;=1", 5},
		"a name that is not one":         {"</a>;(x)=1", 5},
		"an equals sign without a value": {"</a>;x=", 7},
		"a token with a quote inside":    {`</a>;x=a"b"`, 8},
		"a quote that does not close":    {`</a>;x="abc`, 11},
		"a backslash at the end":         {`</a>;x="abc\`, 12},
		"a line break in a value":        {"</a>;x=\"a\nb\"", 9},
		"bytes that are not UTF-8":       {"</a>;x=\"\xff\"", 0},
		"more links than are taken":      {strings.Repeat("<>,", link.MaxLinks) + "<>", 3 * link.MaxLinks},
		"more attributes than are taken": {"<>" + strings.Repeat(";a", link.MaxAttrs+1), 2 + 2*link.MaxAttrs + 1},
		"a document that is too long":    {"<" + strings.Repeat("a", link.MaxDocument) + ">", link.MaxDocument},
	} {
		t.Run(name, func(t *testing.T) {
			links, err := link.Parse([]byte(c.document))
			var wrong *link.SyntaxError
			if !errors.As(err, &wrong) || links != nil {
				t.Fatalf("got %v and %v, want a syntax error", links, err)
			}
			if wrong.At != c.at {
				t.Errorf("got byte %d (%v), want %d", wrong.At, err, c.at)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	got := string(link.Append([]byte("x"),
		link.Link{Target: "/time", Attrs: []link.Attr{{Name: "ct", Value: "0"}, {Name: "title", Value: `a "b" \`}}},
		link.Link{Target: "/r", Attrs: []link.Attr{{Name: "ct", Value: "110 112"}, link.Flag("obs"), {Name: "v"}, {Name: "ep", Value: "7"}}},
	))
	want := `x</time>;ct=0;title="a \"b\" \\",</r>;ct="110 112";obs;v="";ep="7"`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestValidate(t *testing.T) {
	for name, l := range map[string]link.Link{
		"a target with a space":       {Target: "/a b"},
		"a target with >":             {Target: "/a>"},
		"a target that is not UTF-8":  {Target: "/\xff"},
		"an attribute without a name": {Attrs: []link.Attr{{Value: "x"}}},
		"a name with a space":         {Attrs: []link.Attr{{Name: "a b"}}},
		"a value with a line break":   {Attrs: []link.Attr{{Name: "a", Value: "x\ny"}}},
		"a bare one with a value":     {Attrs: []link.Attr{{Name: "a", Value: "x", Bare: true}}},
		"too many attributes":         {Attrs: make([]link.Attr, link.MaxAttrs+1)},
	} {
		t.Run(name, func(t *testing.T) {
			if err := l.Validate(); !errors.Is(err, link.ErrValue) {
				t.Errorf("got %v, want ErrValue", err)
			}
		})
	}
}

func TestPathEncodesWhatASegmentMayHold(t *testing.T) {
	got := link.Path("r", "urn:dev:ow:1/2", `küche "x", <y>; %`)
	want := "/r/urn:dev:ow:1%2F2/k%C3%BCche%20%22x%22%2C%20%3Cy%3E%3B%20%25"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l := link.Link{Target: got}
	if err := l.Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`</sensors>;ct=40;title="Sensor Index",</sensors/temp>;rt="temperature-c";if="sensor",<http://www.example.com/sensors/t123>;anchor="/sensors/temp";rel="describedby"`))
	f.Add([]byte(`</a>;title="\"\\";x=;y`))
	f.Add([]byte(" </a> ; b ,\t<>;c*=d"))
	f.Fuzz(func(t *testing.T, document []byte) {
		links, err := link.Parse(document)
		if err != nil {
			if links != nil {
				t.Fatalf("%d links with the error %v", len(links), err)
			}
			return
		}
		for i := range links {
			if err := links[i].Validate(); err != nil {
				t.Fatalf("link %d: %v", i, err)
			}
		}
		written := link.Append(nil, links...)
		if len(written) > link.MaxDocument { // quotes were added
			return
		}
		again, err := link.Parse(written)
		if err != nil || !reflect.DeepEqual(again, links) {
			t.Fatalf("%q was written as %q, which reads as %+v, %v", document, written, again, err)
		}
	})
}
