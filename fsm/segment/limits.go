package segment

// Bounds of what is written. Files are read with the same bounds.
const (
	groupRows  = 64 << 10 // rows in a row group
	groupBytes = 16 << 20 // bytes of JPEGs after which a row group of frames ends
	pageRows   = 8 << 10  // rows in a page
	pageBytes  = 1 << 20  // bytes of text and data after which a page ends

	maxPage   = 16 << 20  // bytes of a page, unpacked; a dictionary of 64 Ki names of 128 bytes fits
	maxFooter = 4 << 20   // bytes
	maxIndex  = 4 << 20   // bytes of a row group's indexes
	maxRows   = 16 << 20  // rows in a file
	maxBlob   = 1<<32 - 1 // bytes of text and data that All can address
)
