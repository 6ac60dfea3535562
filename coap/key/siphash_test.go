package key_test

import (
	"encoding/hex"
	"testing"

	"skerry/coap/key"
)

// TestSum128 has vectors of the authors' reference code (vectors_sip128): key
// 00 01 .. 0f, input 00 01 .. of each length.
func TestSum128_gives_the_reference_vectors(t *testing.T) {
	want := map[int]string{
		0:  "a3817f04ba25a8e66df67214c7550293",
		1:  "da87c1d86b99af44347659119b22fc45",
		2:  "8177228da4a45dc7fca38bdef60affe4",
		3:  "9c70b60c5267a94e5f33b6b02985ed51",
		7:  "a1f1ebbed8dbc153c0b84aa61ff08239",
		8:  "3b62a9ba6258f5610f83e264f31497b4",
		15: "5493e99933b0a8117e08ec0f97cfc3d9",
	}
	var secret [16]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	for n, hexed := range want {
		in := make([]byte, n)
		for i := range in {
			in[i] = byte(i)
		}
		sum := key.Sum128(&secret, in)
		if got := hex.EncodeToString(sum[:]); got != hexed {
			t.Errorf("%d bytes: got %s, want %s", n, got, hexed)
		}
	}
}
