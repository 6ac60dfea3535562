package coap_test

import (
	"runtime"
	"sync"
	"testing"

	"skerry/coap"
	"skerry/coap/message"
)

// TestAServerThatStopsUnderLoadLeavesNothingBehind stops servers while posts,
// reads and documents come in at two doors, and land.
func TestAServerThatStopsUnderLoadLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		s := newStore(t)
		s.register(t, "pump-7")
		server, stop := s.serveUntil(t, everyDoor(t))
		peer, device := dialRaw(t, server.Addr().String()), enter(t, server, "pump-7")
		ended := make(chan struct{})
		var work sync.WaitGroup
		load := func(send func(b []byte) error) {
			for id := uint16(0); ; id++ {
				select {
				case <-ended:
					return
				default:
				}
				// An error is the server's end.
				_ = send(post(t, id, "load", "1"))
				_ = send(request(t, id+1<<14, "read", coap.Request{Method: message.GET, Path: coap.ReadingPath("pump-7", "temperature"), Query: []string{"from=0"}}))
				_ = send(request(t, id+1<<15, "twin", coap.Request{Method: message.PUT, Path: []string{"d", "pump-7", "reported"}, Payload: []byte("on")}))
			}
		}
		work.Go(func() { load(func(b []byte) error { _, err := peer.conn.Write(b); return err }) })
		work.Go(func() { load(func(b []byte) error { _, err := device.conn.Write(b); return err }) })
		await(t, "it works", func() bool { return len(s.readings()) > 100 })
		stop()
		close(ended)
		work.Wait()
		peer.conn.Close()
		device.conn.Close()
	}
	await(t, "its goroutines end", func() bool { return runtime.NumGoroutine() <= before+2 })
}
