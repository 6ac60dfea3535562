//go:build e2e

package e2e_test

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scenario is a conversation between a client and a node, in lines:
//
//	> CON PUT /d/x/reported?a=b If-Match=$tag as=change "21.5"
//	    sends a request. The message id is new, the token too: token=none or
//	    token=HEX sets another. It is called by its as= name later.
//	< ACK 2.04 ETag=?tag for=change "text"
//	    waits for a response to that request, or to the last one. An ACK has its
//	    message id, a CON and a NON one of their own. A named option must be there
//	    with that value; =?NAME keeps the value, $NAME uses it, =>$NAME must be
//	    larger, a name alone must be there, !NAME must not. "TEXT" is the whole
//	    payload, "" none; has "TEXT" and lacks "TEXT" a part of it. In a text and
//	    in a path {NAME} is a value that was kept.
//	> again       the last datagram once more
//	< again       the last datagram received comes once more
//	> ACK, > RST  answers what was received last
//	< silence     nothing comes for a while
//	upload CON PUT /r/d/blob 2000/64 ...
//	    sends a body of 2000 bytes in blocks of 64; each but the last is answered
//	    with 2.31. The last one's response is for the next line. */64 "TEXT" sends
//	    a text.
//	download CON GET /r/d/blob 2000/64 from=1024 ...
//	    reads on, from an offset, and compares with the body of that size.
//	other CON PUT /r/d/t "2"
//	    another client asks, and has an answer of class 2 before it goes on
//	restart       the node is killed and starts again
//
// The player answers pings by an RST, as every CoAP stack does (RFC 7252 section
// 4.3): the node may ask for that before it gives a large answer.
type scenario []string

// player plays the client's part.
type player struct {
	node *node
	conn net.Conn
	tape *tape

	requests map[string]*wire // by name
	last     *wire            // request sent last
	sent     []byte           // last datagram
	heard    *wire            // last message received
	raw      []byte           // and its bytes
	values   map[string]string
	id       uint16
}

// play plays a scenario against a node. What went over the wire goes to tape.
func play(n *node, s scenario, tape *tape) (err error) {
	conn, err := net.Dial("udp", n.coap)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	p := &player{
		node: n, conn: conn, tape: tape, id: uint16(rand.Uint32()),
		requests: map[string]*wire{}, values: map[string]string{},
	}
	for _, line := range s {
		if err := p.step(line); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func (p *player) step(line string) error {
	words, err := split(line)
	if err != nil {
		return err
	}
	switch verb := strings.Join(words[:min(2, len(words))], " "); verb {
	case "> again":
		return p.send(p.sent)
	case "< again":
		return p.same()
	case "> ACK", "> RST":
		empty := wire{kind: words[1], code: "0.00", id: p.heard.id}
		return p.send(empty.encode())
	case "< silence":
		return p.silence()
	case "restart":
		kill(p.node)
		p.node.start()
		eventually(p.node.t, startTimeout, p.node.name+" leads again", p.node.leads)
		return nil
	}
	switch words[0] {
	case ">":
		return p.request(words[1:])
	case "<":
		return p.response(words[1:])
	case "upload":
		return p.upload(words[1:])
	case "download":
		return p.download(words[1:])
	case "other":
		return p.other(words[1:])
	}
	return fmt.Errorf("what is %q", words[0])
}

func (n *node) leads() error {
	st, err := n.status()
	if err == nil && (!st.Ready || st.Leader != n.name) {
		err = fmt.Errorf("%s is not ready: leader %q", n.name, st.Leader)
	}
	return err
}

// split parts a line at spaces. A quoted word keeps its quotes.
func split(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		if rest[0] == '"' {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", rest, err)
			}
			words, rest = append(words, quoted), rest[len(quoted):]
			continue
		}
		word, more, _ := strings.Cut(rest, " ")
		words, rest = append(words, word), more
	}
	return words, nil
}

// request sends a request.
func (p *player) request(words []string) error {
	w, err := p.build(words)
	if err != nil {
		return err
	}
	return p.ask(w)
}

func (p *player) ask(w *wire) error {
	p.last = w
	return p.send(w.encode())
}

// other asks as another client.
func (p *player) other(words []string) error {
	conn, err := net.Dial("udp", p.node.coap)
	if err != nil {
		return err
	}
	defer conn.Close()
	other := &player{node: p.node, conn: conn, tape: p.tape, id: p.id + 1<<15, values: p.values}
	if err := other.request(words); err != nil {
		return err
	}
	w, _, err := other.receive(datagramTimeout)
	if err == nil && w.code[0] != '2' {
		err = fmt.Errorf("got %s", w)
	}
	return err
}

// build makes a request of the words type, method, path, and options.
func (p *player) build(words []string) (*wire, error) {
	if len(words) < 3 {
		return nil, errors.New("a request has a type, a method and a path")
	}
	p.id++
	w := &wire{kind: words[0], code: words[1], id: p.id, token: fmt.Sprintf("%04x", p.id)}
	path, query, _ := strings.Cut(p.expand(words[2]), "?")
	for _, segment := range strings.Split(strings.Trim(path, "/"), "/") {
		w.options = append(w.options, wireOption{wireOptions["Uri-Path"].number, segment})
	}
	for _, part := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' }) {
		w.options = append(w.options, wireOption{wireOptions["Uri-Query"].number, part})
	}
	for _, word := range words[3:] {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case word[0] == '"':
			w.payload, _ = strconv.Unquote(word)
		case name == "as":
			p.requests[value] = w
		case name == "for": // the token of another request
			w.token = p.requests[value].token
		case name == "token" && value == "none":
			w.token = ""
		case name == "token":
			token, err := hex.DecodeString(value)
			if err != nil {
				return nil, err
			}
			w.token = string(token)
		default:
			if err := w.add(name, p.value(value)); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// value is a value as it is, or the one that was kept under its name.
func (p *player) value(text string) string {
	if name, ok := strings.CutPrefix(text, "$"); ok {
		return p.values[name]
	}
	return text
}

func (p *player) send(b []byte) error {
	p.sent = b
	p.tape.add(p.conn.LocalAddr(), p.conn.RemoteAddr(), b)
	_, err := p.conn.Write(b)
	return err
}

// receive is the next datagram. Pings are rejected on the way.
func (p *player) receive(within time.Duration) (*wire, []byte, error) {
	deadline := time.Now().Add(within)
	b := make([]byte, 64<<10)
	for {
		if err := p.conn.SetReadDeadline(deadline); err != nil {
			return nil, nil, err
		}
		n, err := p.conn.Read(b)
		if err != nil {
			return nil, nil, err
		}
		p.tape.add(p.conn.RemoteAddr(), p.conn.LocalAddr(), b[:n])
		w, err := decodeWire(b[:n])
		if err != nil {
			return nil, nil, err
		}
		if w.kind != "CON" || w.code != "0.00" {
			return w, b[:n], nil
		}
		sent := p.sent
		reset := wire{kind: "RST", code: "0.00", id: w.id}
		if err := p.send(reset.encode()); err != nil {
			return nil, nil, err
		}
		p.sent = sent
	}
}

func (p *player) same() error {
	_, b, err := p.receive(datagramTimeout)
	if err == nil && !slices.Equal(b, p.raw) {
		err = fmt.Errorf("got %x, want %x again", b, p.raw)
	}
	return err
}

func (p *player) silence() error {
	w, _, err := p.receive(silenceTime)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("got %s, want silence", w)
	}
	return err
}

// response waits for a response and checks it.
func (p *player) response(words []string) error {
	w, b, err := p.receive(datagramTimeout)
	if err != nil {
		return err
	}
	p.heard, p.raw = w, b
	if len(words) < 2 {
		return errors.New("a response has a type and a code")
	}
	request := p.last
	for _, word := range words[2:] {
		if name, ok := strings.CutPrefix(word, "for="); ok {
			request = p.requests[name]
		}
	}
	switch {
	case w.kind != words[0] || w.code != words[1]:
		return fmt.Errorf("got %s", w)
	case w.kind == "ACK" && w.id != p.last.id:
		return fmt.Errorf("got id %d, want the request's, %d", w.id, p.last.id)
	case w.code != "0.00" && w.token != request.token:
		return fmt.Errorf("got token %q, want %q", w.token, request.token)
	}
	for i, word := range words[2:] {
		if err := p.check(word, words[2:][:i]); err != nil {
			return fmt.Errorf("%w in %s", err, w)
		}
	}
	return nil
}

// check checks one word of an expectation. before are the words before it.
func (p *player) check(word string, before []string) error {
	w := p.heard
	name, want, valued := strings.Cut(word, "=")
	switch {
	case word == "has", word == "lacks", name == "for":
		return nil
	case word[0] == '"':
		text, _ := strconv.Unquote(word)
		text = p.expand(text)
		part := ""
		if len(before) > 0 {
			part = before[len(before)-1]
		}
		switch {
		case part == "has" && !strings.Contains(w.payload, text):
			return fmt.Errorf("%q is not", text)
		case part == "lacks" && strings.Contains(w.payload, text):
			return fmt.Errorf("%q is", text)
		case part != "has" && part != "lacks" && w.payload != text:
			return fmt.Errorf("%q is not the payload", text)
		}
		return nil
	case word[0] == '!':
		if got, ok := w.option(word[1:]); ok {
			return fmt.Errorf("option %s is %s, want none", word[1:], got)
		}
		return nil
	}
	got := w.values(name)
	if len(got) == 0 {
		return fmt.Errorf("there is no option %s", name)
	}
	switch {
	case !valued:
	case strings.HasPrefix(want, "?"):
		p.values[want[1:]] = strings.Join(got, "/")
	case strings.HasPrefix(want, ">"):
		if was := p.value(want[1:]); cmp.Or(cmp.Compare(len(got[0]), len(was)), strings.Compare(got[0], was)) <= 0 {
			return fmt.Errorf("option %s is %s, want more than %s", name, got[0], was)
		}
	case strings.Join(got, "/") != p.value(want):
		return fmt.Errorf("option %s is %s, want %s", name, got[0], p.value(want))
	}
	return nil
}

// expand puts kept values into a text, where it has {NAME}.
func (p *player) expand(text string) string {
	for name, value := range p.values {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// bodyOf reads SIZE/BLOCK and makes the body, of the words' text for */BLOCK.
func bodyOf(words []string) (body []byte, block int, err error) {
	size, of, _ := strings.Cut(words[3], "/")
	if block, err = strconv.Atoi(of); err != nil {
		return nil, 0, err
	}
	if last := words[len(words)-1]; size == "*" {
		text, err := strconv.Unquote(last)
		return []byte(text), block, err
	}
	n, err := strconv.Atoi(size)
	return randomBody(n), block, err
}

// upload sends a body in blocks.
func (p *player) upload(words []string) error {
	body, block, err := bodyOf(words)
	if err != nil {
		return err
	}
	for number, chunk := range slices.Collect(slices.Chunk(body, block)) {
		w, err := p.build(append(words[:3:3], words[4:]...))
		if err != nil {
			return err
		}
		more := '_'
		if (number+1)*block < len(body) {
			more = 'M'
		}
		option := fmt.Sprintf("%d/%c/%d", number, more, block)
		if err := w.add("Block1", option); err != nil {
			return err
		}
		w.payload = string(chunk)
		if err := p.ask(w); err != nil {
			return err
		}
		if more == '_' {
			break
		}
		reply := "ACK"
		if w.kind == "NON" {
			reply = "NON"
		}
		if err := p.response([]string{reply, "2.31", "Block1=" + option, `""`}); err != nil {
			return fmt.Errorf("block %d: %w", number, err)
		}
	}
	return nil
}

// download reads a body in blocks. What comes before the offset was received
// already.
func (p *player) download(words []string) error {
	body, block, err := bodyOf(words)
	if err != nil {
		return err
	}
	options, offset := words[4:], 0
	if len(options) > 0 {
		if from, ok := strings.CutPrefix(options[0], "from="); ok {
			offset, err = strconv.Atoi(from)
			options = options[1:]
		}
	}
	if err != nil {
		return err
	}
	for ; offset < len(body); offset += block {
		w, err := p.build(append(words[:3:3], options...))
		if err != nil {
			return err
		}
		number, end, more := offset/block, min(offset+block, len(body)), '_'
		if end < len(body) {
			more = 'M'
		}
		if err := w.add("Block2", fmt.Sprintf("%d/_/%d", number, block)); err != nil {
			return err
		}
		if err := p.ask(w); err != nil {
			return err
		}
		if err := p.response([]string{"ACK", "2.05", fmt.Sprintf("Block2=%d/%c/%d", number, more, block)}); err != nil {
			return fmt.Errorf("block %d: %w", number, err)
		}
		if p.heard.payload != string(body[offset:end]) {
			return fmt.Errorf("block %d is not what was sent", number)
		}
	}
	return nil
}
