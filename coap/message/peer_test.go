//go:build peer

package message_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	codec "github.com/plgd-dev/go-coap/v3/message"

	"skerry/coap/message"
)

var (
	peerSeed  = flag.Uint64("peer.seed", rand.Uint64(), "seed of the datagrams")
	peerCount = flag.Int("peer.count", 1_000_000, "how many datagrams")
)

const (
	peerVersion = "1.1.1"
	// peerAhead is how many datagrams the peer may lie behind.
	peerAhead = 1 << 12
	// peerGrowth is by how many bytes the heap may have grown at the end.
	peerGrowth = 4 << 20
)

// peerIsWrong are the reasons for which this package refuses a datagram that
// coap-packet takes, and why the peer is wrong.
var peerIsWrong = []struct {
	because error
	why     string
}{
	{message.ErrMarker, "RFC 7252 section 3: a marker without a payload is a format error; coap-packet reads an empty payload"},
	{message.ErrClass, "RFC 7252 section 3: classes 1, 3, 6 and 7 are reserved; coap-packet takes every code"},
	{message.ErrEmpty, "RFC 7252 section 4.1: an Empty message has token length 0; coap-packet looks at the size alone"},
	{message.ErrToken, "RFC 8974 section 2.1: token lengths 9 to 12 are reserved, and coap-packet takes them; beyond 256 bytes the bound is ours"},
	{message.ErrShort, "coap-packet takes a token cut short for a shorter one"},
	{codec.ErrOptionTruncated, "coap-packet takes an option's value cut short for a shorter one"},
	{codec.ErrOptionNotFound, "RFC 7252 section 12.2: option numbers end at 65,535; coap-packet counts on"},
	{codec.ErrOptionsTooSmall, "the bound of 256 options is ours"},
}

// TestPeer reads datagrams together with npm's coap-packet, which shares no code
// with this package or go-coap. What this package takes, both read alike; what
// it refuses, the peer refuses too, but for peerIsWrong.
func TestPeer(t *testing.T) {
	t.Logf("%d datagrams of the seed %d: -peer.seed=%d makes them again", *peerCount, *peerSeed, *peerSeed)
	in, out := startPeer(t)
	waiting := make(chan sent, peerAhead)
	fed := make(chan error, 1)
	go func() { fed <- feed(t.Context(), in, newMutator(t, *peerSeed), waiting) }()
	before := heap()
	taken, refused := 0, 0
	excused := make([]int, len(peerIsWrong))
	for s := range waiting {
		if !out.Scan() {
			t.Fatalf("the peer ended at %x: %v", s.datagram, out.Err())
		}
		got := out.Text()
		peerRefuses := strings.HasPrefix(got, `{"error"`)
		switch {
		case s.refusal == nil && got == s.want:
			taken++
		case s.refusal != nil && peerRefuses:
			refused++
		case s.refusal != nil && excuse(s.refusal) >= 0:
			excused[excuse(s.refusal)]++
		case s.refusal != nil:
			t.Fatalf("%x is refused (%v), and the peer reads\n%s", s.datagram, s.refusal, got)
		default:
			t.Fatalf("%x is read as\n%s\nand by the peer as\n%s", s.datagram, s.want, got)
		}
	}
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d are read alike, %d are refused by both, and the heap grew by %d KiB", taken, refused, (heap()-before)>>10)
	for i, n := range excused {
		t.Logf("%d are taken by the peer alone: %s", n, peerIsWrong[i].why)
	}
	if taken < *peerCount/10 || refused < *peerCount/20 {
		t.Error("too few of either kind: the datagrams are not worth the time")
	}
	if heap()-before > peerGrowth {
		t.Error("the heap has grown")
	}
}

// heap is the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// sent is a datagram that the peer has not answered yet.
type sent struct {
	datagram []byte
	want     string // what the peer shall answer, where the datagram is not refused
	refusal  error
}

// feed makes datagrams and lets the peer have them, until there are enough or
// the test has failed.
func feed(ctx context.Context, peer io.WriteCloser, m *mutator, waiting chan<- sent) error {
	defer close(waiting)
	w := bufio.NewWriter(peer)
	for range *peerCount {
		b := m.next()
		want, err := canonical(b)
		select {
		case waiting <- sent{b, want, err}:
		case <-ctx.Done():
			return ctx.Err()
		}
		fmt.Fprintf(w, "%x\n", b)
		if len(waiting) == cap(waiting) {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return peer.Close()
}

// excuse finds why a refusal is right and the peer wrong.
func excuse(refusal error) int {
	for i := range peerIsWrong {
		if errors.Is(refusal, peerIsWrong[i].because) {
			return i
		}
	}
	return -1
}

// canonical is what peer.js answers when it reads a datagram as this package does.
func canonical(b []byte) (string, error) {
	var m message.Message
	_, err := message.Parse(b, &m)
	if err != nil && !errors.As(err, new(*message.OptionError)) {
		return "", err
	}
	options := [][2]any{}
	for n, v := range m.Options {
		options = append(options, [2]any{n, hex.EncodeToString(v)})
	}
	line, err := json.Marshal(struct {
		Type    message.Type `json:"type"`
		Code    message.Code `json:"code"`
		ID      uint16       `json:"id"`
		Token   string       `json:"token"`
		Options [][2]any     `json:"options"`
		Payload string       `json:"payload"`
	}{m.Type, m.Code, m.ID, hex.EncodeToString(m.Token), options, hex.EncodeToString(m.Payload)})
	return string(line), err
}

// startPeer runs peer.js and checks the version of its coap-packet.
func startPeer(t *testing.T) (io.WriteCloser, *bufio.Scanner) {
	t.Helper()
	peer := exec.Command("node", "testdata/peer.js")
	var words bytes.Buffer
	peer.Stderr = &words
	in, err := peer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := peer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.Start(); err != nil {
		t.Fatalf("%v: install Node.js, and run make fuzz-peer", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			_ = peer.Process.Kill() // it may wait for a reader
		}
		if err := peer.Wait(); err != nil && !t.Failed() {
			t.Errorf("%v: %s", err, &words)
		}
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != peerVersion {
		in.Close()
		_ = peer.Wait() // for all of its words
		t.Fatalf("want coap-packet %s of npm, got %q: run make fuzz-peer, which fetches it\n%s", peerVersion, lines.Text(), &words)
	}
	return in, lines
}
