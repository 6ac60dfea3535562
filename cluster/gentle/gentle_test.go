package gentle_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster/gentle"
)

// work takes time and then rests, n times over.
func work(w *gentle.Work, n int, each time.Duration) {
	for range n {
		time.Sleep(each)
		w.Rest()
	}
}

func TestWorkRestsSevenTimesAsLongAsItLasts(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		each  time.Duration
		hurry bool
		want  time.Duration
	}{
		{"a slice is followed by a rest", 1, time.Millisecond, false, 8 * time.Millisecond},
		{"and so are those after it", 10, time.Millisecond, false, 80 * time.Millisecond},
		{"a short piece is not", 1, 100 * time.Microsecond, false, 100 * time.Microsecond},
		{"short pieces add up to slices", 100, 100 * time.Microsecond, false, 80 * time.Millisecond},
		{"a long piece is followed by a rest that is bounded", 1, time.Second, false, 1020 * time.Millisecond},
		{"in a hurry there is no rest", 10, time.Millisecond, true, 10 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				work(gentle.Begin(t.Context(), func() bool { return c.hurry }), c.n, c.each)
				if got := time.Since(began); got != c.want {
					t.Errorf("took %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestNobodyWaitsForARestWhenAllIsToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
		defer cancel()
		began := time.Now()
		// The first rest is cut short after 2 ms, and there is none after it.
		work(gentle.Begin(ctx, nil), 10, time.Millisecond)
		if got, want := time.Since(began), 12*time.Millisecond; got != want {
			t.Errorf("took %s, want %s", got, want)
		}
	})
}

// slow takes its time for each piece.
type slow struct{ bytes.Buffer }

func (s *slow) Write(b []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return s.Buffer.Write(b)
}

func (s *slow) ReadAt(b []byte, off int64) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return copy(b, s.Bytes()[off:]), nil
}

func TestTheTimeOfADiskIsNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var file slow
		work := gentle.Begin(t.Context(), nil)
		w, r := work.Writer(&file), work.Reader(&file)
		for range 4 {
			if _, err := w.Write([]byte("row")); err != nil {
				t.Fatal(err)
			}
			if _, err := r.ReadAt(make([]byte, 3), 0); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := time.Since(began), 80*time.Millisecond; got != want {
			t.Errorf("took %s, want %s: it rested", got, want)
		}
		time.Sleep(time.Millisecond) // this is work
		if _, err := w.Write([]byte("row")); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(began), (80+1+7+10)*time.Millisecond; got != want {
			t.Errorf("took %s with a piece of work, want %s", got, want)
		}
		if got, want := file.String(), strings.Repeat("row", 5); got != want {
			t.Errorf("the file is %q, want %q", got, want)
		}
	})
}
