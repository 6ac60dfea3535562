package link_test

import (
	"errors"
	"testing"

	"skerry/coap/link"
)

func parseOne(tb testing.TB, document string) *link.Link {
	tb.Helper()
	links, err := link.Parse([]byte(document))
	if err != nil || len(links) != 1 {
		tb.Fatalf("%s: %v, %v", document, links, err)
	}
	return &links[0]
}

func filterOf(tb testing.TB, queries ...string) (f link.Filter) {
	tb.Helper()
	for _, q := range queries {
		if err := f.Add(q); err != nil {
			tb.Fatal(err)
		}
	}
	return f
}

func TestFilter(t *testing.T) {
	l := parseOne(t, `</r/pump-7/temperature>;rt="skerry.series temperature-c";if="sensor core.s";ct="0 110 112";sz=120;title="Pump seven";obs`)
	for name, c := range map[string]struct {
		queries []string
		want    bool
	}{
		"no filter is met by all":                    {nil, true},
		"rt, the first of its values":                {[]string{"rt=skerry.series"}, true},
		"rt, another of its values":                  {[]string{"rt=temperature-c"}, true},
		"rt, a part of a value":                      {[]string{"rt=temperature"}, false},
		"rt, the beginning of a value":               {[]string{"rt=temp*"}, true},
		"rt, all its values":                         {[]string{"rt=skerry.series temperature-c"}, true},
		"rt is told from its case":                   {[]string{"rt=Temperature-C"}, false},
		"if, by its second value":                    {[]string{"if=core.s"}, true},
		"ct, a number of its list":                   {[]string{"ct=110"}, true},
		"ct, a number it has not":                    {[]string{"ct=11"}, false},
		"sz":                                         {[]string{"sz=120"}, true},
		"sz, another":                                {[]string{"sz=12"}, false},
		"a title is one value, spaces and all":       {[]string{"title=Pump seven"}, true},
		"a word of a title is not it":                {[]string{"title=seven"}, false},
		"a title by its beginning":                   {[]string{"title=Pump*"}, true},
		"href":                                       {[]string{"href=/r/pump-7/temperature"}, true},
		"href, the path above":                       {[]string{"href=/r/pump-7"}, false},
		"href by its beginning":                      {[]string{"href=/r/*"}, true},
		"any href":                                   {[]string{"href=*"}, true},
		"an empty prefix asks whether it is there":   {[]string{"rt=*"}, true},
		"an empty prefix, an attribute it has not":   {[]string{"anchor=*"}, false},
		"an attribute without a value, by any value": {[]string{"obs=*"}, true},
		"an attribute without a value, by a value":   {[]string{"obs=1"}, false},
		"two criteria that hold":                     {[]string{"rt=skerry.series", "href=/r/*"}, true},
		"two criteria, one of which holds":           {[]string{"rt=skerry.series", "href=/d/*"}, false},
		"the same attribute twice":                   {[]string{"rt=skerry.series", "rt=temperature-c"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := filterOf(t, c.queries...)
			if got := f.Matches(l); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestFilterIsMetByAResourceAndItsEndpointTogether(t *testing.T) {
	resource := parseOne(t, `<coap://[2001:db8::1]/temp>;rt="temperature"`)
	endpoint := parseOne(t, `</rd/7>;ep="node1";d="floor-3"`)
	for name, c := range map[string]struct {
		queries []string
		want    bool
	}{
		"one criterion for each": {[]string{"rt=temperature", "ep=node1"}, true},
		"one that neither meets": {[]string{"rt=temperature", "ep=node2"}, false},
		"href of the endpoint":   {[]string{"href=/rd/7"}, true},
		"href of the resource":   {[]string{"href=coap://*"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := filterOf(t, c.queries...)
			if got := f.MatchesAny(resource, endpoint); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestFilterRefuses(t *testing.T) {
	for name, query := range map[string]string{
		"a query without =":      "rt",
		"a query without a name": "=x",
		"a name with a space":    "a b=x",
	} {
		t.Run(name, func(t *testing.T) {
			var f link.Filter
			if err := f.Add(query); !errors.Is(err, link.ErrCriterion) {
				t.Errorf("got %v, want ErrCriterion", err)
			}
		})
	}
	t.Run("more criteria than are taken", func(t *testing.T) {
		var f link.Filter
		for range link.MaxCriteria {
			if err := f.Add("rt=x"); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Add("rt=x"); !errors.Is(err, link.ErrCriterion) {
			t.Errorf("got %v, want ErrCriterion", err)
		}
	})
}

func TestFilterTellsWhatItNames(t *testing.T) {
	f := filterOf(t, "rt=x", "href=/r/*")
	if !f.Names("href") || !f.Names("rt") || f.Names("if") {
		t.Errorf("href %v, rt %v, if %v; want true, true, false", f.Names("href"), f.Names("rt"), f.Names("if"))
	}
}
