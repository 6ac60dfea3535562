package block_test

import (
	"runtime"
	"testing"
	"time"

	"skerry/coap/block"
)

func representation(n int) block.Representation {
	return block.Representation{Body: data(n, 1), Format: 42, ETag: []byte{1}}
}

func TestDownloads_keep_what_is_read(t *testing.T) {
	d := block.NewDownloads(block.DefaultDownloadLimits())
	d.Put(noon, id(1), peer(1), representation(3_000))
	for i := range 3 { // each read makes it live on
		r, ok := d.Get(noon.Add(time.Duration(i)*50*time.Second), id(1))
		if !ok || len(r.Body) != 3_000 || r.Format != 42 || len(r.ETag) != 1 {
			t.Fatalf("read %d: got %d bytes %v, want what was put", i, len(r.Body), ok)
		}
	}
	if _, ok := d.Get(noon.Add(160*time.Second), id(1)); ok {
		t.Error("it is there after a minute without a read")
	}
	if n, bytes := d.Load(); n != 0 || bytes != 0 {
		t.Errorf("%d are kept with %d bytes, want none", n, bytes)
	}
}

func TestDownloads_forget(t *testing.T) {
	limits := block.DownloadLimits{Bytes: 20_000, PeerBytes: 8_000, Idle: time.Minute}
	for _, c := range []struct {
		name string
		puts [][3]int // id, peer, size
		want []int    // ids that are still there
	}{
		{"nothing while there is room", [][3]int{{1, 1, 3000}, {2, 1, 3000}, {3, 2, 3000}}, []int{1, 2, 3}},
		{"the peer's own first", [][3]int{{1, 2, 3000}, {2, 1, 3000}, {3, 1, 3000}, {4, 1, 3000}}, []int{1, 3, 4}},
		{"the longest unread of all then", [][3]int{{1, 1, 7000}, {2, 2, 7000}, {3, 3, 7000}}, []int{2, 3}},
		{"what was there under the same name", [][3]int{{1, 1, 3000}, {1, 1, 7000}}, []int{1}},
		{"what is larger than a peer may have", [][3]int{{1, 1, 8000}, {2, 1, 100}}, []int{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := block.NewDownloads(limits)
			size := map[int]int{}
			for _, p := range c.puts {
				d.Put(noon, id(p[0]), peer(p[1]), representation(p[2]))
				size[p[0]] = p[2]
				if _, bytes := d.Load(); bytes > limits.Bytes {
					t.Fatalf("%d bytes are kept, want at most %d", bytes, limits.Bytes)
				}
			}
			for _, n := range c.want {
				if r, ok := d.Get(noon, id(n)); !ok || len(r.Body) != size[n] {
					t.Errorf("%d: got %d bytes %v, want %d", n, len(r.Body), ok, size[n])
				}
			}
			if n, _ := d.Load(); n != len(c.want) {
				t.Errorf("%d are kept, want %d", n, len(c.want))
			}
		})
	}
}

func TestDownloads_hold_what_their_limit_says(t *testing.T) {
	limits := block.DefaultDownloadLimits()
	before := heap()
	d := block.NewDownloads(limits)
	for p := range 10_000 {
		d.Put(noon, id(p), peer(p), representation(2_000))
	}
	n, bytes := d.Load()
	took := heap() - before
	t.Logf("%d representations, %d bytes counted, %d taken", n, bytes, took)
	if bytes > limits.Bytes || took > limits.Bytes+limits.Bytes/8 {
		t.Errorf("%d bytes are counted and %d taken, want at most %d", bytes, took, limits.Bytes)
	}
	runtime.KeepAlive(d)
}

func TestNewDownloads_takes_no_limits_that_break_a_rule(t *testing.T) {
	for _, l := range []block.DownloadLimits{{}, {Bytes: 1, PeerBytes: 2, Idle: 1}, {Bytes: 2, PeerBytes: 1}} {
		if err := l.Validate(); err == nil {
			t.Errorf("%+v: got no error", l)
		}
	}
}
