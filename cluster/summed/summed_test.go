package summed_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"skerry/cluster/summed"
)

type node struct {
	Format int      `json:"format"`
	Name   string   `json:"name"`
	Others []string `json:"others,omitempty"`
}

var one = node{2, "n1", []string{"n2.5f3e", "n3.00aa"}}

func encoded(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := summed.Encode(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestAFileIsAsItIsWrittenDown(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{node{Format: 2, Name: "n1"}, "{\n  \"format\": 2,\n  \"name\": \"n1\",\n  \"crc32c\": \"153ca6bb\"\n}\n"},
		{[]node{{Format: 2, Name: "n1"}}, "[\n  {\n    \"format\": 2,\n    \"name\": \"n1\",\n    \"crc32c\": \"4aea300f\"\n  }\n]\n"},
	} {
		if got := encoded(t, c.v); string(got) != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	for _, v := range []any{[]node{}, 5, struct{}{}} {
		if b, err := summed.Encode(v); err == nil {
			t.Errorf("%v is written as %q, want an error", v, b)
		}
	}
}

func TestAProgramThatKnowsNoSumReadsTheFileAndItsFileIsRead(t *testing.T) {
	var got node
	if err := json.Unmarshal(encoded(t, one), &got); err != nil || !reflect.DeepEqual(got, one) {
		t.Errorf("json reads %+v (%v), want %+v", got, err, one)
	}
	for _, text := range []string{`{"format":2,"name":"n1","others":["n2.5f3e","n3.00aa"]}`, "{\"format\":2,\"name\":\"n1\",\n  \"others\":[\"n2.5f3e\",\"n3.00aa\"]\n}\n"} {
		got := node{}
		if mended, err := summed.Decode([]byte(text), &got); mended || err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("%s is read as %+v (mended %v, %v), want %+v", text, got, mended, err, one)
		}
	}
}

func TestAnyFlippedBitIsPutRight(t *testing.T) {
	flips := 0
	for _, v := range []any{&one, &[]node{one, {Format: 1}}} {
		b := encoded(t, v)
		for bit := range 8 * len(b) {
			rotten := bytes.Clone(b)
			rotten[bit/8] ^= 1 << (bit % 8)
			got := reflect.New(reflect.TypeOf(v).Elem())
			if mended, err := summed.Decode(rotten, got.Interface()); !mended || err != nil || !reflect.DeepEqual(got.Interface(), v) {
				t.Fatalf("bit %d: read as %+v (mended %v, %v), want %+v", bit, got.Elem(), mended, err, v)
			}
			flips++
		}
	}
	t.Logf("%d flips, all put right", flips)
}

func TestMoreRotIsFoundAndNeverReadAsSomethingElse(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	b := encoded(t, one)
	found, harmless := 0, 0
	for range 2000 {
		rotten := bytes.Clone(b)
		for range 2 + draw.IntN(3) {
			bit := draw.IntN(8 * len(b))
			rotten[bit/8] ^= 1 << (bit % 8)
		}
		var got node
		switch _, err := summed.Decode(rotten, &got); {
		case errors.Is(err, summed.ErrDamaged):
			found++
		case err != nil || !reflect.DeepEqual(got, one):
			t.Fatalf("%q is read as %+v (%v)", rotten, got, err)
		default:
			harmless++
		}
	}
	t.Logf("of 2000 with 2 to 4 flipped bits %d are found, %d are of no consequence", found, harmless)
}

func TestWhatCanBeReadOfADamagedFileIsGivenAllTheSame(t *testing.T) {
	b := bytes.Replace(encoded(t, one), []byte(`"n1"`), []byte(`"elsewhere"`), 1)
	var got node
	if _, err := summed.Decode(b, &got); !errors.Is(err, summed.ErrDamaged) || got.Name != "elsewhere" {
		t.Errorf("got %+v (%v), want ErrDamaged and the name", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, one))
	f.Add(encoded(f, []node{one}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		_, _ = summed.Decode(b, &v) // it does not panic
	})
}
