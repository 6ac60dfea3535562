// Package segment writes and reads the files in which cut rows rest: plain
// Parquet, so that the file a gateway keeps is the file the bucket gets.
//
// It promises that a file holds exactly the rows of its cut, that one series
// is read without the rest, and that damage is an error (ErrDamaged) or
// changes nothing. It knows bytes only: whoever calls it owns names of files,
// fsync and directories.
//
// # Layout
//
// Rows are sorted by device, resource, time, seq, in row groups of at most
// 65,536 rows and pages of at most 8,192; all columns of a readings file turn
// their pages at the same rows. Pages are of version 1, PLAIN or
// RLE_DICTIONARY, zstd, each with its CRC32. device, resource and time have a
// column index, every column has an offset index. After the row groups come the
// column indexes of each, then the offset indexes of each.
//
// The footer's key-value metadata says what the file is:
//
//	skerry.format   1, or 2 where rows were erased in place, which have empty
//	                names, received for a time and their digest in data (see
//	                fsm.EraseReading); a newer one is refused with ErrNewer
//	skerry.stream   readings or frames
//	skerry.site     the site's name
//	skerry.first    first seq, decimal
//	skerry.last     last seq, decimal
//	skerry.rows     number of rows, decimal
//	skerry.date     UTC date of received, 2006-01-02
//	skerry.digest   fsm.RowDigest of the rows, 32 hex digits
//	skerry.indexes  CRC32C, 8 hex digits each, of each row group's column
//	                indexes, then of each row group's offset indexes
//	skerry.check    CRC32C of the footer with these 8 hex digits "00000000"
//
// skerry.check stays where it is, the last pair, in all formats to come.
package segment
