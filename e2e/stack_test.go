//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// stackTimeout bounds one exchange of a device, with all its blocks.
const stackTimeout = 2 * time.Minute

// exchange is what a test lets a device ask.
type exchange struct {
	method  string
	url     string
	non     bool
	block   int    // bytes of a block; 0 leaves it to the device
	format  int    // Content-Format; anyFormat sends none
	accept  int    // Accept; anyFormat sends none
	payload []byte // nil for none
	// identity and key are the device's, where the URL is coaps.
	identity string
	key      []byte
}

// anyFormat stands for no Content-Format and no Accept.
const anyFormat = -1

// response is what a device heard.
type response struct {
	Code    string `json:"code"` // as 2.05; "" where the stack does not tell
	Payload []byte `json:"payload"`
}

// stack is a CoAP implementation that devices use, as a program.
type stack interface {
	// exchange asks once.
	exchange(t testing.TB, x exchange) response
	// observe asks with Observe and hands over the first answer and the
	// notifications after it, n in all. The channel is closed when the program
	// has ended.
	observe(t testing.TB, x exchange, n int) <-chan response
}

// driver is a stack behind a program of ours in e2e/clients. All of them take
// the same words and print one JSON object an answer.
type driver struct {
	command []string
	env     []string
}

func (d driver) exchange(t testing.TB, x exchange) response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stackTimeout)
	defer cancel()
	out := output(t, d.run(ctx, t, x, 0))
	var a response
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%s %s: %v: %q", x.method, x.url, err, out)
	}
	return a
}

func (d driver) observe(t testing.TB, x exchange, n int) <-chan response {
	t.Helper()
	return lines(t, d.run(t.Context(), t, x, n-1), func(line []byte) (response, error) {
		var a response
		err := json.Unmarshal(line, &a)
		return a, err
	})
}

// run is the command of an exchange. notifications is how many it is to hear
// after the first answer, 0 when it does not observe.
func (d driver) run(ctx context.Context, t testing.TB, x exchange, notifications int) *exec.Cmd {
	args := append(d.command[1:len(d.command):len(d.command)], x.method, x.url)
	if x.non {
		args = append(args, "--non")
	}
	if x.block != 0 {
		args = append(args, "--block", strconv.Itoa(x.block))
	}
	if x.format != anyFormat {
		args = append(args, "--format", strconv.Itoa(x.format))
	}
	if x.accept != anyFormat {
		args = append(args, "--accept", strconv.Itoa(x.accept))
	}
	if x.payload != nil {
		args = append(args, "--payload", payloadFile(t, x.payload))
	}
	if notifications > 0 {
		args = append(args, "--observe", strconv.Itoa(notifications))
	}
	if x.key != nil {
		args = append(args, "--identity", x.identity, "--key", hex.EncodeToString(x.key))
	}
	cmd := exec.CommandContext(ctx, d.command[0], args...)
	cmd.Env = append(os.Environ(), d.env...)
	return cmd
}

// libcoap is the stack of libcoap's coap-client.
type libcoap struct {
	plain  string // the program without DTLS
	secure string // and with it
}

func (l libcoap) exchange(t testing.TB, x exchange) response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stackTimeout)
	defer cancel()
	body := filepath.Join(t.TempDir(), "body")
	cmd := l.run(ctx, t, x, "-v", "6", "-o", body)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, out)
	}
	codes := answerLine.FindAllSubmatch(out, -1)
	if len(codes) == 0 {
		return response{}
	}
	a := response{Code: string(codes[len(codes)-1][1])}
	if a.Payload, err = os.ReadFile(body); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return a
}

// observe does not tell codes: the program prints bodies only, a line each.
func (l libcoap) observe(t testing.TB, x exchange, _ int) <-chan response {
	t.Helper()
	cmd := l.run(t.Context(), t, x, "-w", "-s", fmt.Sprint(stackTimeout.Seconds()))
	return lines(t, cmd, func(line []byte) (response, error) {
		return response{Payload: bytes.Clone(line)}, nil
	})
}

func (l libcoap) run(ctx context.Context, t testing.TB, x exchange, more ...string) *exec.Cmd {
	program := l.plain
	args := append(more, "-m", x.method, "-B", fmt.Sprint(stackTimeout.Seconds()))
	if x.non {
		args = append(args, "-N")
	}
	if x.block != 0 {
		args = append(args, "-b", strconv.Itoa(x.block))
	}
	if x.format != anyFormat {
		args = append(args, "-t", strconv.Itoa(x.format))
	}
	if x.accept != anyFormat {
		args = append(args, "-A", strconv.Itoa(x.accept))
	}
	if x.payload != nil {
		args = append(args, "-f", payloadFile(t, x.payload))
	}
	if x.key != nil {
		program = l.secure
		args = append(args, "-u", x.identity, "-k", string(x.key))
	}
	return exec.CommandContext(ctx, program, append(args, x.url)...)
}

// coapCLI is the stack of npm's coap-cli. It sends no formats and no blocks.
type coapCLI struct{ node, script string }

// cliCode is how the program prints a code.
var cliCode = regexp.MustCompile(`\((\d\.\d\d)\)`)

func (c coapCLI) exchange(t testing.TB, x exchange) response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stackTimeout)
	defer cancel()
	cmd := c.run(ctx, x, "-n")
	var body, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &body, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, errs.Bytes())
	}
	code := cliCode.FindSubmatch(errs.Bytes())
	if code == nil {
		return response{}
	}
	return response{Code: string(code[1]), Payload: body.Bytes()}
}

// observe tells no codes.
func (c coapCLI) observe(t testing.TB, x exchange, _ int) <-chan response {
	t.Helper()
	return lines(t, c.run(t.Context(), x, "-o"), func(line []byte) (response, error) {
		return response{Payload: bytes.Clone(line)}, nil
	})
}

func (c coapCLI) run(ctx context.Context, x exchange, more ...string) *exec.Cmd {
	args := append([]string{c.script, x.method}, more...)
	if x.non {
		args = append(args, "-c")
	}
	if x.payload != nil {
		args = append(args, "-p", string(x.payload))
	}
	return exec.CommandContext(ctx, c.node, append(args, x.url)...)
}

func payloadFile(t testing.TB, payload []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payload")
	if err := os.WriteFile(path, payload, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// output is what a command printed. The test fails where the command does.
func output(t testing.TB, cmd *exec.Cmd) []byte {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, errs.Bytes())
	}
	return out
}

// lines starts a command and hands over each line that it prints, read by
// decode. The end of the test ends it.
func lines(t testing.TB, cmd *exec.Cmd, decode func([]byte) (response, error)) <-chan response {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := make(chan response)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(heard)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			a, err := decode(scanner.Bytes())
			if err != nil {
				t.Errorf("%v printed %q: %v", cmd, scanner.Bytes(), err)
				break
			}
			select {
			case heard <- a:
			case <-t.Context().Done():
			}
		}
		// It was killed where the test ended first.
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("%v: %v: %s", cmd, err, errs.Bytes())
		}
	}()
	t.Cleanup(func() { <-done })
	return heard
}
