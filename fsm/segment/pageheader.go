package segment

// pageHeader is what a reader needs of Parquet's PageHeader.
type pageHeader struct {
	kind     int64 // 0 data, 2 dictionary
	unpacked int64 // bytes
	packed   int64 // bytes
	crc      uint32
	values   int64
	encoding int64
}

// parsePageHeader reads a page header from the front of b and returns the rest.
// Unlike the footer, page headers have no checksum.
func parsePageHeader(b []byte) (h pageHeader, body []byte, err error) {
	c := compact{b: b}
	c.fields(func(id int, v int64) {
		switch id {
		case 1:
			h.kind = v
		case 2:
			h.unpacked = v
		case 3:
			h.packed = v
		case 4:
			h.crc = uint32(v)
		}
	}, func(id int) bool {
		if id != 5 && id != 7 { // data or dictionary page header
			return false
		}
		c.fields(func(id int, v int64) {
			switch id {
			case 1:
				h.values = v
			case 2:
				h.encoding = v
			}
		}, func(int) bool { return false })
		return true
	})
	if c.bad {
		return h, nil, damaged("page header")
	}
	return h, c.b, nil
}
