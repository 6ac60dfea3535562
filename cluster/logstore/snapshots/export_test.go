package snapshots

// EncodeHead is the bytes of a snapshot's head.
func EncodeHead(description int, data int64, dataSum uint64, descriptionSum uint32) []byte {
	return head{description, data, dataSum, descriptionSum}.encode()
}

// DecodeHead reads the head of a file of size bytes.
func DecodeHead(b []byte, size int64) (description int, data int64, err error) {
	h, err := decodeHead(b, size)
	return h.description, h.data, err
}
