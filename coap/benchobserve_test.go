package coap_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"skerry/coap"
	"skerry/coap/message"
)

// BenchmarkNotify tells many observers of one series of each change, in their
// sessions: without sockets, what is measured is the server alone.
func BenchmarkNotify(b *testing.B) {
	for _, observers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprint(observers, " observers"), func(b *testing.B) {
			s := newStore(b)
			server := s.serve(b)
			device := dialRaw(b, server.Addr().String())
			reads(b, device, 1, "0")
			var told atomic.Int64
			watch := message.Message{Type: message.CON, Code: message.GET, ID: 7, Token: []byte("tok")}
			watch.AddUint(message.Observe, 0)
			for _, segment := range coap.ReadingPath("pump-7", "temperature") {
				watch.Add(message.URIPath, []byte(segment))
			}
			asked, err := watch.Append(nil)
			if err != nil {
				b.Fatal(err)
			}
			for range observers {
				var v *coap.Visitor
				acks := make(chan [2]byte, 16)
				v = coap.NewVisitor(server, func(encoded []byte) {
					if encoded[0]>>4&3 == byte(message.CON) {
						acks <- [2]byte(encoded[2:4])
					}
				})
				b.Cleanup(func() { close(acks) })
				v.Send(asked)
				go func() {
					for id := range acks {
						v.Send([]byte{0x60, 0, id[0], id[1]})
						told.Add(1)
					}
				}()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				told.Store(0)
				reads(b, device, uint16(i), fmt.Sprint(i+1))
				await(b, "all are told", func() bool { return told.Load() == int64(observers) })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(observers), "ns/notification")
		})
	}
}
