//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	// floatingDevices post at the floating address, one reading after the other.
	floatingDevices = 10
	// resendAfter is the patience of a device with an answer; the same datagram
	// follows. Devices in the field wait longer: this one measures.
	resendAfter = 50 * time.Millisecond
	// betweenPosts is a device's rest after an answer.
	betweenPosts = 5 * time.Millisecond
)

// floatingLoad are devices that know one address only.
type floatingLoad struct {
	cancel  context.CancelFunc
	devices sync.WaitGroup

	mu    sync.Mutex
	acked map[string][]float64 // by device, the values that were acknowledged
	times []time.Time          // of the acknowledgements
}

// loadFrom posts from a machine to an address until stop.
func loadFrom(t testing.TB, from *space, to string) *floatingLoad {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &floatingLoad{cancel: cancel, acked: map[string][]float64{}}
	t.Cleanup(l.stop)
	for i := range floatingDevices {
		var conn net.Conn
		must(t, from.do(func() (err error) {
			conn, err = net.Dial("udp", to)
			return err
		}))
		l.devices.Go(func() {
			defer conn.Close()
			l.post(ctx, conn, fmt.Sprintf("meter-%d", i))
		})
	}
	return l
}

// stop ends the devices once each has the answer it waits for, or none came in
// time.
func (l *floatingLoad) stop() {
	l.cancel()
	l.devices.Wait()
}

// post sends readings 1, 2, 3, ... each until it is acknowledged.
func (l *floatingLoad) post(ctx context.Context, conn net.Conn, device string) {
	for n := uint32(1); ctx.Err() == nil; n++ {
		message := confirmablePost(n, device, strconv.Itoa(int(n)))
		for !acknowledged(conn, message) {
			if ctx.Err() != nil {
				return
			}
		}
		l.mu.Lock()
		l.acked[device] = append(l.acked[device], float64(n))
		l.times = append(l.times, time.Now())
		l.mu.Unlock()
		<-time.After(betweenPosts)
	}
}

// acknowledged sends a message once and tells whether its answer came in time.
func acknowledged(conn net.Conn, message []byte) bool {
	end := time.Now().Add(resendAfter)
	_, err := conn.Write(message)
	if err == nil {
		err = conn.SetReadDeadline(end)
	}
	var answer [1500]byte
	for err == nil {
		var n int
		if n, err = conn.Read(answer[:]); err == nil && isChanged(answer[:n], message) {
			return true
		}
	}
	// What the kernel says of a machine that is not there comes early.
	<-time.After(time.Until(end))
	return false
}

// lastAck is when the last acknowledgement came.
func (l *floatingLoad) lastAck() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.times) == 0 {
		return time.Time{}
	}
	return l.times[len(l.times)-1]
}

// longestPause is the longest time between two acknowledgements in a row of which
// the later came after a time.
func (l *floatingLoad) longestPause(after time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	longest := time.Duration(0)
	for i := len(l.times) - 1; i > 0 && l.times[i].After(after); i-- {
		longest = max(longest, l.times[i].Sub(l.times[i-1]))
	}
	return longest
}

// confirmablePost is a CON POST to /r/<device>/count whose token is n.
func confirmablePost(n uint32, device, value string) []byte {
	b := []byte{0x44, 0x02}
	b = append(b, byte(n>>8), byte(n)) // message id
	b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	option := byte(0xb0) // Uri-Path, then more of it
	for _, segment := range []string{"r", device, "count"} {
		b = append(append(b, option|byte(len(segment))), segment...)
		option = 0
	}
	return append(append(b, 0xff), value...)
}

// isChanged tells whether an answer is 2.04 to a message.
func isChanged(answer, message []byte) bool {
	return len(answer) >= 8 && answer[0] == 0x64 && answer[1] == 0x44 && string(answer[2:8]) == string(message[2:8])
}
