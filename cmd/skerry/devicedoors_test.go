package main

import (
	"io"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestTheDevicesDoorsThatAreOpen(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want doorSettings
	}{
		{"a trial has a plain one", []string{"--dev"}, doorSettings{coap: devCoAP}},
		{"a site has one over DTLS", nil, doorSettings{coaps: defaultCoAPS}},
		{"plain CoAP is opened by name", []string{"--coap", "10.0.0.1:5683"}, doorSettings{coap: "10.0.0.1:5683", coaps: defaultCoAPS}},
		{"a trial has DTLS where it is given", []string{"--dev", "--coaps", "127.0.0.1:5684"}, doorSettings{coap: devCoAP, coaps: "127.0.0.1:5684"}},
		{"off closes what is open by default", []string{"--dev", "--coap", "off", "--coap-tcp", "127.0.0.1:5683"}, doorSettings{coapTCP: "127.0.0.1:5683"}},
		{"all of them", []string{
			"--coap", "a:1", "--coaps", "a:2", "--coap-tcp", "a:3", "--coaps-tcp", "a:4",
			"--coaps-cert", "c", "--coaps-key", "k", "--coaps-client-ca", "ca",
		}, doorSettings{"a:1", "a:2", "a:3", "a:4", "c", "k", "ca"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := agentWith(t, c.args...).doors; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestDoorsThatCannotBeAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"none at all", []string{"--coaps", "off"}, "no door is open for devices"},
		{"TLS without certificates", []string{"--coaps-tcp", "a:4"}, "--coaps-tcp needs --coaps-cert"},
		{"a certificate without its key", []string{"--coaps-cert", "c"}, "go together"},
		{"certificates for no door", []string{"--dev", "--coaps-cert", "c", "--coaps-key", "k", "--coaps-client-ca", "ca"}, "neither is open"},
		{"no port", []string{"--coaps", "localhost"}, `--coaps "localhost" is not an address`},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := newApp(io.Discard, io.Discard)
			find(app.Commands, "agent").Action = func(c *cli.Context) error {
				_, err := agentSettings(c)
				return err
			}
			err := app.Run(arrange(app, append([]string{"skerry", "agent"}, c.args...)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
