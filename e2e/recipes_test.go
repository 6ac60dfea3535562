//go:build e2e

package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// recipe is the first block of a language below a heading of docs/coap.md.
func recipe(t *testing.T, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/coap.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(text), "\n### "+heading+"\n")
	_, begun, _ := strings.Cut(below, "```"+language+"\n")
	block, _, ok := strings.Cut(begun, "```\n")
	if !ok {
		t.Fatalf("docs/coap.md has no recipe %q in %s", heading, language)
	}
	return block
}

// silentAddress is where nothing ever answers.
func silentAddress(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}

// TestRecipes runs what docs/coap.md tells device developers to write. The first
// of the two gateways is silent, and has a second instead of ten; the other one
// takes the reading.
func TestRecipes(t *testing.T) {
	n := startSite(t, 1).nodes[0]
	host, port, err := net.SplitHostPort(n.coap)
	if err != nil {
		t.Fatal(err)
	}
	python, node := peer(t, "aiocoap/bin/python"), program(t, "node")
	client, compiler := program(t, "coap-client-notls"), program(t, "gcc")
	for _, c := range []struct {
		heading, language, more string
		command                 func(source string) *exec.Cmd
	}{
		{"libcoap, on the command line", "sh", "", func(source string) *exec.Cmd {
			return exec.CommandContext(t.Context(), "sh", source)
		}},
		{"aiocoap", "python", "", func(source string) *exec.Cmd {
			return exec.CommandContext(t.Context(), python, source)
		}},
		{"npm coap", "js", "", func(source string) *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), node, source)
			cmd.Env = append(os.Environ(), "NODE_PATH="+peer(t, "node/node_modules"))
			return cmd
		}},
		{"ESP-IDF, and libcoap in C", "c", postMain, func(source string) *exec.Cmd {
			built := source + ".out"
			output(t, exec.CommandContext(t.Context(), compiler, "-Wall", "-Werror", "-o", built, source, "-lcoap-3-notls"))
			return exec.CommandContext(t.Context(), built, host)
		}},
	} {
		t.Run(c.heading, func(t *testing.T) {
			device := "by-" + c.language
			text := strings.NewReplacer(
				"10.0.0.1", silentAddress(t), "10.0.0.2", n.coap, "COAP_DEFAULT_PORT", port,
				"pump-7/temperature", device+"/t", "pump-7", device, "coap-client", client,
				"-B 10 ", "-B 1 ", ".response, 10)", ".response, 1)", "10_000", "1_000",
			).Replace(recipe(t, c.heading, c.language) + c.more)
			source := filepath.Join(t.TempDir(), "post."+c.language)
			if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			output(t, c.command(source))
			if got := n.valuesOf(device); got != "21.6" {
				t.Errorf("stored %q, want 21.6", got)
			}
		})
	}
}

// TestRecipesWithAKey runs those that have a device in by its key.
func TestRecipesWithAKey(t *testing.T) {
	const key = "GJMUUUDUWYASAQSZ" // tinydtls takes it, as the text says
	e := secure(t, "--psk", key)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(e.base, "coaps://"))
	if err != nil {
		t.Fatal(err)
	}
	python, compiler := peer(t, "aiocoap/bin/python"), program(t, "gcc")
	// In C the recipe is another session for the post without a key.
	withSession := strings.NewReplacer("coap_new_client_session(ctx, NULL, &gateway, COAP_PROTO_UDP)",
		`secure_session(ctx, &gateway, "pump-7", "KEY")`, "COAP_DEFAULT_PORT", port)
	for _, c := range []struct {
		language, before, more string
		command                func(source string) *exec.Cmd
	}{
		{"sh", "", "", func(source string) *exec.Cmd {
			return exec.CommandContext(t.Context(), "sh", source)
		}},
		{"py", "", "", func(source string) *exec.Cmd {
			return exec.CommandContext(t.Context(), python, source)
		}},
		{"c", "#include <string.h>\n#include <coap3/coap.h>\n",
			withSession.Replace(recipe(t, "ESP-IDF, and libcoap in C", "c")) + postMain, func(source string) *exec.Cmd {
				built := source + ".out"
				output(t, exec.CommandContext(t.Context(), compiler, "-Wall", "-Werror", "-o", built, source, "-lcoap-3-openssl"))
				return exec.CommandContext(t.Context(), built, host)
			}},
	} {
		t.Run(c.language, func(t *testing.T) {
			device := "by-" + c.language
			e.node.command(nil, "device", "add", device, "--psk", key)
			text := strings.NewReplacer(
				"10.0.0.1", net.JoinHostPort(host, port), "KEY", key, "pump-7", device, "/temperature", "/t",
			).Replace(c.before + recipe(t, "With a key", c.language) + c.more)
			source := filepath.Join(t.TempDir(), "post."+c.language)
			if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			output(t, c.command(source))
			if got := e.node.valuesOf(device); got != "21.6" {
				t.Errorf("stored %q, want 21.6", got)
			}
		})
	}
}

// postMain makes a program of the recipe in C.
const postMain = `
int main(int argc, char **argv) {
  coap_startup();
  coap_context_t *ctx = coap_new_context(NULL);
  coap_register_response_handler(ctx, on_answer);
  return post(ctx, argv[1], "pump-7", "t", "id=3-17", "21.6") != 1;
}
`
