package bench_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"skerry/cmd/skerry/bench"
)

// gateway answers each datagram on a loopback socket with what answer makes of
// it, nothing for nil, until the test ends.
func gateway(tb testing.TB, answer func(datagram []byte) []byte) netip.AddrPort {
	tb.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if reply := answer(buf[:n]); reply != nil {
				_, _ = conn.WriteToUDPAddrPort(reply, from)
			}
		}
	})
	tb.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// ack is the piggy-backed answer with a code.
func ack(datagram []byte, code byte) []byte {
	return append([]byte{0x64, code, datagram[2], datagram[3]}, datagram[4:8]...)
}

func TestRun_CountsEachAnswerAndSendsNoReadingTwice(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	to := gateway(t, func(d []byte) []byte {
		mu.Lock()
		seen[string(d[4:])]++ // token, options, payload; the port is the client's
		mu.Unlock()
		return ack(d, 0x44)
	})
	got, err := bench.Run(t.Context(), bench.Config{
		To: []netip.AddrPort{to}, Clients: 8, Warmup: 50 * time.Millisecond, Duration: 300 * time.Millisecond,
		Pids: []int{os.Getpid()}, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests < 100 || got.Errors != 0 || got.Codes["2.04"] != got.Requests {
		t.Errorf("got %d requests, %d errors, codes %v; want at least 100, none, all 2.04", got.Requests, got.Errors, got.Codes)
	}
	if got.P50Millis <= 0 || got.P99Millis < got.P50Millis || got.RSSBytes == 0 {
		t.Errorf("got p50 %g, p99 %g, rss %d; want all positive and p50 <= p99", got.P50Millis, got.P99Millis, got.RSSBytes)
	}
	mu.Lock()
	defer mu.Unlock()
	for datagram, n := range seen {
		if n != 1 {
			t.Fatalf("datagram %x was sent %d times", datagram, n)
		}
	}
}

func TestRun_PacedClientsAskNoMoreOftenThanTheyAreTold(t *testing.T) {
	to := gateway(t, func(d []byte) []byte { return ack(d, 0x44) })
	got, err := bench.Run(t.Context(), bench.Config{
		To: []netip.AddrPort{to}, Clients: 4, Rate: 100, Duration: 400 * time.Millisecond, Dir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests < 1 || got.Requests > 41 {
		t.Errorf("%d requests in %.1f s at 100 a second, want some and at most 41", got.Requests, got.Seconds)
	}
	_, err = bench.Run(t.Context(), bench.Config{To: []netip.AddrPort{to}, Clients: 1, Rate: 1e-9, Duration: time.Second})
	if err == nil {
		t.Error("a rate of one message in thirty years is taken")
	}
}

func TestRun_RefusalsAreCountedByCode(t *testing.T) {
	to := gateway(t, func(d []byte) []byte { return ack(d, 0x9d) }) // 4.29
	got, err := bench.Run(t.Context(), bench.Config{To: []netip.AddrPort{to}, Clients: 2, Duration: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != 0 || got.Errors == 0 || got.Codes["4.29"] != got.Errors {
		t.Errorf("got %d requests, %d errors, codes %v; want none, all errors 4.29", got.Requests, got.Errors, got.Codes)
	}
}

func TestRun_ALostDatagramIsSentAgainAsItWas(t *testing.T) {
	var mu sync.Mutex
	var first []byte
	again := false
	to := gateway(t, func(d []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = bytes.Clone(d)
			return nil
		}
		if bytes.Equal(first, d) {
			again = true
		}
		return ack(d, 0x44)
	})
	got, err := bench.Run(t.Context(), bench.Config{To: []netip.AddrPort{to}, Clients: 1, Duration: 2500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !again || got.Retransmits != 1 || got.Unanswered != 0 {
		t.Errorf("got again=%t, %d retransmits, %d unanswered; want the same bytes once more", again, got.Retransmits, got.Unanswered)
	}
}

func TestRun_PacksAreSenMLThatFitsOneDatagram(t *testing.T) {
	var mu sync.Mutex
	var datagram []byte
	to := gateway(t, func(d []byte) []byte {
		mu.Lock()
		datagram = bytes.Clone(d)
		mu.Unlock()
		return ack(d, 0x44)
	})
	got, err := bench.Run(t.Context(), bench.Config{To: []netip.AddrPort{to}, Clients: 1, Pack: bench.MaxPack, Duration: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got.Readings != got.Requests*bench.MaxPack || got.Readings == 0 {
		t.Errorf("got %d readings in %d requests, want %d in each", got.Readings, got.Requests, bench.MaxPack)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(datagram) > 1152 {
		t.Errorf("datagram has %d bytes, want at most 1152", len(datagram))
	}
	_, payload, _ := bytes.Cut(datagram, []byte{0xff})
	var pack []struct {
		BaseName string  `cbor:"-2,keyasint"`
		BaseTime float64 `cbor:"-3,keyasint"`
		BaseUnit string  `cbor:"-4,keyasint"`
		Name     string  `cbor:"0,keyasint"`
		Value    float64 `cbor:"2,keyasint"`
		Time     float64 `cbor:"6,keyasint"`
	}
	if err := cbor.Unmarshal(payload, &pack); err != nil {
		t.Fatal(err)
	}
	if len(pack) != bench.MaxPack || pack[0].BaseName != "dev-0/" || pack[0].BaseUnit != "Cel" {
		t.Errorf("got %d records, first %+v; want %d of dev-0/ in Cel", len(pack), pack[0], bench.MaxPack)
	}
	if age := time.Since(time.UnixMicro(int64(pack[0].BaseTime * 1e6))); age < 0 || age > time.Minute {
		t.Errorf("base time is %s old, want the last minute", age)
	}
	for i, r := range pack {
		if r.Name != "temperature" || r.Time != float64(i) || r.Value < 10 || r.Value >= 100 {
			t.Errorf("record %d: got %+v, want temperature at +%d s from 10 to 100", i, r, i)
		}
	}
}

func TestRun_EndsEarlyWithItsContext(t *testing.T) {
	to := gateway(t, func(d []byte) []byte { return ack(d, 0x44) })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	got, err := bench.Run(ctx, bench.Config{To: []netip.AddrPort{to}, Clients: 1, Duration: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests == 0 || got.Seconds > 60 {
		t.Errorf("got %d requests in %g s, want some in less than a minute", got.Requests, got.Seconds)
	}
}

func TestRun_RefusesWhatItCannotDo(t *testing.T) {
	to := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:5683")}
	for name, cfg := range map[string]bench.Config{
		"no address":       {Clients: 1, Duration: time.Second},
		"no client":        {To: to, Duration: time.Second},
		"too large a pack": {To: to, Clients: 1, Pack: bench.MaxPack + 1, Duration: time.Second},
		"no duration":      {To: to, Clients: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := bench.Run(t.Context(), cfg); err == nil {
				t.Error("got no error")
			}
		})
	}
}
