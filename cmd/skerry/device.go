package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/client"
)

func deviceCommand() *cli.Command {
	identity := &cli.StringFlag{Name: "identity", Usage: "`IDENTITY` of the key (default: the device's name, then NAME.2, NAME.3, ...)"}
	psk := &cli.StringFlag{Name: "psk", Usage: "`KEY` of your own: text as the device has it, hex:00FF... for bytes, - to read it from standard input (default: made up)"}
	return &cli.Command{
		Name:  "device",
		Usage: "register devices, give them keys, see what became of them",
		Subcommands: []*cli.Command{
			{Name: "ls", Usage: "list the devices that posted or are registered", Action: deviceList},
			{
				Name: "add", Usage: "register a device and make its key", ArgsUsage: "DEVICE", Action: deviceAdd,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "note", Usage: "`TEXT` for people"},
					&cli.StringSliceFlag{Name: "writes", Usage: "`PATTERN` of further names that it may write, with * and ?; as often as needed"},
					identity, psk,
					&cli.BoolFlag{Name: "no-key", Usage: "make no key: the device has a certificate"},
				},
			},
			{Name: "show", Usage: "show all that the site's nodes know of a device", ArgsUsage: "DEVICE", Action: deviceShow},
			{Name: "rm", Usage: "take a device and its keys out of the registry; its readings stay", ArgsUsage: "DEVICE", Action: deviceRemove},
			{
				Name: "erase", Usage: "erase what a device has sent up to now; its keys stay", ArgsUsage: "DEVICE", Action: deviceErase,
				Flags: []cli.Flag{&cli.BoolFlag{Name: "yes", Usage: "it shall be gone for good"}},
			},
			{
				Name: "key", Usage: "give a device a new key, or revoke keys", ArgsUsage: "DEVICE [IDENTITY]", Action: deviceKey,
				Description: "A new key leaves the others valid for --overlap. --revoke takes the key of IDENTITY, or all keys\n" +
					"without one; sessions that began with them end at once.",
				Flags: []cli.Flag{
					&cli.DurationFlag{Name: "overlap", Value: 24 * time.Hour, Usage: "how long, `D`, the other keys are still taken; 0 for not at all"},
					identity, psk,
					&cli.BoolFlag{Name: "revoke", Usage: "revoke instead"},
				},
			},
			{
				Name: "desired", Usage: "print, write or delete what a device shall be like", ArgsUsage: "DEVICE [JSON|@FILE]", Action: deviceDesired,
				Flags: []cli.Flag{&cli.BoolFlag{Name: "rm", Usage: "delete it"}},
			},
		},
	}
}

func deviceList(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	list, err := cl.Devices(c.Context)
	if err != nil {
		return err
	}
	answer := struct {
		Devices []client.Device `json:"devices"`
	}{list}
	return show(c, answer, func(t *table) {
		t.row("DEVICE", "REGISTERED", "KEYS", "LAST READING", "RESOURCES", "NOTE")
		for _, d := range list {
			last := "-"
			if !d.Received.IsZero() {
				last = timeText(d.Received)
			}
			t.row(d.Device, yesNo(d.Registered), d.Keys, last, cmp.Or(strings.Join(d.Resources, " "), "-"), d.Note)
		}
	})
}

func deviceAdd(c *cli.Context) error {
	name, err := operands(c, "DEVICE")
	if err != nil {
		return err
	}
	if c.Bool("no-key") && (c.IsSet("identity") || c.IsSet("psk")) {
		return usagef("--no-key and a key are both asked for: choose one")
	}
	secret, err := givenSecret(c)
	if err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	if err := cl.Register(c.Context, name[0], c.String("note"), c.StringSlice("writes")); err != nil {
		return registrationError(name[0], err)
	}
	if c.Bool("no-key") {
		return show(c, client.NewKey{Device: name[0]}, func(t *table) {
			t.line("device " + name[0] + " is registered: it comes in with a certificate of this name")
		})
	}
	made, err := cl.AddKey(c.Context, name[0], client.KeyWish{Identity: c.String("identity"), Secret: secret})
	if err != nil {
		return withoutKey(c, cl, name[0], err)
	}
	return showKey(c, made)
}

// withoutKey takes a device that was registered out again, as its key was
// refused. Where that cannot be said, the error says what to type.
func withoutKey(c *cli.Context, cl *client.Client, name string, err error) error {
	if status := client.StatusCode(err); status >= 400 && status < 500 && cl.Unregister(c.Context, name) == nil {
		return err
	}
	return fmt.Errorf("device %s is registered, but has no key yet: skerry device key %s makes one: %w", name, name, err)
}

// registrationError says what to type where a device is there already.
func registrationError(name string, err error) error {
	if client.StatusCode(err) == 412 {
		return fmt.Errorf("device %s is registered already: skerry device key %s makes it a new key, skerry device rm %s takes it out", name, name, name)
	}
	return err
}

func deviceRemove(c *cli.Context) error {
	name, err := operands(c, "DEVICE")
	if err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	if err := cl.Unregister(c.Context, name[0]); err != nil {
		return err
	}
	answer := struct {
		Removed string `json:"removed"`
	}{name[0]}
	return show(c, answer, func(t *table) {
		t.line("device " + name[0] + " is not registered any more; its readings stay")
	})
}

// deviceURL is where a device posts, at the node that was asked, with DTLS.
func deviceURL(c *cli.Context, device string) string {
	host := "127.0.0.1"
	if u, err := url.Parse(c.String("addr")); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return "coaps://" + host + "/r/" + url.PathEscape(device) + "/temperature"
}
