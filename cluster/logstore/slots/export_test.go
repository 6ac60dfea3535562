package slots

// Encode is the bytes of a record.
func Encode(size int, counter uint64, value []byte) []byte {
	b := make([]byte, size)
	encode(b, counter, value)
	return b
}

// Decode reads a record.
func Decode(b []byte) (counter uint64, value []byte, err error) { return decode(b) }
