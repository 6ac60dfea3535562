package main

import (
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/client"
)

// Where commands find a node when nothing is said.
const (
	defaultAddr = "https://127.0.0.1:7480"
	defaultTo   = "coap://127.0.0.1"
)

// globalFlags are taken by every command, before and after its words.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "addr", Category: "Global", EnvVars: []string{"SKERRY_ADDR"}, Usage: "HTTP `URL` of a node (default: " + defaultAddr + ", http:// where it runs with --dev)"},
		&cli.StringFlag{Name: "token", Category: "Global", EnvVars: []string{"SKERRY_TOKEN"}, Usage: "`SECRET` that proves who asks"},
		&cli.StringFlag{Name: "token-file", Category: "Global", EnvVars: []string{"SKERRY_TOKEN_FILE"}, Usage: "`FILE` with the token"},
		&cli.StringFlag{Name: "ca", Category: "Global", EnvVars: []string{"SKERRY_CA"}, Usage: "PEM `FILE` of the authority that signed the node's certificate"},
		&cli.StringFlag{Name: "o", Category: "Global", EnvVars: []string{"SKERRY_OUTPUT"}, Usage: "`FORMAT` of what is printed: table or json"},
	}
}

// toFlag is taken by the commands that speak CoAP. Elsewhere --to is the end of
// a time range.
func toFlag() cli.Flag {
	return &cli.StringFlag{Name: "to", EnvVars: []string{"SKERRY_TO"}, Usage: "CoAP `URL` of a node, or several with commas between them (default: " + defaultTo + ")"}
}

// dial is connect for a command that prints a table or JSON. Another -o is an
// error before the node is asked for anything.
func dial(c *cli.Context) (*client.Client, error) {
	if _, err := wantsJSON(c); err != nil {
		return nil, err
	}
	return connect(c)
}

// connect makes the HTTP client that the global flags describe.
func connect(c *cli.Context) (*client.Client, error) {
	cfg, err := clientConfig(c)
	if err != nil {
		return nil, err
	}
	cl, err := client.New(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	return cl, nil
}

// clientConfig is what the global flags say of the node and of who asks.
func clientConfig(c *cli.Context) (client.Config, error) {
	token := c.String("token")
	if file := c.String("token-file"); file != "" {
		if token != "" {
			return client.Config{}, usagef("--token and --token-file are both given: give one")
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return client.Config{}, usageError{err}
		}
		token = strings.TrimSpace(string(b))
	}
	cfg := client.Config{Addr: c.String("addr"), Token: token, CAFile: c.String("ca")}
	if cfg.Addr == "" {
		cfg.Addr, cfg.Either = defaultAddr, true
	}
	return cfg, nil
}
