package logstore

import "github.com/hashicorp/raft"

// NewLog wraps inner; failed is called once, with the first write error.
func NewLog(inner raft.LogStore, failed func(error)) *Log {
	return newLog(inner, newGuard(failed, 0), nil)
}

// EncodeVotes is the bytes of votes.
func EncodeVotes(m map[string]string) ([]byte, error) { return encodeVotes(m) }

// DecodeVotes reads votes.
func DecodeVotes(b []byte) (map[string]string, error) { return decodeVotes(b) }

// EncodeHint is the bytes of a hint.
func EncodeHint(last, first uint64, lost bool, why string) []byte {
	return hintValue{last, first, lost, why}.encode()
}

// DecodeHint reads a hint.
func DecodeHint(b []byte) (last, first uint64, lost bool, why string, err error) {
	v, err := decodeHint(b)
	return v.last, v.first, v.lost, v.why, err
}
