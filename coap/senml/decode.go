package senml

import "skerry/fsm"

// Decode reads a pack and resolves it. Names are split by name. The records do
// not share memory with b. Errors: ErrTooLarge, *Error.
func Decode(format Format, b []byte, name Namer) ([]fsm.Record, error) {
	if len(b) > MaxPack {
		return nil, ErrTooLarge
	}
	r := resolver{name: name}
	var err error
	if format == CBOR {
		err = decodeCBOR(b, &r)
	} else {
		err = decodeJSON(b, &r)
	}
	if err != nil {
		return nil, err
	}
	if len(r.readings) == 0 {
		return nil, &Error{Reason: "has no reading: send at least one record with a value"}
	}
	return r.readings, nil
}
