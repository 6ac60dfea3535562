package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"skerry/fsm"
)

// Reading is one value as a device sends it.
type Reading struct {
	Device   string
	Resource string
	Unit     string
	// Time is in microseconds since 1970 by the device's clock. It is 0 when the
	// device has no clock; then no other reading of its series has the same
	// value, by which it is known again.
	Time int64
	// Ago is how long before the message, in microseconds, a device without a
	// clock took the reading.
	Ago   int64
	Value fsm.Value // a number, flag or text
}

// FirstTime is the earliest time, in microseconds since 1970, that a message can
// carry: SenML takes fewer than 2^28 seconds as relative (RFC 8428 section 4.5.3).
const FirstTime = 1 << 28 * 1_000_000

// Single is a reading as a post to its own path: text where value is all there
// is to say, else JSON.
func Single(r Reading) (Message, error) {
	m := Message{Path: []string{"r", r.Device, r.Resource}}
	if r.Unit == "" && r.Time == 0 && r.Value.Kind != fsm.Data {
		m.Payload = []byte(r.Value.String())
		return m, nil
	}
	value, err := jsonValue(r.Value)
	if err != nil {
		return m, err
	}
	body := struct {
		Value any         `json:"value"`
		Unit  string      `json:"unit,omitempty"`
		Time  json.Number `json:"time,omitempty"`
	}{Value: value, Unit: r.Unit, Time: seconds(r.Time)}
	m.Format = FormatJSON
	m.Payload, err = json.Marshal(body)
	return m, err
}

// MaxPayload bounds a pack, in bytes: what a datagram carries without being cut
// up on its way (RFC 7252 section 4.6). A single reading may be larger.
const MaxPayload = 1024

// record is a SenML record as devices send it.
type record struct {
	Name  string      `json:"n"`
	Unit  string      `json:"u,omitempty"`
	Time  json.Number `json:"t,omitempty"`
	Value json.Number `json:"v,omitempty"`
	Flag  *bool       `json:"vb,omitempty"`
	Text  *string     `json:"vs,omitempty"`
}

// Pack is the first n readings, as many as fit, as one SenML pack (RFC 8428) to
// /r/{device}. It fails with readings of several devices, or with bytes.
func Pack(readings []Reading) (m Message, n int, err error) {
	if len(readings) == 0 {
		return m, 0, errors.New("a pack holds at least one reading")
	}
	m = Message{Path: []string{"r", readings[0].Device}, Format: FormatSenMLJSON}
	for _, r := range readings {
		b, err := appendRecord(&r, readings[0].Device)
		if err != nil {
			return m, n, err
		}
		if n > 0 && len(m.Payload)+len(b)+2 > MaxPayload {
			break
		}
		m.Payload = append(append(m.Payload, ','), b...)
		n++
	}
	m.Payload[0] = '['
	m.Payload = append(m.Payload, ']')
	return m, n, nil
}

func appendRecord(r *Reading, device string) ([]byte, error) {
	if r.Device != device {
		return nil, fmt.Errorf("a pack of %s holds a reading of %s", device, r.Device)
	}
	at := r.Time
	if at == 0 {
		at = -r.Ago
	}
	rec := record{Name: r.Resource, Unit: r.Unit, Time: seconds(at)}
	switch r.Value.Kind {
	case fsm.Number:
		rec.Value = number(r.Value.Number)
	case fsm.Flag:
		rec.Flag = &r.Value.Flag
	case fsm.Text:
		rec.Text = &r.Value.Text
	default:
		return nil, fmt.Errorf("reading of %s/%s is neither number, flag nor text", r.Device, r.Resource)
	}
	return json.Marshal(rec)
}

// seconds writes microseconds as a decimal of seconds, "" for 0.
func seconds(micros int64) json.Number {
	if micros == 0 {
		return ""
	}
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	return json.Number(fmt.Sprintf("%s%d.%06d", sign, micros/1e6, micros%1e6))
}

func jsonValue(v fsm.Value) (any, error) {
	switch v.Kind {
	case fsm.Number:
		return number(v.Number), nil
	case fsm.Flag:
		return v.Flag, nil
	case fsm.Text:
		return v.Text, nil
	}
	return nil, fmt.Errorf("value is neither number, flag nor text")
}

// number writes a number so that it reads back as the same.
func number(v float64) json.Number { return json.Number(strconv.FormatFloat(v, 'g', -1, 64)) }
