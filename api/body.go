package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// errTrailing: more than one value in a body.
var errTrailing = errors.New("the body has more after its first JSON value: send one object")

// strictJSON reads one JSON object into v. A field that v does not have is an
// error, so that a typing error is not taken for "leave it as it is".
func strictJSON(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errTrailing
	}
	return nil
}
