package coap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"skerry/coap/message"
)

// singleJSON reads a value alone or an object token by token, which alone
// shows a key that stands twice.
func singleJSON(body []byte) (singleFields, error) {
	if !utf8.Valid(body) {
		return nil, refuse(message.BadRequest, "JSON is not UTF-8")
	}
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	fields := singleFields{}
	t, err := in.Token()
	switch {
	case err == nil && t == json.Delim('{'):
		err = objectFields(in, fields)
	case t == json.Delim('['):
		err = refuse(message.BadRequest, "the body is a list: send one value, or a SenML pack to /r")
	default:
		fields[keyValue] = t
	}
	if err != nil {
		return nil, badJSON(err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(message.BadRequest, "JSON has something after its end")
	}
	return fields, nil
}

func objectFields(in *json.Decoder, fields singleFields) error {
	for in.More() {
		t, err := in.Token()
		if err != nil {
			return err
		}
		key := t.(string) // the decoder gives nothing else inside an object
		if key != keyValue && key != keyUnit && key != keyTime {
			return refuse(message.BadRequest, "key %q is not known: value, unit and time are", cut(key, 32))
		}
		if _, twice := fields[key]; twice {
			return refuse(message.BadRequest, "key %q stands twice: send it once", key)
		}
		if fields[key], err = in.Token(); err != nil {
			return err
		}
		if delim, nested := fields[key].(json.Delim); nested {
			return refuse(message.BadRequest, "%s: is nested (%s): send one value", key, delim)
		}
	}
	_, err := in.Token()
	return err
}

func badJSON(err error) error {
	var own *refusal
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(message.BadRequest, "JSON ends too early: it is cut short")
	}
	return refuse(message.BadRequest, "this is not JSON: %s", err)
}

var singleCBORMode = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: singleDepth,
		IndefLength: cbor.IndefLengthAllowed, BigIntDec: cbor.BigIntDecodeValue,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

func singleCBOR(body []byte) (singleFields, error) {
	var v any
	if err := singleCBORMode.Unmarshal(body, &v); err != nil {
		return nil, refuse(message.BadRequest, "this is not CBOR: %s", err)
	}
	object, ok := v.(map[any]any)
	if !ok {
		return singleFields{keyValue: v}, nil
	}
	fields := singleFields{}
	for k, v := range object {
		key, ok := k.(string)
		if !ok || key != keyValue && key != keyUnit && key != keyTime {
			return nil, refuse(message.BadRequest, "key %s is not known: value, unit and time are", cut(fmt.Sprint(k), 32))
		}
		fields[key] = v
	}
	return fields, nil
}
