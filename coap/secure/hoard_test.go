package secure_test

import (
	"runtime"
	"testing"
)

// TestAHandshakeKeepsLittleForItsPeer has strangers follow their hellos with
// records that only a finished handshake could open, and so are kept.
func TestAHandshakeKeepsLittleForItsPeer(t *testing.T) {
	const strangers, records, size = 60, 100, 7 << 10
	const bound = 6 << 20 // bytes, of 43 MB sent
	d := open(t, nil)
	sealed := make([]byte, 13+size)
	copy(sealed, []byte{23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, byte(size >> 8), byte(size & 0xff)})
	before := heap()
	for i := range strangers {
		conn := udp(t, "127.0.0.1:0")
		if _, err := conn.WriteTo(clientHello(byte(i)), d.Addr()); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1<<10)
		if _, _, err := conn.ReadFrom(b); err != nil { // the demand for a cookie
			t.Fatal(err)
		}
		for n := range records {
			sealed[10] = byte(n)
			if _, err := conn.WriteTo(sealed, d.Addr()); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A last stranger is answered when all before it was read.
	last := udp(t, "127.0.0.2:0")
	if _, err := last.WriteTo(clientHello(99), d.Addr()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := last.ReadFrom(make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}
	if grown := heap() - before; grown > bound {
		t.Errorf("%d kB are kept, want %d at most", grown>>10, bound>>10)
	}
}

// heap is what is in use, in bytes.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
