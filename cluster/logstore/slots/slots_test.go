package slots_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/slots"
)

const (
	name  = "value"
	apart = 64
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// made is a disk with a file that took n values after its first.
func made(tb testing.TB, n int) *disk.Memory {
	tb.Helper()
	d := disk.NewMemory()
	f, err := slots.Create(d, name, apart, []byte("value 0"))
	must(tb, err)
	for i := 1; i <= n; i++ {
		must(tb, f.Set(fmt.Appendf(nil, "value %d", i)))
	}
	must(tb, f.Close())
	return d
}

func value(tb testing.TB, d disk.Disk) (string, error) {
	tb.Helper()
	f, err := slots.Open(d, name, apart)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return string(f.Value()), nil
}

func TestTheLastValueSurvivesACutAndAnyFlippedBit(t *testing.T) {
	for n := range 5 {
		want := fmt.Sprintf("value %d", n)
		for at := range int64(4 * apart) {
			d := made(t, n)
			d.Cut()
			if !d.Corrupt(name, at, uint(at)) {
				t.Fatalf("there is no byte %d", at)
			}
			for range 2 { // the second time it has been repaired
				if got, err := value(t, d); err != nil || got != want {
					t.Errorf("after %d values, byte %d flipped: %q (%v), want %q", n, at, got, err, want)
				}
				d.Cut()
			}
		}
	}
}

func TestAWriteThatWasCutShortLeavesTheValueBefore(t *testing.T) {
	for n := 1; n < 4; n++ {
		d := made(t, n)
		newer := int64(n+1) % 2 * 2 * apart
		d.Corrupt(name, newer, 0) // both copies of the newest
		d.Corrupt(name, newer+apart, 0)
		want := fmt.Sprintf("value %d", n-1)
		if got, err := value(t, d); err != nil || got != want {
			t.Errorf("%q (%v), want %q", got, err, want)
		}
		f, err := slots.Open(d, name, apart)
		must(t, err)
		must(t, f.Set([]byte("next")))
		d.Cut()
		if got, err := value(t, d); err != nil || got != "next" {
			t.Errorf("%q (%v), want next", got, err)
		}
	}
}

func TestDamageThatLeavesNoValueToTrustIsSaid(t *testing.T) {
	d := made(t, 3)
	for slot := range int64(4) {
		d.Corrupt(name, slot*apart, 1)
	}
	if _, err := value(t, d); !errors.Is(err, slots.ErrDamaged) {
		t.Errorf("four damaged copies: %v, want ErrDamaged", err)
	}
	// A slot that missed a write: the disk lied.
	d = made(t, 3)
	f, err := d.Open(name)
	must(t, err)
	old := slots.Encode(apart, 1, []byte("value 0"))
	for c := range int64(2) {
		_, err := f.WriteAt(slots.Encode(apart, 6, []byte("value 5")), c*apart)
		must(t, err)
		_, err = f.WriteAt(old, (2+c)*apart)
		must(t, err)
	}
	if _, err := value(t, d); !errors.Is(err, slots.ErrDamaged) {
		t.Errorf("counters 1 and 6: %v, want ErrDamaged", err)
	}
	if _, err := slots.Open(disk.NewMemory(), name, apart); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want fs.ErrNotExist", err)
	}
	if err := f.Truncate(10); err != nil {
		t.Fatal(err)
	}
	if _, err := value(t, d); !errors.Is(err, slots.ErrDamaged) {
		t.Errorf("a file cut short: %v, want ErrDamaged", err)
	}
}

func TestAChangeCostsOneSync(t *testing.T) {
	d := made(t, 1)
	f, err := slots.Open(d, name, apart)
	must(t, err)
	n := 0
	d.OnSync(func(string) { n++ })
	must(t, f.Set([]byte("x")))
	if n != 1 {
		t.Errorf("%d syncs, want 1", n)
	}
	if err := f.Set(make([]byte, apart)); !errors.Is(err, slots.ErrTooLong) {
		t.Errorf("a value without room: %v, want ErrTooLong", err)
	}
}

func TestTheBytesOfARecordStayWhatTheyAre(t *testing.T) {
	const golden = "d94fc6d101000000070000000000000003000000616263000000"
	got := hex.EncodeToString(slots.Encode(26, 7, []byte("abc")))
	if got != golden {
		t.Errorf("record\n%s, want\n%s", got, golden)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(slots.Encode(40, 7, []byte("abc")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		counter, value, err := slots.Decode(b)
		if err != nil {
			return
		}
		if again := slots.Encode(len(b), counter, value); !bytes.Equal(again[:20+len(value)], b[:20+len(value)]) {
			t.Errorf("%x is read and would be written as %x", b, again)
		}
	})
}

func TestACheckWritesAnewWhateverHasRotted(t *testing.T) {
	d := disk.NewMemory()
	f, err := slots.Create(d, "value", 64, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Set([]byte("two")), f.Set([]byte("three"))); err != nil {
		t.Fatal(err)
	}
	if mended, err := f.Check(); mended || err != nil {
		t.Errorf("mended %v (%v), want nothing to mend", mended, err)
	}
	for at := range int64(4) { // every copy at once: the value is in memory
		d.Corrupt("value", 64*at+21, 1)
	}
	if mended, err := f.Check(); !mended || err != nil {
		t.Errorf("mended %v (%v), want that it was mended", mended, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = slots.Open(d, "value", 64); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := string(f.Value()); got != "three" || f.Mended() {
		t.Errorf("the value is %q (mended %v), want %q, whole", got, f.Mended(), "three")
	}
}
