package demo

import (
	"context"
	"time"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/device"
)

// sender brings devices' messages to one gateway over CoAP.
type sender struct {
	client *coap.Client
	meter  *meter
}

// Post implements device.Sender.
func (s *sender) Post(ctx context.Context, m device.Message) (device.Code, error) {
	began := time.Now()
	response, err := s.client.Do(ctx, coap.Request{
		Method: message.POST, Path: m.Path, Query: m.Query, Payload: m.Payload,
		Format: uint16(m.Format), Typed: true,
	})
	if err != nil || response.Code.Class() != 2 {
		s.meter.retry()
	} else {
		s.meter.ack(time.Since(began))
	}
	return device.Code(response.Code), err
}
