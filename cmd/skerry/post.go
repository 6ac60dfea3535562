package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/coap"
	"skerry/coap/block"
	"skerry/coap/message"
	"skerry/fsm"
)

const (
	// tryTimeout is how long one node may take before the next is asked.
	tryTimeout = 5 * time.Second
	// retryPause is the wait before the next try, where the answer names none;
	// longestPause bounds what it names.
	retryPause   = time.Second
	longestPause = 10 * time.Second
	// formatJSON is the CoAP content format of application/json.
	formatJSON = 50
)

const (
	// formatJPEG and formatOctets are those of image/jpeg and
	// application/octet-stream.
	formatJPEG   = 22
	formatOctets = 42
	// timePerBlock is what tryTimeout is longer by for each block of a body.
	timePerBlock = 50 * time.Millisecond
)

func postCommand() *cli.Command {
	return &cli.Command{
		Name:      "post",
		Usage:     "post one reading over CoAP, until it is stored",
		ArgsUsage: "DEVICE/RESOURCE VALUE",
		Description: "The reading is posted again, to one node of --to after the other, until it is stored, refused, or\n" +
			"--timeout is over. It is stored once however often it goes out: by its --time, by its --id, or\n" +
			"by an id made up here.",
		Flags: []cli.Flag{
			toFlag(),
			&cli.StringFlag{Name: "unit", Usage: "`UNIT` of the value, as Cel or %RH (RFC 8428)"},
			&cli.StringFlag{Name: "time", Usage: "`TIME` of the reading, RFC 3339 or Unix seconds; below 2^28 it counts from now (default: now)"},
			&cli.PathFlag{Name: "file", Usage: "post the bytes of `FILE` instead of a VALUE; a JPEG is a frame"},
			&cli.StringFlag{Name: "id", Usage: "`KEY` of the message: the same key and content is the same message"},
			&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "how long, `D`, to try"},
		},
		Action: post,
	}
}

// posting is what became of a post.
type posting struct {
	Device   string  `json:"device"`
	Resource string  `json:"resource"`
	ID       string  `json:"id,omitempty"`
	Code     string  `json:"code"`  // of the answer, "" for none
	Node     string  `json:"node"`  // that answered last, as host:port
	Tries    int     `json:"tries"` // exchanges, each with its retransmissions
	Millis   float64 `json:"ms"`    // until the answer
}

func post(c *cli.Context) error {
	given, err := postOperands(c)
	if err != nil {
		return err
	}
	if _, err := wantsJSON(c); err != nil {
		return err
	}
	targets, err := coapTargets(c)
	if err != nil {
		return err
	}
	p := posting{ID: c.String("id")}
	if p.Device, p.Resource = splitSeries(given[0]); p.Resource == "" {
		return usagef("%q names no resource: write DEVICE/RESOURCE", given[0])
	}
	var request coap.Request
	if file := c.Path("file"); file != "" {
		request, err = fileReading(&p, file)
	} else {
		request, err = reading(&p, given[1], c.String("unit"), c.String("time"))
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	began := time.Now()
	err = p.deliver(ctx, targets, request, c.App.ErrWriter)
	p.Millis = math.Round(float64(time.Since(began).Microseconds())) / 1000
	if err != nil {
		return err
	}
	return show(c, p, func(t *table) {
		t.line(fmt.Sprintf("stored: %s/%s = %s (%s from %s, try %d, %.1f ms)", p.Device, p.Resource, given[1], p.Code, p.Node, p.Tries, p.Millis))
	})
}

// postOperands are DEVICE/RESOURCE and a VALUE, or what stands for the value in
// the answer: the file's name.
func postOperands(c *cli.Context) ([]string, error) {
	file := c.Path("file")
	if file == "" {
		return operands(c, "DEVICE/RESOURCE", "VALUE")
	}
	if c.String("unit") != "" || c.String("time") != "" {
		return nil, usagef("--file takes neither --unit nor --time: bytes and frames have the time at which they come in")
	}
	given, err := operands(c, "DEVICE/RESOURCE")
	return append(given, file), err
}

// fileReading is the request that posts a file: a frame where it is a JPEG, else
// bytes.
func fileReading(p *posting, name string) (coap.Request, error) {
	body, err := os.ReadFile(name)
	if err != nil {
		return coap.Request{}, fmt.Errorf("post: %w", err)
	}
	r := coap.Request{Payload: body, Format: formatOctets, Typed: true}
	if http.DetectContentType(body) == "image/jpeg" {
		r.Format = formatJPEG
	}
	p.address(&r, false)
	return r, nil
}

// reading is the request that posts a value.
func reading(p *posting, value, unit, at string) (coap.Request, error) {
	r := coap.Request{Payload: []byte(value)}
	if unit != "" || at != "" {
		body := struct {
			Value any    `json:"value"`
			Unit  string `json:"unit,omitempty"`
			Time  any    `json:"time,omitempty"`
		}{jsonValue(value), unit, nil}
		if at != "" {
			var err error
			if body.Time, err = jsonTime(at); err != nil {
				return r, err
			}
		}
		var err error
		if r.Payload, err = json.Marshal(body); err != nil {
			return r, err
		}
		r.Format, r.Typed = formatJSON, true
	}
	p.address(&r, at != "")
	return r, nil
}

// address completes a post. A message that neither has a time of its own nor an
// id gets one, so that it can go to several nodes and be stored once.
func (p *posting) address(r *coap.Request, timed bool) {
	r.Method, r.Path = message.POST, coap.ReadingPath(p.Device, p.Resource)
	if p.ID == "" && !timed {
		p.ID = rand.Text()
	}
	if p.ID != "" {
		r.Query = []string{"id=" + p.ID}
	}
}

// jsonValue is a value with the type that text/plain gives it: a decimal
// number, true or false, else text.
func jsonValue(s string) any {
	if s == "true" || s == "false" {
		return s == "true"
	}
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || math.IsNaN(v) || math.IsInf(v, 0) || strings.ContainsAny(s, "xX_"):
		return s
	case json.Valid([]byte(s)):
		return json.Number(s)
	}
	return json.Number(fsm.FormatNumber(v)) // as +5 or .5
}

// jsonTime is a time as the body of a post takes it.
func jsonTime(s string) (any, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil && json.Valid([]byte(s)) {
		return json.Number(s), nil
	}
	if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
		return nil, usagef("--time %s is not a time: write 2026-01-31T12:00:00Z or Unix seconds", s)
	}
	return s, nil
}

// deliver posts until the reading is stored or refused, or ctx is done. What
// fails in between is told, a line each.
func (p *posting) deliver(ctx context.Context, targets []string, r coap.Request, say io.Writer) error {
	for {
		p.Node = targets[p.Tries%len(targets)]
		p.Tries++
		response, err := exchange(ctx, p.Node, r)
		pause := retryPause
		if err == nil {
			p.Code = response.Code.String()
			if err = response.Err(); err == nil {
				return nil
			}
			if !worthRetry(response.Code) {
				return fmt.Errorf("%s refused the reading: %w", p.Node, err)
			}
			if response.MaxAge > 0 {
				pause = min(response.MaxAge, longestPause)
			}
		}
		if ctx.Err() == nil {
			_, _ = fmt.Fprintf(say, "%s: %s; tries again in %s\n", p.Node, oneLine(err), pause)
			err = sleep(ctx, pause, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("not stored for certain after %d tries (%w): post it again with the same --time or --id", p.Tries, err)
		}
	}
}

// exchange asks one node once, with the retransmissions of RFC 7252.
func exchange(ctx context.Context, target string, r coap.Request) (coap.Response, error) {
	client, err := coap.Dial(target, coap.ClientConfig{})
	if err != nil {
		return coap.Response{}, err
	}
	blocks := len(r.Payload) / block.MaxSize
	try, cancel := context.WithTimeout(ctx, tryTimeout+time.Duration(blocks)*timePerBlock)
	defer cancel()
	response, err := client.Do(try, r)
	if errors.Is(err, context.DeadlineExceeded) {
		err = coap.ErrTimeout
	}
	return response, errors.Join(err, client.Close())
}

// worthRetry tells answers that say "later" from refusals for good.
func worthRetry(code message.Code) bool {
	return code == message.TooManyRequests || code == message.Incomplete || code.Class() == 5
}

// sleep waits for d and returns nil, or last when ctx is done before.
func sleep(ctx context.Context, d time.Duration, last error) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return last
	}
}
