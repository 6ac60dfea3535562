package secure_test

import (
	"bytes"
	"testing"

	"skerry/coap/secure"
)

// FuzzRoute checks that what is not DTLS is taken for nothing and changed by
// nobody, and that what is kept of a datagram for a session is a part of it.
func FuzzRoute(f *testing.F) {
	f.Add(clientHello(1))
	f.Add([]byte{25, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 9})
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		kept, random := secure.Read(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram was changed")
		}
		if len(kept) > len(b) || len(random) > 0 && !bytes.Contains(b, random) {
			t.Fatalf("%x of %x, random %x", kept, b, random)
		}
		if again, _ := secure.Read(kept); !bytes.Equal(again, kept) {
			t.Fatalf("%x is cut again to %x", kept, again)
		}
	})
}
