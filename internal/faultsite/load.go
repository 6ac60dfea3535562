package faultsite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/device"
	"skerry/fsm"
)

const (
	// workers post at once, half of them over HTTP.
	workers = 8
	// workerPause is what a worker waits between two messages.
	workerPause = 10 * time.Millisecond
	// tryTimeout is how long one copy of a message waits for its answer.
	tryTimeout = 3 * time.Second
	// giveUpAfter bounds the copies of one message: the key of a message is
	// remembered for longer. One without an answer by then stays unanswered.
	giveUpAfter = 60 * time.Second
	// maxRefusals is after how many refusals a device may take its message back.
	maxRefusals = 3
	// bulkBytes is the payload of a large message.
	bulkBytes = 900
)

// load is devices that post while a site is broken, and write down what they
// were answered.
type load struct {
	ledger  device.Ledger
	site    *Site
	run     string // tells keys of this load from those of others
	serial  atomic.Uint64
	lastAck atomic.Int64 // nanoseconds since 1970

	mu      sync.Mutex
	gates   map[string]*coap.Client // by the address of a node
	refused map[string]int          // answers that said no, by their words
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// answer is what a message came back with.
type answer uint8

const (
	unknown answer = iota // it may be stored
	stored
	refused // this copy is not stored and never will be
)

// startLoad begins to post.
func (s *Site) startLoad(ctx context.Context) (*load, error) {
	l := &load{site: s, run: fmt.Sprintf("%x", rand.Uint32()), refused: map[string]int{}, gates: map[string]*coap.Client{}}
	for _, n := range s.Nodes {
		if _, err := l.gate(n); err != nil {
			return nil, err
		}
	}
	ctx, l.stop = context.WithCancel(ctx)
	for w := range workers {
		l.done.Go(func() { l.work(ctx, w) })
	}
	return l, nil
}

// end stops posting, lets every message under way come to its end, and returns
// when none is.
func (l *load) end() error {
	l.stop()
	l.done.Wait()
	var err error
	for _, c := range l.gates {
		err = errors.Join(err, c.Close())
	}
	return err
}

// gate is the way to a node over CoAP, where the node is now.
func (l *load) gate(n *Node) (*coap.Client, error) {
	address := n.coap()
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.gates[address]; c != nil {
		return c, nil
	}
	c, err := coap.Dial(address, coap.ClientConfig{AckTimeout: time.Second, MaxRetransmit: 2, Wait: tryTimeout})
	if err == nil {
		l.gates[address] = c
	}
	return c, err
}

// work posts one message after the other.
func (l *load) work(ctx context.Context, worker int) {
	gate := worker
	for ctx.Err() == nil {
		gate = l.deliver(worker, gate)
		t := time.NewTimer(workerPause)
		select {
		case <-ctx.Done():
			t.Stop()
		case <-t.C:
		}
	}
}

// deliver posts one message to one node after the other until it is stored,
// refused for certain, or given up. It returns the node that answered last.
func (l *load) deliver(worker, gate int) int {
	number := l.serial.Add(1)
	name := fmt.Sprint("load-", worker)
	readings := []device.Reading{{Device: name, Resource: "n", Value: fsm.NumberValue(float64(number))}}
	switch number % 10 {
	case 0:
		for i := range 9 {
			readings = append(readings, device.Reading{Device: name, Resource: fmt.Sprint("r", i), Value: fsm.NumberValue(float64(number))})
		}
	case 5:
		long := fmt.Sprintf("%d %s", number, strings.Repeat("x", bulkBytes))
		readings = append(readings, device.Reading{Device: name, Resource: "text", Value: fsm.TextValue(long)})
	}
	id := fmt.Sprint(l.run, "-", number)
	entry, err := l.ledger.Open(id, readings)
	if err != nil {
		return gate // the ledger is full, which no campaign is long enough for
	}
	maybe, refusals := false, 0
	for began := time.Now(); time.Since(began) < giveUpAfter; gate++ {
		a := l.post(worker, gate, id, readings)
		switch {
		case a == stored:
			entry.Settle(device.Acked)
			l.lastAck.Store(time.Now().UnixNano())
			return gate
		case a == unknown:
			maybe = true
		case !maybe:
			if refusals++; refusals >= maxRefusals {
				entry.Settle(device.Refused)
				return gate + 1
			}
		}
		time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond))
	}
	return gate
}

// post sends one copy to one node.
func (l *load) post(worker, gate int, id string, readings []device.Reading) answer {
	ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
	defer cancel()
	n := l.site.Nodes[gate%len(l.site.Nodes)]
	if worker%2 == 0 || len(readings) > 1 {
		return l.overHTTP(ctx, n, id, readings)
	}
	m, err := device.Single(readings[0])
	if err != nil {
		return unknown
	}
	door, err := l.gate(n)
	if err != nil {
		return unknown
	}
	response, err := door.Do(ctx, coap.Request{
		Method: message.POST, Path: m.Path, Query: []string{"id=" + id}, Payload: m.Payload, Format: uint16(m.Format), Typed: true,
	})
	if err != nil {
		return unknown
	}
	code := device.Code(response.Code)
	switch {
	case code>>5 == 2:
		return stored
	case code == device.GatewayTimeout:
		return unknown
	}
	l.noteRefusal(fmt.Sprintf("%s %s", code, response.Payload))
	return refused
}

func (l *load) overHTTP(ctx context.Context, n *Node, id string, readings []device.Reading) answer {
	var pack bytes.Buffer
	for i, r := range readings {
		value := fmt.Sprintf(`"v":%s`, r.Value)
		if r.Value.Kind == fsm.Text {
			value = fmt.Sprintf(`"vs":%q`, r.Value.Text)
		}
		fmt.Fprintf(&pack, `%s{"n":"%s/%s",%s}`, map[bool]string{true: "[", false: ","}[i == 0], r.Device, r.Resource, value)
	}
	pack.WriteString("]")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url("/v1/readings?id="+id), &pack)
	if err != nil {
		return unknown
	}
	req.Header.Set("Content-Type", "application/senml+json")
	resp, err := n.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) {
		return refused // it never left
	}
	if err != nil {
		return unknown
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	switch {
	case resp.StatusCode/100 == 2:
		return stored
	case err != nil || resp.StatusCode == http.StatusGatewayTimeout:
		return unknown
	}
	l.noteRefusal(fmt.Sprintf("%d %s", resp.StatusCode, body))
	return refused
}

// noteRefusal counts what the nodes say when they say no.
func (l *load) noteRefusal(words string) {
	const maxWords = 100 // of different refusals that are told apart
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.refused[words]; known || len(l.refused) < maxWords {
		l.refused[words]++
	}
}

// refusals lists what the nodes said when they said no, most often first.
func (l *load) refusals() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for words, n := range l.refused {
		list = append(list, fmt.Sprintf("%6d  %s", n, words))
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list
}

// waitAck waits until something is acknowledged that was posted to the site
// after now, as far as its devices can tell.
func (l *load) waitAck(ctx context.Context, timeout time.Duration) error {
	from := time.Now().UnixNano()
	return until(ctx, timeout, func() error {
		if l.lastAck.Load() <= from {
			return errors.New("nothing is acknowledged")
		}
		return nil
	})
}
