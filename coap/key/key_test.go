package key_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"skerry/coap/key"
	"skerry/fsm"
)

var secret = [16]byte{1, 2, 3}

func reading(edit func(*fsm.Record)) []fsm.Record {
	r := fsm.Record{Device: "pump-7", Resource: "temperature", Unit: "Cel", Time: 1_700_000_000_000_000, Value: fsm.NumberValue(21.6)}
	edit(&r)
	return []fsm.Record{r}
}

func same(*fsm.Record) {}

func TestOfContent_differs_with_every_part_of_a_reading(t *testing.T) {
	m := key.NewMaker(secret)
	seen := map[fsm.Key]string{}
	for _, c := range []struct {
		name string
		edit func(*fsm.Record)
	}{
		{"as it is", same},
		{"another device", func(r *fsm.Record) { r.Device = "pump-8" }},
		{"another resource", func(r *fsm.Record) { r.Resource = "pressure" }},
		{"names cut elsewhere", func(r *fsm.Record) { r.Device, r.Resource = "pump-7temper", "ature" }},
		{"another unit", func(r *fsm.Record) { r.Unit = "K" }},
		{"another time", func(r *fsm.Record) { r.Time++ }},
		{"another number", func(r *fsm.Record) { r.Value.Number = 21.7 }},
		{"a text", func(r *fsm.Record) { r.Value = fsm.TextValue("21.6") }},
		{"bytes", func(r *fsm.Record) { r.Value = fsm.DataValue([]byte("21.6")) }},
		{"true", func(r *fsm.Record) { r.Value = fsm.FlagValue(true) }},
		{"false", func(r *fsm.Record) { r.Value = fsm.FlagValue(false) }},
	} {
		k, ok := m.OfContent(reading(c.edit))
		if !ok {
			t.Errorf("%s: has no key", c.name)
		}
		if other, twice := seen[k]; twice {
			t.Errorf("%s has the key of %s", c.name, other)
		}
		seen[k] = c.name
	}
	again, _ := key.NewMaker(secret).OfContent(reading(same))
	if seen[again] != "as it is" {
		t.Error("the same reading has another key at another gateway")
	}
	elsewhere, _ := key.NewMaker([16]byte{9}).OfContent(reading(same))
	if _, known := seen[elsewhere]; known {
		t.Error("another site has the same key")
	}
}

func TestOfContent_wants_an_own_time_in_every_reading(t *testing.T) {
	records := append(reading(same), reading(func(r *fsm.Record) { r.Relative = true })...)
	if _, ok := key.NewMaker(secret).OfContent(records); ok {
		t.Error("a reading without a time of its own has a key by content")
	}
}

func TestOfName(t *testing.T) {
	m := key.NewMaker(secret)
	base, content, err := m.OfName("pump-7", "7", reading(same))
	if err != nil || content == 0 {
		t.Fatalf("content %d, error %v", content, err)
	}
	for _, c := range []struct {
		name           string
		identity, id   string
		edit           func(*fsm.Record)
		sameKey, equal bool
	}{
		{"the same message again", "pump-7", "7", same, true, true},
		{"other content under the same name", "pump-7", "7", func(r *fsm.Record) { r.Value.Number = 1 }, true, false},
		{"another time of its own is other content", "pump-7", "7", func(r *fsm.Record) { r.Time++ }, true, false},
		{"another name", "pump-7", "8", same, false, true},
		{"another device", "pump-8", "7", same, false, true},
		{"name and identity cut elsewhere", "pump-", "77", same, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, sum, err := m.OfName(c.identity, c.id, reading(c.edit))
			if err != nil {
				t.Fatal(err)
			}
			if (k == base) != c.sameKey {
				t.Errorf("same key %v, want %v", k == base, c.sameKey)
			}
			if (sum == content) != c.equal {
				t.Errorf("same content %v, want %v", sum == content, c.equal)
			}
		})
	}
}

func TestOfName_lets_seconds_ago_grow(t *testing.T) {
	m := key.NewMaker(secret)
	ago := func(micros int64) []fsm.Record {
		return reading(func(r *fsm.Record) { r.Time, r.Relative = micros, true })
	}
	_, first, _ := m.OfName("pump-7", "7", ago(-5e6))
	_, again, _ := m.OfName("pump-7", "7", ago(-7e6))
	if first != again {
		t.Error("a retry of a relative time is other content")
	}
}

func TestOfName_bounds_the_name(t *testing.T) {
	m := key.NewMaker(secret)
	for _, name := range []string{"", strings.Repeat("x", key.MaxName+1)} {
		if _, _, err := m.OfName("pump-7", name, reading(same)); !errors.Is(err, key.ErrName) {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
	if _, _, err := m.OfName("pump-7", strings.Repeat("x", key.MaxName), reading(same)); err != nil {
		t.Error(err)
	}
}

func TestOfDatagram_is_of_the_endpoint_and_every_byte(t *testing.T) {
	m := key.NewMaker(secret)
	at := netip.MustParseAddrPort("192.0.2.1:5683")
	base := m.OfDatagram(at, []byte("one"))
	if m.OfDatagram(at, []byte("one")) != base {
		t.Error("the same datagram has another key")
	}
	for name, other := range map[string]fsm.Key{
		"port":    m.OfDatagram(netip.MustParseAddrPort("192.0.2.1:5684"), []byte("one")),
		"address": m.OfDatagram(netip.MustParseAddrPort("192.0.2.2:5683"), []byte("one")),
		"bytes":   m.OfDatagram(at, []byte("onf")),
	} {
		if other == base {
			t.Errorf("another %s has the same key", name)
		}
	}
}

func BenchmarkOfDatagram(b *testing.B) {
	m := key.NewMaker(secret)
	at := netip.MustParseAddrPort("192.0.2.1:5683")
	in := make([]byte, 64)
	for b.Loop() {
		m.OfDatagram(at, in)
	}
}
