package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/urfave/cli/v2"
)

// configFile is what a config file may hold: the agent's flags by their names.
// A test compares it with agentFlags and skerry.toml.
type configFile struct {
	Name            string   `toml:"name"`
	Site            string   `toml:"site"`
	Data            string   `toml:"data"`
	CoAP            string   `toml:"coap"`
	CoAPS           string   `toml:"coaps"`
	CoAPTCP         string   `toml:"coap-tcp"`
	CoAPSTCP        string   `toml:"coaps-tcp"`
	CoAPSCert       string   `toml:"coaps-cert"`
	CoAPSKey        string   `toml:"coaps-key"`
	CoAPSClientCA   string   `toml:"coaps-client-ca"`
	HTTP            string   `toml:"http"`
	Cluster         string   `toml:"cluster"`
	Gossip          string   `toml:"gossip"`
	Advertise       string   `toml:"advertise"`
	BootstrapExpect int      `toml:"bootstrap-expect"`
	Join            []string `toml:"join"`
	Cloud           string   `toml:"cloud"`
	Profile         string   `toml:"profile"`
	LogStore        string   `toml:"log-store"`
	Linger          string   `toml:"linger"`
	ShipAfter       string   `toml:"ship-after"`
	SnapshotAfter   int64    `toml:"snapshot-after"`
	Reserve         int64    `toml:"reserve"`
	FetchRate       int64    `toml:"fetch-rate"`
	ScrubRate       int64    `toml:"scrub-rate"`
	Camera          []string `toml:"camera"`
	FloatingAddress []string `toml:"floating-address"`
	LogLevel        string   `toml:"log-level"`
	Dev             bool     `toml:"dev"`
	DevUnsafe       bool     `toml:"dev-unsafe-addresses"`
}

// readConfigFile sets the flags that neither the command line nor the
// environment has set; "" is no file. A key that is not known and a value of
// another type are errors that name the line.
func readConfigFile(c *cli.Context, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return usagef("--config: %w", err)
	}
	strict := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := strict.Decode(&configFile{}); err != nil {
		return usagef("--config %s: %s", file, tomlFault(err))
	}
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		return usagef("--config %s: %w", file, err)
	}
	for name, value := range values {
		if c.IsSet(name) {
			continue
		}
		if err := setFlag(c, name, value); err != nil {
			return usagef("--config %s: %s: %w", file, name, err)
		}
	}
	return nil
}

// setFlag sets a flag to a value of the file; a list flag item by item.
func setFlag(c *cli.Context, name string, value any) error {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, item := range list {
		if err := c.Set(name, fmt.Sprint(item)); err != nil {
			return err
		}
	}
	return nil
}

// tomlFault names the line of what is wrong with a file.
func tomlFault(err error) string {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		e := unknown.Errors[0]
		line, _ := e.Position()
		return fmt.Sprintf("line %d: there is no setting %q", line, strings.Join(e.Key(), "."))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, _ := decode.Position()
		return fmt.Sprintf("line %d: %s", line, strings.TrimPrefix(decode.Error(), "toml: "))
	}
	return err.Error()
}
