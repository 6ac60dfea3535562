package segment

import "github.com/parquet-go/parquet-go/format"

// DecodePage decodes a page body of n rows of one column of a readings
// segment, with a dictionary of as many zero values as said.
func DecodePage(column, n, dictionary int, body []byte) error {
	c := &readingColumns[column]
	var v vector
	var d *values
	if dictionary > 0 {
		d = &values{ints: make([]int64, dictionary)}
		if c.typ == format.ByteArray {
			d = &values{names: make([]string, dictionary)}
		}
	}
	return v.decode(c, d, n, body)
}

// DecodeDictionary decodes a dictionary page body of n values.
func DecodeDictionary(column, n int, body []byte) error {
	_, err := decodeValues(&readingColumns[column], n, body)
	return err
}

// ParsePageHeader returns the page's body as the header's reader leaves it.
func ParsePageHeader(b []byte) ([]byte, error) {
	_, body, err := parsePageHeader(b)
	return body, err
}
