package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/urfave/cli/v2"

	"skerry/coap"
)

// noDoor closes a door that is open by default.
const noDoor = "off"

// The devices' door of an agent that is told none: plain CoAP proves nothing
// and is for a trial.
const (
	devCoAP      = "127.0.0.1:5683"
	defaultCoAPS = "127.0.0.1:5684"
)

// doorSettings are the devices' doors. An empty address is none.
type doorSettings struct {
	coap     string // plain, UDP
	coaps    string // DTLS
	coapTCP  string // plain
	coapsTCP string // TLS

	cert, key, clientCA string // files
}

// doorFlags are the flags of the devices' doors.
func doorFlags(text func(name, value, usage string) cli.Flag) []cli.Flag {
	return []cli.Flag{
		text("coap", "", "`ADDRESS` of the devices' plain door, UDP, where nobody proves who they are, or off (default: "+devCoAP+" with --dev, else off)"),
		text("coaps", "", "`ADDRESS` of the devices' door over DTLS, UDP, or off (default: "+defaultCoAPS+", with --dev off)"),
		text("coap-tcp", "", "`ADDRESS` of a plain door over TCP (default: none)"),
		text("coaps-tcp", "", "`ADDRESS` of a door over TLS, TCP, for devices with certificates (default: none)"),
		text("coaps-cert", "", "PEM `FILE` with the gateway's certificate for devices"),
		text("coaps-key", "", "PEM `FILE` with its key"),
		text("coaps-client-ca", "", "PEM `FILE` with the certificates of those who vouch for devices"),
	}
}

func readDoors(c *cli.Context) (doorSettings, error) {
	d := doorSettings{
		coap: c.String("coap"), coaps: c.String("coaps"), coapTCP: c.String("coap-tcp"), coapsTCP: c.String("coaps-tcp"),
		cert: c.String("coaps-cert"), key: c.String("coaps-key"), clientCA: c.String("coaps-client-ca"),
	}
	switch dev := c.Bool("dev"); {
	case d.coap == "" && dev:
		d.coap = devCoAP
	case d.coaps == "" && !dev:
		d.coaps = defaultCoAPS
	}
	for _, addr := range []*string{&d.coap, &d.coaps, &d.coapTCP, &d.coapsTCP} {
		if *addr == noDoor {
			*addr = ""
		}
	}
	given := 0
	for _, file := range []string{d.cert, d.key, d.clientCA} {
		if file != "" {
			given++
		}
	}
	switch {
	case given != 0 && given != 3:
		return d, usagef("--coaps-cert, --coaps-key and --coaps-client-ca go together: a device and the gateway show each other certificates")
	case given == 0 && d.coapsTCP != "":
		return d, usagef("--coaps-tcp needs --coaps-cert, --coaps-key and --coaps-client-ca: over TLS devices have certificates, their keys are for --coaps")
	case given != 0 && d.coaps == "" && d.coapsTCP == "":
		return d, usagef("--coaps-cert is for --coaps and --coaps-tcp, and neither is open")
	case len(d.addresses()) == 0:
		return d, usagef("no door is open for devices: use --coaps ADDRESS, or --coap ADDRESS for plain CoAP")
	}
	return d, nil
}

// addresses are those of the doors that are open.
func (d *doorSettings) addresses() []listenAddress {
	var list []listenAddress
	for _, a := range []listenAddress{{"coap", d.coap}, {"coaps", d.coaps}, {"coap-tcp", d.coapTCP}, {"coaps-tcp", d.coapsTCP}} {
		if a.value != "" {
			list = append(list, a)
		}
	}
	return list
}

// errNoAuthority: a file of authorities without a certificate.
var errNoAuthority = errors.New("there is no certificate in it")

// open puts the addresses and what the files hold into the server's
// configuration.
func (d *doorSettings) open(cfg *coap.Config) error {
	cfg.Addr = d.coap
	cfg.Doors.DTLS, cfg.Doors.TCP, cfg.Doors.TLS = d.coaps, d.coapTCP, d.coapsTCP
	if d.cert == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(d.cert, d.key)
	if err != nil {
		return fmt.Errorf("--coaps-cert %s, --coaps-key %s: %w", d.cert, d.key, err)
	}
	text, err := os.ReadFile(d.clientCA)
	if err != nil {
		return fmt.Errorf("--coaps-client-ca: %w", err)
	}
	cfg.Doors.Certificate, cfg.Doors.ClientCAs = &pair, x509.NewCertPool()
	if !cfg.Doors.ClientCAs.AppendCertsFromPEM(text) {
		return fmt.Errorf("--coaps-client-ca %s: %w", d.clientCA, errNoAuthority)
	}
	return nil
}

// opened are the addresses that the doors are bound to, for the log.
func opened(s *coap.Server) []any {
	var list []any
	add := func(name string, at net.Addr) {
		list = append(list, name, at.String())
	}
	if at := s.Addr(); at != nil {
		add("coap", at)
	}
	dtls, tcp, overTLS := s.DoorAddrs()
	if dtls != nil {
		add("coaps", dtls)
	}
	if tcp != nil {
		add("coap-tcp", tcp)
	}
	if overTLS != nil {
		add("coaps-tcp", overTLS)
	}
	return list
}
