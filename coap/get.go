package coap

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"skerry/cluster"
	"skerry/coap/message"
	"skerry/coap/observe"
	"skerry/coap/senml"
	"skerry/fsm"
)

const (
	// maxHistory is how many readings a history has at most.
	maxHistory = 1000
	// manyResources of a device are too many to be read between two messages.
	manyResources = 128
	// slowReads is how many reads that may touch a disk are at work at once;
	// more are refused with 4.29.
	slowReads = 8
	// readTimeout bounds one of them.
	readTimeout = 5 * time.Second
)

// read is a GET or FETCH, decoded. It holds no memory of the datagram.
type read struct {
	target
	*ask
	query     cluster.Query
	history   bool
	selectors []senml.Selector // of a FETCH
	pace      observe.Pace     // of who observes
	search    *search          // of a list of links
}

// get answers a GET, at once or from a goroutine of its own.
func (d *desk) get(ctx context.Context, q *call) (*reply, error) {
	if q.from.over {
		return nil, refusedRate
	}
	g, err := d.read(q)
	if err != nil {
		return nil, err
	}
	return d.look(ctx, q, g)
}

// look answers a GET or FETCH.
func (d *desk) look(ctx context.Context, q *call, g read) (*reply, error) {
	if further := d.resume(q); further != nil {
		return further, nil
	}
	if err := d.observes(q, &g); err != nil {
		return nil, err
	}
	beside := g.slow() || d.s.crowded(ctx, &g)
	if (beside || q.to.watch != nil) && !d.proven(q.from) { // before work is done that one datagram does not pay for
		d.challenge(q)
		return nil, nil
	}
	if !beside {
		return d.s.answer(ctx, &g, q.to.watch)
	}
	return nil, d.s.readBeside(ctx, g, q.to)
}

// crowded tells whether all of a device is asked for, and that is much.
func (s *Server) crowded(ctx context.Context, g *read) bool {
	if g.place != atDevice || g.selectors != nil {
		return false
	}
	view, err := s.cfg.View(ctx)
	return err == nil && view.CountOf(g.device, manyResources+1) > manyResources
}

// read decodes a GET.
func (d *desk) read(q *call) (read, error) {
	var err error
	if q.to.ask, err = d.ask(q); err != nil {
		return read{}, err
	}
	g := read{target: q.at, ask: q.to.ask}
	if q.at.place.lists() {
		g.search, err = d.search(q.at.place)
		return g, err
	}
	if q.at.place != atSeries {
		return g, nil
	}
	g.query = cluster.Query{Device: q.at.device, Resource: q.at.resource, To: math.MaxInt64, Limit: maxHistory}
	for parameter := range d.msg.Values(message.URIQuery) {
		if err := g.parameter(string(parameter)); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (g *read) parameter(q string) (err error) {
	name, value, _ := strings.Cut(q, "=")
	if ours, err := g.pace.Parameter(name, value); ours {
		if err != nil {
			return refuse(message.BadRequest, "%s", err)
		}
		return nil
	}
	g.history = true
	switch name {
	case "from":
		g.query.From, err = instant(value)
	case "to":
		g.query.To, err = instant(value)
	case "limit":
		var n int
		if n, err = strconv.Atoi(value); err == nil && n >= 1 {
			g.query.Limit = min(n, maxHistory)
			return nil
		}
		return refuse(message.BadRequest, "limit=%s: send a number of readings, at least 1", cut(value, 32))
	default:
		return refuse(message.BadRequest, "query %q is not known: from, to and limit are, and pmin and pmax of who observes", cut(name, 32))
	}
	if err != nil {
		return refuse(message.BadRequest, "%s=%s: send RFC 3339 (2026-01-31T08:00:00Z) or Unix seconds", name, cut(value, 40))
	}
	return nil
}

// instant reads RFC 3339 or Unix seconds into microseconds.
func instant(s string) (int64, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UnixMicro(), nil
	}
	seconds, err := senml.ParseNumber(s)
	if err != nil {
		return 0, err
	}
	micros, _, err := senml.ParseTime(seconds)
	return micros, err
}

// slow tells whether the read may touch a disk: those are done beside who reads
// messages.
func (g *read) slow() bool {
	return g.history || g.wide() || timed(g.selectors) > 0 || g.place == atSeries && g.choosy && g.accept == formatJPEG
}

// answer reads from the site as this node has applied it, for an observer where
// w is not nil. The error is always a *refusal.
func (s *Server) answer(ctx context.Context, g *read, w *watch) (*reply, error) {
	if g.place == atTime {
		if g.choosy && g.accept != formatText {
			return nil, unacceptable("text (0)")
		}
		return content(formatText, wallSeconds(s.cfg.Now())), nil
	}
	view, err := s.cfg.View(ctx)
	if err != nil {
		return nil, s.refusalOfRead(err)
	}
	if w != nil {
		w.begin(view)
	}
	answer, err := g.from(ctx, view)
	if err != nil {
		return nil, s.refusalOfRead(err)
	}
	return answer, nil
}

func (g *read) from(ctx context.Context, view View) (*reply, error) {
	switch {
	case g.selectors != nil:
		return g.selected(ctx, view)
	case g.place == atDevice:
		return g.latestOf(view)
	case g.place > atTime:
		return g.beyondReadings(ctx, view)
	case g.history:
		return g.between(ctx, view)
	case g.choosy && g.accept == formatJPEG:
		return g.frame(ctx, view)
	}
	return g.latest(view)
}

// refusalOfRead maps the errors of reading a view.
func (s *Server) refusalOfRead(err error) *refusal {
	var own *refusal
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, cluster.ErrMissing), errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		return &refusal{message.ServiceUnavailable, reasonNoLeader, waitNoLeader, 0, err.Error()}
	}
	s.log.Error("a reading cannot be read", "err", err)
	return refusedInternal
}

func (g *read) latest(view Readings) (*reply, error) {
	reading, ok := view.Latest(g.device, g.resource)
	if !ok {
		return nil, refuse(message.NotFound, "there is no reading of %s/%s", g.device, g.resource)
	}
	own := uint32(formatText)
	if reading.Value.Kind == fsm.Data {
		own = formatOctets
	}
	var answer *reply
	var err error
	switch {
	case (!g.choosy || g.accept == own) && own == formatOctets:
		answer = content(formatOctets, reading.Value.Data)
	case !g.choosy || g.accept == own:
		answer = content(formatText, []byte(reading.Value.String()))
	case g.accept == formatSenMLJSON || g.accept == formatSenMLCBOR:
		answer, err = g.pack([]fsm.Reading{reading})
	default:
		return nil, unacceptable("text (0), bytes (42) where the value is bytes, SenML in JSON (110) or CBOR (112), and image/jpeg (22) for a frame")
	}
	if err == nil {
		answer.etag = tagOf(reading.Seq, answer.format)
	}
	return answer, err
}

func (g *read) latestOf(view Readings) (*reply, error) {
	readings := view.LatestOf(g.device)
	if len(readings) == 0 {
		return nil, refuse(message.NotFound, "there is no reading of %s", g.device)
	}
	return g.pack(readings)
}

// between answers with the first readings of the range that fit.
func (g *read) between(ctx context.Context, view Readings) (*reply, error) {
	page, err := view.Range(ctx, g.query)
	if err != nil {
		return nil, err
	}
	return g.pack(page.Readings)
}

// pack is SenML in the format asked for, in JSON if none was. What does not fit
// into maxBody is left out at the end.
func (g *read) pack(readings []fsm.Reading) (*reply, error) {
	r, _, err := g.fitting(readings)
	return r, err
}

// fitting is pack, and how many readings went into it.
func (g *read) fitting(readings []fsm.Reading) (r *reply, n int, err error) {
	format, encoding := uint16(formatSenMLJSON), senml.JSON
	switch {
	case g.choosy && g.accept == formatSenMLCBOR:
		format, encoding = formatSenMLCBOR, senml.CBOR
	case g.choosy && g.accept != formatSenMLJSON:
		return nil, 0, unacceptable("SenML in JSON (110) or CBOR (112)")
	}
	body, n := senml.Encode(encoding, readings, maxBody)
	return content(format, body), n, nil
}

func (g *read) frame(ctx context.Context, view Frames) (*reply, error) {
	f, ok := view.LatestFrame(g.device, g.resource)
	if !ok {
		return nil, refuse(message.NotFound, "there is no frame of %s/%s", g.device, g.resource)
	}
	picture, err := view.JPEG(ctx, f.Seq)
	if err != nil {
		return nil, err
	}
	return content(formatJPEG, picture), nil
}

// content is an answer with a representation, which is cut into blocks when it
// is sent.
func content(format uint16, body []byte) *reply {
	return &reply{code: message.Content, format: format, typed: true, payload: body}
}

func unacceptable(formats string) *refusal {
	return refuse(message.NotAcceptable, "Accept: this is given as %s", formats)
}

// readBeside answers a read that may touch a disk from a goroutine of its own.
func (s *Server) readBeside(ctx context.Context, g read, to envelope) error {
	select {
	case s.slow <- struct{}{}:
	default:
		return &refusal{message.TooManyRequests, reasonQueue, waitQueue, 0, "too many histories are being read: ask again later"}
	}
	s.work.Go(func() {
		defer func() { <-s.slow }()
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		box := s.boxes.Get().(*outbox)
		defer s.boxes.Put(box)
		ack := s.promise(&to)
		answer, err := s.answer(ctx, &g, to.watch)
		if err != nil {
			refused := refusalOf(err)
			s.stats.refused[refused.reason].Add(1)
			said := refused.reply()
			answer = &said
		}
		if ack.keep() {
			s.answerLate(box, &to, answer)
		} else {
			box.add(&to, answer)
		}
		box.flush()
	})
	return nil
}
