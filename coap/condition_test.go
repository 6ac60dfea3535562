package coap_test

import (
	"fmt"
	"slices"
	"testing"

	"skerry/coap/message"
)

// series is a request at pump-7/level.
func series(id uint16, method message.Code, payload string) ask {
	return ask{id: id, method: method, path: "r/pump-7/level", payload: payload}
}

func TestOfTwoWhoSawTheSameReadingOneWrites(t *testing.T) {
	s := newStore(t)
	addr := s.serve(t).Addr().String()
	one, two := dialRaw(t, addr), dialRaw(t, addr)
	one.ask(series(1, message.PUT, "1").with(message.IfNoneMatch, nil)).want(t, message.Changed)
	two.ask(series(2, message.PUT, "9").with(message.IfNoneMatch, nil)).want(t, message.PreconditionFailed)
	seen, ok := one.ask(series(3, message.GET, "")).want(t, message.Content).Option(message.ETag)
	if !ok || len(seen) != 8 {
		t.Fatalf("ETag %x, want 8 bytes", seen)
	}
	seen = slices.Clone(seen)
	senml := series(4, message.GET, "").with(message.Accept, []byte{110})
	if other, _ := two.ask(senml).want(t, message.Content).Option(message.ETag); slices.Equal(seen, other) {
		t.Errorf("text and SenML have the same ETag %x", other)
	}
	one.ask(series(5, message.GET, "").with(message.ETag, seen)).want(t, message.Valid)
	write := series(6, message.PUT, "2").with(message.IfMatch, seen)
	one.ask(write).want(t, message.Changed)
	one.ask(write).want(t, message.Changed) // the same message once more
	two.ask(series(7, message.PUT, "3").with(message.IfMatch, seen)).want(t, message.PreconditionFailed)
	two.ask(series(8, message.PUT, "4").with(message.IfMatch, []byte("another"))).want(t, message.PreconditionFailed)
	two.ask(series(9, message.PUT, "5").with(message.IfMatch, nil)).want(t, message.Changed) // whatever there is
	two.ask(ask{id: 10, method: message.PUT, path: "r/pump-7/none", payload: "6"}.with(message.IfMatch, nil)).want(t, message.PreconditionFailed)
	if got := values(s); got != "1 2 5" {
		t.Errorf("stored %q, want the writes whose conditions were met", got)
	}
}

func TestAConditionThatNobodyJudgesIsABadOption(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	for i, a := range []ask{
		{method: message.GET, path: "r/d/x"},
		{method: message.POST, path: "r", payload: `[{"n":"d/x","v":1}]`},
		{method: message.GET, path: "time"},
		{method: message.GET, path: ".well-known/core"},
		{method: message.POST, path: "rd"},
	} {
		t.Run(fmt.Sprint(a.method.Method(), " ", a.path), func(t *testing.T) {
			for j, n := range []message.Number{message.IfMatch, message.IfNoneMatch} {
				a.id = uint16(2*i + j)
				peer.ask(a.with(n, nil)).want(t, message.BadOption)
			}
		})
	}
	both := series(100, message.PUT, "1").with(message.IfMatch, nil).with(message.IfNoneMatch, nil)
	peer.ask(both).want(t, message.BadOption)
	if got := values(s); got != "" {
		t.Errorf("stored %q, want nothing", got)
	}
}
