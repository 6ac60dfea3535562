package senml

import "skerry/fsm"

// Decode reads a pack and resolves it. Names are split by name. The records do
// not share memory with b. Errors: ErrTooLarge, *Error.
func Decode(format Format, b []byte, name Namer) ([]fsm.Record, error) {
	r := resolver{kind: ofReadings, name: name}
	if err := r.decode(format, b); err != nil {
		return nil, err
	}
	if len(r.readings) == 0 {
		return nil, &Error{Reason: "has no reading: send at least one record with a value"}
	}
	return r.readings, nil
}

// decode reads all records of a pack.
func (r *resolver) decode(format Format, b []byte) error {
	if len(b) > MaxPack {
		return ErrTooLarge
	}
	if format == CBOR {
		return decodeCBOR(b, r)
	}
	return decodeJSON(b, r)
}
