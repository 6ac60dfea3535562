package fsm

import "encoding/binary"

// BatchRecords is the number of records that an encoded sub-batch says it has;
// CheckBatch tells whether that is true.
func BatchRecords(sub []byte) int {
	if len(sub) < stampedSize {
		return 0
	}
	_, n := binary.Uvarint(sub[stampedSize:])
	if n <= 0 {
		return 0
	}
	records, n := binary.Uvarint(sub[stampedSize+n:])
	if n <= 0 || records > MaxBatchRecords {
		return 0
	}
	return int(records)
}
