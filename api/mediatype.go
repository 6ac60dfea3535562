package api

import (
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"
)

// mapping is a media type and its CoAP content format.
type mapping struct {
	format uint16
	name   string
}

// mediaTypes are those of the registry of RFC 7252 section 12.3 that documents
// may have.
var mediaTypes = []mapping{
	{0, "text/plain"},
	{21, "image/gif"},
	{22, "image/jpeg"},
	{23, "image/png"},
	{40, "application/link-format"},
	{41, "application/xml"},
	{42, "application/octet-stream"},
	{47, "application/exi"},
	{50, "application/json"},
	{51, "application/json-patch+json"},
	{52, "application/merge-patch+json"},
	{60, "application/cbor"},
	{61, "application/cwt"},
	{63, "application/cbor-seq"},
	{64, "application/link-format+cbor"},
	{110, "application/senml+json"},
	{111, "application/sensml+json"},
	{112, "application/senml+cbor"},
	{113, "application/sensml+cbor"},
	{310, "application/senml+xml"},
	{311, "application/sensml+xml"},
	{320, "application/senml-etch+json"},
	{322, "application/senml-etch+cbor"},
	{432, "application/td+json"},
	{10000, "application/vnd.ocf+cbor"},
	{11542, "application/vnd.oma.lwm2m+tlv"},
	{11543, "application/vnd.oma.lwm2m+json"},
	{11544, "application/vnd.oma.lwm2m+cbor"},
}

// anyFormat is the media type of a CoAP payload of any other content format,
// whose number is the parameter cf (RFC 8075 section 6.2).
const anyFormat = "application/coap-payload"

// contentFormat is the CoAP content format of a Content-Type; nothing is bytes,
// as for all of HTTP.
func contentFormat(contentType string) (uint16, error) {
	if contentType == "" {
		return contentFormat("application/octet-stream")
	}
	name, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return 0, fmt.Errorf("Content-Type %q cannot be read: %w", contentType, err)
	}
	if name == anyFormat {
		format, err := strconv.ParseUint(parameters["cf"], 10, 16)
		if err != nil {
			return 0, fmt.Errorf("Content-Type %q lacks its number: write %s;cf=50", contentType, anyFormat)
		}
		return uint16(format), nil
	}
	for _, m := range mediaTypes {
		if m.name == name {
			if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
				return 0, fmt.Errorf("charset %s is not taken: send UTF-8", charset)
			}
			return m.format, nil
		}
	}
	return 0, fmt.Errorf("Content-Type %q has no CoAP content format that is known here: write %s;cf=NUMBER", contentType, anyFormat)
}

// mediaType is the Content-Type of a CoAP content format.
func mediaType(format uint16) string {
	i := slices.IndexFunc(mediaTypes, func(m mapping) bool { return m.format == format })
	switch {
	case i < 0:
		return fmt.Sprintf("%s;cf=%d", anyFormat, format)
	case format == 0:
		return "text/plain; charset=utf-8"
	}
	return mediaTypes[i].name
}
