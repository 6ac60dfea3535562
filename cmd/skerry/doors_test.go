package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"skerry/api"
	"skerry/cluster"
	"skerry/coap/senml"
	"skerry/fsm"
)

func TestReadingsOfManyDevicesAreOnePack(t *testing.T) {
	readings := []fsm.Reading{
		{Seq: 1, Device: "pump-7", Resource: "temperature", Unit: "Cel", Time: 1769860800e6, Value: fsm.NumberValue(21.5)},
		{Seq: 2, Device: "pump-7", Resource: "state", Time: 1769860801e6, Value: fsm.TextValue("[ok]")},
		{Seq: 3, Device: "hall/3", Resource: "lamp", Time: 1769860802e6, Value: fsm.FlagValue(true)},
		{Seq: 4, Device: "pump-7", Resource: "key", Time: 1769860803e6, Value: fsm.DataValue([]byte{1})},
	}
	pack, err := encodePack(readings)
	if err != nil {
		t.Fatal(err)
	}
	records, err := decodePack("application/senml+json", pack)
	if err != nil {
		t.Fatalf("%s: %v", pack, err)
	}
	if len(records) != len(readings) {
		t.Fatalf("got %d records of %s, want %d", len(records), pack, len(readings))
	}
	for i, r := range records {
		want := readings[i]
		if r.Device != want.Device || r.Resource != want.Resource || r.Unit != want.Unit || r.Relative || r.Time != want.Time || r.Value.String() != want.Value.String() {
			t.Errorf("record %d: got %+v, want %+v", i, r, want)
		}
	}
	if got, err := encodePack(nil); err != nil || string(got) != "[]" {
		t.Errorf("nothing: got %s, %v; want []", got, err)
	}
}

func TestAPackThatIsTooLargeIsCalledSo(t *testing.T) {
	_, err := decodePack("application/senml+json", []byte(strings.Repeat(" ", senml.MaxPack+1)))
	if !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, api.ErrTooLarge)
	}
}

// begun is a site's secret.
type begun [16]byte

func (b begun) Secret() ([16]byte, bool) { return b, b != begun{} }

func TestPacksAreKeyedByIdOrByContent(t *testing.T) {
	keyOf := packKey(begun{1})
	timed := []fsm.Record{{Device: "d", Resource: "r", Time: 1, Value: fsm.NumberValue(1)}}
	timeless := []fsm.Record{{Device: "d", Resource: "r", Relative: true, Value: fsm.NumberValue(1)}}

	byContent, content, named, err := keyOf("", timed)
	if err != nil || !named || content != 0 {
		t.Errorf("with its own time: got content %d, named %t, %v; want a key by content", content, named, err)
	}
	byID, content, named, err := keyOf("k1", timed)
	if err != nil || !named || content == 0 || byID == byContent {
		t.Errorf("with an id: got content %d, named %t, %v; want a key by id", content, named, err)
	}
	if _, _, named, err = keyOf("", timeless); err != nil || named {
		t.Errorf("without both: got named %t, %v; want none", named, err)
	}
	if _, _, _, err = packKey(begun{})("", timed); !errors.Is(err, cluster.ErrNoLeader) {
		t.Errorf("before the site has begun: got %v, want %v", err, cluster.ErrNoLeader)
	}
}

func TestLabelledSamplesCarryTheirLabel(t *testing.T) {
	got := labelled("x_total", "Help.", "code", map[string]uint64{"2.04": 3})
	want := []api.Sample{{Name: "x_total", Help: "Help.", Counter: true, Label: [2]string{"code", "2.04"}, Value: 3}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
