package senml

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// jsonValues reads a pack token by token, which alone shows a label that
// stands twice.
type jsonValues struct{ *json.Decoder }

func decodeJSON(b []byte, r *resolver) error {
	if !utf8.Valid(b) {
		return &Error{Reason: "is not UTF-8"}
	}
	in := jsonValues{json.NewDecoder(bytes.NewReader(b))}
	in.UseNumber()
	if t, err := in.Token(); err != nil || t != json.Delim('[') {
		return notPack(err, `is not a JSON array: SenML is a list of records, as in [{"n":"pump-7/temperature","v":21.6}]`)
	}
	for in.More() {
		if err := r.begin(); err != nil {
			return err
		}
		if err := in.record(r); err != nil {
			return err
		}
	}
	if _, err := in.Token(); err != nil {
		return notPack(err, "")
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return &Error{Reason: "has something after its end"}
	}
	return nil
}

// notPack is the error of bytes that are no JSON, or else of JSON that is no pack.
func notPack(err error, reason string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Reason: "ends too early: it is cut short"}
	}
	if err != nil {
		return &Error{Reason: "is not JSON: " + err.Error()}
	}
	return &Error{Reason: reason}
}

func (in jsonValues) record(r *resolver) error {
	t, err := in.Token()
	if err != nil {
		return notPack(err, "")
	}
	if t != json.Delim('{') {
		return r.wrong("", "is not a JSON object")
	}
	var f fields
	for in.More() {
		t, err := in.Token()
		if err != nil {
			return notPack(err, "")
		}
		key := t.(string) // the decoder gives nothing else inside an object
		if err := in.field(r, &f, key); err != nil {
			return err
		}
	}
	if _, err := in.Token(); err != nil {
		return notPack(err, "")
	}
	return r.add(&f)
}

func (in jsonValues) field(r *resolver, f *fields, key string) error {
	l, known := labelOf(key)
	if !known {
		if err := r.unknown(key); err != nil {
			return err
		}
		return in.skip(r, key)
	}
	err := r.read(f, l, in)
	if err == nil {
		return nil
	}
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return notPack(err, "")
	}
	return r.wrong(key, err.Error())
}

// skip passes over a value that nobody needs.
func (in jsonValues) skip(r *resolver, key string) error {
	for depth := 0; ; {
		t, err := in.Token()
		if err != nil {
			return notPack(err, "")
		}
		switch t {
		case json.Delim('['), json.Delim('{'):
			if depth++; depth > maxDepth {
				return r.wrong(key, "is nested too deeply")
			}
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (in jsonValues) number() (float64, error) {
	t, err := in.Token()
	if err != nil {
		return 0, err
	}
	if t == nil {
		return 0, errNull
	}
	n, ok := t.(json.Number)
	if !ok {
		return 0, errNotNumber
	}
	return ParseNumber(string(n))
}

func (in jsonValues) text() (string, error) {
	t, err := in.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", errors.New("is not a string")
	}
	return s, nil
}

func (in jsonValues) flag() (bool, error) {
	t, err := in.Token()
	if err != nil {
		return false, err
	}
	v, ok := t.(bool)
	if !ok {
		return false, errors.New("is not true or false")
	}
	return v, nil
}

// data reads base64url (RFC 8428 section 5), with or without padding.
func (in jsonValues) data() ([]byte, error) {
	s, err := in.text()
	if err != nil {
		return nil, err
	}
	v, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, errors.New("is not base64url")
	}
	return v, nil
}
