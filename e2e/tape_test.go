//go:build e2e

package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tape keeps the datagrams of conversations as a capture, for tshark to read.
type tape struct {
	packets bytes.Buffer
	heads   []string // type, code, message id and token of each, as tshark tells them
}

// Sizes and numbers of a capture file (pcap, with link type RAW: packets begin
// with their IP header).
const (
	linkRaw    = 101
	snapLength = 65535
	headers    = 20 + 8 // of IPv4 and UDP, in bytes
)

// le writes numbers of four bytes, as a capture on this machine would have them.
func le(numbers ...uint32) []byte {
	var b []byte
	for _, n := range numbers {
		b = append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	return b
}

// add keeps a datagram between two addresses of IPv4. No checksum is made.
func (t *tape) add(from, to net.Addr, datagram []byte) {
	source, target := from.(*net.UDPAddr), to.(*net.UDPAddr)
	size := headers + len(datagram)
	now := time.Now()
	t.packets.Write(le(uint32(now.Unix()), uint32(now.Nanosecond()/1000), uint32(size), uint32(size)))
	t.packets.Write([]byte{0x45, 0, byte(size >> 8), byte(size), 0, 0, 0, 0, 64, 17, 0, 0})
	t.packets.Write(source.IP.To4())
	t.packets.Write(target.IP.To4())
	for _, n := range []int{source.Port, target.Port, size - 20, 0} {
		t.packets.Write([]byte{byte(n >> 8), byte(n)})
	}
	t.packets.Write(datagram)
	t.heads = append(t.heads, fmt.Sprintf("%d\t%d\t%d\t%x",
		datagram[0]>>4&3, datagram[1], int(datagram[2])<<8|int(datagram[3]), datagram[4:4+datagram[0]&15]))
}

// check lets tshark decode the tape: it must read the same type, code, message id
// and token in each datagram, and call none malformed.
func (t *tape) check(tb testing.TB) {
	tb.Helper()
	path := filepath.Join(workDir(tb), "conversations.pcap")
	head := le(0xa1b2c3d4, 4<<16|2, 0, 0, snapLength, linkRaw)
	if err := os.WriteFile(path, append(head, t.packets.Bytes()...), 0o644); err != nil {
		tb.Fatal(err)
	}
	tshark := func(more ...string) []string {
		args := append([]string{"-r", path, "-d", "udp.port==1-65535,coap"}, more...)
		out := output(tb, exec.CommandContext(tb.Context(), program(tb, "tshark"), args...))
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	got := tshark("-T", "fields", "-e", "coap.type", "-e", "coap.code", "-e", "coap.mid", "-e", "coap.token")
	for i, want := range t.heads {
		if i >= len(got) || got[i] != want {
			tb.Fatalf("tshark reads datagram %d of %d as %q, want %q", i+1, len(t.heads), got[min(i, len(got)-1)], want)
		}
	}
	if bad := tshark("-Y", `_ws.malformed || _ws.expert.severity == "Error"`); bad[0] != "" {
		tb.Errorf("tshark calls %d datagrams malformed:\n%s", len(bad), strings.Join(bad, "\n"))
	}
}
